"""The guest of hetero_boost: it has the label, grows the trees, and asks the hosts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.components.hetero_boost.messages import RoundDone, Sides, Splits, packed_size
from hanse.components.hetero_boost.remote import Remote, RemoteColumns, open_hosts
from hanse.components.hetero_boost.rows import Rows
from hanse.components.hetero_boost.scoring import Scorer
from hanse.components.hetero_boost.settings import Settings
from hanse.kernel import gradients, trees
from hanse.kernel.binning import Binned
from hanse.kernel.gradients import Rounded
from hanse.kernel.trees import OWN, Due, Growth
from hanse.sdk import Model, Party, Report, Table
from hanse.sdk.boosting import Boosting, Features, Snapshot, Targets, Warm, importance, view

Bits = NDArray[np.uint8]
Reals = NDArray[np.float64]


class HostLine(msgspec.Struct, frozen=True):
    """What the report says of a host; `splits` names the feature of each split so far, as the guest numbers them."""

    party: str
    features: int
    rows: int
    smallest_row: int
    rho: float
    limit: float
    splits: list[str]


class GuestState(msgspec.Struct, frozen=True):
    """What a restarted guest goes on with. `secret` seeds rounding and the draw of columns, no encryption."""

    secret: bytes
    fit: Snapshot
    hosts: list[HostLine]
    parameters: str
    queries: int
    reused: bool = False


class Fitted(NamedTuple):
    model: Model
    scores: Table
    report: Report


async def guest(me: Party, train: Table, valid: Table | None, warm: Model | None, settings: Settings) -> Fitted:
    """Grow round after round of trees on my columns and, through encrypted queries, on the hosts'."""
    training = Training(me, settings, train, valid, None if warm is None else Scorer.open(me, warm))
    await asyncio.to_thread(training.read)
    if not training.finished:
        await training.open()
        while not training.finished:
            await training.grow()
        await training.remote.close()
    return Fitted(
        training.model(),
        train.select([]).with_columns(training.fit.scores()),
        Report("boost", training.figures()),
    )


async def predict(me: Party, model: Model, table: Table, settings: Settings) -> Table:  # noqa: ARG001
    """Walk my trees for every row, by my own numbers and the hosts' left bits."""
    scorer = Scorer.open(me, model)
    margins = await scorer.margins(table)
    return table.select([]).with_columns(scorer.ensemble.score_columns(margins))


