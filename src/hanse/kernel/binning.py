"""Columns in bins: numbers and categories as codes of one byte, and what says the same of rows never seen.

A bin of numbers is an interval, a bin of categories a category; missing values have a code of their own. Fewer than a
wanted number of rows never have a code to themselves: they are put together with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel

MISSING = 255
"""Code of a missing value, or of a category that fitting did not see where no code stands for all others."""

MAX_BINS = 254

Codes = NDArray[np.uint8]
Reals = NDArray[np.float64]


class ColumnBins(msgspec.Struct, frozen=True):
    """How one column is coded.

    edges       (numbers) upper edges of all bins but the last, ascending, finite: code b stands for a number in
                (edges[b − 1], edges[b]], so `code <= b` is `x <= edges[b]`.
    categories  (categories) category of each code, sorted; None: a column of numbers.
    other       (categories) one code more, the last, stands for all other categories, those never seen among them.
    missing     code of a missing value: MISSING, or the value code that too few missing rows were put together with.
    """

    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] | None = None
    other: bool = False
    missing: int = MISSING

    @property
    def bins(self) -> int:
        """Number of value codes."""
        return len(self.edges) + 1 if self.categories is None else len(self.categories) + self.other

    @property
    def is_categorical(self) -> bool:
        return self.categories is not None


@dataclass(frozen=True)
class Shape:
    """What split search needs to know of columns.

    bins         uint32[columns]: value codes, 1 to 254.
    missing      uint8[columns]: 1 where a cell of missing values follows those of the value codes.
    categorical  uint8[columns]: 1 where codes have no order.
    monotone     int8[columns]: weights must rise with the code (1), fall (−1), or may do as they like (0).
    """

    bins: NDArray[np.uint32]
    missing: Codes
    categorical: Codes
    monotone: NDArray[np.int8]

    @property
    def cells(self) -> NDArray[np.int64]:
        """Number of cells of each column."""
        return self.bins.astype(np.int64) + self.missing

    @property
    def starts(self) -> NDArray[np.int64]:
        """First cell of each column, and the number of all cells."""
        return np.concatenate([[0], np.cumsum(self.cells)]).astype(np.int64)

    @property
    def width(self) -> int:
        """Number of all cells."""
        return int(self.cells.sum())


@dataclass(frozen=True)
class Binned:
    """Columns in bins.

    codes     uint8[columns, rows], C-contiguous.
    bins      how each column is coded.
    monotone  −1, 0 or 1 for each column, as in `Shape`; () means 0 for all.
    """

    codes: Codes
    bins: tuple[ColumnBins, ...]
    monotone: tuple[int, ...] = ()

    @cached_property
    def shape(self) -> Shape:
        """The shape of the columns; one has a cell of missing values if a row here has the code MISSING."""
        return Shape(
            np.array([column.bins for column in self.bins], np.uint32),
            np.array([MISSING in codes for codes in self.codes], np.uint8),
            np.array([column.is_categorical for column in self.bins], np.uint8),
            np.array(self.monotone or [0] * len(self.bins), np.int8),
        )

    def counts(self, column: int) -> NDArray[np.int64]:
        """Return how many rows have each of the 256 codes."""
        return np.bincount(self.codes[column], minlength=256)

    def pick(self, columns: Sequence[int]) -> Binned:
        """Return the named columns, in this order."""
        monotone = tuple(self.monotone[column] for column in columns) if self.monotone else ()
        return Binned(np.ascontiguousarray(self.codes[list(columns)]), tuple(self.bins[c] for c in columns), monotone)

    def take(self, rows: NDArray[np.integer]) -> Binned:
        """Return the named rows, in this order."""
        return Binned(np.ascontiguousarray(np.take(self.codes, rows, axis=1)), self.bins, self.monotone)


def bin_numbers(column: Reals, max_bins: int, min_rows: int = 1, within: ColumnBins | None = None) -> ColumnBins:
    """Choose at most `max_bins` bins of about equal size for float64[rows], NaN being missing.

    No bin has fewer than `min_rows` rows, nor has the cell of missing values; a value that fills a bin has one of its
    own. With `within`, an earlier binning of the column, every cell is a union of its cells. Raises ValueError when
    `max_bins` is not in 1…254, or `within` is of categories.
    """
    if not len(column):
        return ColumnBins()
    before = None if within is None else [_pair(within)]
    numbers = np.ascontiguousarray(column, np.float64)
    ((edges, missing),) = _kernel.bin_numbers(numbers, len(numbers), max_bins, min_rows, before)
    return ColumnBins(tuple(edges), missing=missing)


def encode_numbers(column: Reals, bins: ColumnBins) -> Codes:
    """Return the codes uint8[rows] of float64[rows]."""
    codes = np.empty(len(column), np.uint8)
    _kernel.bin_codes(np.ascontiguousarray(column, np.float64), len(column), [_pair(bins)], codes)
    return codes


def bin_columns(numbers: Reals, max_bins: int, min_rows: int = 1, within: Sequence[ColumnBins] | None = None) -> Binned:
    """Put float64[columns, rows] into bins: `bin_numbers` for every column."""
    columns, rows = numbers.shape
    contiguous = np.ascontiguousarray(numbers, np.float64)
    before = None if within is None else [_pair(bins) for bins in within]
    if not columns or not rows:
        return Binned(np.empty((columns, rows), np.uint8), (ColumnBins(),) * columns)
    found = _kernel.bin_numbers(contiguous, rows, max_bins, min_rows, before)
    bins = tuple(ColumnBins(tuple(edges), missing=missing) for edges, missing in found)
    return Binned(encode_columns(contiguous, bins), bins)


def encode_columns(numbers: Reals, bins: Sequence[ColumnBins]) -> Codes:
    """Return the codes uint8[columns, rows] of float64[columns, rows]: `encode_numbers` for every column."""
    codes = np.empty(numbers.shape, np.uint8)
    pairs = [_pair(each) for each in bins]
    _kernel.bin_codes(np.ascontiguousarray(numbers, np.float64), numbers.shape[1], pairs, codes)
    return codes


def bin_categories(
    codes: NDArray[np.int32], values: Sequence[str], max_bins: int, min_rows: int = 1, within: ColumnBins | None = None
) -> ColumnBins:
    """Choose which categories have a code: int32[rows] are places in `values`, which differ; −1 is missing.

    The most frequent have one (of equally frequent ones the first by text); the others share the last code, and those
    of fewer than `min_rows` rows are always among them. No code has fewer than `min_rows` rows, nor has MISSING. With
    `within`, an earlier binning of the column, every cell is a union of its cells. Raises ValueError when `max_bins`
    is not in 1…254, or `within` is of numbers.
    """
    if not 1 <= max_bins <= MAX_BINS:
        raise ValueError("max_bins must be in 1…254")
    counts = np.bincount(codes + 1, minlength=len(values) + 1).tolist()
    rows = {value: count for value, count in zip(values, counts[1:], strict=True) if count}
    limits = max_bins, max(min_rows, 1)
    return (
        _choose(rows, None, counts[0], *limits) if within is None else _choose_within(rows, counts[0], within, *limits)
    )


def encode_categories(codes: NDArray[np.int32], values: Sequence[str], bins: ColumnBins) -> Codes:
    """Return the codes uint8[rows] under `bins` of int32[rows], places in `values`, −1 being missing.

    A category without a code of its own has the last one if that stands for all others, else that of missing values.
    Raises ValueError when `bins` are of numbers.
    """
    if bins.categories is None:
        raise ValueError("the bins are of numbers")
    unknown = len(bins.categories) if bins.other else bins.missing
    known = {category: code for code, category in enumerate(bins.categories)}
    table = np.array([*(known.get(value, unknown) for value in values), bins.missing], np.uint8)
    return table[codes]  # −1 takes the last


def as_numbers(codes: Codes) -> Reals:
    """Return the codes of categories as scoring takes them: float64 of the same shape, MISSING as NaN."""
    table = np.arange(256, dtype=np.float64)
    table[MISSING] = np.nan
    return table[codes]


def _pair(bins: ColumnBins) -> tuple[list[float], int]:
    if bins.is_categorical:
        raise ValueError("the bins are of categories")
    return list(bins.edges), bins.missing


def _choose(rows: dict[str, int], others: int | None, missing_rows: int, max_bins: int, min_rows: int) -> ColumnBins:
    """Choose by the rows of each category, of a cell that already stands for others (None: there is none), missing."""
    kept, other_rows = _keep(rows, others, max_bins, min_rows)
    sizes = list(kept.values()) + ([] if other_rows is None else [other_rows])
    categories, other, missing = tuple(kept), other_rows is not None, MISSING
    if missing_rows and sum(sizes) < min_rows:
        categories, other, missing = (), True, 0
    elif 0 < missing_rows < min_rows:
        missing = sizes.index(max(sizes))
    return ColumnBins(categories=categories, other=other, missing=missing)


def _choose_within(
    rows: dict[str, int], missing_rows: int, within: ColumnBins, max_bins: int, min_rows: int
) -> ColumnBins:
    """Choose unions of the cells of an earlier binning; a category that it does not know is where it would code it."""
    if within.categories is None:
        raise ValueError("the earlier binning is of numbers")
    named = {category: rows.get(category, 0) for category in within.categories}
    unknown = sum(rows.values()) - sum(named.values())
    others = unknown if within.other else None
    gone = missing_rows + (0 if within.other else unknown)
    home = next(iter(within.categories[within.missing :]), None)
    if within.missing == MISSING:
        found = _choose(named, others, gone, max_bins, min_rows)
        if within.other or not unknown or not found.other:
            return found
        others = gone  # the unknown, coded as missing before, would now be others: what is missing goes with them
    elif home is None or (unknown and not within.other):
        others = (others or 0) + gone + (0 if home is None else named.pop(home))
        home = None
    else:
        named[home] += gone
    found = _choose(named, others, 0, max_bins, min_rows)
    places = {category: code for code, category in enumerate(found.categories or ())}
    missing = len(places) if home is None else places.get(home, len(places))
    return msgspec.structs.replace(found, missing=missing)


def _keep(rows: dict[str, int], others: int | None, max_bins: int, min_rows: int) -> tuple[dict[str, int], int | None]:
    """Return the categories with a code of their own, sorted, and the rows of the shared code (None: there is none)."""
    falling = sorted(rows, key=lambda name: (-rows[name], name))
    full = [name for name in falling if rows[name] >= min_rows]
    if others is None and len(full) == len(falling) <= max_bins and full:
        return {name: rows[name] for name in sorted(full)}, None
    kept = full[: max_bins - 1]
    other_rows = sum(rows.values()) + (others or 0) - sum(rows[name] for name in kept)
    while kept and other_rows < min_rows:
        other_rows += rows[kept.pop()]
    return {name: rows[name] for name in sorted(kept)}, other_rows
