"""The host of psi_cached: it holds the key and the many ids, prepares once, then answers."""

import asyncio
from collections.abc import Mapping
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.components.psi_cached.changes import DIGEST_BYTES, GONE, Changes, Past, compare
from hanse.components.psi_cached.journal import Journal
from hanse.components.psi_cached.messages import (
    BLOCK_RANKS,
    MOST_IDS,
    Checks,
    Held,
    Kept,
    Named,
    Offer,
    Question,
    Removed,
    Shard,
)
from hanse.components.psi_cached.rows import demand_own, demand_rows, read_ids, sort_common
from hanse.components.psi_cached.settings import Settings
from hanse.components.psi_cached.shards import (
    COUNTS,
    DIGESTS,
    FILTER,
    ROWS,
    Shape,
    Work,
    evaluate,
    list_shards,
    read_shards,
)
from hanse.core.faults import fault
from hanse.kernel import filters, hashing
from hanse.kernel.ids import Ids
from hanse.protocols import oprf
from hanse.protocols.oprf import Key
from hanse.sdk import Model, Party, Table
from hanse.sdk.blocks import LargeFile
from hanse.sdk.files import write_file

MOST_LAYERS = 64
NOWHERE = bytes(32)
DIGEST_DOMAIN = hashing.hash_rows(np.frombuffer(b"hanse/psi_cached/digests/1", np.uint8)[None], NOWHERE, 32).tobytes()


class Plan(msgspec.Struct, frozen=True):
    """What a restarted preparation goes on with: its key, and its name."""

    factor: bytes
    epoch: bytes
    state: bytes

    @property
    def key(self) -> Key:
        return Key(self.factor, self.epoch)


async def prepare(me: Party, table: Table, previous: Model | None, settings: Settings) -> Model:
    """Evaluate my ids, those that an earlier preparation lacks; send the filter; keep which row has which rank."""
    demand_rows(table)
    demand_own(previous, me.id)
    if len(table) > MOST_IDS:
        raise fault("psi_cached.too_many", f"{len(table)} rows, at most {MOST_IDS} can be prepared", "split the table")
    past = _layers(previous, settings)
    plan = _resume_plan(me, previous)
    digest_key = _digest_key(plan.factor)
    changes = None
    if previous is not None:
        changes = await asyncio.to_thread(compare, past, table, digest_key, me.scratch / "changes")
        me.note(f"{len(changes.added)} ids are new, {len(changes.removed)} are gone")
    added = None if changes is None else changes.added
    shape = Shape(len(table) if added is None else len(added), settings.low_bits)
    work = Work(table, added, plan.key, digest_key, shape, me.scratch / "layer")
    gone = np.empty(0, np.uint64) if changes is None else changes.removed
    stands_on = NOWHERE if previous is None else bytes.fromhex(previous.details["state"])
    await me.guest.send(Offer(plan.epoch, plan.state, stands_on, shape.ids, len(gone), shape.low_bits))
    held = (await me.guest.recv(Held)).shards
    me.guest.must(held <= shape.shards, "no more shards held than there are")
    await evaluate(me, work)
    await _send_shards(me, work, held)
    for start in range(0, len(gone), BLOCK_RANKS):
        await me.guest.send(Removed(gone[start : start + BLOCK_RANKS]))
    me.metric("prepared_ids", shape.ids)
    return _model(plan, previous, changes, work, len(table))


