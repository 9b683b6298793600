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

GENERATOR = (6).to_bytes(POINT_BYTES, "little")
"""u of a generator of the whole group, of order 8ℓ; `multiply` it by a `secret` b for the point b·G."""


class InvalidPoint(ValueError):
    """A point or field element that is refused: not canonical, or of low order. ``row`` says which one."""

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
    points = _rows(points, "points")
    products = np.empty_like(points)
    _raise(_kernel.curve_multiply(points, scalar, products))
    return products


def multiply_each(points: NDArray[np.uint8], scalars: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Multiplies each point of uint8[n, 32] by its own factor, uint8[n, 32] as `secret` makes them.

    Raises `InvalidPoint` where `multiply` does, and ValueError for factors that are 0 or no multiples of 8.
    """
    points = _rows(points, "points")
    products = np.empty_like(points)
    _raise(_kernel.curve_multiply_each(points, _rows(scalars, "scalars"), products))
    return products


def on_curve(points: NDArray[np.uint8]) -> int | None:
    """The first row of uint8[n, 32] that is not a canonical point of the curve itself, or None: for malicious peers.

    A point that is not on the curve is on its twist, where `multiply` computes too.
    """
    return _kernel.curve_find_off_curve(_rows(points, "points"))


def blind(ids: Ids, domain: bytes, scalar: bytes) -> NDArray[np.uint8]:
    """`hash_to_points`, then `multiply`, in one pass: uint8[n, 32]."""
    points = np.empty((len(ids), POINT_BYTES), dtype=np.uint8)
    _raise(_kernel.curve_blind(ids.data, ids.offsets, domain, scalar, points))
    return points


def encode_uniform(seed: bytes, count: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Secret factors and the points that belong to them, written as uniform field elements: twice uint8[count, 32].

    For each row a is drawn uniformly in [0, 8ℓ) until a·G, G the `GENERATOR`, is in the image of Elligator 2 (u alone);
    the representative is uniform among its four preimages. So it is uniform among the non-zero field elements, and
    independent of everything but the factor. The factor is the multiple of 8 that is a modulo ℓ: times a point b·G,
    b from `secret`, it is b·(a·G) bit for bit, that is ``multiply(map_representatives(representatives), b)``.
    """
    factors = np.empty((count, POINT_BYTES), dtype=np.uint8)
    representatives = np.empty_like(factors)
    _kernel.curve_encode_uniform(seed, factors, representatives)
    return factors, representatives


def map_representatives(representatives: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Maps field elements uint8[n, 32] to points of the curve, uint8[n, 32]: Elligator 2, u alone.

    Raises `InvalidPoint` for an element that is not below p. 0 maps to the point 0, which `multiply` refuses.
    """
    representatives = _rows(representatives, "representatives")
    points = np.empty_like(representatives)
    _raise(_kernel.curve_map_representatives(representatives, points))
    return points


def add_field(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """left + right modulo p, rows of field elements uint8[n, 32]. Raises `InvalidPoint` where a side is not below p."""
    sums = np.empty_like(_rows(left, "left"))
    _raise(_kernel.curve_add_field(_rows(left, "left"), _rows(right, "right"), sums))
    return sums


def subtract_field(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """left − right modulo p, rows of field elements uint8[n, 32]. Raises `InvalidPoint` where a side is not below p."""
    differences = np.empty_like(_rows(left, "left"))
    _raise(_kernel.curve_subtract_field(_rows(left, "left"), _rows(right, "right"), differences))
    return differences


def reduce_field(wide: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Field elements uint8[n, 32] from hashes uint8[n, 64], modulo p: within 2^-256 of uniform when the hashes are."""
    wide = _rows(wide, "wide", 2 * POINT_BYTES)
    elements = np.empty((len(wide), POINT_BYTES), dtype=np.uint8)
    _kernel.curve_reduce_field(wide, elements)
    return elements


def _rows(column: NDArray[np.uint8], name: str, width: int = POINT_BYTES) -> NDArray[np.uint8]:
    if column.dtype != np.uint8 or column.ndim != 2 or column.shape[1] != width:
        raise ValueError(f"{name} must be uint8[n, {width}]")
    return np.ascontiguousarray(column)


def _raise(fault: tuple[int, str] | None) -> None:
    if fault is not None:
        raise InvalidPoint(*fault)
