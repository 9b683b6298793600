"""A guest and several hosts: only what all of them have becomes known, to the guest and to nobody before it.

Every pair of hosts has a key of its own, from a Diffie-Hellman exchange that the guest does not see. s_j(y), the xor of
the keyed hashes of y under host j's keys, is a share of zero: over all hosts it cancels. Host j encodes
F_j(y) xor s_j(y) for its ids y, with F_j its oblivious function for the guest (`pairwise`). For its x the guest xors
what all encodings and all functions give: zero when all hosts have x, else random. (Kolesnikov, Matania, Pinkas,
Rosulek and Trieu, CCS 2017, with the function and the encoding of Raghuraman and Rindal, CCS 2022.)
"""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import Annotated, ClassVar, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.kernel import buckets, curve, hashing, okvs, tags
from hanse.protocols.channel import Party, Peer, ProtocolError
from hanse.protocols.messages import Message
from hanse.protocols.psi import ecdh, vole
from hanse.protocols.psi.opening import Session
from hanse.protocols.psi.pairwise import evaluate, function_of, in_buckets
from hanse.protocols.psi.result import Verdict, hear_verdict
from hanse.protocols.psi.sizes import Cut, cut
from hanse.protocols.psi.spool import Spool
from hanse.protocols.psi.tags import demand_distinct, sort_own
from hanse.protocols.psi.together import together

Bytes = NDArray[np.uint8]
Rows = NDArray[np.int64]

KEY_BYTES = 32
SHARED_TAG_BITS = 103
"""No two of a host's 2^32 ids bear one tag, but for 2^-40: 40 + log2 of the number of pairs."""


class HostKey(Message, frozen=True):
    """host ⇄ host: my half of a Diffie-Hellman exchange for our key, fresh for this run; 32 bytes."""

    point: NDArray[np.uint8]


class EncodedValues(Message, frozen=True):
    """host → guest: for one piece of my ids, F(y) xor my share of zero, encoded; and the key of the encoding's rows."""

    max_bytes: ClassVar[int] = 1 << 28
    key: NDArray[np.uint8]
    elements: NDArray[np.uint8]


class SharedTags(Message, frozen=True):
    """guest → host: tags of the bucket's shared ids under the key of the common order, in this order, Golomb-coded."""

    max_bytes: ClassVar[int] = 1 << 28
    items: Annotated[int, msgspec.Meta(ge=0, le=1 << 24)]
    coded: NDArray[np.uint8]


class Matched(NamedTuple):
    """Guest: my shared rows in the common order, its key, and the sorted tags of each bucket's shared ids."""

    rows: Rows
    order_key: bytes
    told: list[Bytes]


async def match_as_guest(me: Party, session: Session, spool: Spool) -> Matched:
    """Find my rows that all hosts have. Raises ProtocolError, HanseError."""
    order_key = me.rng.seed()
    sizes = [cut(session.guest, items) for items in session.hosts]
    count = 0 if session.empty else sizes[0].buckets
    rows: list[Rows] = [np.empty(0, np.int64)] * count
    told: list[Bytes] = [np.empty((0, 16), np.uint8)] * count

    async def match(number: int, stream: int) -> None:
        digests, own = await asyncio.to_thread(spool.bucket, number)
        await asyncio.to_thread(demand_distinct, digests)
        asked = (
            _ask(me, host.fork(stream), session, size, number, digests)
            for host, size in zip(me.hosts, sizes, strict=True)
        )
        shares = await together(*asked)
        shared = np.flatnonzero(~np.bitwise_xor.reduce(shares).any(axis=1))
        chosen = digests.take(shared, axis=0)
        hashes = await asyncio.to_thread(hashing.hash_rows, chosen, order_key, 16)
        told[number], order = await asyncio.to_thread(sort_own, hashes, chosen, SHARED_TAG_BITS)
        rows[number] = own[shared[order]].astype(np.int64)

    await in_buckets(me, count, match)
    return Matched(np.concatenate([np.empty(0, np.int64), *rows]), order_key, told)


async def _ask(me: Party, host: Peer, session: Session, size: Cut, number: int, digests: Bytes) -> Bytes:
    """Return for each of my digests what the host's encoding and its function give together, uint8[n, width]."""
    width = session.field_bytes(session.guest)
    (mine,) = await evaluate(me, host, session, size, number, digests, (session.key("value", host.id, number),))
    found = np.ascontiguousarray(mine[:, :width])
    layout = okvs.layout(size.host_places, width)
    if size.pieces == 1:
        places, starts = np.arange(len(digests), dtype=np.uint32), np.array([0, len(digests)])
    else:
        _, places, starts = buckets.split(digests, size.host_count, 0)
        starts = starts[number * size.pieces : (number + 1) * size.pieces + 1]
    for piece in range(size.pieces):
        message = await host.recv(EncodedValues)
        host.must(len(message.key) == KEY_BYTES, f"a key of {KEY_BYTES} bytes")
        host.must(len(message.elements) == layout.size * width, "an encoding of the agreed size")
        asked = places[starts[piece] : starts[piece + 1]]
        found[asked] ^= await asyncio.to_thread(
            okvs.decode, message.elements, digests.take(asked, axis=0), message.key.tobytes(), layout
        )
    return found


