"""Filters through the typed face, against sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.kernel import filters
from hanse.kernel.threads import set_threads

BITS = 40


def tags(count: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 16), dtype=np.uint8)


def ordered(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return rows[np.lexsort(rows.T[::-1])]


def build(rows: NDArray[np.uint8], pages: int, low_bits: int = BITS) -> tuple[NDArray[np.uint8], filters.Index]:
    encoded = filters.encode(rows, 0, pages, pages, low_bits)
    return encoded.data, filters.Index.of(encoded.counts, low_bits)


def test_all_tags_are_found_at_their_ranks_and_no_other() -> None:
    mine, others = tags(5000, 1), tags(5000, 2)
    data, index = build(mine, 3)
    queries, ranks = filters.probe(data, index, BITS, np.concatenate([others, ordered(mine)]))
    assert np.array_equal(queries, np.arange(5000, 10_000))
    assert np.array_equal(ranks, np.arange(5000))


def test_a_filter_made_in_shards_is_the_same_filter() -> None:
    rows = tags(3000, 3)
    whole = filters.encode(rows, 0, 7, 7, BITS)
    pages = filters.pages_of(rows, 7)
    shards = [filters.encode(rows[(pages >= at) & (pages < at + 3)], at, min(3, 7 - at), 7, BITS) for at in (0, 3, 6)]
    assert np.array_equal(np.concatenate([shard.data for shard in shards]), whole.data)
    assert np.array_equal(np.concatenate([shard.counts for shard in shards]), whole.counts)


def test_a_filter_is_searched_in_a_file_that_is_mapped(tmp_path: Path) -> None:
    rows = tags(1000, 4)
    data, index = build(rows, 2)
    data.tofile(tmp_path / "filter")
    mapped = np.memmap(tmp_path / "filter", np.uint8, "r")
    assert len(filters.probe(mapped, index, BITS, rows)[0]) == 1000


def test_order_says_which_row_has_which_rank_on_any_number_of_threads() -> None:
    rows = tags(20_000, 5)
    for threads in (1, 3):
        set_threads(threads)
        assert np.array_equal(rows[filters.encode(rows, 0, 5, 5, BITS).order], ordered(rows))
    set_threads(0)


def test_an_empty_filter_has_no_tag() -> None:
    data, index = build(tags(0, 0), 1)
    assert (len(data), len(index)) == (0, 1)
    assert len(filters.probe(data, index, BITS, tags(10, 6))[0]) == 0
    assert len(filters.probe(*build(tags(9, 1), 1), BITS, tags(0, 6))[0]) == 0


def test_a_tag_given_twice_is_refused_with_its_rows() -> None:
    rows = tags(100, 7)
    rows[60] = rows[31]
    with pytest.raises(filters.RepeatedTag) as caught:
        filters.encode(rows, 0, 1, 1, BITS)
    assert caught.value.rows == (31, 60)


@pytest.mark.parametrize(
    ("first", "count", "pages", "bits"), [(1, 2, 3, 40), (0, 4, 3, 40), (0, 3, 3, 0), (0, 3, 3, 65)]
)
def test_what_does_not_fit_the_shape_is_refused(first: int, count: int, pages: int, bits: int) -> None:
    with pytest.raises(ValueError, match=r"pages|low bits"):
        filters.encode(tags(100, 8), first, count, pages, bits)


def test_check_finds_what_was_changed_cut_or_added() -> None:
    encoded = filters.encode(tags(500, 9), 0, 3, 3, BITS)
    filters.check(encoded.data, encoded.counts, BITS)
    changed = encoded.data.copy()
    changed[-9] ^= 1
    counts = encoded.counts.copy()
    counts[1] += 1
    for data, said in ((changed, encoded.counts), (encoded.data[:-1], encoded.counts), (encoded.data, counts)):
        with pytest.raises(ValueError, match="not as it says"):
            filters.check(data, said, BITS)


def test_an_index_that_does_not_fit_is_an_error_and_no_wild_read() -> None:
    rows = tags(500, 10)
    data, index = build(rows, 2)
    for starts, ranks in (
        (index.starts + np.uint64(8), index.ranks),
        (index.starts, index.ranks * np.uint64(1 << 50)),
        (index.starts * np.uint64(1 << 60), index.ranks),
        (index.starts[::-1].copy(), index.ranks),
    ):
        with pytest.raises(ValueError, match="not as it says"):
            filters.probe(data, filters.Index(starts, ranks), BITS, rows)
