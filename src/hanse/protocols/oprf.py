"""An oblivious pseudorandom function between the owner of a key and one who asks: 2HashDH on Curve25519.

    F(x) = H2(digest of x, u(k · H1(x)))

Jarecki, Kiayias and Krawczyk 2014 (2HashDH), with u-coordinates alone and one map of Elligator 2 for H1. Who asks
blinds each point with a factor of its own, so that what it sends is uniform whatever it asks; the owner learns how many
it asks.
``docs/protocols/oprf.md`` has the argument.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.kernel import blinding, curve, hashing
from hanse.kernel.ids import Ids
from hanse.protocols.channel import Entropy, Peer, ProtocolError
from hanse.protocols.messages import Message

DOMAIN = b"hanse/oprf/curve25519/1"
VALUE_BYTES = 32
EPOCH_BYTES = 32
LEAST_BLOCK, MOST_BLOCK = 1 << 9, 1 << 13
"""Points of one message: of few ids an eighth, so that both sides are busy at once; of many, some ten milliseconds."""

OWN_ROWS = 1 << 15
MOST_ASKED = 1 << 32


class OprfAsked(Message, frozen=True):
    """guest → host: how many values of the function I ask for."""

    count: Annotated[int, msgspec.Meta(ge=0, le=MOST_ASKED)]


class OprfBlinded(Message, frozen=True):
    """guest → host: the next points that I ask for, each blinded with a factor of its own; 32 bytes each."""

    points: NDArray[np.uint8]


class OprfEvaluated(Message, frozen=True):
    """host → guest: the points of one `OprfBlinded` times my key, order kept; 32 bytes each."""

    points: NDArray[np.uint8]


@dataclass(frozen=True)
class Key:
    """The function: a secret factor of the curve, 32 bytes, and the public name of the key's life, 32 bytes."""

    factor: bytes
    epoch: bytes

    @classmethod
    def draw(cls, rng: Entropy) -> "Key":
        """Draw a fresh function."""
        return cls(curve.secret(rng.seed()), rng.seed())

    def evaluate(self, ids: Ids) -> NDArray[np.uint8]:
        """Return the function's values of my own ids: uint8[n, 32], pseudorandom to all others."""
        values = np.empty((len(ids), VALUE_BYTES), np.uint8)
        for start in range(0, len(ids), OWN_ROWS):  # blocks whose points and digests stay in the cache
            block = ids.part(start, min(start + OWN_ROWS, len(ids)))
            values[start : start + len(block)] = finish(block, curve.blind(block, DOMAIN, self.factor), self.epoch)
        return values


def finish(ids: Ids, points: NDArray[np.uint8], epoch: bytes) -> NDArray[np.uint8]:
    """H2: the values, uint8[n, 32], of ids and of their points times the key, uint8[n, 32]."""
    name = np.frombuffer(DOMAIN + epoch, np.uint8)[None]
    keys = hashing.hash_rows(name, bytes(hashing.KEY_BYTES), 2 * hashing.KEY_BYTES).tobytes()
    digests = hashing.digest_ids(ids, keys[: hashing.KEY_BYTES])
    return hashing.hash_rows(np.concatenate([points, digests], axis=1), keys[hashing.KEY_BYTES :], VALUE_BYTES)


def block_rows(count: int) -> int:
    """Return how many points each message of a run of `count` has; the last one may have fewer."""
    return max(LEAST_BLOCK, min(MOST_BLOCK, -(-count // 8)))


async def ask(host: Peer, ids: Ids, epoch: bytes, rng: Entropy) -> NDArray[np.uint8]:
    """Return the host's function of my ids: uint8[n, 32]. The host learns how many.

    Raises ProtocolError when what comes back is not a point for each point.
    """
    await host.send(OprfAsked(len(ids)))
    factors: deque[NDArray[np.uint8]] = deque()
    values = np.empty((len(ids), VALUE_BYTES), np.uint8)
    size = block_rows(len(ids))
    blocks = [(start, ids.part(start, min(start + size, len(ids)))) for start in range(0, len(ids), size)]

    async def blind_all() -> None:
        for _, block in blocks:
            points, drawn = await asyncio.to_thread(_blind, block, rng.seed())
            factors.append(drawn)
            await host.send(OprfBlinded(points.reshape(-1)))

    async def unblind_all() -> None:
        for start, block in blocks:
            points = _points(host, (await host.recv(OprfEvaluated)).points, len(block))
            inverses = await asyncio.to_thread(blinding.inverses, factors.popleft())
            try:
                shown = await asyncio.to_thread(curve.multiply_each, points, inverses)
            except curve.InvalidPoint as error:
                raise ProtocolError(host.id, f"answered with what no key gives: {error}") from error
            values[start : start + len(block)] = finish(block, shown, epoch)

    both = asyncio.create_task(blind_all()), asyncio.create_task(unblind_all())
    try:
        await asyncio.gather(*both)
    finally:
        for task in both:
            task.cancel()
    return values


async def answer(guest: Peer, key: Key, most: int) -> int:
    """Evaluate what the guest asks, at most `most` points; return how many it asked.

    Raises ProtocolError when it asks for more, or sends what is no point of the curve itself.
    """
    count = (await guest.recv(OprfAsked)).count
    guest.must(count <= most, f"at most {most} ids in one run, as the settings say")
    size = block_rows(count)
    for start in range(0, count, size):
        blinded = (await guest.recv(OprfBlinded)).points
        points = _points(guest, blinded, min(size, count - start))
        evaluated = await asyncio.to_thread(_evaluate, guest, points, key.factor)
        await guest.send(OprfEvaluated(evaluated.reshape(-1)))
    return count


def _blind(ids: Ids, seed: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    drawn = blinding.factors(seed, len(ids))
    return curve.multiply_each(curve.hash_to_points(ids, DOMAIN), drawn), drawn


def _evaluate(guest: Peer, points: NDArray[np.uint8], factor: bytes) -> NDArray[np.uint8]:
    """Multiply points of the curve itself: one on its twist would be multiplied in another group."""
    guest.must(curve.on_curve(points) is None, "only points of the curve")
    try:
        return curve.multiply(points, factor)
    except curve.InvalidPoint as error:
        raise ProtocolError(guest.id, f"asked for what no id has: {error}") from error


def _points(peer: Peer, column: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    peer.must(len(column) == count * curve.POINT_BYTES, f"{count} points of {curve.POINT_BYTES} bytes in this block")
    return column.reshape(count, curve.POINT_BYTES)
