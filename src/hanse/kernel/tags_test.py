"""Sets of tags through the typed face, against plain Python sets and numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.kernel import tags
from hanse.kernel.threads import set_threads


def uniform(count: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 16), dtype=np.uint8)


def values(rows: NDArray[np.uint8], bits: int = 128) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") % 2**bits for row in rows]


@pytest.mark.parametrize("bits", [40, 64, 80, 96, 101, 128])
@pytest.mark.parametrize("count", [0, 1, 2, 777, 40_000])
def test_a_set_is_sorted_coded_and_read_back(count: int, bits: int) -> None:
    rows = uniform(count)
    sorted_tags, order = tags.sort(rows, bits)
    assert values(sorted_tags) == sorted(values(rows, bits))
    assert values(rows[order], bits) == values(sorted_tags)
    code = tags.encode(sorted_tags, bits)
    assert np.array_equal(tags.decode(code, count, bits), sorted_tags)
    assert len(code) <= tags.largest_size_bytes(count, bits)


def test_a_uniform_set_takes_a_bit_and_a_half_more_than_the_bits_that_tell_its_tags_apart() -> None:
    sorted_tags, _ = tags.sort(uniform(1 << 15), 75)
    assert 8 * len(tags.encode(sorted_tags, 75)) / (1 << 15) == pytest.approx(75 - 15 + 1.55, abs=0.05)


def test_shared_tags_are_found_where_they_lie() -> None:
    both, mine, theirs = uniform(300, 2), uniform(500, 3), uniform(9000, 4)
    rows = np.concatenate([mine, both])
    mine_sorted, order = tags.sort(rows, 80)
    theirs_sorted, _ = tags.sort(np.concatenate([both, theirs]), 80)
    my_rows, places = tags.match(mine_sorted, order, theirs_sorted)
    assert sorted(my_rows.tolist()) == list(range(500, 800))
    assert values(rows[my_rows], 80) == values(theirs_sorted[places])
    assert np.all(np.diff(places) > 0)


def test_nothing_is_shared_with_nothing() -> None:
    some, order = tags.sort(uniform(5), 80)
    none, no_order = tags.sort(uniform(0), 80)
    for mine, rows, theirs in ((some, order, none), (none, no_order, some), (none, no_order, none)):
        assert [found.tolist() for found in tags.match(mine, rows, theirs)] == [[], []]


def test_tags_that_truncation_makes_equal_are_refused_with_their_rows() -> None:
    rows = uniform(1000)
    rows[700, :10] = rows[3, :10]
    with pytest.raises(ValueError, match="rows 3 and 700 are equal in 80 bits"):
        tags.sort(rows, 80)
    assert len(tags.sort(rows, 128)[0]) == 1000


def test_what_is_no_code_is_refused_in_words() -> None:
    sorted_tags, _ = tags.sort(uniform(100), 80)
    code = tags.encode(sorted_tags, 80)
    # 73 low bits of each gap take 913 bytes; then a first gap of 320 · 2^73, which is beyond 80 bits
    far = np.concatenate([code[:913], np.zeros(40, np.uint8), np.full(13, 0xFF, np.uint8)])
    cases = {
        "ends before its last tag": code[:-1],
        "goes on after its last tag": np.append(code, np.uint8(0)),
        "tag 0 does not rise within its bits": far,
    }
    for words, wrong in cases.items():
        with pytest.raises(ValueError, match=words):
            tags.decode(wrong, 100, 80)
    with pytest.raises(ValueError, match="ends before"):
        tags.decode(code, 2**31, 80)
    with pytest.raises(ValueError, match="1 to 128 bits, not 129"):
        tags.decode(code, 100, 129)
    with pytest.raises(ValueError, match=r"uint8\[bytes\]"):
        tags.decode(code.reshape(1, -1), 100, 80)


def test_tags_out_of_order_have_no_code() -> None:
    sorted_tags, _ = tags.sort(uniform(100), 80)
    for wrong, bits in ((sorted_tags[::-1], 80), (sorted_tags[[0, 1, 1, 2]], 80), (sorted_tags, 70)):
        with pytest.raises(ValueError, match="does not rise within its bits"):
            tags.encode(wrong, bits)


def test_what_are_no_tags_is_refused_in_words() -> None:
    rows = uniform(4)
    with pytest.raises(ValueError, match=r"tags must be uint8\[n, 16\]"):
        tags.sort(rows[:, :15], 80)
    with pytest.raises(ValueError, match="1 to 128 bits, not 0"):
        tags.sort(rows, 0)
    with pytest.raises(ValueError, match="order must have a row for each tag"):
        tags.match(rows, np.zeros(3, np.uint32), rows)


def test_the_number_of_threads_changes_nothing() -> None:
    rows = uniform(100_000)
    results = []
    for count in (1, 3, 0):
        set_threads(count)
        sorted_tags, order = tags.sort(rows, 80)
        found = tags.match(sorted_tags, order, sorted_tags[::3].copy())
        results.append((sorted_tags.tobytes(), order.tobytes(), *(column.tobytes() for column in found)))
    assert len(set(results)) == 1
