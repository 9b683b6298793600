"""The guest of hetero_boost: it has the label, grows the trees, and asks the hosts."""

import hashlib
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.components.hetero_boost.host import NO_IDS, SCORING_BLOCK
from hanse.components.hetero_boost.messages import (
    LeftBits,
    Rows,
    Sides,
    Splits,
    TreeDone,
    alignment,
    pack,
    packed_size,
    unpack,
)
from hanse.components.hetero_boost.remote import Remote, RemoteColumns
from hanse.components.hetero_boost.settings import Settings
from hanse.core.faults import fault
from hanse.kernel import boosting, gradients
from hanse.kernel import heaps as trees
from hanse.kernel.boosting import Boosting, Snapshot
from hanse.kernel.gradients import Rounded
from hanse.kernel.heaps import Choice, Growth, Node, Split
from hanse.kernel.intervals import Binned, bin_columns, encode
from hanse.sdk import Model, Party, Report, Table


class HostLine(msgspec.Struct, frozen=True):
    """What the report says of a host; `columns` has the feature (as it numbers them) of each split taken so far."""

    party: str
    features: int
    rows: int
    smallest_row: int
    rho: float
    limit: float
    columns: list[int]


class GuestState(msgspec.Struct, frozen=True):
    """What a restarted guest goes on with. `secret` seeds the rounding of gradients; no encryption seed is kept."""

    secret: bytes
    fit: Snapshot
    hosts: list[HostLine]
    parameters: str
    queries: int
    finished: bool


class Fitted(NamedTuple):
    model: Model
    scores: Table
    report: Report


async def guest(me: Party, train: Table, valid: Table | None, settings: Settings) -> Fitted:
    """Grow tree after tree on my columns and, through encrypted queries, on the hosts'."""
    training = Training.begin(me, train, valid, settings)
    if not training.finished:
        ids = (train.ids(), NO_IDS if valid is None else valid.ids())
        remote = await Remote.open(me, ids, settings.max_bins)
        training.join(remote)
        while not training.finished:
            await training.grow(remote)
    fit, names = training.fit, list(train.schema.features)
    hosts = [str(peer.id) for peer in me.hosts]
    details = {"features": names, "base": fit.base, "objective": settings.objective, "hosts": hosts}
    return Fitted(
        Model(fit.kept.arrays, details),
        train.select([]).with_column("score", fit.scores),
        Report("boost", training.figures(names)),
    )


async def predict(me: Party, model: Model, table: Table, settings: Settings) -> Table:
    """Walk my trees for every row, by my own numbers and the hosts' left bits."""
    details, forest = model.details, trees.Trees(**model.arrays)
    if [str(peer.id) for peer in me.hosts] != details["hosts"]:
        cause = f"the model was fitted with {', '.join(details['hosts'])}"
        raise fault("model.parties", cause, "score with the same parties in the same roles")
    numbers = table.numbers(details["features"])
    boosting.check_numbers(numbers, details["features"], "scored")
    nonce = me.rng.seed()
    await me.hosts.send(Rows(nonce, len(table), alignment(nonce, table.ids())))
    splits = [
        max((1 + index for index in forest.used(party).tolist()), default=0) for party in range(1, len(me.hosts) + 1)
    ]
    margins = np.empty(len(table))
    for start in range(0, len(table), SCORING_BLOCK):
        block = numbers[:, start : start + SCORING_BLOCK]
        stride = packed_size(1, block.shape[1])
        left = []
        for peer, count in zip(me.hosts, splits, strict=True):
            bits = (await peer.recv(LeftBits)).left
            peer.must(len(bits) >= count * stride and len(bits) % stride == 0, "a bit for each row and split")
            left.append(bits.reshape(-1, stride))
        margins[start : start + SCORING_BLOCK] = trees.margins(forest, details["base"], block, left)
    return table.select([]).with_column("score", gradients.scores(settings.objective, margins))


