"""The host of hetero_boost: it owns features, answers encrypted queries, and keeps its own splits."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.components.hetero_boost import exposure
from hanse.components.hetero_boost.messages import (
    Answer,
    Hint,
    LeftBits,
    Offer,
    Opening,
    Query,
    Rows,
    Sides,
    Splits,
    TreeDone,
    alignment,
    pack,
    packed_size,
    public_seed,
    unpack,
)
from hanse.components.hetero_boost.settings import Settings
from hanse.core.faults import fault
from hanse.kernel import boosting, histogram, matching
from hanse.kernel.histogram import HostRows
from hanse.kernel.ids import Ids
from hanse.kernel.intervals import Binned, bin_columns, encode
from hanse.sdk import Model, Party, Table

SCORING_BLOCK = 1 << 18
"""Rows of one `LeftBits`."""

NO_IDS = Ids(np.empty(0, np.uint8), np.zeros(1, np.int64))


class Cut(msgspec.Struct, frozen=True):
    """A split taken on one of my features: in which tree, and after which bin of which column."""

    tree: int
    column: int
    bin: int


class HostState(msgspec.Struct):
    """What a restarted host goes on with. No secret of a hint is in it: a new attempt sets up anew.

    `columns` are the positions of my features in the table, in the order the guest sees; `edges` belong to them.
    """

    columns: list[int]
    edges: list[list[float]]
    cuts: list[Cut] = []
    trees: int = 0
    kept: int = 0
    finished: bool = False


async def host(me: Party, train: Table, valid: Table | None, settings: Settings) -> Model:
    """Bin my features within the disclosure limit, then answer queries and route rows, tree by tree."""
    names = train.schema.features
    numbers = _read(train, names, "training")
    valid_numbers = np.empty((len(names), 0)) if valid is None else _read(valid, names, "validation")
    state = me.resumed(HostState)
    fresh = state is None
    if state is None:
        state = _bin(me, names, numbers, settings)
    edges = tuple(np.array(each, np.float64) for each in state.edges)
    columns = Binned(encode(numbers[state.columns], edges), edges)
    valid_codes = encode(valid_numbers[state.columns], edges)
    if not state.finished:
        ids = (train.ids(), NO_IDS if valid is None else valid.ids())
        rows, most = await _set_up(me, columns, ids, settings, state, fresh=fresh)
        await _answer(me, rows, most, columns, valid_codes, settings, state)
    cuts = [cut for cut in state.cuts if cut.tree < state.kept]
    arrays: dict[str, NDArray[Any]] = {
        "column": np.array([state.columns[cut.column] for cut in cuts], np.uint32),
        "edge": np.array([state.edges[cut.column][cut.bin] for cut in cuts], np.float64),
    }
    return Model(arrays, {"features": list(names)})


async def predict(me: Party, model: Model, table: Table, settings: Settings) -> None:  # noqa: ARG001
    """Send which rows go left at each of my splits, block by block."""
    names = model.details["features"]
    columns, edges = model.arrays["column"], model.arrays["edge"]
    used = np.unique(columns)
    numbers = _read(table, [names[column] for column in used], "scored")
    asked = await me.guest.recv(Rows)
    if asked.rows != len(table) or asked.alignment != alignment(asked.nonce, table.ids()):
        raise misaligned("scored")
    place = np.searchsorted(used, columns)
    for start in range(0, len(table), SCORING_BLOCK):
        block = numbers[:, start : start + SCORING_BLOCK]
        bits = [pack(block[column] <= edge) for column, edge in zip(place, edges, strict=True)]
        await me.guest.send(LeftBits(np.concatenate(bits) if bits else np.empty(0, np.uint8)))


def misaligned(table: str) -> Exception:
    """Return the error for rows that are not the same, in the same order, at guest and host."""
    cause = f"the {table} rows of guest and host are not the same rows in the same order"
    return fault("rows.misaligned", cause, "align the tables with psi first", step="set-up")


def _read(table: Table, names: Sequence[str], kind: str) -> NDArray[np.float64]:
    numbers = table.numbers(names)
    boosting.check_numbers(numbers, names, kind)
    return numbers


def _bin(me: Party, names: tuple[str, ...], numbers: NDArray[np.float64], settings: Settings) -> HostState:
    """Choose bins so coarse that the planned queries stay within the limit; the order of features is random."""
    samples = numbers.shape[1]
    used, limit = me.disclosure.used, me.disclosure.limit
    planned = (settings.trees + exposure.RESERVED_TREES) * settings.queries_per_tree
    least = exposure.least_row(used + planned, samples, limit)
    if least is None:
        raise exposure.refusal(used, planned, samples, limit)
    binned = bin_columns(numbers, settings.max_bins, least)
    useful = np.flatnonzero(binned.bins > 1)
    if not len(useful):
        cause = f"no column has two groups of at least {least} rows, which {used + planned} queries would need"
        raise exposure.refusal(used, planned, samples, limit, cause)
    if dropped := [name for name, bins in zip(names, binned.bins, strict=True) if bins == 1]:
        me.note(f"left out, constant or with groups of fewer than {least} rows: {', '.join(dropped)}")
    order = useful[matching.permutation(len(useful), me.rng.seed())].tolist()
    return HostState(order, [binned.edges[column].tolist() for column in order])


async def _set_up(
    me: Party, columns: Binned, ids: tuple[Ids, Ids], settings: Settings, state: HostState, *, fresh: bool
) -> tuple[HostRows, int]:
    """Offer the shape of my features, check that the rows are the guest's rows, send the hint.

    Returns the rows, and how many queries the dataset may have answered in all while these rows are the answer.
    """
    counts = [columns.rows_of(column) for column in range(len(columns.edges))]
    omitted = np.array([int(np.argmax(count)) for count in counts], np.int32)
    sent = np.concatenate([np.delete(count, largest) for count, largest in zip(counts, omitted, strict=True)])
    smallest, largest, samples = int(sent.min()), int(sent.max()), len(ids[0])
    figure = _figure(me, settings, state, smallest, samples)
    bins = columns.bins.astype(np.int32)
    nonce = me.rng.seed()
    offer = Offer(nonce, samples, len(ids[1]), bins, omitted, smallest, largest, figure, me.disclosure.limit)
    await me.guest.send(offer)
    opening = await me.guest.recv(Opening)
    me.guest.must(len(opening.nonces) == 1 + len(me.hosts) + 1, "one share of the seed for each party")
    me.guest.must(opening.nonces.count(nonce) == 1, "my share of the seed is among all shares")
    me.guest.must(opening.parameters in histogram.PARAMETER_SETS, "a parameter set that exists")
    parameters = histogram.parameter_set(opening.parameters)
    me.guest.must(
        samples <= parameters.max_samples and largest <= parameters.max_row_samples, "a parameter set that fits"
    )
    seed = public_seed(opening.nonces)
    if opening.alignment != alignment(seed, *ids):
        raise misaligned("training or validation")
    rows = HostRows.setup(parameters, seed, me.rng.seed(), columns.codes, bins, omitted)
    await me.guest.send(Hint(rows.hint()))
    if fresh:
        me.checkpoint(state)
    return rows, exposure.most_queries(smallest, samples, me.disclosure.limit)


def _figure(me: Party, settings: Settings, state: HostState, smallest: int, samples: int) -> float:
    """Return rho for the queries answered before and those still to come; raise when it passes the limit."""
    used, limit = me.disclosure.used, me.disclosure.limit
    remaining = (settings.trees - state.trees) * settings.queries_per_tree
    reserved = exposure.RESERVED_TREES * settings.queries_per_tree
    needed, planned = exposure.rho(used + remaining, smallest, samples), remaining + reserved
    if needed > limit:
        cause = f"{remaining} more queries, {used} answered before, smallest row {smallest}: rho would be {needed:.3g}"
        raise exposure.refusal(used, remaining, samples, limit, cause)
    figure = min(exposure.rho(used + planned, smallest, samples), 1e12)
    me.note(f"disclosure: rho {figure:.3g} of {limit:g} ({used} + {planned} queries, smallest row {smallest})")
    return figure


async def _answer(
    me: Party,
    rows: HostRows,
    most: int,
    columns: Binned,
    valid_codes: NDArray[np.uint8],
    settings: Settings,
    state: HostState,
) -> None:
    """Answer each level's queries, counted before they are answered, and route the rows of my splits."""
    size_bytes = histogram.encrypted_size(rows.parameters, columns.codes.shape[1])
    for tree in range(state.trees, settings.trees):
        for level in range(settings.depth):
            count = settings.queries_at(level)
            await me.spend(count, most)
            for _ in range(count):
                query = await me.guest.recv(Query)
                me.guest.must(len(query.ciphertext) == size_bytes, f"a query of {size_bytes} bytes")
                await me.guest.send(Answer(_sums(me, rows, query)))
            asked = await me.guest.recv(Splits)
            await me.guest.send(_sides(me, asked, columns, valid_codes, tree, level, state))
        done = await me.guest.recv(TreeDone)
        me.guest.must(done.kept <= tree + 1, "no tree is kept before it is grown")
        me.guest.must(not done.more or tree + 1 < settings.trees, "no more trees than the settings say")
        state.trees, state.kept, state.finished = tree + 1, done.kept, not done.more
        me.checkpoint(state)
        me.progress(tree + 1, settings.trees, "tree")
        if state.finished:
            return