class Training:
    """The guest's side of one training, from its beginning or from a checkpoint."""

    fit: Boosting
    remote: Remote

    def __init__(
        self, me: Party, settings: Settings, train: Table, valid: Table | None, earlier: Scorer | None
    ) -> None:
        self._me, self._settings = me, settings
        self._train, self._valid, self._earlier = train, valid, earlier
        self._state = me.resumed(GuestState)
        self._secret = me.rng.seed() if self._state is None else self._state.secret
        self._hosts: list[HostLine] = [] if self._state is None else self._state.hosts
        self._parameters = "" if self._state is None else self._state.parameters
        self._queries = 0 if self._state is None else self._state.queries
        self._reused = False if self._state is None else self._state.reused

    @property
    def finished(self) -> bool:
        return self.fit.finished

    def read(self) -> None:
        """Read and check my tables; go on from a checkpoint if there is one. A warm start's margins come later."""
        train, valid, settings, earlier = self._train, self._valid, self._settings, self._earlier
        self._rows = Rows.read(train, valid, settings)
        self._lot = self._rows.lot
        targets = Targets.read(train, settings, "training", earlier.ensemble.classes if earlier else ())
        valid_targets = None if valid is None else Targets.read(valid, settings, "validation", targets.classes)
        before = earlier.ensemble.features if earlier else None
        self._features, codes = Features.fit_encode(train, self._lot, settings, before=before)
        self._columns: Binned = self._features.columns(train, self._lot, settings, codes)
        self._passengers = self._features.passengers(train, self._lot, valid, codes)
        self._targets, self._valid_targets = targets, valid_targets
        self.fit = self._start(None)
        if self._state is not None:
            self.fit.restore(self._state.fit)

    def _start(self, margins: tuple[Reals, Reals] | None) -> Boosting:
        """Begin, from an earlier model's margins if there is one; they are noughts as long as they are not known."""
        rows, passengers = len(self._lot.counted), self._passengers.shape[1]
        outputs, warm = self._settings.outputs, None
        if self._earlier is not None:
            margins = margins or (np.zeros((outputs, rows)), np.zeros((outputs, passengers)))
            warm = Warm(self._earlier.ensemble, *margins)
        return Boosting.start(self._settings, self._lot, self._targets, self._valid_targets, self._secret, warm)

    async def open(self) -> None:
        """Open the hosts' features, have them route my rows through a warm start's trees, and keep a checkpoint."""
        me, settings = self._me, self._settings
        self.remote = await open_hosts(me, settings, self._rows)
        self._parameters = self.remote.parameters.name
        if self._state is not None:
            return
        self._reused = self.remote.reused
        splits = self._earlier.splits if self._earlier else [[] for _ in self.remote.columns]
        self._hosts = [_line(columns, names) for columns, names in zip(self.remote.columns, splits, strict=True)]
        if self._earlier is not None:
            await self._warm_up(self._earlier)
        self._keep()

    async def grow(self) -> None:
        """Grow one round of trees, level by level."""
        settings, fit, remote, number = self._settings, self.fit, self.remote, self.fit.rounds + 1
        g, h = fit.gradients()
        drawn = fit.chosen([len(self._features.names), *(columns.features for columns in remote.columns)])
        rounded = await asyncio.to_thread(self._round, g, h, number)
        growths = [
            Growth(
                self._columns,
                each_g,
                each_h,
                settings.rules,
                settings.form,
                passengers=self._passengers,
                chosen=drawn[0],
            )
            for each_g, each_h in zip(g, h, strict=True)
        ]
        remote.books.clear()
        for level in range(settings.levels):
            await remote.learn(growths, rounded, drawn[1:], level)
            least = remote.least_node if level + 1 < settings.levels else 1
            for output, growth in enumerate(growths):
                self._offer(output, growth, rounded[output], drawn[1:], least)
            await self._route(growths)
        self._queries += settings.queries_per_round
        for name, value in fit.add(growths).items():
            self._me.metric(name, value, number)
        await remote.peers.send(RoundDone(not fit.finished, fit.best_rounds))
        self._keep()
        self._me.progress(number, settings.trees, "tree")

    def model(self) -> Model:
        """Return my part of the model: trees, my features, and which host's feature each of its splits tests."""
        hosts, splits = [host.party for host in self._hosts], self._kept_splits()
        return self.fit.ensemble(self._features).model(hosts=hosts, splits=splits)

    def figures(self) -> dict[str, object]:
        """Return the report: curves, importance, trees, and what each host's data was exposed to."""
        ensemble = self.fit.ensemble(self._features)
        names, splits = [host.party for host in self._hosts], self._kept_splits()
        lines = [{"party": "guest", **line} for line in importance(ensemble.forest, OWN, self._features.names)]
        for party, (name, features) in enumerate(zip(names, splits, strict=True), start=1):
            pseudonyms = [f"{name} · {feature}" for feature in features]
            lines += [{"party": name, **line} for line in importance(ensemble.forest, party, pseudonyms)]
        return {
            **self.fit.figures(),
            "setup_reused": self._reused,
            **self._features.named(self._settings),
            "importance": sorted(lines, key=lambda line: -float(line["gain"])),
            "tree_view": view(ensemble, names, splits),
            "parameter_set": self._parameters,
            "queries": self._queries,
            "hosts": [{**msgspec.structs.asdict(host), "splits": len(host.splits)} for host in self._hosts],
        }

    def _kept_splits(self) -> list[list[str]]:
        """Return the names of the features of the splits that the kept trees have, for each host."""
        forest = self.fit.ensemble(self._features).forest
        counts = [1 + max(forest.used(party).tolist(), default=-1) for party in range(1, len(self._hosts) + 1)]
        return [host.splits[:count] for host, count in zip(self._hosts, counts, strict=True)]

    async def _warm_up(self, earlier: Scorer) -> None:
        """Start from the margins of an earlier model, for which the hosts route my rows."""
        margins = await earlier.margins(self._train)
        passengers = [margins[:, self._lot.left_out]]
        if self._valid is not None:
            passengers.append(await earlier.margins(self._valid))
        self.fit = self._start((margins[:, self._lot.counted], np.concatenate(passengers, axis=1)))

    def _round(self, g: NDArray[np.float64], h: NDArray[np.float64], number: int) -> list[Rounded]:
        """Round the gradients of each tree of the round to what the parameter set has bits for."""
        bits = self.remote.parameters.gradient_bits, self.remote.parameters.hessian_bits
        pairs = enumerate(zip(g, h, strict=True))
        return [
            gradients.quantise(*pair, *bits, _rounding_seed(self._secret, number, output)) for output, pair in pairs
        ]

    def _offer(
        self, output: int, growth: Growth, rounded: Rounded, drawn: Sequence[NDArray[np.uint8]], least: int
    ) -> None:
        """Offer every open node its best split of each party: of equal gains the first party's is taken."""
        for node in growth.open:
            growth.offer(node, OWN, growth.own_split(node, least))
            sums = self.remote.books.sums.get((output, node.number))
            if sums is None:
                continue
            total = self.remote.books.totals[output, node.number]
            real = total[0] / rounded.g_scale, total[1] / rounded.h_scale
            for party, (columns, cells, mask) in enumerate(zip(self.remote.columns, sums, drawn, strict=True), start=1):
                found = trees.best_split(
                    trees.Sums(*rounded.real(*cells)), columns.shape, real, self._settings.rules, node.bounds, mask
                )
                growth.offer(node, party, found)

    async def _route(self, growths: Sequence[Growth]) -> None:
        """Take the splits that are due; each host says which rows of its own ones go left."""
        due = [(output, each) for output, growth in enumerate(growths) for each in growth.due()]
        taken = [[pair for pair in due if pair[1].party == party] for party in range(1, len(self._hosts) + 1)]
        asked = [self._splits(splits, growths) for splits in taken]
        for columns, splits in zip(self.remote.columns, asked, strict=True):
            await columns.peer.send(splits)
        sides = [
            await self._sides(columns, splits) if len(splits.outputs) else iter(())
            for columns, splits in zip(self.remote.columns, asked, strict=True)
        ]
        for output, each in due:
            if each.party == OWN:
                growths[output].apply(each)
            else:
                self._apply(growths[output], each, *next(sides[each.party - 1]))

    def _splits(self, taken: Sequence[tuple[int, Due]], growths: Sequence[Growth]) -> Splits:
        outputs = np.array([output for output, _ in taken], np.int32)
        features = np.array([due.split.column for _, due in taken], np.int32)
        told = taken if self._settings.route == "host" else []
        members = [growths[output].members(due.node) for output, due in told]
        return Splits(
            outputs,
            features,
            _joined([due.split.left for _, due in taken]),
            _joined([rows for rows, _ in members]),
            _joined([passengers for _, passengers in members]),
        )

    async def _sides(self, columns: RemoteColumns, asked: Splits) -> Iterator[tuple[Bits, Bits]]:
        """Receive and check one host's sides: for each split the bits of training rows and of passengers."""
        sides, must, count = await columns.peer.recv(Sides), columns.peer.must, len(asked.outputs)
        rows, passengers = len(self._lot.counted), self._passengers.shape[1]
        must(len(sides.left) == packed_size(count, rows), "a bit for each training row and split")
        must(len(sides.passengers) == packed_size(count, passengers), "a bit for each routed row and split")
        if self._settings.route == "host":
            among = not np.any(sides.left & ~asked.members) and not np.any(sides.passengers & ~asked.passengers)
            must(among, "only rows of the node go left")
        return zip(np.split(sides.left, count), np.split(sides.passengers, count), strict=True)

    def _apply(self, growth: Growth, due: Due, left: Bits, passengers: Bits) -> None:
        """Take a host's split, and count it as the host does: in the order in which it was told of them."""
        host, columns = self._hosts[due.party - 1], self.remote.columns[due.party - 1]
        try:
            growth.apply(due, left, passengers, index=len(host.splits))
        except ValueError:
            columns.peer.must(False, "a split has rows on both sides")
        host.splits.append(f"feature #{due.split.column + 1}")

    def _keep(self) -> None:
        state = GuestState(
            self._secret, self.fit.snapshot(), self._hosts, self._parameters, self._queries, self._reused
        )
        self._me.checkpoint(state)


def _joined(bits: Sequence[Bits]) -> Bits:
    return np.concatenate(bits) if bits else np.empty(0, np.uint8)


def _rounding_seed(secret: bytes, number: int, output: int) -> bytes:
    place = number.to_bytes(4, "little") + output.to_bytes(4, "little")
    return hashlib.blake2b(place, key=secret, person=b"hanse hetero rnd", digest_size=32).digest()


def _line(columns: RemoteColumns, splits: list[str]) -> HostLine:
    offer = columns.offer
    return HostLine(
        str(columns.peer.id), columns.features, columns.answered, offer.smallest, offer.rho, offer.limit, list(splits)
    )
