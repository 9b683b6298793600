"""Compressed sets of uniform tags: is this tag among them, and at which rank?

A filter is *pages* of about `PAGE_TAGS` tags, by the leading bits of the tag. A page is read and searched alone,
however large the whole is. Each tag takes ``low_bits`` + 2 bits (Elias 1974, Fano 1971), and a tag that is not in the
set is found with probability 2^-low_bits. Tags are rows of 16 bytes, uniform; the *rank* of a tag is its place in the
sorted set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel

TAG_BYTES = 16
PAGE_TAGS = 1 << 13
MOST_LOW_BITS = 64
MOST_PAGES = 1 << 32


class RepeatedTag(ValueError):
    """The same tag at two rows, the first before the second."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"rows {first} and {second} have the same tag")
        self.rows = first, second


@dataclass(frozen=True)
class Pages:
    """Pages of a filter, one after another.

    data    uint8, the pages end to end.
    counts  uint32, tags of each page.
    order   uint32, the row of each tag in what was encoded, by rising rank.
    """

    data: NDArray[np.uint8]
    counts: NDArray[np.uint32]
    order: NDArray[np.uint32]


@dataclass(frozen=True)
class Index:
    """Where the pages of a whole filter lie.

    starts  uint64[pages + 1], the first byte of each page, and the size of all.
    ranks   uint64[pages + 1], the tags before each page, and all tags.
    """

    starts: NDArray[np.uint64]
    ranks: NDArray[np.uint64]

    @classmethod
    def of(cls, counts: NDArray[np.uint32], low_bits: int) -> Index:
        """Return the index of a filter from how many tags each of its pages has."""
        wide = counts.astype(np.uint64)
        sizes = np.uint64(8) * (_words(wide * np.uint64(low_bits)) + _words(wide * np.uint64(2)))
        return cls(_running(sizes), _running(wide))

    def __len__(self) -> int:
        return len(self.starts) - 1


def page_count(tags: int) -> int:
    """How many pages a filter of so many tags has: at least one."""
    return max(1, -(-tags // PAGE_TAGS))


def pages_of(tags: NDArray[np.uint8], pages: int) -> NDArray[np.uint32]:
    """The page of each tag among ``pages``: uint32[n], rising with the tag."""
    found = np.empty(len(tags), dtype=np.uint32)
    _kernel.filter_pages(_checked(tags), pages, found)
    return found


def encode(tags: NDArray[np.uint8], first: int, count: int, pages: int, low_bits: int) -> Pages:
    """Encode ``count`` pages of a filter from page ``first`` on: all tags that it has there, in any order.

    Raises `RepeatedTag` for a tag that occurs twice, ``ValueError`` for a tag of another page.
    """
    counts = np.empty(count, dtype=np.uint32)
    order = np.empty(len(tags), dtype=np.uint32)
    data, repeated = _kernel.filter_encode(_checked(tags), first, pages, low_bits, counts, order)
    if repeated is not None:
        raise RepeatedTag(*repeated)
    return Pages(np.frombuffer(data, np.uint8), counts, order)


def check(data: NDArray[np.uint8], counts: NDArray[np.uint32], low_bits: int) -> None:
    """Raise ``ValueError`` unless ``data`` is pages of so many tags, end to end, and nothing beside."""
    aligned = np.require(counts, np.uint32, ["C", "A"])  # a column of a message may begin at any byte
    _kernel.filter_check(np.ascontiguousarray(data), aligned, low_bits)


def probe(
    data: NDArray[np.uint8], index: Index, low_bits: int, tags: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Look tags up in a whole filter: (query, rank) of each find, int64[k] each, by rising query, then rank.

    ``data`` may be a memory map: only the pages of the tags are touched. A tag may be found at several ranks, when the
    truncations of several are equal. Raises ``ValueError`` when a page is not as the index says.
    """
    queries, ranks = _kernel.filter_probe(data, index.starts, index.ranks, low_bits, _checked(tags))
    return np.frombuffer(queries, np.int64), np.frombuffer(ranks, np.int64)


def _checked(tags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if tags.dtype != np.uint8 or tags.ndim != 2 or tags.shape[1] != TAG_BYTES:
        raise ValueError(f"tags must be uint8[n, {TAG_BYTES}]")
    return np.ascontiguousarray(tags)


def _words(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return (bits + np.uint64(63)) // np.uint64(64)


def _running(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    totals = np.zeros(len(numbers) + 1, dtype=np.uint64)
    np.cumsum(numbers, out=totals[1:])
    return totals