async def match_as_host(me: Party, session: Session, spool: Spool) -> None:
    """Serve the guest and send it my ids' values, masked by my share of zero. Raises ProtocolError, HanseError."""
    keys = await _agree_on_keys(me, session)
    size = cut(session.guest, session.hosts[0])
    width = session.field_bytes(session.guest)

    async def match(number: int, stream: int) -> None:
        guest = me.guest.fork(stream)
        function = function_of(me, guest, session, size, number)

        async def send() -> None:
            for piece in range(number * size.pieces, (number + 1) * size.pieces):
                digests = (await asyncio.to_thread(spool.bucket, piece)).digests
                await asyncio.to_thread(demand_distinct, digests)
                (values,) = await function.values(digests, (session.key("value", me.id, number),))
                masked = np.ascontiguousarray((values ^ share_of_zero(digests, keys))[:, :width])
                await guest.send(await asyncio.to_thread(_encode, me, digests, masked, size))

        await together(function.serve(), send())

    await in_buckets(me, 0 if session.empty else size.buckets, match)


def share_of_zero(digests: Bytes, keys: list[bytes]) -> Bytes:
    """Return a host's share for each digest, uint8[n, 16]: the xor over all hosts is zero."""
    shares: Bytes = np.bitwise_xor.reduce([hashing.hash_rows(digests, key, 16) for key in keys])
    return shares


def _encode(me: Party, digests: Bytes, values: Bytes, size: Cut) -> EncodedValues:
    layout = okvs.layout(size.host_places, values.shape[1])
    for _ in range(vole.ENCODINGS):
        key = me.rng.seed()
        try:
            elements = okvs.encode_values(digests, values, key, layout, me.rng.seed())
        except okvs.EncodingFailed:
            continue
        return EncodedValues(np.frombuffer(key, np.uint8), elements)
    demand_distinct(digests)
    raise fault("psi.unlucky", f"{vole.ENCODINGS} encodings of this party's ids have failed", "run the task again")


async def _agree_on_keys(me: Party, session: Session) -> list[bytes]:
    """Return one key for each other host, which it has too and the guest has not."""
    secret = curve.secret(me.rng.seed())
    base = np.frombuffer(curve.GENERATOR, np.uint8).reshape(1, -1)
    await me.hosts.send(HostKey(curve.multiply(base, secret).reshape(-1)))
    keys = []
    for host, half in zip(me.hosts, await me.hosts.gather(HostKey), strict=True):
        host.must(len(half.point) == curve.POINT_BYTES, "one point")
        product = await ecdh.multiply(host, half.point.reshape(1, -1), secret)
        pair = "/".join(sorted([me.id, host.id])).encode()
        keys.append(hashlib.blake2b(product.tobytes() + pair, key=session.salt, digest_size=32).digest())
    return keys


async def tell(hosts: Iterable[Peer], session: Session, matched: Matched) -> None:
    """Guest: end the matching; when the result is shared, send each host the tags of the shared ids."""
    key = np.frombuffer(matched.order_key if session.share_result else b"", np.uint8)
    messages = [SharedTags(len(told), tags.encode(told, SHARED_TAG_BITS)) for told in matched.told]
    for host in hosts:
        await host.send(Verdict(key))
        for message in messages if session.share_result else ():
            await host.send(message)


async def hear(me: Party, session: Session, spool: Spool) -> Rows:
    """Host: return my shared rows in the common order; none when the result is not shared. Raises ProtocolError."""
    guest = me.guest
    size = cut(session.guest, session.hosts[0])
    order_key = await hear_verdict(guest, shared=session.share_result)
    rows: list[Rows] = [np.empty(0, np.int64)]
    for number in range(size.buckets if session.share_result and not session.empty else 0):
        message = await guest.recv(SharedTags)
        pieces = [
            await asyncio.to_thread(spool.bucket, piece)
            for piece in range(number * size.pieces, (number + 1) * size.pieces)
        ]
        digests = np.concatenate([piece.digests for piece in pieces])
        own = np.concatenate([piece.rows for piece in pieces])
        found = await asyncio.to_thread(_find, guest, message, digests, order_key)
        rows.append(own[found].astype(np.int64))
    return np.concatenate(rows)


def _find(guest: Peer, message: SharedTags, digests: Bytes, order_key: bytes) -> Rows:
    """Return my digests that are among the shared ones, in the common order."""
    ordered, order = sort_own(hashing.hash_rows(digests, order_key, 16), digests, SHARED_TAG_BITS)
    try:
        theirs = tags.decode(message.coded, message.items, SHARED_TAG_BITS)
    except ValueError as error:
        raise ProtocolError(guest.id, f"sent what is no list of tags: {error}") from error
    found, _ = tags.match(ordered, order, theirs)
    guest.must(len(found) == message.items, "only ids that I have are shared")
    return found
