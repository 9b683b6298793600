"""ECDH-PSI: both sides blind the guest's ids, both sides blind the host's ids, equal ids give equal points.

Points travel as one buffer of 32 bytes each. What the host sends back is compared and nothing else, so it is cut to
40 + log2(n·m) bits: two different ids meet with probability 2^-40 at most.
"""

import asyncio
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hanse.components.psi.settings import Settings
from hanse.core.faults import HanseError, fault
from hanse.kernel import curve, matching
from hanse.kernel.ids import Ids
from hanse.sdk import Message, Party, Peer, ProtocolError, Table

DOMAIN = b"hanse/psi/ecdh/1"
COLUMN_BYTES = (1 << 31) - 1
SHORTEST_TAG_BYTES = 8
FALSE_MATCH_BITS = 40


class Blinded(Message, frozen=True):
    """guest ⇄ host: H(id) times the sender's secret for every id of the sender, shuffled; 32 bytes each."""

    max_bytes: ClassVar[int] = COLUMN_BYTES
    points: NDArray[np.uint8]


class Doubled(Message, frozen=True):
    """host → guest: the guest's points times the host's secret, order kept, each cut to the agreed tag length."""

    max_bytes: ClassVar[int] = COLUMN_BYTES
    tags: NDArray[np.uint8]


class Shared(Message, frozen=True):
    """guest → host: the host's rows (in the order it sent them) that all parties have, in the common order."""

    max_bytes: ClassVar[int] = COLUMN_BYTES
    rows: NDArray[np.uint32]


async def guest(me: Party, table: Table, settings: Settings) -> Table:
    """Run the exchange with every host at once, intersect, draw the order and tell the hosts."""
    ids = _ids(table)
    drawn = [(me.rng.seed(), me.rng.seed()) for _ in me.hosts]
    pairs = await asyncio.gather(*(_match(me, host, ids, *seeds) for host, seeds in zip(me.hosts, drawn, strict=True)))
    shared = pairs[0][0]
    for mine, _ in pairs[1:]:
        shared = np.intersect1d(shared, mine, assume_unique=True)
    _check_size(len(shared), settings.minimum, hosts=len(me.hosts))
    ordered = shared[matching.permutation(len(shared), me.rng.seed())]
    for host, (mine, theirs) in zip(me.hosts, pairs, strict=True):
        rows = theirs[np.searchsorted(mine, ordered)] if settings.share_result else ordered[:0]
        await host.send(Shared(rows.astype(np.uint32)))
    me.metric("shared_ids", len(ordered))
    return table.take(ordered)


async def host(me: Party, table: Table, settings: Settings) -> Table:
    """Send my points shuffled, so that a row number tells nothing; blind the guest's; take the rows it names."""
    ids = _ids(table)
    scalar = curve.secret(me.rng.seed())
    order = matching.permutation(len(ids), me.rng.seed())
    await me.guest.send(Blinded((await asyncio.to_thread(curve.blind, ids.take(order), DOMAIN, scalar)).reshape(-1)))
    me.progress(1, 3, "blinded")
    theirs = _points(me.guest, await me.guest.recv(Blinded))
    doubled = await _multiplied(me.guest, theirs, scalar)
    await me.guest.send(Doubled(_tags(doubled, len(ids)).reshape(-1)))
    me.progress(2, 3, "blinded twice")
    rows = (await me.guest.recv(Shared)).rows
    if settings.share_result:
        me.guest.must(len(rows) >= settings.minimum, "as many shared rows as the settings demand, or an end")
        me.guest.must(rows.max() < len(ids), "only rows that I sent can be shared")
        me.guest.must(len(np.unique(rows)) == len(rows), "no row is shared twice")
    else:
        me.guest.must(len(rows) == 0, "no rows for me when the result is not shared")
    me.progress(3, 3, "matched")
    return table.take(order[rows.astype(np.int64)])


async def _match(
    me: Party, host: Peer, ids: Ids, secret_seed: bytes, order_seed: bytes
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return my rows (rising) and the host's rows (in the order it sent them) that are equal, pair by pair."""
    scalar = curve.secret(secret_seed)
    order = matching.permutation(len(ids), order_seed)
    mine = await asyncio.to_thread(curve.blind, ids.take(order), DOMAIN, scalar)
    await host.send(Blinded(mine.reshape(-1)))
    theirs = _points(host, await host.recv(Blinded))
    their_tags = _tags(await _multiplied(host, theirs, scalar), len(ids))
    width = their_tags.shape[1]
    doubled = (await host.recv(Doubled)).tags
    host.must(len(doubled) == len(ids) * width, "one tag back for each point sent")
    try:
        left, right = await asyncio.to_thread(matching.join, doubled.reshape(-1, width), their_tags)
    except ValueError as error:
        raise _repeated(host, mine) from error
    rows = order[left]
    rising = np.argsort(rows)
    me.note(f"{host.id} has {len(theirs)} ids, {len(rows)} of them shared")
    return rows[rising], right[rising]


def _ids(table: Table) -> Ids:
    if len(table) == 0:
        raise fault("psi.no_ids", "the table has no rows", "choose a dataset with rows")
    return table.ids()


def _points(peer: Peer, message: Blinded) -> NDArray[np.uint8]:
    count, rest = divmod(len(message.points), curve.POINT_BYTES)
    peer.must(count > 0 and rest == 0, "at least one point, and only whole points")
    peer.must(count < 1 << 32, "fewer than 2^32 points")
    return message.points.reshape(count, curve.POINT_BYTES)


async def _multiplied(peer: Peer, points: NDArray[np.uint8], scalar: bytes) -> NDArray[np.uint8]:
    try:
        return await asyncio.to_thread(curve.multiply, points, scalar)
    except curve.InvalidPoint as error:
        raise ProtocolError(peer.id, f"sent a point that no id has: {error}") from error


def _tags(points: NDArray[np.uint8], others: int) -> NDArray[np.uint8]:
    """Cut points, uint8[n, 32], to the shortest whole bytes of 40 + log2(n·m) bits: uint8[n, width]."""
    bits = FALSE_MATCH_BITS + (len(points) * others - 1).bit_length()
    width = max(SHORTEST_TAG_BYTES, -(-bits // 8))
    return np.ascontiguousarray(points[:, :width])


def _repeated(host: Peer, mine: NDArray[np.uint8]) -> HanseError:
    """Say whose fault an id is that occurs twice: my own table's, or the host's."""
    try:
        matching.join(mine, mine)
    except ValueError:
        return fault("psi.duplicate_ids", "an id occurs twice in this party's table", "keep one row for each id")
    return ProtocolError(host.id, "sent the same id or the same tag twice")


def _check_size(found: int, minimum: int, *, hosts: int) -> None:
    if found == 0:
        whom = "the host" if hosts == 1 else f"all {hosts} hosts"
        cause = f"no id is shared with {whom}"
        raise fault("psi.empty", cause, "compare how the parties write their ids (prefixes, hashes, other numbers)")
    if found < minimum:
        cause = f"{found} ids are shared, fewer than the {minimum} that the settings demand"
        raise fault("psi.too_few", cause, "use larger tables, or agree on a smaller `minimum`")
