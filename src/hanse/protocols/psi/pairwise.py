"""Guest and one host: an oblivious function of the guest's digests, the host's tags, and what is shared.

Buckets go over two streams at once, so that one computes while the other is on its way.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hanse.protocols.channel import Party, Peer
from hanse.protocols.psi import ecdh, payload, result, tags, vole
from hanse.protocols.psi.filler import filled_up
from hanse.protocols.psi.opening import Session
from hanse.protocols.psi.sizes import MOST_TAG_BITS, Cut, cut
from hanse.protocols.psi.spool import Spool
from hanse.protocols.psi.together import together

Bytes = NDArray[np.uint8]
Rows = NDArray[np.int64]
RowsOf = Callable[[NDArray[np.uint32]], Bytes]
"""The host's values of rows of its table, uint8[n, width]."""

STREAMS = 2


class Matched(NamedTuple):
    """Guest: my shared rows in the common order, the host's values of them uint8[n, width], and what to tell the host.

    `order_key` makes the order; `told` are the shared places of each piece, one bit a place.
    """

    rows: Rows
    values: Bytes
    order_key: bytes
    told: list[Bytes]


class Sent(NamedTuple):
    """Host: for each piece that was sent, in order, the row of the piece's bucket that each place stands for."""

    pieces: list[NDArray[np.uint32]]


async def in_buckets(me: Party, count: int, work: Callable[[int, int], Awaitable[None]]) -> None:
    """Do `work(bucket, stream)` for all buckets, over at most two streams at once, and report progress."""
    done = 0

    async def go(stream: int) -> None:
        nonlocal done
        for number in range(stream - 1, count, STREAMS):
            await work(number, stream)
            done += 1
            me.progress(done, count, "buckets matched")

    await together(*(go(stream) for stream in range(1, min(STREAMS, count) + 1)))


async def match_as_guest(me: Party, session: Session, spool: Spool, width: int) -> Matched:
    """Find my rows that the host has; `width` is the bytes that it adds to each. Raises ProtocolError, HanseError."""
    host = me.host
    size = cut(session.guest, session.hosts[0])
    bits = _tag_bits(session, size)
    order_key = me.rng.seed()
    rows: list[Rows] = [np.empty(0, np.int64)] * size.buckets
    values: list[Bytes] = [np.empty((0, width), np.uint8)] * size.buckets
    told: list[Bytes] = [np.empty(0, np.uint8)] * size.host_count

    async def match(number: int, stream: int) -> None:
        digests, own_rows = await asyncio.to_thread(spool.bucket, number)
        keys = keys_of(session, host.id, number, sealed=bool(width))
        peer = host.fork(stream)
        mine, *seals = await evaluate(me, peer, session, size, number, digests, keys)
        ordered = await asyncio.to_thread(tags.sort_own, mine, digests, bits)
        found, opened = [], []
        for piece in range(size.pieces):
            local, places = await tags.receive(peer, ordered, size.host_places, bits)
            told[number * size.pieces + piece] = result.pack(places, size.host_places)
            found.append(local)
            if width:
                sealed = await payload.hear_rows(peer, size.host_places, width)
                asked = sealed.take(places, axis=0), seals[0].take(local, axis=0)
                opened.append(await asyncio.to_thread(payload.seal, *asked, keys[1]))
        local = np.concatenate(found)
        host.must(size.pieces == 1 or _are_distinct(local, len(digests)), "each tag once, in one piece")
        order = await asyncio.to_thread(result.order_rows, digests.take(local, axis=0), order_key)
        rows[number] = own_rows[local[order]].astype(np.int64)
        if width:
            values[number] = np.concatenate(opened).take(order, axis=0)

    await in_buckets(me, size.buckets, match)
    all_rows = np.concatenate([np.empty(0, np.int64), *rows])
    return Matched(all_rows, np.concatenate([np.empty((0, width), np.uint8), *values]), order_key, told)


async def match_as_host(me: Party, session: Session, spool: Spool, rows_of: RowsOf | None) -> Sent:
    """Serve the guest, send my tags and, where I add values, each row's values sealed. Raises ProtocolError."""
    guest = me.guest
    size = cut(session.guest, session.hosts[0])
    bits = _tag_bits(session, size)
    pieces: list[NDArray[np.uint32]] = [np.empty(0, np.uint32)] * size.host_count

    async def match(number: int, stream: int) -> None:
        peer = guest.fork(stream)
        keys = keys_of(session, me.id, number, sealed=rows_of is not None)
        function = function_of(me, peer, session, size, number)

        async def send() -> None:
            for piece in range(number * size.pieces, (number + 1) * size.pieces):
                pieces[piece] = await _send_piece(me, peer, function, spool, size, piece, bits, keys, rows_of)

        await together(function.serve(), send())

    await in_buckets(me, size.buckets, match)
    return Sent(pieces)


