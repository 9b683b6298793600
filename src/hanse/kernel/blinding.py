"""Factors that blind points of Curve25519, one for each point, and the factors that undo them.

A point of the subgroup times a factor of its own is uniform, whatever it was: what is sent so blinded hides the ids
behind it unconditionally. ``docs/protocols/oprf.md`` has the argument.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel

FACTOR_BYTES = 32


def factors(seed: bytes, count: int) -> NDArray[np.uint8]:
    """Independent factors from a fresh 32-byte seed: uint8[count, 32], each as `curve.secret` makes one."""
    drawn = np.empty((count, FACTOR_BYTES), dtype=np.uint8)
    _kernel.blinding_factors(seed, drawn)
    return drawn


def inverses(factors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For each factor the one that undoes it: uint8[n, 32]. Raises ``ValueError`` for a factor that is 0 modulo ℓ."""
    if factors.dtype != np.uint8 or factors.ndim != 2 or factors.shape[1] != FACTOR_BYTES:
        raise ValueError(f"factors must be uint8[n, {FACTOR_BYTES}]")
    undone = np.empty_like(factors, order="C")
    _kernel.blinding_inverses(np.ascontiguousarray(factors), undone)
    return undone
