"""How many ids guest and host share, and not which: both sides blinded twice, the guest's given back sorted.

guest → host  GuestPoints: H1(x)·a   host → guest  HostPoints: H1(y)·b, shuffled   host → guest  CountTags: {H1(x)·a·b}

Meadows 1986; Huberman, Franklin and Hogg 1999; as a protocol for the number alone De Cristofaro, Gasti and Tsudik 2012.
Equal ids give equal points, and neither list's order says which id a point belongs to: the host shuffles its own list,
over all of it, and sorts what it gives back.
"""

import asyncio
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.kernel import curve, hashing, matching, tags
from hanse.protocols.channel import Party, Peer, ProtocolError
from hanse.protocols.messages import Message
from hanse.protocols.psi.ecdh import BLOCK, GuestPoints, HostPoints, blind, blocks, multiply
from hanse.protocols.psi.opening import Session
from hanse.protocols.psi.sizes import GUEST_BUCKET, tag_bits
from hanse.protocols.psi.spool import Spool
from hanse.protocols.psi.tags import UNLUCKY, demand_distinct
from hanse.protocols.psi.together import together

Bytes = NDArray[np.uint8]


class CountTags(Message, frozen=True):
    """host → guest: points of the guest times my secret, those in one range, cut to tags, sorted and Golomb-coded."""

    max_bytes: ClassVar[int] = 1 << 28
    items: Annotated[int, msgspec.Meta(ge=0, le=1 << 24)]
    coded: NDArray[np.uint8]


def ranges(session: Session) -> int:
    """Return into how many ranges blinded points are sorted: a function of both numbers of ids."""
    return -(-max(session.guest, *session.hosts) // GUEST_BUCKET)


async def count_as_guest(me: Party, session: Session, spool: Spool) -> int:
    """Return how many of my ids the host has, and learn no more. Raises ProtocolError, HanseError."""
    host, key = me.host, session.key("count")
    factor = curve.secret(me.rng.seed())
    theirs = Spool(ranges(session), spool.folder)
    await together(
        _send_blinded(me, host, GuestPoints, spool, factor),
        _take_doubled(host, HostPoints, session.hosts[0], factor, theirs, key),
    )
    bits = tag_bits(session.guest, session.hosts[0])
    found = received = 0
    for number in range(theirs.count):
        message = await host.recv(CountTags)
        received += message.items
        found += await asyncio.to_thread(_count, host, message, theirs.bucket(number).digests, bits)
    host.must(received == session.guest, "a tag back for each point sent")
    theirs.close()
    return found


async def count_as_host(me: Party, session: Session, spool: Spool) -> None:
    """Blind my ids, which `spool` holds shuffled, and give the guest's back blinded twice and sorted."""
    guest, key = me.guest, session.key("count")
    factor = curve.secret(me.rng.seed())
    theirs = Spool(ranges(session), spool.folder)
    await together(
        _send_blinded(me, guest, HostPoints, spool, factor),
        _take_doubled(guest, GuestPoints, session.guest, factor, theirs, key),
    )
    bits = tag_bits(session.guest, session.hosts[0])
    for number in range(theirs.count):
        await guest.send(await asyncio.to_thread(_sorted, guest, theirs.bucket(number).digests, bits))
    theirs.close()


async def _send_blinded(
    me: Party, peer: Peer, kind: type[GuestPoints | HostPoints], spool: Spool, factor: bytes
) -> None:
    """Send all of my ids blinded, each bucket of the spool in an order drawn anew."""
    for number in range(spool.count):
        digests = (await asyncio.to_thread(spool.bucket, number)).digests
        await asyncio.to_thread(demand_distinct, digests)  # a point sent twice would show
        shuffled = digests.take(matching.permutation(len(digests), me.rng.seed()), axis=0)
        for block in blocks(len(shuffled)):
            await peer.send(kind((await asyncio.to_thread(blind, shuffled[block], factor)).reshape(-1)))


async def _take_doubled(
    peer: Peer, kind: type[GuestPoints | HostPoints], items: int, factor: bytes, into: Spool, key: bytes
) -> None:
    """Receive all points of the peer, multiply them by my secret, and keep a hash of each, by range.

    What a block costs me beside its points must not be had for a few bytes: only the last of each bucket may be short.
    """
    left = items // BLOCK + into.count
    while into.rows < items:
        points = (await peer.recv(kind)).points
        count, rest = divmod(len(points), curve.POINT_BYTES)
        peer.must(rest == 0 and 0 < count <= min(BLOCK, items - into.rows), "whole points, as many as it has ids")
        left -= 1
        peer.must(left >= 0, "points in no more blocks than they fill")
        product = await multiply(peer, points.reshape(count, curve.POINT_BYTES), factor)
        into.add(await asyncio.to_thread(hashing.hash_rows, product, key, 16))


def _sorted(guest: Peer, values: Bytes, bits: int) -> CountTags:
    ordered, _ = _sort(guest, values, bits)
    return CountTags(len(ordered), tags.encode(ordered, bits))


def _count(host: Peer, message: CountTags, values: Bytes, bits: int) -> int:
    try:
        mine = tags.decode(message.coded, message.items, bits)
    except ValueError as error:
        raise ProtocolError(host.id, f"sent what is no list of tags: {error}") from error
    return len(tags.match(*_sort(host, values, bits), mine)[0])


def _sort(peer: Peer, values: Bytes, bits: int) -> tuple[Bytes, NDArray[np.uint32]]:
    """Return a peer's points, as hashes, in rising order; one that came twice is its fault, chance is nobody's."""
    try:
        return tags.sort(values, bits)
    except ValueError as error:
        try:
            tags.sort(values, 8 * tags.TAG_BYTES)
        except ValueError:
            raise ProtocolError(peer.id, "no point is sent twice") from error
        raise fault("psi.unlucky", UNLUCKY, "run the task again") from error
