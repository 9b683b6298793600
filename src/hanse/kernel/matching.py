"""Exact joins of byte rows, and uniform permutations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel


def join(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of ``left`` and of ``right`` that are equal, pair by pair, by ascending left row.

    Both are uint8[n, w] and uint8[m, w] with one w of 8 to 32. Takes n log n whatever the rows are.
    Raises ``ValueError`` when the shapes do not fit, or when a row occurs twice on a side (the text names the side).
    """
    for side, rows in (("left", left), ("right", right)):
        if rows.dtype != np.uint8 or rows.ndim != 2:
            raise ValueError(f"the {side} side must be uint8[rows, width]")
    if left.shape[1] != right.shape[1]:
        raise ValueError(f"the sides have rows of {left.shape[1]} and of {right.shape[1]} bytes")
    room = min(len(left), len(right))
    left_rows = np.empty(room, dtype=np.int64)
    right_rows = np.empty(room, dtype=np.int64)
    columns = np.ascontiguousarray(left), np.ascontiguousarray(right)
    found = _kernel.join_rows(*columns, left.shape[1], left_rows, right_rows)
    return left_rows[:found], right_rows[:found]


def permutation(count: int, seed: bytes) -> NDArray[np.int64]:
    """A uniform permutation of 0 … count − 1 from a 32-byte seed: int64[count], without bias."""
    order = np.empty(count, dtype=np.int64)
    _kernel.fill_permutation(seed, order)
    return order
