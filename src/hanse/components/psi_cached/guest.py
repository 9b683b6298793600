"""The guest of psi_cached: it keeps each host's filter, and asks for the values of its own few ids."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanse.components.psi_cached.journal import Journal
from hanse.components.psi_cached.messages import (
    BLOCK_RANKS,
    Checks,
    Held,
    Kept,
    Named,
    Offer,
    Question,
    Removed,
    Shard,
)
from hanse.components.psi_cached.rows import demand_own, demand_rows, repeated, sort_common
from hanse.components.psi_cached.settings import Settings
from hanse.components.psi_cached.shards import COUNTS, FILTER, Shape
from hanse.core.faults import fault
from hanse.core.roles import PartyId
from hanse.kernel import filters, hashing, matching
from hanse.kernel.filters import Index
from hanse.kernel.ids import Ids
from hanse.protocols import oprf
from hanse.sdk import Model, Party, Peer, Table
from hanse.sdk.blocks import LargeFile

TAG_BYTES = filters.TAG_BYTES


@dataclass(frozen=True)
class Filter:
    """One layer of a host's ids: its file, where its pages lie, and how many ranks come before it."""

    file: LargeFile
    index: Index
    base: int

    @property
    def tags(self) -> int:
        return int(self.index.ranks[-1])


@dataclass(frozen=True)
class Holding:
    """What I hold of one host: the names of its key and of its preparation, its filters, and which ranks are gone."""

    epoch: bytes
    state: bytes
    counts: tuple[NDArray[np.uint32], ...]
    filters: tuple[LargeFile, ...]
    gone: LargeFile | None

    def list_filters(self, low_bits: int) -> list[Filter]:
        """Return the filters, the earliest first."""
        found, base = [], 0
        for file, counts in zip(self.filters, self.counts, strict=True):
            found.append(Filter(file, Index.of(counts, low_bits), base))
            base += found[-1].tags
        return found


@dataclass(frozen=True)
class Finds:
    """Which of my rows are at which ranks of a host, and the other half of the value of each of my rows."""

    rows: NDArray[np.int64]
    ranks: NDArray[np.int64]
    halves: NDArray[np.uint8]

    def only(self, rows: NDArray[np.int64]) -> "Finds":
        """Return the finds of some rows."""
        kept = np.isin(self.rows, rows)
        return Finds(self.rows[kept], self.ranks[kept], self.halves)


async def prepare(me: Party, previous: Model | None, settings: Settings) -> Model:
    """Receive every host's filter, or what it adds to an earlier one."""
    demand_own(previous, me.id)
    parts = await asyncio.gather(*(_receive(me, host, previous, settings) for host in me.hosts))
    arrays: dict[str, NDArray[Any]] = {}
    files: dict[str, LargeFile] = {}
    hosts: dict[str, dict[str, Any]] = {}
    for host, part in zip(me.hosts, parts, strict=True):
        layers = list(zip(part.counts, part.filters, strict=True))
        for number, (counts, file) in enumerate(layers):
            arrays[f"{host.id}.counts-{number}"] = counts
            files[f"{host.id}.filter-{number}"] = file
        if part.gone is not None:
            files[f"{host.id}.gone"] = part.gone
        hosts[host.id] = {"epoch": part.epoch.hex(), "state": part.state.hex(), "layers": len(layers)}
    me.metric("prepared_bytes", sum(file.size_bytes for file in files.values()))
    return Model(arrays, {"low_bits": settings.low_bits, "hosts": hosts}, files=files)


async def ask(me: Party, model: Model, table: Table, settings: Settings) -> Table:
    """Find the rows that all hosts have; where the result is shared, check each and tell the hosts."""
    demand_rows(table)
    ids = table.ids()
    await asyncio.to_thread(_demand_unique, ids, me.rng.seed())
    found = await asyncio.gather(*(_find(me, host, _holding(model, host.id), ids, settings) for host in me.hosts))
    shared = _common([one.rows for one in found])
    me.demand_intersection(len(shared))
    _demand_enough(len(shared), settings.minimum, hosts=len(found))
    order = me.rng.seed()
    if settings.share_result:
        named = [one.only(shared) for one in found]
        right = await asyncio.gather(*(_check(host, one) for host, one in zip(me.hosts, named, strict=True)))
        shared = _common([one.rows for one in right])
        _demand_enough(len(shared), settings.minimum, hosts=len(found))
        for host, one, true in zip(me.hosts, named, right, strict=True):
            kept = np.isin(np.unique(one.ranks), true.only(shared).ranks)
            await host.send(Kept(np.packbits(kept, bitorder="little"), order))
    me.metric("shared_ids", len(shared))
    return table.take(shared[sort_common(ids.take(shared), order)])


