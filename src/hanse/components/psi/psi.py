"""Private set intersection: the parties find the ids that all of them have, and keep these rows in one common order.

Protocol  An oblivious function of the guest's ids, whose values each host knows for its own. Method ecdh: 2HashDH on
          Curve25519 (Jarecki, Kiayias and Krawczyk 2014), u-coordinates only, mapped by Elligator 2. Method vole: an
          oblivious key-value store over a silent VOLE (Raghuraman and Rindal 2022). One host sends its values as tags,
          sorted and Golomb-coded. Several hosts send them encoded and masked by shares of zero, so that only ids of all
          of them come out (Kolesnikov, Matania, Pinkas, Rosulek and Trieu 2017). A count is made by blinding twice and
          giving back sorted (Huberman, Franklin and Hogg 1999; De Cristofaro, Gasti and Tsudik 2012).
Secure    against semi-honest parties in the random-oracle model; with several hosts, as long as the guest does not
          collude with one of them. Method ecdh under decisional Diffie-Hellman, method vole under dual learning parity
          with regular noise for expand-convolute codes. With security=malicious also against a party that deviates
          (docs/protocols/malicious.md says what is then detected, and what cannot be).
Learns    guest: how many ids each host has.
          guest: which of its ids all parties have [result=shared]
          guest: which of its ids not all parties have, and so which all have [result=difference]
          guest: how many ids all parties have, and not which [result=count]
          guest: of its shared rows, the columns that a host names in `payload` [result=shared]
          host: how many ids the guest has.
          host: whether the shared ids are fewer than `minimum`, which ends the task.
          host: which of its ids all parties have [result=shared, share_result=true]
          host: which of its ids not all parties have, and so which all have [result=difference, share_result=true]
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from hanse.components.psi import columns
from hanse.components.psi.cost import cost
from hanse.components.psi.schema import schema
from hanse.components.psi.settings import Settings
from hanse.core.faults import fault
from hanse.core.roles import Role
from hanse.core.schema import UNKNOWN, KnownTable
from hanse.protocols.psi import counting, pairwise, payload, star
from hanse.protocols.psi.choice import Choice, Link, choose
from hanse.protocols.psi.opening import Choose, Session, Wanted, open_as_guest, open_as_host
from hanse.protocols.psi.sizes import cut
from hanse.protocols.psi.spool import ROWS_IN_MEMORY, Spool
from hanse.sdk import Component, Party, Table, Variant
from hanse.sdk.findings import Finding, Naming

Rows = NDArray[np.int64]
NO_ROWS = np.empty(0, np.int64)
BATCH_ROWS = 1 << 20


async def guest(me: Party, table: Table, settings: Settings) -> Table:
    """Find what is shared with all hosts, by the method that is set or that I choose; tell them if that is agreed."""
    session = await open_as_guest(me, _count_rows(table, settings), _wanted(settings), _chooser(me, settings))
    me.note(f"method {session.reason}")
    for peer, items in zip(me.hosts, session.hosts, strict=True):
        me.note(f"{peer.id} has {items:,} ids")
    if session.result == "count":
        found = await _count(me, table, session)
        me.demand_intersection(found)
        _check_size(found, settings, hosts=1)
        me.metric("shared_ids", found)
        return table.take(NO_ROWS)
    if session.several:
        return await _match_with_several(me, table, session, settings)
    added = await columns.hear(me.host)
    async with _spooled(me, table, session, cut(*_sizes(session)).buckets) as spool:
        matched = await pairwise.match_as_guest(me, session, spool, payload.width_of(added))
    me.demand_intersection(len(matched.rows))
    _check_size(len(matched.rows), settings, hosts=1)
    me.metric("shared_ids", len(matched.rows))
    result = columns.add(_choose(table, session, matched.rows), added, matched.values, me.host)
    await pairwise.tell(me.host, session, matched)
    return result


async def _match_with_several(me: Party, table: Table, session: Session, settings: Settings) -> Table:
    async with _spooled(me, table, session, cut(*_sizes(session)).buckets) as spool:
        matched = await star.match_as_guest(me, session, spool)
    me.demand_intersection(len(matched.rows))
    _check_size(len(matched.rows), settings, hosts=len(me.hosts))
    me.metric("shared_ids", len(matched.rows))
    await star.tell(me.hosts, session, matched)
    return _choose(table, session, matched.rows)


async def host(me: Party, table: Table, settings: Settings) -> Table:
    """Answer the guest's questions about its own ids, and take the rows that it names."""
    me.demand_told(settings.minimum, told=settings.share_result and settings.result != "count")
    session = await open_as_host(me, _count_rows(table, settings), _wanted(settings))
    me.note(f"the guest has {session.guest:,} ids; method {session.method}")
    if session.result == "count":
        await _count(me, table, session)
        return table.take(NO_ROWS)
    if session.malicious:
        me.guest.must(not session.several and session.method == "vole", "one host and the method vole, against malice")
    if settings.payload and session.several:
        raise fault("settings.invalid", "columns for the guest need a task with one host", "leave `payload` empty")
    async with _spooled(me, table, session, cut(*_sizes(session)).host_count) as spool:
        if session.several:
            await star.match_as_host(me, session, spool)
            rows = await star.hear(me, session, spool)
        else:
            values = await asyncio.to_thread(columns.read, table, settings.payload)
            await me.guest.send(payload.Columns(values.columns))
            sent = await pairwise.match_as_host(me, session, spool, values.rows_of)
            rows = await pairwise.hear(me.guest, session, spool, sent)
    if not session.share_result:
        return table.take(NO_ROWS)
    me.demand_intersection(len(rows))
    if session.result == "shared":
        me.guest.must(len(rows) >= settings.minimum, "as many shared rows as the settings demand, or an end")
    return _choose(table, session, rows)


