"""After the matching: the guest tells each host which of the places that it sent are shared, and all take one order.

The order of the shared rows is bucket by bucket, within a bucket by the keyed hash of the digest, under a key that the
guest draws when all is matched. Every party computes it for itself, so no row number travels but one bit a place.
"""

import asyncio
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import hashing, tags
from hanse.protocols.channel import Peer
from hanse.protocols.messages import Message

Bytes = NDArray[np.uint8]
KEY_BYTES = 32


class Verdict(Message, frozen=True):
    """guest → host: all is matched, and enough is shared; the key of the common order, or nothing if not shared."""

    order_key: NDArray[np.uint8]


class SharedPlaces(Message, frozen=True):
    """guest → host: of the places of one piece that the host sent, which are shared: one bit each, lowest bit first."""

    max_bytes: ClassVar[int] = 1 << 24
    bits: NDArray[np.uint8]


def order_rows(digests: Bytes, key: bytes) -> NDArray[np.int64]:
    """Return the numbers of the digests uint8[n, 16] in the common order of one bucket."""
    _, order = tags.sort(hashing.hash_rows(digests, key, 16), 128)
    return order.astype(np.int64)


def pack(places: NDArray[np.int64], count: int) -> Bytes:
    """Return which of `count` places are shared, one bit each, lowest bit first."""
    shared = np.zeros(count, np.bool_)
    shared[places] = True
    return np.packbits(shared, bitorder="little")


async def hear_places(guest: Peer, count: int) -> NDArray[np.int64]:
    """Host: return which of the `count` places of a piece are shared, rising. Raises ProtocolError."""
    bits = (await guest.recv(SharedPlaces)).bits
    guest.must(len(bits) == -(-count // 8), "one bit for each place that I sent")
    shared = await asyncio.to_thread(np.unpackbits, bits, bitorder="little")
    guest.must(not shared[count:].any(), "no bit beyond the last place")
    return np.flatnonzero(shared[:count])


async def hear_verdict(guest: Peer, *, shared: bool) -> bytes:
    """Host: return the key of the common order, empty when the result is not shared. Raises ProtocolError."""
    key = (await guest.recv(Verdict)).order_key
    guest.must(len(key) == (KEY_BYTES if shared else 0), "a key for the common order exactly when rows are shared")
    return key.tobytes()