async def _receive(me: Party, host: Peer, previous: Model | None, settings: Settings) -> Holding:
    """Take a host's offer and its shards; those that an ended attempt received are not sent again."""
    offer = await host.recv(Offer)
    host.must(offer.low_bits == settings.low_bits, "the same `share_result` and `most_ids` as mine")
    before = None if previous is None else _holding(previous, host.id)
    if before is None:
        host.must(not any(offer.previous) and offer.removed == 0, "a preparation that stands on none")
    else:
        host.must((offer.previous, offer.epoch) == (before.state, before.epoch), "one that adds to what I hold")
        host.must(offer.state != before.state, "a preparation of a name of its own")
    folder = me.scratch / f"{host.id}-{offer.state.hex()}"
    await _receive_shards(me, host, offer, folder)
    gone = await _receive_removed(host, offer, before, settings.low_bits, folder)
    counts, files = ((), ()) if before is None else (before.counts, before.filters)
    if offer.ids:
        counts = (*counts, np.fromfile(folder / COUNTS, np.uint32))
        files = (*files, LargeFile(folder / FILTER))
    return Holding(offer.epoch, offer.state, counts, files, gone)


async def _receive_shards(me: Party, host: Peer, offer: Offer, folder: Path) -> None:
    shape = Shape(offer.ids, offer.low_bits)
    with Journal(folder, (FILTER, COUNTS)) as journal:
        shards = shape.shards_in(journal.size_bytes(COUNTS) // 4)
        await host.send(Held(shards))
        for shard in range(shards, shape.shards):
            message = await host.recv(Shard)
            host.must(len(message.counts) == shape.pages_in(shard), f"{shape.pages_in(shard)} pages in this shard")
            try:
                await asyncio.to_thread(filters.check, message.pages, message.counts, offer.low_bits)
            except ValueError:
                host.must(False, "pages that are as their counts say")
            await asyncio.to_thread(_store, journal, message)
            me.progress(shard + 1, shape.shards, f"received from {host.id}")
    total = int(np.fromfile(folder / COUNTS, np.uint32).sum(dtype=np.uint64))
    host.must(total == offer.ids, "as many tags in the shards as were offered")


def _store(journal: Journal, message: Shard) -> None:
    journal.append(FILTER, message.pages)
    journal.append(COUNTS, message.counts)
    journal.commit()


async def _receive_removed(
    host: Peer, offer: Offer, before: Holding | None, low_bits: int, folder: Path
) -> LargeFile | None:
    """Return one bit for each rank of the earlier layers: gone. None where none is."""
    if before is None or (before.gone is None and offer.removed == 0):
        return None
    total = sum(layer.tags for layer in before.list_filters(low_bits))
    host.must(offer.removed <= total, "no more ids gone than there were")
    bits = np.zeros(-(-total // 8), np.uint8)
    if before.gone is not None:
        size = before.gone.size_bytes
        before.gone.check(np.zeros(1, np.uint64), np.array([size], np.uint64))
        bits[:size] = before.gone.data
    last = -1
    for start in range(0, offer.removed, BLOCK_RANKS):
        ranks = (await host.recv(Removed)).ranks
        host.must(len(ranks) == min(BLOCK_RANKS, offer.removed - start), "whole blocks of removed ranks")
        host.must(bool((ranks[1:] > ranks[:-1]).all()) and ranks[0] > last, "removed ranks that rise")
        host.must(ranks[-1] < total, "removed ranks that were there")
        last = int(ranks[-1])
        places = ranks.astype(np.int64)
        host.must(not (bits[places >> 3] >> (places & 7).astype(np.uint8) & 1).any(), "no rank that is gone already")
        np.bitwise_or.at(bits, places >> 3, np.left_shift(1, places & 7).astype(np.uint8))
    path = folder / "gone"
    bits.tofile(path)
    return LargeFile(path)


async def _find(me: Party, host: Peer, holding: Holding, ids: Ids, settings: Settings) -> Finds:
    """Ask the host for the values of my ids, and look these up."""
    await host.send(Question(holding.state))
    values = await oprf.ask(host, ids, holding.epoch, me.rng)
    tags = np.ascontiguousarray(values[:, :TAG_BYTES])
    rows, ranks = await asyncio.to_thread(_look_up, holding, settings.low_bits, tags)
    me.note(f"{len(np.unique(rows))} of {len(ids)} ids are among those of {host.id}")
    return Finds(rows, ranks, np.ascontiguousarray(values[:, TAG_BYTES:]))


def _look_up(holding: Holding, low_bits: int, tags: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (row of `tags`, rank) of all finds whose ids are not gone. Only the pages of the tags are read."""
    rising = np.lexsort((tags.view(">u8")[:, 1], tags.view(">u8")[:, 0]))
    ordered = tags[rising]
    rows, ranks = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for layer in holding.list_filters(low_bits):
        pages = np.unique(filters.pages_of(ordered, len(layer.index)))
        layer.file.check(layer.index.starts[pages], layer.index.starts[pages + 1])
        queries, found = filters.probe(layer.file.data, layer.index, low_bits, ordered)
        rows.append(rising[queries])
        ranks.append(found + layer.base)
    all_rows, all_ranks = np.concatenate(rows), np.concatenate(ranks)
    if holding.gone is None:
        return all_rows, all_ranks
    older = np.flatnonzero(all_ranks < 8 * holding.gone.size_bytes)
    places = all_ranks[older]
    gone = holding.gone.rows(places >> 3, 1).reshape(-1) >> (places & 7).astype(np.uint8) & 1
    alive = np.ones(len(all_ranks), np.bool_)
    alive[older[gone == 1]] = False
    return all_rows[alive], all_ranks[alive]


async def _check(host: Peer, finds: Finds) -> Finds:
    """Name the ranks to the host, and return those finds where the other half of its value is that of my id."""
    ranks, places = np.unique(finds.ranks, return_inverse=True)
    await host.send(Named(ranks.astype(np.uint64)))
    halves = (await host.recv(Checks)).halves
    host.must(len(halves) == finds.halves.shape[1] * len(ranks), "one half of a value for each named rank")
    true = (halves.reshape(len(ranks), -1)[places] == finds.halves[finds.rows]).all(axis=1)
    return Finds(finds.rows[true], finds.ranks[true], finds.halves)


def _holding(model: Model, host: PartyId) -> Holding:
    said = model.details["hosts"].get(host)
    if said is None:
        raise fault("psi_cached.other_hosts", f"nothing was prepared with {host}", "use it with the same parties")
    layers = range(said["layers"])
    return Holding(
        bytes.fromhex(said["epoch"]),
        bytes.fromhex(said["state"]),
        tuple(model.arrays[f"{host}.counts-{number}"] for number in layers),
        tuple(model.files[f"{host}.filter-{number}"] for number in layers),
        model.files.get(f"{host}.gone"),
    )


def _common(rows: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the rows that stand in all lists, rising."""
    shared = np.unique(rows[0])
    for more in rows[1:]:
        shared = np.intersect1d(shared, more)
    return shared


def _demand_unique(ids: Ids, key: bytes) -> None:
    digests = hashing.digest_ids(ids, key)
    try:
        matching.join(digests, digests)
    except ValueError as error:
        raise repeated() from error


def _demand_enough(found: int, minimum: int, *, hosts: int) -> None:
    if found == 0:
        whom = "the host" if hosts == 1 else f"all {hosts} hosts"
        remedy = "compare how the parties write their ids (prefixes, hashes, other numbers)"
        raise fault("psi.empty", f"no id is shared with {whom}", remedy)
    if found < minimum:
        cause = f"{found} ids are shared, fewer than the {minimum} that the settings demand"
        raise fault("psi.too_few", cause, "use larger tables, or prepare with a smaller `minimum`")