class Training:
    """The guest's side of one training, from its beginning or from a checkpoint."""

    def __init__(self, me: Party, settings: Settings, fit: Boosting, columns: Binned, valid: NDArray[np.uint8]) -> None:
        self.fit = fit
        self.finished = False
        self._me = me
        self._settings = settings
        self._columns = columns
        self._valid = valid
        self._rules = trees.Rules(settings.reg_lambda, settings.min_child_weight, settings.min_split_gain)
        self._state = me.resumed(GuestState)
        if self._state is None:
            self._secret, self._hosts, self._queries, self._parameters = me.rng.seed(), [], 0, ""
        else:
            saved = self._state
            fit.restore(saved.fit)
            self._secret, self._hosts, self._parameters = saved.secret, saved.hosts, saved.parameters
            self._queries, self.finished = saved.queries, saved.finished

    @classmethod
    def begin(cls, me: Party, train: Table, valid: Table | None, settings: Settings) -> "Training":
        """Read and check my tables; go on from a checkpoint if there is one."""
        names = train.schema.features
        numbers = train.numbers(names)
        boosting.check_numbers(numbers, names, "training")
        valid_numbers = np.empty((len(names), 0)) if valid is None else valid.numbers(names)
        boosting.check_numbers(valid_numbers, names, "validation")
        rounds, metric = settings.early_stopping_rounds, settings.early_stopping_metric
        follow = boosting.followed(settings.objective, metric, rounds, valid_numbers.shape[1])
        valid_labels = np.empty(0) if valid is None else valid.label()
        fit = Boosting.start(settings.objective, train.label(), valid_labels, settings.depth, follow)
        columns = bin_columns(numbers, settings.max_bins)
        return cls(me, settings, fit, columns, encode(valid_numbers, columns.edges))

    def join(self, remote: Remote) -> None:
        """Note who takes part, and keep the first checkpoint before any query is asked."""
        before = {line.party: line.columns for line in self._hosts}
        self._hosts = [_line(columns, before.get(str(columns.peer.id), [])) for columns in remote.columns]
        self._parameters = remote.parameters.name
        if self._state is None:
            self._keep()

    async def grow(self, remote: Remote) -> None:
        """Grow one tree, level by level."""
        settings, fit = self._settings, self.fit
        number = len(fit.trees) + 1
        g, h = fit.gradients()
        bits = remote.parameters.gradient_bits, remote.parameters.hessian_bits
        rounded = gradients.quantise(g, h, *bits, _rounding_seed(self._secret, number))
        growth = Growth(self._columns, self._valid, g, h, self._rules, settings.depth)
        for level in range(settings.depth):
            await remote.learn_level(growth.nodes, rounded)
            self._queries += settings.queries_at(level)
            least = remote.least_node if level + 1 < settings.depth else 1
            best = [self._best(growth, remote, node, rounded, least) for node in growth.nodes]
            growth.advance(await self._route(growth, remote, best))
        for name, value in fit.add(growth, settings.learning_rate).items():
            self._me.metric(name, value, number)
        self.finished = number == settings.trees or fit.has_stalled(settings.early_stopping_rounds)
        await remote.peers.send(TreeDone(not self.finished, fit.best_trees))
        self._keep()
        self._me.progress(number, settings.trees, "tree")

    def figures(self, names: list[str]) -> dict[str, object]:
        """Return the report: curves, importance, and what each host's data was exposed to."""
        fit = self.fit
        lines = [{"party": "guest", **line} for line in boosting.importance(fit.kept, trees.OWN, names)]
        for party, host in enumerate(self._hosts, start=1):
            pseudonyms = [f"{host.party} · feature #{column + 1}" for column in host.columns]
            lines += [{"party": host.party, **line} for line in boosting.importance(fit.kept, party, pseudonyms)]
        return {
            "objective": fit.objective,
            "rows": len(fit.labels),
            "trees": fit.best_trees,
            "trees_grown": len(fit.trees),
            "curves": fit.curves,
            "importance": sorted(lines, key=lambda line: -float(line["gain"])),
            "parameter_set": self._parameters,
            "queries": self._queries,
            "hosts": [
                {
                    "party": host.party,
                    "features": host.features,
                    "rows": host.rows,
                    "smallest_row": host.smallest_row,
                    "rho": host.rho,
                    "limit": host.limit,
                    "splits": len(host.columns),
                }
                for host in self._hosts
            ],
        }

    def _keep(self) -> None:
        self._me.checkpoint(
            GuestState(self._secret, self.fit.snapshot(), self._hosts, self._parameters, self._queries, self.finished)
        )

    def _best(
        self, growth: Growth, remote: Remote, node: Node | None, rounded: Rounded, least: int
    ) -> tuple[int, Split] | None:
        """Return the best split of a node with its party (0 is me); of equal gains the first party's."""
        if node is None:
            return None
        own = growth.own_split(node, least)
        best = None if own is None else (trees.OWN, own)
        g_all, h_all = rounded.total(node.rows)
        total = g_all / rounded.g_scale, h_all / rounded.h_scale
        for party, (columns, sums) in enumerate(zip(remote.columns, remote.sums_of(node) or [], strict=False), start=1):
            found = trees.best_split(trees.Sums(*rounded.real(*sums)), columns.bins, total, self._rules)
            if found is not None and (best is None or found.gain > best[1].gain):
                best = party, found
        return best

    async def _route(self, growth: Growth, remote: Remote, best: list[tuple[int, Split] | None]) -> list[Choice | None]:
        """Have each host say which rows of its splits go left; every host is asked at every level."""
        choices: list[Choice | None] = [
            growth.own_choice(node, found[1]) if node and found and found[0] == trees.OWN else None
            for node, found in zip(growth.nodes, best, strict=True)
        ]
        taken = [
            [
                (place, node, found[1])
                for place, (node, found) in enumerate(zip(growth.nodes, best, strict=True))
                if node and found and found[0] == party
            ]
            for party in range(1, len(remote.columns) + 1)
        ]
        for columns, splits in zip(remote.columns, taken, strict=True):
            await columns.peer.send(self._splits(columns, splits))
        for party, (columns, splits) in enumerate(zip(remote.columns, taken, strict=True), start=1):
            sides = await columns.peer.recv(Sides)
            for place, choice in self._sides(party, columns, splits, sides):
                choices[place] = choice
        return choices

    def _splits(self, columns: RemoteColumns, splits: list[tuple[int, Node, Split]]) -> Splits:
        rows, valid_rows = len(self.fit.labels), self._valid.shape[1]
        members, members_valid = np.zeros((len(splits), rows), np.bool_), np.zeros((len(splits), valid_rows), np.bool_)
        for index, (_, node, _) in enumerate(splits):
            members[index, node.rows], members_valid[index, node.valid] = True, True
        cuts = np.array([columns.starts[split.column] + split.bin for _, _, split in splits], np.int32)
        return Splits(cuts, pack(members).reshape(-1), pack(members_valid).reshape(-1))

    def _sides(
        self, party: int, columns: RemoteColumns, splits: list[tuple[int, Node, Split]], sides: Sides
    ) -> list[tuple[int, Choice]]:
        """Check one host's sides and make choices of them; number its splits in order."""
        must, count = columns.peer.must, len(splits)
        rows, valid_rows = len(self.fit.labels), self._valid.shape[1]
        must(len(sides.left) == packed_size(count, rows), "a bit for each training row and split")
        must(len(sides.left_valid) == packed_size(count, valid_rows), "a bit for each validation row and split")
        left, left_valid = unpack(sides.left, count, rows), unpack(sides.left_valid, count, valid_rows)
        choices = []
        numbering = self._hosts[party - 1].columns
        for index, (place, node, split) in enumerate(splits):
            mine, mine_valid = left[index, node.rows], left_valid[index, node.valid]
            must(int(mine.sum()) == int(left[index].sum()), "only rows of the node go left")
            must(0 < int(mine.sum()) < len(node.rows), "a split has rows on both sides")
            choices.append((place, Choice(party, len(numbering), 0.0, split.gain, mine, mine_valid)))
            numbering.append(split.column)
        return choices


def _rounding_seed(secret: bytes, tree: int) -> bytes:
    return hashlib.blake2b(tree.to_bytes(4, "little"), key=secret, person=b"hanse hetero rnd", digest_size=32).digest()


def _line(columns: RemoteColumns, taken: list[int]) -> HostLine:
    offer = columns.offer
    return HostLine(str(columns.peer.id), len(offer.bins), columns.rows, offer.smallest, offer.rho, offer.limit, taken)
