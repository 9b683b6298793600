"""Blinding of ids on Curve25519, u-coordinates only: one call for a whole column.

Ids are hashed with BLAKE3 and mapped by Elligator 2 (RFC 9380 §6.7.1), points multiplied by the ladder of RFC 7748.
``docs/protocols/curve.md`` has the argument. The thread count is that of `hanse.kernel.threads`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel
from hanse.kernel.ids import Ids

POINT_BYTES = 32


class InvalidPoint(ValueError):
    """A point that must not be multiplied: not canonical, or of low order. ``row`` says which one."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(f"point {row} is not acceptable: {reason}")
        self.row = row


def secret(seed: bytes) -> bytes:
    """A blinding factor from a fresh 32-byte seed: 32 bytes, little-endian.

    Uniform and non-zero modulo the group order ℓ; its representative in [0, 8ℓ) that is divisible by 8.
    """
    return _kernel.curve_secret(seed)


def hash_to_points(ids: Ids, domain: bytes) -> NDArray[np.uint8]:
    """Hashes each id to the curve under ``domain``: uint8[n, 32]. Other domains give unrelated points."""
    points = np.empty((len(ids), POINT_BYTES), dtype=np.uint8)
    _kernel.curve_hash_to_points(ids.data, ids.offsets, domain, points)
    return points


def multiply(points: NDArray[np.uint8], scalar: bytes) -> NDArray[np.uint8]:
    """Multiplies uint8[n, 32] by a factor of `secret`, and returns as many points.

    Raises `InvalidPoint` for u ≥ p and for points of low order. Points on the twist are not told apart: a semi-honest
    peer sends none, and a protocol that must stand up to others checks for them itself.
    """
    if points.dtype != np.uint8 or points.ndim != 2 or points.shape[1] != POINT_BYTES:
        raise ValueError(f"points must be uint8[n, {POINT_BYTES}]")
    products = np.empty_like(points, order="C")
    _raise(_kernel.curve_multiply(np.ascontiguousarray(points), scalar, products))
    return products


def blind(ids: Ids, domain: bytes, scalar: bytes) -> NDArray[np.uint8]:
    """`hash_to_points`, then `multiply`, in one pass: uint8[n, 32]."""
    points = np.empty((len(ids), POINT_BYTES), dtype=np.uint8)
    _raise(_kernel.curve_blind(ids.data, ids.offsets, domain, scalar, points))
    return points


def _raise(fault: tuple[int, str] | None) -> None:
    if fault is not None:
        raise InvalidPoint(*fault)