def _sums(me: Party, rows: HostRows, query: Query) -> bytes:
    try:
        return rows.answer(query.ciphertext, me.rng.seed())
    except histogram.HintExhausted as error:
        raise fault("hint.exhausted", str(error), "train fewer trees in one job") from error
    except ValueError:
        me.guest.must(False, "a query whose numbers are below their moduli")
        raise


def _sides(
    me: Party,
    asked: Splits,
    columns: Binned,
    valid_codes: NDArray[np.uint8],
    tree: int,
    level: int,
    state: HostState,
) -> Sides:
    """Check what the guest asks and say which members go left."""
    samples, valid_samples = columns.codes.shape[1], valid_codes.shape[1]
    starts = np.concatenate([[0], np.cumsum(columns.bins)])
    count = len(asked.cuts)
    me.guest.must(count <= 1 << level, "at most one split for each node of the level")
    me.guest.must(bool(np.all((asked.cuts >= 0) & (asked.cuts < starts[-1] - 1))), "splits are cuts of my features")
    me.guest.must(len(asked.members) == packed_size(count, samples), "one bit for each training row and split")
    me.guest.must(
        len(asked.members_valid) == packed_size(count, valid_samples), "one bit for each validation row and split"
    )
    members = unpack(asked.members, count, samples)
    members_valid = unpack(asked.members_valid, count, valid_samples)
    me.guest.must(
        bool(np.all(members.sum(axis=0) <= 1) and np.all(members_valid.sum(axis=0) <= 1)), "a row is in one node"
    )
    for index, cut in enumerate(asked.cuts.tolist()):
        column = int(np.searchsorted(starts, cut, side="right")) - 1
        bin_ = cut - int(starts[column])
        me.guest.must(bin_ + 1 < int(columns.bins[column]), "a cut has bins on both sides")
        members[index] &= columns.codes[column] <= bin_
        members_valid[index] &= valid_codes[column] <= bin_
        state.cuts.append(Cut(tree, column, bin_))
    return Sides(pack(members).reshape(-1), pack(members_valid).reshape(-1))
