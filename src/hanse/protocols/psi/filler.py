"""Rows that stand for nobody: they make a list as long as it has to be, so that its true length does not travel."""

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import hashing


def random_rows(count: int, seed: bytes, width: int = 16) -> NDArray[np.uint8]:
    """Return pseudorandom rows uint8[count, width] from a 32-byte seed; width at most 64."""
    numbers = np.arange(count, dtype="<u8").view(np.uint8).reshape(count, 8)
    return hashing.hash_rows(numbers, seed, width)


def filled_up(rows: NDArray[np.uint8], places: int, seed: bytes) -> NDArray[np.uint8]:
    """Return `rows`, uint8[n, w], with pseudorandom ones after them up to `places` in all."""
    if len(rows) == places:
        return rows
    return np.concatenate([rows, random_rows(places - len(rows), seed, rows.shape[1])])