def check(role: Role, settings: Settings, tables: Mapping[str, KnownTable]) -> list[Finding]:
    """Say what is wrong with the columns for the guest, before any data is touched."""
    if role == "guest":
        return [Finding("setting.of_host", setting="payload")] if settings.payload else []
    types = tables.get("table", UNKNOWN).features
    texts = [place for place, name in enumerate(settings.payload) if types.get(name) == "text"]
    return [
        Finding("column.text", "table", "payload", (place,), {"column": settings.payload[place]}) for place in texts
    ]


def _count_rows(table: Table, settings: Settings) -> int:
    if len(table) == 0 and settings.result == "shared":
        raise fault("psi.no_ids", "the table has no rows", "choose a dataset with rows")
    return len(table)


def _wanted(settings: Settings) -> Wanted:
    method = None if settings.method == "auto" else settings.method
    terms = (settings.result, settings.share_result, settings.code)
    return Wanted(method, *terms, settings.bandwidth_mbit_s, settings.security, settings.field)


def _chooser(me: Party, settings: Settings) -> Choose:
    def pick(guest: int, hosts: tuple[int, ...], link: Link | None) -> Choice | None:
        if settings.result == "count":
            if len(hosts) > 1:
                raise fault("settings.invalid", "a count is made with one host", "choose another result")
            return Choice("ecdh", "ecdh: a count is made by blinding twice")
        if settings.security == "malicious":
            if len(hosts) > 1:
                raise fault("settings.invalid", "against malice an intersection has one host", "leave out the others")
            return Choice("vole", "vole: the settings want security against malice")
        if settings.method != "auto":
            return Choice(settings.method, f"{settings.method}: the settings say so")
        return choose(guest, hosts, me.threads, link)

    return pick


def _sizes(session: Session) -> tuple[int, int]:
    return session.guest, max(session.hosts)


@asynccontextmanager
async def _spooled(
    me: Party, table: Table, session: Session, count: int, shuffle: bytes | None = None
) -> AsyncIterator[Spool]:
    """Digest the table's ids into buckets; in files while the block runs when there are many."""
    folder = me.scratch if len(table) > ROWS_IN_MEMORY else None
    batches = table.id_batches(BATCH_ROWS) if count else iter(())
    spool = await asyncio.to_thread(Spool.filled, batches, session.key("digest"), max(count, 1), folder, shuffle)
    try:
        yield spool
    finally:
        spool.close()


async def _count(me: Party, table: Table, session: Session) -> int:
    """Count with the other party: the number at the guest, 0 at the host."""
    if session.empty:
        return 0
    async with _spooled(me, table, session, counting.ranges(session), me.rng.seed()) as spool:
        if me.role == "guest":
            return await counting.count_as_guest(me, session, spool)
        await counting.count_as_host(me, session, spool)
        return 0


def _choose(table: Table, session: Session, shared: Rows) -> Table:
    """Return what the result says: the shared rows in the common order, or the others in the table's."""
    if session.result == "shared":
        return table.take(shared)
    others = np.ones(len(table), np.bool_)
    others[shared] = False
    return table.take(np.flatnonzero(others))


def _check_size(found: int, settings: Settings, *, hosts: int) -> None:
    if found == 0 and settings.result == "shared":
        whom = "the host" if hosts == 1 else f"all {hosts} hosts"
        cause = f"no id is shared with {whom}"
        raise fault("psi.empty", cause, "compare how the parties write their ids (prefixes, hashes, other numbers)")
    if found < settings.minimum and not (found == 0 and settings.minimum == 1):
        cause = f"{found} ids are shared, fewer than the {settings.minimum} that the settings demand"
        raise fault("psi.too_few", cause, "use larger tables, or agree on a smaller `minimum`")


component = Component(
    name="psi",
    version="2.0.0",
    params=Settings,
    roles={"guest": guest, "host": host},
    inputs={"table": Table},
    outputs={"table": Table},
    names={"payload": Naming(("table",), "host")},
    check=check,
    cost=cost,
    schema=schema,
    example={"method": "ecdh"},
    variants={
        "vole": Variant({"method": "vole"}, hosts=(2,)),
        "count": Variant({"result": "count"}, hosts=(1,)),
        "kept": Variant({"share_result": False}, hosts=(1,)),
        "payload": Variant({"method": "vole", "payload": ("x0",)}, hosts=(1,)),
        "malicious": Variant({"method": "vole", "security": "malicious"}, hosts=(1,)),
    },
)