async def answer(me: Party, model: Model, table: Table, settings: Settings) -> Table:
    """Evaluate the guest's blinded ids, at most so many; keep the rows that it names, if it may name any."""
    me.demand_told(settings.minimum, told=settings.share_result)
    state = bytes.fromhex(model.details["state"])
    me.guest.must((await me.guest.recv(Question)).state == state, "the preparation that I hold")
    key = Key(model.arrays["factor"].tobytes(), bytes.fromhex(model.details["epoch"]))
    asked = await oprf.answer(me.guest, key, settings.most_ids)
    me.metric("asked_ids", asked)
    if not settings.share_result:
        return table.take(np.empty(0, np.int64))
    ranks = _named(me, (await me.guest.recv(Named)).ranks, asked, settings)
    rows = await asyncio.to_thread(_rows_at, me, model, ranks)
    ids = await asyncio.to_thread(_prepared_ids, model, table, ranks, rows)
    values = await asyncio.to_thread(key.evaluate, ids)
    await me.guest.send(Checks(np.ascontiguousarray(values[:, filters.TAG_BYTES :]).reshape(-1)))
    kept = await me.guest.recv(Kept)
    me.guest.must(len(kept.bits) == -(-len(ranks) // 8), "one bit for each rank that was named")
    bits = np.unpackbits(kept.bits, bitorder="little")
    me.guest.must(not bits[len(ranks) :].any(), "no bit for a rank that was not named")
    places = np.flatnonzero(bits)
    me.demand_intersection(len(places))
    me.guest.must(len(places) >= settings.minimum, "as many shared rows as the settings demand, or an end")
    me.metric("shared_ids", len(places))
    return table.take(rows[places][sort_common(ids.take(places), kept.order)])


def _resume_plan(me: Party, previous: Model | None) -> Plan:
    """Return the plan of an attempt that ended, or a new one.

    The key lies in the scratch folder while it works, as it will lie in the model: this party's own disk, nowhere else.
    """
    path = me.scratch / "plan"
    if path.is_file():
        return msgspec.msgpack.decode(path.read_bytes(), type=Plan)
    if previous is None:
        key = Key.draw(me.rng)
    else:
        key = Key(previous.arrays["factor"].tobytes(), bytes.fromhex(previous.details["epoch"]))
    plan = Plan(key.factor, key.epoch, me.rng.seed())
    write_file(path, msgspec.msgpack.encode(plan))
    return plan


async def _send_shards(me: Party, work: Work, held: int) -> None:
    """Make the shards that are missing on my disk; send those that the guest does not hold."""
    shape = work.shape
    with Journal(work.folder, (FILTER, COUNTS, ROWS, DIGESTS)) as journal:
        done = shape.shards_in(journal.size_bytes(COUNTS) // 4)
        made = chain(read_shards(work, done), list_shards(work, journal))
        for number in range(shape.shards):
            pages = await asyncio.to_thread(next, made)
            if number >= held:
                await me.guest.send(Shard(pages.counts, pages.data))
            me.progress(shape.runs + number + 1, shape.runs + shape.shards, "sent")


def _layers(previous: Model | None, settings: Settings) -> tuple[Past, ...]:
    if previous is None:
        return ()
    if previous.details["low_bits"] != settings.low_bits:
        cause = "the earlier preparation was made under another `share_result` or `most_ids`"
        raise fault("psi_cached.other_settings", cause, "set what it had, or prepare anew without `previous`")
    count = previous.details["layers"]
    if count >= MOST_LAYERS:
        cause = f"{count} preparations stand on one another already"
        raise fault("psi_cached.layers", cause, "prepare anew, without `previous`: a new key is due as well")
    return tuple(Past(previous.files[f"rows-{number}"], previous.files[f"digests-{number}"]) for number in range(count))


def _model(plan: Plan, previous: Model | None, changes: Changes | None, work: Work, ids: int) -> Model:
    files: dict[str, LargeFile] = {}
    layers = 0
    if previous is not None and changes is not None:
        layers = previous.details["layers"]
        for number, path in enumerate(changes.rows):
            files[f"rows-{number}"] = LargeFile(path)
            files[f"digests-{number}"] = previous.files[f"digests-{number}"]
    if work.shape.ids:
        files[f"rows-{layers}"] = LargeFile(work.folder / ROWS)
        files[f"digests-{layers}"] = LargeFile(work.folder / DIGESTS)
        layers += 1
    details: Mapping[str, Any] = {
        "epoch": plan.epoch.hex(),
        "state": plan.state.hex(),
        "low_bits": work.shape.low_bits,
        "layers": layers,
        "ids": ids,
    }
    return Model({"factor": np.frombuffer(plan.factor, np.uint8)}, details, files=files)


def _named(me: Party, ranks: NDArray[np.uint64], asked: int, settings: Settings) -> NDArray[np.int64]:
    me.guest.must(len(ranks) >= settings.minimum, "as many named ranks as the settings demand, or an end")
    me.guest.must(len(ranks) <= 2 * asked, "not many more ranks than ids were asked for")
    me.guest.must(bool((ranks[1:] > ranks[:-1]).all()), "ranks that rise")
    me.guest.must(ranks[-1] < 1 << 62, "ranks that I have")
    return ranks.astype(np.int64)


def _rows_at(me: Party, model: Model, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row of today's table for each rank."""
    rows = np.full(len(ranks), -1, np.int64)
    for places, within, layer in _by_layer(model, ranks):
        found = model.files[f"rows-{layer}"].rows(within, 4).view(np.uint32).reshape(-1)
        me.guest.must(bool((found != GONE).all()), "no rank whose id is gone")
        rows[places] = found
    me.guest.must(bool((rows >= 0).all()), "ranks that I have")
    return rows


def _prepared_ids(model: Model, table: Table, ranks: NDArray[np.int64], rows: NDArray[np.int64]) -> Ids:
    """Return the ids of the rows; raise when the table is not the one that was prepared."""
    try:
        ids = read_ids(table, rows)
    except IndexError as error:
        raise _other_table() from error
    digests = hashing.digest_ids(ids, _digest_key(model.arrays["factor"].tobytes()))
    for places, within, layer in _by_layer(model, ranks):
        expected = model.files[f"digests-{layer}"].rows(within, DIGEST_BYTES)
        if not np.array_equal(digests[places], expected):
            raise _other_table()
    return ids


def _by_layer(model: Model, ranks: NDArray[np.int64]) -> list[tuple[slice, NDArray[np.int64], int]]:
    """Return for each layer which of the rising ranks lie in it, and where in it they are."""
    found, base = [], 0
    for layer in range(model.details["layers"]):
        count = model.files[f"rows-{layer}"].size_bytes // 4
        first, last = np.searchsorted(ranks, [base, base + count])
        if last > first:
            found.append((slice(int(first), int(last)), ranks[first:last] - base, layer))
        base += count
    return found


def _digest_key(factor: bytes) -> bytes:
    """Return the key of the digests that lie in my model: without it they could be tried against a list of ids."""
    return hashing.hash_rows(np.frombuffer(factor, np.uint8)[None], DIGEST_DOMAIN, 32).tobytes()


def _other_table() -> Exception:
    cause = "the table is not the one that was prepared: other rows, or the same in another order"
    remedy = "prepare today's table, with what was prepared before as `previous`"
    return fault("psi_cached.other_table", cause, remedy)
