"""2HashDH on Curve25519 for one bucket: the guest learns F_k of its own digests, the host holds k.

F_k(x) = H2(k·H1(x), x), with H1 by Elligator 2 and u-coordinates alone (docs/protocols/curve.md); Jarecki, Kiayias and
Krawczyk 2014. Points travel in blocks, so that both sides' cores work at once. The guest's list is as long as the sizes
say, filled up with points that no id has.
"""

import asyncio
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import blinding, curve, hashing
from hanse.kernel.ids import Ids
from hanse.protocols.channel import Party, Peer, ProtocolError
from hanse.protocols.messages import Message
from hanse.protocols.psi.filler import filled_up
from hanse.protocols.psi.tags import demand_distinct
from hanse.protocols.psi.together import together

DOMAIN = b"hanse/psi/ecdh/2"
BLOCK = 1 << 16
DIGEST_BYTES = 16

Bytes = NDArray[np.uint8]
Keys = tuple[bytes, ...]
"""What H2 is keyed with: one key gives tags, another one seals."""


class GuestPoints(Message, frozen=True):
    """guest → host: H1(digest) times my secret, for the next of my digests; 32 bytes each."""

    max_bytes: ClassVar[int] = BLOCK * curve.POINT_BYTES + 64
    points: NDArray[np.uint8]


class HostPoints(Message, frozen=True):
    """host → guest: the block's points times my secret, order kept; in a count: my own digests blinded, shuffled."""

    max_bytes: ClassVar[int] = BLOCK * curve.POINT_BYTES + 64
    points: NDArray[np.uint8]


async def evaluate(me: Party, host: Peer, digests: Bytes, places: int, keys: Keys) -> list[Bytes]:
    """Guest: return F(x) of the n digests under each key, uint8[n, 16]; the host cannot tell filler among `places`.

    Raises ProtocolError, and HanseError("psi.duplicate_ids") before the host sees one point twice.
    """
    await asyncio.to_thread(demand_distinct, digests)
    factor = curve.secret(me.rng.seed())
    inverse = blinding.inverses(np.frombuffer(factor, np.uint8).reshape(1, -1)).tobytes()
    rows = filled_up(digests, places, me.rng.seed())
    values = _room(places, keys)

    async def ask() -> None:
        for block in blocks(places):
            await host.send(GuestPoints((await asyncio.to_thread(blind, rows[block], factor)).reshape(-1)))

    async def take() -> None:
        for block in blocks(places):
            points = await _receive(host, HostPoints, block)
            product = await multiply(host, points, inverse)
            await asyncio.to_thread(_put_values, values, block, product, rows, keys)

    await together(ask(), take())
    return [column[: len(digests)] for column in values]


class Function:
    """Host: F under a fresh key for one bucket. `serve` answers the guest; `values` ends only after that has."""

    def __init__(self, me: Party, guest: Peer, places: int) -> None:
        self._guest = guest
        self._places = places
        self._factor = curve.secret(me.rng.seed())
        self._served = asyncio.Event()

    async def serve(self) -> None:
        """Multiply the guest's points, block by block."""
        for block in blocks(self._places):
            points = await _receive(self._guest, GuestPoints, block)
            await self._guest.send(HostPoints((await multiply(self._guest, points, self._factor)).reshape(-1)))
        self._served.set()

    async def values(self, digests: Bytes, keys: Keys) -> list[Bytes]:
        """Return F(y) of my own digests under each key, uint8[n, 16]."""
        values = _room(len(digests), keys)
        for block in blocks(len(digests)):
            product = await asyncio.to_thread(blind, digests[block], self._factor)
            await asyncio.to_thread(_put_values, values, block, product, digests, keys)
        await self._served.wait()
        return values


async def multiply(peer: Peer, points: Bytes, factor: bytes) -> Bytes:
    """Return a peer's points, uint8[n, 32], times my factor. Raises ProtocolError for what is no point."""
    try:
        return await asyncio.to_thread(curve.multiply, points, factor)
    except curve.InvalidPoint as error:
        raise ProtocolError(peer.id, f"sent a point that no id has: {error}") from error


def blind(digests: Bytes, factor: bytes) -> Bytes:
    """Return digests uint8[n, 16] hashed to the curve, times a factor: uint8[n, 32]."""
    offsets = np.arange(len(digests) + 1, dtype=np.int64) * DIGEST_BYTES
    return curve.blind(Ids(np.ascontiguousarray(digests).reshape(-1), offsets), DOMAIN, factor)


def blocks(count: int) -> list[slice]:
    """Return the blocks in which so many points travel."""
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


async def _receive(peer: Peer, kind: type[GuestPoints | HostPoints], block: slice) -> Bytes:
    points = (await peer.recv(kind)).points
    peer.must(len(points) == (block.stop - block.start) * curve.POINT_BYTES, "a block of as many points as agreed")
    return points.reshape(-1, curve.POINT_BYTES)


def _room(count: int, keys: Keys) -> list[Bytes]:
    return [np.empty((count, DIGEST_BYTES), np.uint8) for _ in keys]


def _put_values(values: list[Bytes], block: slice, points: Bytes, digests: Bytes, keys: Keys) -> None:
    rows = np.concatenate([points, digests[block]], axis=1)
    for column, key in zip(values, keys, strict=True):
        column[block] = hashing.hash_rows(rows, key, DIGEST_BYTES)
