"""Buckets through the typed face, against numpy and exact probabilities."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from hanse.kernel import buckets
from hanse.kernel.threads import set_threads

DIGESTS = np.random.default_rng(5).integers(0, 256, (70_000, 16), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 3, 100, 1 << 16])
def test_digests_are_grouped_by_their_leading_fraction_in_their_order(count: int) -> None:
    grouped, rows, starts = buckets.split(DIGESTS, count, first_row=1000)
    leading = [int.from_bytes(digest[:8].tobytes(), "little") for digest in DIGESTS]
    bucket = np.array([each * count >> 64 for each in leading])
    assert np.array_equal(rows, np.argsort(bucket, kind="stable") + 1000)
    assert np.array_equal(grouped, DIGESTS[rows - 1000])
    assert np.array_equal(np.diff(starts), np.bincount(bucket, minlength=count))
    assert starts[0] == 0


def test_no_digests_leave_all_buckets_empty() -> None:
    grouped, rows, starts = buckets.split(DIGESTS[:0], 4)
    assert grouped.shape == (0, 16)
    assert rows.size == 0
    assert starts.tolist() == [0] * 5


def test_rows_go_up_to_2_to_the_32() -> None:
    _, rows, _ = buckets.split(DIGESTS[:3], 1, first_row=2**32 - 3)
    assert rows.tolist() == [2**32 - 3, 2**32 - 2, 2**32 - 1]
    with pytest.raises(ValueError, match="below 2"):
        buckets.split(DIGESTS[:3], 1, first_row=2**32 - 2)


def test_what_cannot_be_split_is_refused_in_words() -> None:
    for count in (0, (1 << 16) + 1):
        with pytest.raises(ValueError, match=f"1 to 65536 buckets, not {count}"):
            buckets.split(DIGESTS[:3], count)
    with pytest.raises(ValueError, match=r"uint8\[n, 16\]"):
        buckets.split(DIGESTS[:, :15], 2)
    with pytest.raises(ValueError, match="buckets, not 0"):
        buckets.bound(3, 0)


@pytest.mark.parametrize(("items", "count"), [(60, 2), (300, 2), (300, 17), (300, 300), (20, 5000)])
def test_a_bound_is_exceeded_once_in_2_to_the_40_and_no_smaller_one_would_do(items: int, count: int) -> None:
    def exceeded(size: int) -> Fraction:
        ways = sum(comb(items, k) * (count - 1) ** (items - k) for k in range(size + 1, items + 1))
        return Fraction(ways * count, count**items)

    bound = buckets.bound(items, count)
    assert exceeded(bound) <= Fraction(1, 2**40) < exceeded(bound - 2)


def test_one_bucket_holds_everything() -> None:
    assert buckets.bound(10**9, 1) == 10**9
    assert buckets.bound(0, 7) == 0


def test_the_number_of_threads_changes_nothing() -> None:
    results = []
    for threads in (1, 3, 0):
        set_threads(threads)
        results.append(b"".join(column.tobytes() for column in buckets.split(DIGESTS, 7)))
    assert len(set(results)) == 1
