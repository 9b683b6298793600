"""The host of hetero_boost: it owns features, answers encrypted queries, and keeps its own splits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.components.hetero_boost import cells, exposure, setups
from hanse.components.hetero_boost.cells import Cells
from hanse.components.hetero_boost.cuts import Cut, Cuts, answer_rows, misaligned
from hanse.components.hetero_boost.messages import (
    HINT_PIECE_BYTES,
    Answers,
    Block,
    Hint,
    Offer,
    Opening,
    RoundDone,
    Sides,
    Splits,
    Step,
    alignment,
    packed_size,
    public_seed,
)
from hanse.components.hetero_boost.rows import Rows
from hanse.components.hetero_boost.settings import Settings
from hanse.components.hetero_boost.setups import HostSetup
from hanse.core.faults import fault
from hanse.kernel import histogram
from hanse.kernel.histogram import HostRows, ParameterSet
from hanse.kernel.trees import left_bits
from hanse.sdk import Model, Party, Report, Table
from hanse.sdk.boosting import Features

SHOWN_CUTS = 10_000
LEFT_BYTES = 32


class HostState(msgspec.Struct):
    """What a restarted host goes on with. No secret of a hint is in it."""

    features: Features
    grid_least: int
    cuts: list[Cut] = []
    rounds: int = 0
    kept: int = 0
    finished: bool = False
    reused: bool = False


class Fitted(NamedTuple):
    model: Model
    report: Report


async def host(me: Party, train: Table, valid: Table | None, warm: Model | None, settings: Settings) -> Fitted:
    """Cut my features within the disclosure limit, then answer queries and route rows, round by round."""
    earlier = Cuts.none() if warm is None else Cuts.open(warm)
    rows = await asyncio.to_thread(Rows.read, train, valid, settings)
    state = me.resumed(HostState)
    if state is None:
        found = await asyncio.to_thread(cells.choose, me, train, valid, rows.lot, settings)
        state, fresh = HostState(found.features, found.grid_least), True
    else:
        chosen = state.features, state.grid_least
        found, fresh = await asyncio.to_thread(cells.encode, train, valid, rows.lot, settings, *chosen), False
    host = Host(me, settings, found, rows, state)
    if not state.finished:
        await host.open(fresh)
        if fresh and warm is not None:
            await answer_rows(me, earlier, (train,) if valid is None else (train, valid))
        await host.answer()
    trees = 0 if warm is None else int(warm.details["trees"])
    kept = [cut for cut in state.cuts if cut.tree < state.kept]
    cuts = earlier.then(state.features, kept, trees)
    return Fitted(cuts.model(trees + state.kept), Report("boost_host", host.figures(cuts)))


async def predict(me: Party, model: Model, table: Table, settings: Settings) -> None:  # noqa: ARG001
    """Send which rows go left at each of my splits, block by block."""
    await answer_rows(me, Cuts.open(model), (table,))


@dataclass
class Host:
    """The host's side of one training."""

    me: Party
    settings: Settings
    cells: Cells
    rows: Rows
    state: HostState

    async def open(self, fresh: bool) -> None:
        """Offer the shape of my features, check that the rows are the guest's rows, and set up or go on from before.

        Raises HanseError("disclosure.limit" | "rows.misaligned"), ProtocolError.
        """
        me, found, samples = self.me, self.cells, len(self.rows.counted)
        me.demand_group(found.smallest)
        digest = await asyncio.to_thread(setups.rows_digest, self.rows.counted, found.columns.codes, *found.matrix[1:])
        kept = self._kept(digest)
        offer = self._offer(me.rng.seed(), tuple(setup.id for setup in kept))
        await me.guest.send(offer)
        opening = await me.guest.recv(Opening)
        me.guest.must(len(opening.nonces) == 1 + len(me.hosts) + 1, "one share of the seed for each party")
        me.guest.must(opening.nonces.count(offer.nonce) == 1, "my share of the seed is among all shares")
        parameters = self._parameters(opening)
        seed = public_seed(opening.nonces)
        if opening.alignment != alignment(seed, self.rows.counted, self.rows.passengers):
            raise misaligned("training or validation")
        if opening.setup:
            offered = {setup.id: setup for setup in kept if setup.parameters == parameters.name}
            me.guest.must(opening.setup in offered, "a set-up that I offered, with its parameter set")
            before = offered[opening.setup]
            answered, counted = me.disclosure.used * len(found.answered), 0
            self._matrix = await asyncio.to_thread(
                HostRows.resume, parameters, before.public_seed, before.secret_seed, *found.matrix, answered=answered
            )
        else:
            await self._set_up(parameters, seed, digest)
            counted = me.disclosure.used
        # whatever other jobs go on with the same set-up at the same time, all are counted together
        self._most = min(
            exposure.most_queries(found.smallest, samples, me.disclosure.limit),
            counted + parameters.answer_cap // len(found.answered),
        )
        if fresh:
            self.state.reused = bool(opening.setup)
            me.checkpoint(self.state)

    async def answer(self) -> None:
        """Answer each step's queries, counted before they are answered, and route the rows of my splits."""
        me, settings, state = self.me, self.settings, self.state
        for number in range(state.rounds, settings.trees):
            await me.spend(settings.queries_per_round, self._most)
            for level in range(settings.levels):
                for queries in settings.steps_at(level):
                    await self._sum(queries)
                await self._route(number, level)
            done = await me.guest.recv(RoundDone)
            me.guest.must(done.kept <= number + 1, "no round is kept before it is grown")
            me.guest.must(not done.more or number + 1 < settings.trees, "no more rounds than the settings say")
            state.rounds, state.kept, state.finished = number + 1, done.kept * settings.outputs, not done.more
            me.checkpoint(state)
            me.progress(number + 1, settings.trees, "tree")
            if state.finished:
                return

    def figures(self, cuts: Cuts) -> dict[str, object]:
        """Return the report: my splits, with what the guest is not told of them, and what my data was exposed to."""
        me, names = self.me, self.cells.features.names
        return {
            "rows": len(self.rows.counted),
            "trees": self.state.kept,
            "setup_reused": self.state.reused,
            **self.cells.features.named(self.settings),
            "features": [{"feature": name, "guest_sees": f"feature #{place}"} for place, name in enumerate(names, 1)],
            "splits": len(cuts.part),
            "cuts": cuts.describe(SHOWN_CUTS),
            "queries": self.state.rounds * self.settings.queries_per_round,
            "queries_before": me.disclosure.used,
            "smallest_row": self.cells.smallest,
            "rho": self._rho(self.state.rounds * self.settings.queries_per_round),
            "limit": me.disclosure.limit,
        }

    def _offer(self, nonce: bytes, kept: tuple[bytes, ...]) -> Offer:
        """Describe my features; raise when the rounds still to come would pass the limit."""
        me, found, settings = self.me, self.cells, self.settings
        used, limit, samples = me.disclosure.used, me.disclosure.limit, len(self.rows.counted)
        remaining = (settings.trees - self.state.rounds) * settings.queries_per_round
        reserved = exposure.RESERVED_ROUNDS * settings.queries_per_round
        if (needed := self._rho(remaining)) > limit:
            cause = f"{remaining} more queries, {used} answered before, smallest cell {found.smallest}"
            raise exposure.refusal(used, remaining, samples, limit, f"{cause}: rho would be {needed:.3g}")
        figure = min(self._rho(remaining + reserved), 1e12)
        planned = remaining + reserved
        me.note(
            f"disclosure: rho {figure:.3g} of {limit:g} ({used} + {planned} queries, smallest cell {found.smallest})"
        )
        shape, answered = found.columns.shape, found.answered
        return Offer(
            nonce,
            samples,
            len(self.rows.passengers),
            shape.bins.astype(np.int32),
            shape.missing,
            shape.categorical,
            shape.monotone,
            found.omitted,
            int(answered.min()),
            int(answered.max()),
            figure,
            limit,
            kept,
        )

    def _kept(self, digest: bytes) -> list[HostSetup]:
        """Return the set-ups of these rows and cells whose hints may serve all rounds still to come."""
        if not self.settings.keep_hint:
            return []
        queries = self.me.disclosure.used + (self.settings.trees - self.state.rounds) * self.settings.queries_per_round
        answers = queries * len(self.cells.answered)
        found = setups.list_setups(self.me.kept, HostSetup, digest)
        return [each for each in found if answers <= histogram.parameter_set(each.parameters).answer_cap]

    def _rho(self, queries: int) -> float:
        return exposure.rho(self.me.disclosure.used + queries, self.cells.smallest, len(self.rows.counted))

    def _parameters(self, opening: Opening) -> ParameterSet:
        must = self.me.guest.must
        must(opening.parameters in histogram.PARAMETER_SETS, "a parameter set that exists")
        parameters = histogram.parameter_set(opening.parameters)
        fits = len(self.rows.counted) <= parameters.max_samples
        must(fits and int(self.cells.answered.max()) <= parameters.max_row_samples, "a parameter set that fits")
        return parameters

    async def _set_up(self, parameters: ParameterSet, seed: bytes, digest: bytes) -> None:
        """Draw fresh secrets, send the hint, and keep what a later job can go on from."""
        secret = self.me.rng.seed()
        self._matrix = await asyncio.to_thread(HostRows.setup, parameters, seed, secret, *self.cells.matrix)
        hint = memoryview(self._matrix.hint())
        for start in range(0, len(hint), HINT_PIECE_BYTES):
            await self.me.guest.send(Hint(bytes(hint[start : start + HINT_PIECE_BYTES])))
        if self.settings.keep_hint:
            setup = HostSetup(setups.setup_id(seed), time.time(), parameters.name, seed, digest, secret)
            await asyncio.to_thread(setups.keep, self.me.kept, setup)

    async def _sum(self, queries: int) -> None:
        """Add up the ciphertexts of one step as its blocks arrive."""
        me, rows = self.me, self._matrix
        step = await me.guest.recv(Step)
        drawn = self._drawn(step)
        try:
            summing = await asyncio.to_thread(rows.begin, queries, step.dummies, drawn)
            for _ in range(histogram.blocks(len(self.rows.counted))):
                block = await me.guest.recv(Block)
                await asyncio.to_thread(summing.add, block.data)
        except histogram.HintExhausted as error:
            raise fault("hint.exhausted", str(error), "train fewer trees in one job") from error
        except ValueError:
            me.guest.must(False, "ciphertexts of the step's size, with numbers below their moduli")
        await me.guest.send(Answers(await asyncio.to_thread(summing.finish, me.rng.seed())))

    def _drawn(self, step: Step) -> NDArray[np.uint8]:
        features = len(self.cells.features.names)
        self.me.guest.must(len(step.drawn) == packed_size(1, features), "one bit for each feature")
        drawn = np.unpackbits(step.drawn, bitorder="little")
        self.me.guest.must(
            drawn[:features].any() and not drawn[features:].any(), "at least one of my features is drawn"
        )
        return drawn[:features]

    async def _route(self, number: int, level: int) -> None:
        """Check the splits taken on my features and say which rows go left; nothing is said where there is none."""
        asked = await self.me.guest.recv(Splits)
        self._check(asked, level)
        codes, passengers = self.cells.columns.codes, self.cells.passengers
        lefts = asked.left.reshape(-1, LEFT_BYTES)
        picks = list(zip(asked.features.tolist(), lefts, strict=True))
        for output, (feature, left) in zip(asked.outputs.tolist(), picks, strict=True):
            self.state.cuts.append(Cut(number * self.settings.outputs + output, feature, left.tobytes()))
        if not picks:
            return
        sides = [
            np.concatenate([left_bits(of[feature], left) for feature, left in picks]) for of in (codes, passengers)
        ]
        if self.settings.route == "host":
            sides = [sides[0] & asked.members, sides[1] & asked.passengers]
        await self.me.guest.send(Sides(*sides))

    def _check(self, asked: Splits, level: int) -> None:
        """Check the form of what is asked: cuts of my features, and a row in one node of each tree."""
        must, settings, count = self.me.guest.must, self.settings, len(asked.outputs)
        must(
            len(asked.features) == count and len(asked.left) == LEFT_BYTES * count, "a feature and cells of each split"
        )
        must(np.all((asked.outputs >= 0) & (asked.outputs < settings.outputs)), "splits of trees of the round")
        most = int(np.bincount(asked.outputs, minlength=1).max())
        must(most <= settings.splits_at(level), "at most one split for each node of the level")
        features = len(self.cells.features.names)
        must(np.all((asked.features >= 0) & (asked.features < features)), "splits on my features")
        for feature, left in zip(asked.features.tolist(), asked.left.reshape(-1, LEFT_BYTES), strict=True):
            must(self._parts(feature, left), "a split that parts the cells of its feature, numbers by size")
        told = count if settings.route == "host" else 0
        for mask, rows in ((asked.members, self.rows.counted), (asked.passengers, self.rows.passengers)):
            must(len(mask) == packed_size(told, len(rows)), "one bit for each row and split that I am to be told")
            must(not told or _is_disjoint(mask.reshape(count, -1), asked.outputs), "a row is in one node of a tree")

    def _parts(self, feature: int, left: NDArray[np.uint8]) -> bool:
        shape = self.cells.columns.shape
        bins = int(shape.bins[feature])
        bits = np.unpackbits(left, bitorder="little")
        values, missing = bits[:bins], bits[-1:] if shape.missing[feature] else bits[:0]
        falls = bool(np.all(values[1:] <= values[:-1]))  # ones, then zeros: code <= bin
        here = np.concatenate([values, missing])
        return (bool(shape.categorical[feature]) or falls) and bool(here.any()) and not bool(here.all())


def _is_disjoint(masks: NDArray[np.uint8], outputs: NDArray[np.int32]) -> bool:
    """Say whether no bit is set twice among the masks of one output."""
    for output in np.unique(outputs):
        seen = np.zeros(masks.shape[1], np.uint8)
        for mask in masks[outputs == output]:
            if np.any(seen & mask):
                return False
            seen |= mask
    return True
