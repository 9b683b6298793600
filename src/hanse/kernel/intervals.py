"""Quantile bins: a column of numbers as codes of one byte, and the edges that say the same of numbers never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel

MAX_BINS = 256


@dataclass(frozen=True)
class Binned:
    """Columns in bins. Code b of column c stands for a number in (edges[c][b − 1], edges[c][b]].

    codes  uint8[columns, rows], C-contiguous.
    edges  float64[bins − 1] for each column, ascending; a column without edges is constant.
    """

    codes: NDArray[np.uint8]
    edges: tuple[NDArray[np.float64], ...]

    @property
    def bins(self) -> NDArray[np.uint32]:
        """Number of bins of each column."""
        return np.array([len(edges) + 1 for edges in self.edges], np.uint32)

    def rows_of(self, column: int) -> NDArray[np.int64]:
        """How many rows each bin of a column has."""
        return np.bincount(self.codes[column], minlength=len(self.edges[column]) + 1)

    def pick(self, columns: Sequence[int]) -> Binned:
        """Return the named columns, in this order."""
        return Binned(np.ascontiguousarray(self.codes[list(columns)]), tuple(self.edges[c] for c in columns))


def bin_columns(numbers: NDArray[np.float64], max_bins: int, min_rows: int = 1) -> Binned:
    """Put float64[columns, rows] into at most `max_bins` bins of about equal size, none of fewer than `min_rows` rows.

    A value that fills a bin has one of its own. Raises ValueError when a number is missing or not finite.
    """
    columns, rows = numbers.shape
    contiguous = np.ascontiguousarray(numbers, np.float64)
    found = _kernel.interval_edges(contiguous, rows, max_bins, min_rows) if columns and rows else [[] for _ in numbers]
    edges = tuple(np.array(each, np.float64) for each in found)
    return Binned(encode(contiguous, edges), edges)


def encode(numbers: NDArray[np.float64], edges: Sequence[NDArray[np.float64]]) -> NDArray[np.uint8]:
    """Return the codes uint8[columns, rows] of float64[columns, rows] under the given edges of each column."""
    codes = np.empty(numbers.shape, np.uint8)
    contiguous = np.ascontiguousarray(numbers, np.float64)
    _kernel.interval_codes(contiguous, numbers.shape[1], [each.tolist() for each in edges], codes)
    return codes
