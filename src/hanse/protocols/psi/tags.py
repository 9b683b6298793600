"""How a host's values reach the guest: cut to tags, sorted and Golomb-coded, piece by piece; and what the guest finds.

A piece has as many tags as the sizes say, filled up with random ones, so that no true count travels. Tags of ids that
the guest has not are pseudorandom to it; a sorted list of them says nothing but itself.
"""

import asyncio
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.kernel import tags
from hanse.protocols.channel import Peer, ProtocolError
from hanse.protocols.messages import Message

Bytes = NDArray[np.uint8]

DUPLICATE = "keep one row for each id"
UNLUCKY = "two different ids got one tag by chance"


class TagSet(Message, frozen=True):
    """host → guest: the tags of one piece of the host's ids, sorted and Golomb-coded; filler among them."""

    max_bytes: ClassVar[int] = 1 << 28
    coded: NDArray[np.uint8]


class Sorted(NamedTuple):
    """Tags uint8[n, 16] cut to the agreed bits, rising, and for each its row among the values: uint32[n]."""

    tags: Bytes
    order: NDArray[np.uint32]


async def send(guest: Peer, ordered: Sorted, bits: int) -> None:
    """Host: send sorted tags."""
    await guest.send(TagSet(await asyncio.to_thread(tags.encode, ordered.tags, bits)))


async def receive(host: Peer, mine: Sorted, places: int, bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Guest: return the rows of my values and the places in the host's list that have equal tags, by rising place."""
    coded = (await host.recv(TagSet)).coded
    try:
        theirs = await asyncio.to_thread(tags.decode, coded, places, bits)
    except ValueError as error:
        raise ProtocolError(host.id, f"sent what is no list of tags: {error}") from error
    return await asyncio.to_thread(tags.match, mine.tags, mine.order, theirs)


def sort_own(values: Bytes, digests: Bytes, bits: int) -> Sorted:
    """Return the values of my digests, and filler after them, as tags in rising order.

    Raises HanseError: "psi.duplicate_ids" when an id occurs twice, "psi.unlucky" when two different ones share a tag.
    """
    try:
        return Sorted(*tags.sort(values, bits))
    except ValueError as error:
        demand_distinct(digests)
        raise fault("psi.unlucky", UNLUCKY, "run the task again") from error


def demand_distinct(digests: Bytes) -> None:
    """Raise HanseError("psi.duplicate_ids") when an id occurs twice in a bucket."""
    try:
        tags.sort(digests, 8 * digests.shape[1])
    except ValueError as error:
        raise fault("psi.duplicate_ids", "an id occurs twice in this party's table", DUPLICATE) from error
