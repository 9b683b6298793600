"""Base oblivious transfers: a batch of endemic 1-of-2 transfers of random keys, from Diffie-Hellman on Curve25519.

Masny and Rindal, "Endemic oblivious transfer", CCS 2019, with one key of the sender for the whole batch. For each
transfer the receiver makes a point A = a·G that travels as a uniform field element, and sends two field elements of
which any one can be chosen freely and the other follows: r_d is uniform and r_c = encoding of A − H(r_d), d = 1 − c.
The sender answers b·G once; the key of side i comes from b·map(r_i + H(r_(1−i))), of which the receiver can compute
one.

Every hash takes the session, the number of the transfer and the side, and keys depend on all that was said: no two
transfers share a key, whatever a cheating peer sends (McQuoid, Rosulek and Roy, "Batching base oblivious transfers",
ASIACRYPT 2021). The functions do not talk: `hanse.protocols.ot.extension` sends what they return.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import curve, hashing
from hanse.protocols.ot.labels import derive

Octets = NDArray[np.uint8]

KEY_BYTES = 16
PAIR_BYTES = 2 * curve.POINT_BYTES


class InvalidOffer(ValueError):
    """What a peer sent is no pair of encodings, or no point that a key can come from."""


@dataclass(frozen=True)
class Chosen:
    """The receiver's secrets between its message and the answer: a factor and a side for each transfer."""

    factors: Octets
    sides: Octets


def offer(seed: bytes, sides: Octets, salt: bytes) -> tuple[Chosen, Octets]:
    """Return the receiver's secrets and its message, uint8[n, 2, 32], for choices `sides`, uint8[n] of 0 and 1."""
    n = len(sides)
    factors, encodings = curve.encode_uniform(derive(b"encode", seed), n)
    free = curve.reduce_field(hashing.hash_rows(_numbers(n), derive(b"free", seed), 2 * curve.POINT_BYTES))
    bound = curve.subtract_field(encodings, pads(free, 1 - sides, salt))
    swapped = (bound ^ free) & (0 - sides)[:, None]  # the same memory is read whatever is chosen
    return Chosen(factors, sides), np.stack([bound ^ swapped, free ^ swapped], axis=1)


def answer(seed: bytes, pairs: Octets, salt: bytes) -> tuple[Octets, Octets]:
    """Return the sender's message, uint8[32], and both keys of each transfer, uint8[n, 2, 16].

    Raises InvalidOffer when a field element is not canonical or leads to a point of low order.
    """
    n = len(pairs)
    secret = curve.secret(seed)
    point = curve.multiply(np.frombuffer(curve.GENERATOR, np.uint8)[None, :], secret)[0]
    sides = [np.full(n, side, np.uint8) for side in (0, 1)]
    try:
        encodings = [curve.add_field(pairs[:, s], pads(pairs[:, 1 - s], sides[1 - s], salt)) for s in (0, 1)]
        points = curve.map_representatives(np.concatenate(encodings))
        shared = curve.multiply(points, secret)
    except curve.InvalidPoint as error:
        raise InvalidOffer(f"an encoding that no honest party sends: {error}") from error
    session = transcript(pairs, point, salt)
    keys = [_keys(shared[s * n : (s + 1) * n], sides[s], session) for s in (0, 1)]
    return point, np.stack(keys, axis=1)


def choose(chosen: Chosen, pairs: Octets, point: Octets, salt: bytes) -> Octets:
    """Return the receiver's keys, uint8[n, 16]: of each transfer the one of the side it chose.

    Raises InvalidOffer for a point that is not canonical, not on the curve, or of low order.
    """
    column = np.repeat(point[None, :], len(pairs), axis=0)
    if curve.on_curve(column[:1]) is not None:
        raise InvalidOffer("a point that is not on the curve")
    try:
        shared = curve.multiply_each(column, chosen.factors)
    except curve.InvalidPoint as error:
        raise InvalidOffer(f"a point that no honest party sends: {error}") from error
    return _keys(shared, chosen.sides, transcript(pairs, point, salt))


def transcript(pairs: Octets, point: Octets, salt: bytes) -> bytes:
    """Return 32 bytes that stand for the session and all that was said in it."""
    return derive(b"transcript", salt, pairs.tobytes(), point.tobytes())


def pads(elements: Octets, sides: Octets, salt: bytes) -> Octets:
    """H: one field element for each field element, its number, its side and the session."""
    rows = np.hstack([elements, _numbers(len(elements)), sides[:, None]])
    return curve.reduce_field(hashing.hash_rows(rows, derive(b"pad", salt), 2 * curve.POINT_BYTES))


def _keys(shared: Octets, sides: Octets, session: bytes) -> Octets:
    rows = np.hstack([shared, _numbers(len(shared)), sides[:, None]])
    return hashing.hash_rows(rows, derive(b"key", session), KEY_BYTES)


def _numbers(n: int) -> Octets:
    return np.arange(n, dtype="<u4").view(np.uint8).reshape(n, 4)