async def _send_piece(
    me: Party,
    peer: Peer,
    function: ecdh.Function | vole.Function,
    spool: Spool,
    size: Cut,
    piece: int,
    bits: int,
    keys: tuple[bytes, ...],
    rows_of: RowsOf | None,
) -> NDArray[np.uint32]:
    digests, rows = await asyncio.to_thread(spool.bucket, piece)
    values, *seals = await function.values(digests, keys)
    filled = await asyncio.to_thread(filled_up, values, size.host_places, me.rng.seed())
    ordered = await asyncio.to_thread(tags.sort_own, filled, digests, bits)
    await tags.send(peer, ordered, bits)
    order = ordered.order
    if rows_of is not None:
        seal_keys = filled_up(seals[0], size.host_places, me.rng.seed()).take(order, axis=0)
        plain = rows_of(rows)
        nothing = np.zeros((size.host_places - len(plain), plain.shape[1]), np.uint8)
        sealed = await asyncio.to_thread(
            payload.seal, np.concatenate([plain, nothing]).take(order, axis=0), seal_keys, keys[1]
        )
        await peer.send(payload.SealedRows(sealed.reshape(-1)))
    return order


async def tell(host: Peer, session: Session, matched: Matched) -> None:
    """Guest: end the matching; when the result is shared, say which of the host's places are."""
    await host.send(result.Verdict(np.frombuffer(matched.order_key if session.share_result else b"", np.uint8)))
    for bits in matched.told if session.share_result else ():
        await host.send(result.SharedPlaces(bits))


async def hear(guest: Peer, session: Session, spool: Spool, sent: Sent) -> Rows:
    """Host: return my shared rows in the common order; none when the result is not shared. Raises ProtocolError."""
    size = cut(session.guest, session.hosts[0])
    order_key = await result.hear_verdict(guest, shared=session.share_result)
    rows: list[Rows] = [np.empty(0, np.int64)]
    for number in range(size.buckets if session.share_result else 0):
        digests, own = [], []
        for piece in range(number * size.pieces, (number + 1) * size.pieces):
            bucket = await asyncio.to_thread(spool.bucket, piece)
            local = sent.pieces[piece][await result.hear_places(guest, size.host_places)]
            guest.must((local < len(bucket.rows)).all(), "no filler of mine is shared")
            digests.append(bucket.digests.take(local, axis=0))
            own.append(bucket.rows[local].astype(np.int64))
        order = await asyncio.to_thread(result.order_rows, np.concatenate(digests), order_key)
        rows.append(np.concatenate(own)[order])
    return np.concatenate(rows)


def keys_of(session: Session, host: str, number: int, *, sealed: bool) -> tuple[bytes, ...]:
    """Return what the oblivious function of one bucket is keyed with: a key for tags, one for seals if any."""
    tag_key = session.key("tag", host, number)
    return (tag_key, session.key("seal", host, number)) if sealed else (tag_key,)


async def evaluate(
    me: Party, host: Peer, session: Session, size: Cut, number: int, digests: Bytes, keys: tuple[bytes, ...]
) -> list[Bytes]:
    """Guest: return the method's oblivious function of a bucket's digests, under each key."""
    if session.method == "ecdh":
        return await ecdh.evaluate(me, host, digests, size.guest_places, keys)
    return await vole.evaluate(me, host, digests, _bucket(session, size, host.id, number), keys)


def function_of(me: Party, guest: Peer, session: Session, size: Cut, number: int) -> ecdh.Function | vole.Function:
    """Host: return the method's oblivious function for a bucket."""
    if session.method == "ecdh":
        return ecdh.Function(me, guest, size.guest_places)
    return vole.Function(me, guest, _bucket(session, size, me.id, number))


def _bucket(session: Session, size: Cut, host: str, number: int) -> vole.Bucket:
    width = session.field_bytes(size.host)
    salt = session.key("vole", host, number)
    return vole.Bucket(size.guest_places, width, session.code, salt, session.malicious)


def _tag_bits(session: Session, size: Cut) -> int:
    """Return how long tags are: all of them against malice, so that nobody finds two ids with one tag."""
    return MOST_TAG_BITS if session.malicious else size.bits


def _are_distinct(rows: Rows, count: int) -> bool:
    """Say whether no row, from 0 to `count`, occurs twice."""
    seen = np.zeros(count, np.bool_)
    seen[rows] = True
    return int(np.count_nonzero(seen)) == len(rows)
