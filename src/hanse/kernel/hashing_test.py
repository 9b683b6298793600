"""Hashing through the typed face, against the published test vectors of BLAKE3."""

from __future__ import annotations

import numpy as np
import pytest

from hanse.kernel import hashing
from hanse.kernel.ids import Ids
from hanse.kernel.threads import set_threads

KEY = b"whats the Elvish word for friend"

# test_vectors.json of the BLAKE3 team: inputs 0, 1, 2, … modulo 251 of so many bytes, the start of "keyed_hash"
VECTORS = {
    0: "92b2b75604ed3c761f9d6f62392c8a92",
    1: "6d7878dfff2f485635d39013278ae14f",
    1023: "c951ecdf03288d0fcc96ee3413563d8a",
    1024: "75c46f6f3d9eb4f55ecaaee480db732e",
    1025: "357dc55de0c7e382c900fd6e320acc04",
}
EXTENDED = (
    "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b"
    "6568c0490609413006fbd428eb3fd14e7756d90f73a4725fad147f7bf70fd61c"
)


def test_ids_have_the_published_digests() -> None:
    texts = [bytes(place % 251 for place in range(size)) for size in VECTORS]
    offsets = np.cumsum([0, *VECTORS], dtype=np.int64)
    digests = hashing.digest_ids(Ids(np.frombuffer(b"".join(texts), np.uint8), offsets), KEY)
    assert [row.tobytes().hex() for row in digests] == list(VECTORS.values())


def test_a_hash_of_any_width_is_the_start_of_the_extended_output() -> None:
    for width in (1, 8, 16, 33, 64):
        hashes = hashing.hash_rows(np.zeros((1, 1), np.uint8), KEY, width)
        assert hashes.tobytes().hex() == EXTENDED[: 2 * width]


def test_rows_hash_as_ids_of_the_same_bytes_whatever_their_layout() -> None:
    rows = np.random.default_rng(1).integers(0, 256, (1000, 24), dtype=np.uint8)
    ids = Ids(rows.ravel(), np.arange(1001, dtype=np.int64) * 24)
    wide = np.concatenate([rows, rows], axis=1)[:, :24]
    assert np.array_equal(hashing.hash_rows(wide, KEY, 16), hashing.digest_ids(ids, KEY))


def test_another_key_gives_other_digests() -> None:
    ids = Ids.from_strings(["Łódź", "", "0042"])
    assert not np.any(np.all(hashing.digest_ids(ids, KEY) == hashing.digest_ids(ids, bytes(32)), axis=1))


def test_the_number_of_threads_changes_nothing() -> None:
    ids = Ids.from_strings(str(number) for number in range(10_000))
    results = []
    for count in (1, 3, 0):
        set_threads(count)
        results.append(hashing.digest_ids(ids, KEY).tobytes())
    assert len(set(results)) == 1


def test_no_ids_have_no_digests() -> None:
    assert hashing.digest_ids(Ids.from_strings([]), KEY).shape == (0, 16)
    assert hashing.hash_rows(np.empty((0, 16), np.uint8), KEY, 64).shape == (0, 64)


def test_what_cannot_be_hashed_is_refused_in_words() -> None:
    rows = np.zeros((2, 65), np.uint8)
    with pytest.raises(ValueError, match="key must have 32 bytes, not 3"):
        hashing.hash_rows(rows[:, :16], b"key", 16)
    with pytest.raises(ValueError, match="a row must have 1 to 64 bytes, not 65"):
        hashing.hash_rows(rows, KEY, 16)
    with pytest.raises(ValueError, match="a hash must have 1 to 64 bytes, not 65"):
        hashing.hash_rows(rows[:, :16], KEY, 65)
    with pytest.raises(ValueError, match="a hash must have 1 to 64 bytes, not 0"):
        hashing.hash_rows(rows[:, :16], KEY, 0)
    with pytest.raises(ValueError, match=r"rows must be uint8\[rows, width\]"):
        hashing.hash_rows(rows.astype(np.int8), KEY, 16)
