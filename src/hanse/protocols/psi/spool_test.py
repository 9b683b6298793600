from pathlib import Path

import numpy as np
import pytest

from hanse.kernel import hashing
from hanse.kernel.ids import Ids
from hanse.protocols.psi.spool import Column, Spool

KEY = bytes(range(32))
PEOPLE = [f"p{number}" for number in range(5000)]


def filled(count: int, folder: Path | None, shuffle: bytes | None = None) -> Spool:
    batches = (Ids.from_strings(PEOPLE[start : start + 700]) for start in range(0, len(PEOPLE), 700))
    return Spool.filled(batches, KEY, count, folder, shuffle)


@pytest.mark.parametrize("shuffle", [None, bytes(32)])
@pytest.mark.parametrize("count", [1, 2, 13])
def test_files_hold_what_memory_would(count: int, shuffle: bytes | None, tmp_path: Path) -> None:
    held, spooled = filled(count, None, shuffle), filled(count, tmp_path, shuffle)
    digests = hashing.digest_ids(Ids.from_strings(PEOPLE), KEY)
    found = []
    for number in range(count):
        bucket, other = held.bucket(number), spooled.bucket(number)
        np.testing.assert_array_equal(bucket.digests, other.digests)
        np.testing.assert_array_equal(bucket.rows, other.rows)
        np.testing.assert_array_equal(bucket.digests, digests[bucket.rows])
        found.append(bucket.rows)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(PEOPLE)))


def test_a_finer_cut_lies_within_a_coarser_one() -> None:
    coarse, fine = filled(4, None), filled(12, None)
    for number in range(4):
        parts = [set(fine.bucket(piece).rows.tolist()) for piece in range(3 * number, 3 * number + 3)]
        assert set().union(*parts) == set(coarse.bucket(number).rows.tolist())


def test_a_secret_shuffle_puts_ids_elsewhere_than_their_digests_do() -> None:
    plain, shuffled = filled(8, None), filled(8, None, bytes(32))
    same = [np.intersect1d(plain.bucket(n).rows, shuffled.bucket(n).rows).size for n in range(8)]
    assert sum(same) < len(PEOPLE) // 4


def test_no_file_is_left_behind_even_while_it_is_used(tmp_path: Path) -> None:
    spool = filled(3, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(spool.bucket(0).rows) > 0
    spool.close()


def test_an_empty_table_has_empty_buckets() -> None:
    assert [len(part) for part in Spool.filled([], KEY, 1, None).bucket(0)] == [0, 0]


def test_slices_of_a_piece_are_read_back(tmp_path: Path) -> None:
    for folder in (None, tmp_path):
        column = Column(np.uint32, 1, folder)
        first = column.append(np.arange(10, dtype=np.uint32))
        second = column.append(np.arange(100, 105, dtype=np.uint32))
        assert column.read(first, 2, 5).tolist() == [2, 3, 4]
        assert column.read(second, 3).tolist() == [103, 104]
        assert column.read(second, 5, 5).tolist() == []
