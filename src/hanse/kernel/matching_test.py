"""Joins and permutations through the typed face."""

from __future__ import annotations

import numpy as np
import pytest

from hanse.kernel import matching
from hanse.kernel.threads import set_threads

SEED = b"s" * 32


def distinct_rows(count: int, width: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    rows = np.random.default_rng(width).integers(0, 256, (count, width), dtype=np.uint8)
    rows[:, :4] = np.arange(count, dtype=">u4").view(np.uint8).reshape(count, 4)
    return rows


@pytest.mark.parametrize("width", [8, 11, 16, 32])
def test_a_shuffled_subset_is_found_where_it_lies(width: int) -> None:
    left = distinct_rows(1000, width)
    order = matching.permutation(1000, SEED)[:600]
    right = np.concatenate([np.flip(left[:5], axis=1), left[order]])
    left_rows, right_rows = matching.join(left, right)
    assert np.array_equal(left_rows, np.sort(order))
    assert np.array_equal(right[right_rows], left[left_rows])


def test_rows_need_not_be_contiguous() -> None:
    left = distinct_rows(50, 16)
    left_rows, right_rows = matching.join(left[:, :8], left[::-1, :8])
    assert np.array_equal(left_rows, np.arange(50))
    assert np.array_equal(right_rows, np.arange(50)[::-1])


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_row_given_twice_is_refused_and_the_side_named(side: str) -> None:
    rows = distinct_rows(20, 12)
    twice = np.concatenate([rows, rows[3:4]])
    with pytest.raises(ValueError, match=f"twice on the {side} side"):
        matching.join(*((twice, rows) if side == "left" else (rows, twice)))


def test_sides_that_do_not_fit_are_refused() -> None:
    rows = distinct_rows(4, 16)
    with pytest.raises(ValueError, match="16 and of 15 bytes"):
        matching.join(rows, rows[:, :15])
    with pytest.raises(ValueError, match="8 to 32 bytes"):
        matching.join(rows[:, :7], rows[:, :7])
    with pytest.raises(ValueError, match="left side must be"):
        matching.join(rows.astype(np.int8), rows)


def test_nothing_joins_with_nothing() -> None:
    rows = distinct_rows(4, 16)
    for left, right in ((rows, rows[:0]), (rows[:0], rows), (rows[:0], rows[:0])):
        left_rows, right_rows = matching.join(left, right)
        assert left_rows.size == right_rows.size == 0


def test_permutations_hold_every_index_and_follow_the_seed() -> None:
    order = matching.permutation(5000, SEED)
    assert np.array_equal(np.sort(order), np.arange(5000))
    assert np.array_equal(order, matching.permutation(5000, SEED))
    assert not np.array_equal(order, matching.permutation(5000, b"t" * 32))
    assert matching.permutation(0, SEED).size == 0


def test_the_number_of_threads_changes_nothing() -> None:
    left = distinct_rows(3000, 16)
    results = []
    for count in (1, 3, 0):
        set_threads(count)
        results.append(matching.join(left, left[::-1])[1])
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])
