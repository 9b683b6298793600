"""Boosted trees: histograms, split search, growth by levels or by leaves, scoring.

`Growth` makes one tree of the columns that are at hand, and takes the splits of other parties' columns as they come:
the same code grows trees on one table and across organisations, and so the same trees. Of equal gains the first wins,
in order of parties, columns and cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel
from hanse.kernel.binning import MISSING, Binned, Shape

Reals = NDArray[np.float64]
Rows = NDArray[np.uint32]
Bits = NDArray[np.uint8]
Bounds = tuple[float, float]

FREE: Bounds = (-math.inf, math.inf)

LEAF, OWN = -1, 0
"""Whose column a node tests: nobody's, one's own; k ≥ 1 is the k-th other party's."""

NOWHERE = 0xFFFF
"""The slot of a row that is in none of the nodes asked for."""

_BITS = 1  # in the kernel: whoever else holds the split, its left bits decide


@dataclass(frozen=True)
class Rules:
    """What a split must satisfy, and how weights are shrunk.

    A leaf of weight w adds G·w + (H + λ)·w²/2 + α·|w| to the loss; the gain of a split is twice what the best weights
    of its children save beside the node's: with α = 0, G_l²/(H_l + λ) + G_r²/(H_r + λ) − G²/(H + λ), as in Chen and
    Guestrin 2016.

    max_delta_step  greatest size of a weight, before the learning rate; 0: none.
    max_onehot      up to so many categories a split parts one from the rest; of more, any set.
    """

    reg_lambda: float = 1.0
    reg_alpha: float = 0.0
    min_child_weight: float = 1.0
    min_split_gain: float = 0.0
    max_delta_step: float = 0.0
    max_onehot: int = 4

    def weight(self, total: tuple[float, float], bounds: Bounds = FREE) -> float:
        """Return the best weight of a leaf with these sums of g and h, before the learning rate."""
        g, h = total
        weight = 0.0
        if h + self.reg_lambda > 0:
            weight = -math.copysign(max(abs(g) - self.reg_alpha, 0.0), g) / (h + self.reg_lambda)
        return self.bounded(weight, bounds)

    def bounded(self, weight: float, bounds: Bounds = FREE) -> float:
        """Return the nearest weight that is allowed."""
        if self.max_delta_step:
            weight = min(max(weight, -self.max_delta_step), self.max_delta_step)
        return min(max(weight, bounds[0]), bounds[1])


@dataclass(frozen=True)
class Sums:
    """Sums over each cell of each column, column after column; `rows` is None where only the sums are known."""

    g: Reals
    h: Reals
    rows: Rows | None = None

    def less(self, part: Sums) -> Sums:
        """Return the sums of the rows that are not in `part`."""
        if self.rows is None or part.rows is None:
            return Sums(self.g - part.g, self.h - part.h)
        rows = self.rows - part.rows
        some = rows > 0  # an empty cell holds exactly nothing, whatever rounding left there
        return Sums((self.g - part.g) * some, (self.h - part.h) * some, rows)


@dataclass(frozen=True)
class Split:
    """Rows go left whose code has its bit set in `left`, uint8[32]: bit c of byte c/8, lowest first.

    Bit 255 is the direction of missing values: the better one where the node has some, else that of the larger child.

    bin      the last value code that goes left (the column's last one: missing values are parted from all others);
             −1: the column has categories.
    weights  of the children, left and right, before the learning rate.
    bounds   between what the weights of the children, and of all nodes below them, must lie.
    """

    column: int
    left: Bits
    gain: float
    bin: int
    weights: tuple[float, float]
    bounds: tuple[Bounds, Bounds]


def numeric_left(bin: int, *, missing_left: bool) -> Bits:  # noqa: A002
    """Return the set of the value codes up to `bin`, and MISSING if that goes left: uint8[32]."""
    codes = np.arange(256) <= bin
    codes[MISSING] = missing_left
    return np.packbits(codes, bitorder="little")


def goes_left(left: Bits, code: int) -> bool:
    """Return whether a code is in the set uint8[32]."""
    return bool(left[code >> 3] >> (code & 7) & 1)


def left_bits(codes: NDArray[np.uint8], left: Bits) -> Bits:
    """Return a bit for each code of uint8[rows], packed lowest first, uint8[⌈rows/8⌉]: whether it is in the set."""
    bits = np.empty(-(-len(codes) // 8), np.uint8)
    _kernel.tree_left_bits(codes, left.tobytes(), bits)
    return bits


def histogram(
    columns: Binned, g: Reals, h: Reals, rows: Rows | None = None, chosen: NDArray[np.uint8] | None = None
) -> Sums:
    """Return the sums of g, h and rows over each cell of each column, of the named rows (None: of all).

    The cells of columns that are not chosen stay zero.
    """
    shape = columns.shape
    width = shape.width
    sums = Sums(np.empty(width), np.empty(width), found := np.empty(width, np.uint32))
    _kernel.tree_histogram(columns.codes, shape.bins, shape.missing, chosen, g, h, rows, sums.g, sums.h, found)
    return sums


def best_split(
    sums: Sums,
    shape: Shape,
    total: tuple[float, float],
    rules: Rules,
    bounds: Bounds = FREE,
    chosen: NDArray[np.uint8] | None = None,
    min_child_rows: int = 1,
) -> Split | None:
    """Return the allowed split of the greatest gain, or None.

    total           the node's G and H.
    bounds          between what its weight must lie.
    chosen          uint8[columns]: 1 where a split may be; None: everywhere.
    min_child_rows  fewest rows of a child, where `sums` has rows.
    """
    limits = (
        rules.reg_lambda,
        rules.reg_alpha,
        rules.min_child_weight,
        rules.min_split_gain,
        rules.max_delta_step,
        rules.max_onehot,
        min_child_rows,
    )
    found = _kernel.tree_best_split(
        sums.g,
        sums.h,
        sums.rows,
        shape.bins,
        shape.missing,
        shape.categorical,
        shape.monotone,
        chosen,
        total,
        bounds,
        limits,
    )
    if found is None:
        return None
    column, left, gain, bin_, weights, (left_bounds, right_bounds) = found
    return Split(column, np.frombuffer(left, np.uint8), gain, bin_, weights, (left_bounds, right_bounds))


@dataclass(frozen=True)
class Trees:
    """Fitted trees one after the other. The first node of a tree is its root, and children come after their parents.

    starts        int64[trees + 1]: first node of each tree, and the number of all nodes.
    party         int16: LEAF, OWN, or k for a split that the k-th other party holds.
    index         uint32: own column, or the number of the split at its party.
    left, right   int32: the children, counted within the tree; 0 for a leaf.
    threshold     float64: `x <= threshold` goes left (own columns of numbers).
    missing_left  uint8: 1 where a missing value goes left (own columns).
    set_index     int32: row of `sets` whose codes go left (own columns of categories), else −1.
    sets          uint8[sets, 32], as `left` of a `Split`.
    weight        float64: what a leaf adds to the margin, learning rate included; an inner node: what it would add.
    gain          float64: what the split gained.
    cover         float64: the sum of h of the node's rows.
    """

    starts: NDArray[np.int64]
    party: NDArray[np.int16]
    index: NDArray[np.uint32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    threshold: Reals
    missing_left: NDArray[np.uint8]
    set_index: NDArray[np.int32]
    sets: Bits
    weight: Reals
    gain: Reals
    cover: Reals

    @classmethod
    def empty(cls) -> Trees:
        """Return no tree."""
        return cls(**{name: np.zeros((0, *shape), kind) for name, (kind, shape) in _ARRAYS.items()} | _NO_START)

    @classmethod
    def parse(cls, arrays: dict[str, NDArray[Any]]) -> Trees:
        """Return the trees of `arrays`. Raises ValueError when these are not what trees are made of.

        That nodes test what is there is checked when rows are scored.
        """
        if set(arrays) != set(_ARRAYS):
            raise ValueError("these are not the arrays of trees")
        for name, (kind, shape) in _ARRAYS.items():
            if arrays[name].dtype != kind or arrays[name].shape[1:] != shape:
                raise ValueError(f"the array {name} of the trees has another type or shape")
        found = cls(**arrays)
        nodes = found.starts[-1] if len(found.starts) and found.starts[0] == 0 else -1
        lengths = {len(arrays[name]) for name in _ARRAYS if name not in ("starts", "sets")}
        if lengths != {nodes} or np.any(np.diff(found.starts) < 1) or np.any(found.set_index >= len(found.sets)):
            raise ValueError("the arrays of the trees do not belong together")
        return found

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, as a model keeps them."""
        return {name: getattr(self, name) for name in _ARRAYS}

    def nodes(self, tree: int) -> slice:
        """Return where the nodes of a tree lie."""
        return slice(int(self.starts[tree]), int(self.starts[tree + 1]))

    def first(self, count: int) -> Trees:
        """Return the first `count` trees."""
        starts = self.starts[: count + 1]
        nodes = int(starts[-1])
        sets = int(self.set_index[:nodes].max(initial=-1)) + 1
        kept = {name: array[:nodes] for name, array in self.arrays.items()}
        return Trees(**(kept | {"starts": starts, "sets": self.sets[:sets]}))

    def then(self, more: Trees) -> Trees:
        """Return these trees followed by `more`."""
        joined = {name: np.concatenate([array, getattr(more, name)]) for name, array in self.arrays.items()}
        moved = np.where(more.set_index < 0, -1, more.set_index + len(self.sets)).astype(np.int32)
        starts = np.concatenate([self.starts, more.starts[1:] + self.starts[-1]])
        return Trees(**(joined | {"starts": starts, "set_index": np.concatenate([self.set_index, moved])}))

    def used(self, party: int) -> NDArray[np.uint32]:
        """Return the columns (or split numbers) of one party that some node tests, ascending."""
        return np.unique(self.index[self.party == party])


_ARRAYS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "starts": (np.int64, ()),
    "party": (np.int16, ()),
    "index": (np.uint32, ()),
    "left": (np.int32, ()),
    "right": (np.int32, ()),
    "threshold": (np.float64, ()),
    "missing_left": (np.uint8, ()),
    "set_index": (np.int32, ()),
    "sets": (np.uint8, (32,)),
    "weight": (np.float64, ()),
    "gain": (np.float64, ()),
    "cover": (np.float64, ()),
}

_NO_START: dict[str, NDArray[Any]] = {"starts": np.zeros(1, np.int64)}


def margins(trees: Trees, outputs: int, base: Reals, numbers: Reals, left: Sequence[Bits] = ()) -> Reals:
    """Return base + the leaf of every tree, for every output and row: float64[outputs, rows].

    Tree t adds to output t mod `outputs`.

    base     float64[outputs].
    numbers  float64[columns, rows], own columns: NaN is missing, categories are codes (`binning.as_numbers`).
    left     for the 1st, 2nd … other party uint8[splits, ⌈rows/8⌉]: a bit for each row, first row lowest, 1 = left.

    Raises ValueError when a node tests what is not there.
    """
    rows = numbers.shape[1]
    if len(base) != outputs:
        raise ValueError("there is another number of base margins than of outputs")
    starts = np.cumsum([0, 0, *(len(bits) for bits in left)])
    if trees.party.size and int(trees.party.max()) > len(left):
        raise ValueError("a node tests a column of a party that gave no bits")
    for party, bits in enumerate(left, start=1):
        if np.any(trees.used(party) >= len(bits)):
            raise ValueError("a node tests a split that its party does not know")
    own = trees.party <= OWN
    packed = np.concatenate(left) if len(left) else np.empty((0, -(-rows // 8)), np.uint8)
    found = np.empty((outputs, rows))
    _kernel.tree_margins(
        np.ascontiguousarray(trees.starts),
        np.where(own, trees.party, _BITS).astype(np.int8),
        (trees.index + np.where(own, 0, starts[np.maximum(trees.party, 0)])).astype(np.uint32),
        np.ascontiguousarray(trees.left),
        np.ascontiguousarray(trees.right),
        np.ascontiguousarray(trees.threshold),
        np.ascontiguousarray(trees.missing_left),
        np.ascontiguousarray(trees.set_index),
        np.ascontiguousarray(trees.sets),
        np.ascontiguousarray(trees.weight),
        np.ascontiguousarray(base, np.float64),
        np.ascontiguousarray(numbers, np.float64),
        np.ascontiguousarray(packed),
        rows,
        found,
    )
    return found


@dataclass(frozen=True)
class Form:
    """How far a tree grows.

    mode    level: every node that can be split, level by level, to `depth`; leaf: of all leaves the one whose split
            gains most, until there are `leaves` of them (LightGBM's growth, Ke et al. 2017), none deeper than `depth`.
    leaves  leaf mode only, at least 1.
    """

    depth: int
    mode: Literal["level", "leaf"] = "level"
    leaves: int = 0


@dataclass(eq=False)
class Node:
    """A node of a tree in the making.

    number      place in the tree; 0 is the root.
    total       G and H of its rows.
    bounds      between what its weight must lie.
    rows        uint32, ascending: its training rows, a view.
    passengers  uint32, ascending: its passengers, a view.
    start, passengers_start  where these views begin in the buffers of all rows.
    sums        sums of own columns; None where the node cannot be split.
    best        party and split of the greatest gain that was offered.
    """

    number: int
    depth: int
    parent: Node | None
    total: tuple[float, float]
    bounds: Bounds
    rows: Rows
    passengers: Rows
    start: int = 0
    passengers_start: int = 0
    sibling: Node | None = None
    sums: Sums | None = None
    best: tuple[int, Split] | None = None


@dataclass(frozen=True)
class Due:
    """A node that is to be split now, and the party that holds the split."""

    node: Node
    party: int
    split: Split


@dataclass
class _Draft:
    """What a tree says of one node."""

    weight: float
    cover: float
    party: int = LEAF
    index: int = 0
    left: int = 0
    right: int = 0
    threshold: float = 0.0
    missing_left: int = 0
    set_index: int = -1
    gain: float = 0.0


@dataclass
class Growth:
    """One tree in the making.

        while not growth.finished:
            for node in growth.open:
                growth.offer(node, OWN, growth.own_split(node))
                growth.offer(node, 1, …)
            for due in growth.due():
                growth.apply(due, …)
        tree = growth.finish(learning_rate)

    columns     own columns in bins, of the training rows.
    g, h        float64[rows]: gradients of the training rows.
    passengers  uint8[own columns, m]: codes of rows that are routed and not counted.
    chosen      uint8[own columns]: 1 where a split may be; None: everywhere.
    open        nodes whose best split is wanted now: the root; then a level's, or the newest pair.
    leaves      nodes that will not be split.
    """

    columns: Binned
    g: Reals
    h: Reals
    rules: Rules
    form: Form
    passengers: NDArray[np.uint8] | None = field(default=None, kw_only=True)
    chosen: NDArray[np.uint8] | None = field(default=None, kw_only=True)
    open: list[Node] = field(init=False, default_factory=list)
    leaves: list[Node] = field(init=False, default_factory=list)
    _drafts: list[_Draft] = field(init=False, default_factory=list)
    _sets: list[Bits] = field(init=False, default_factory=list)
    _waiting: list[Node] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        count = len(self.columns.bins)
        self._passengers = np.empty((count, 0), np.uint8) if self.passengers is None else self.passengers
        if len(self._passengers) != count:
            raise ValueError("passengers have another number of columns")
        if not len(self.g) == len(self.h) == self.columns.codes.shape[1]:
            raise ValueError("g and h have another number of rows than the columns")
        self._rows = np.arange(len(self.g), dtype=np.uint32)
        self._riders = np.arange(self._passengers.shape[1], dtype=np.uint32)
        self._leaf_weights: list[float] = []
        total = _kernel.tree_totals(self.g, self.h, self._rows)
        root = Node(0, 0, None, total, FREE, self._rows, self._riders)
        self._drafts.append(self._draft(root))
        if self._may_split(root) and self._more_leaves():
            root.sums = histogram(self.columns, self.g, self.h, None, self.chosen)
            self.open = [root]
        else:
            self.leaves = [root]

    @property
    def finished(self) -> bool:
        """Whether no node is left to split."""
        return not self.open and not self._waiting

    def own_split(self, node: Node, min_child_rows: int = 1) -> Split | None:
        """Return the best split of a node by own columns."""
        if node.sums is None:
            raise ValueError("the node cannot be split")
        return best_split(
            node.sums, self.columns.shape, node.total, self.rules, node.bounds, self.chosen, min_child_rows
        )

    def offer(self, node: Node, party: int, split: Split | None) -> None:
        """Keep a split of an open node if it gains more than those offered before."""
        if split is not None and (node.best is None or split.gain > node.best[1].gain):
            node.best = party, split

    def due(self) -> list[Due]:
        """Return what is split now, and close the open nodes: those without a split are leaves.

        By level: every node that was offered a split. By leaf: the one of all leaves whose split gains most, of equal
        ones the first made.
        """
        self.leaves += [node for node in self.open if node.best is None]
        self._waiting += [node for node in self.open if node.best is not None]
        self.open = []
        if self.form.mode == "level":
            chosen, self._waiting = self._waiting, []
        else:
            chosen = sorted(self._waiting, key=lambda node: -_gain(node))[:1]
            self._waiting = [node for node in self._waiting if node not in chosen]
        return [Due(node, *node.best) for node in chosen if node.best is not None]

    def apply(
        self, due: Due, left: Bits | None = None, left_passengers: Bits | None = None, *, index: int = 0
    ) -> tuple[Node, Node]:
        """Split a node, and return its children. Those that may be split further are open.

        An own split needs no more; of another party's, `left` and `left_passengers` have one bit for each row, by
        number of the row and lowest first, 1 = left, and `index` is its number at that party. Raises ValueError when
        these are too few, or a child would have no row.
        """
        node, split = due.node, due.split
        if due.party == OWN:
            codes = split.left.tobytes()
            count = _kernel.tree_part_by_codes(node.rows, self.columns.codes[split.column], codes)
            riders = _kernel.tree_part_by_codes(node.passengers, self._passengers[split.column], codes)
        elif left is None or left_passengers is None:
            raise ValueError("another party's split needs the bits of its rows")
        else:
            count = _kernel.tree_part_by_bits(node.rows, left)
            riders = _kernel.tree_part_by_bits(node.passengers, left_passengers)
        if not 0 < count < len(node.rows):
            raise ValueError("a child of a split has no row")
        return self._children(due, index, count, riders)

    def grow_alone(self, min_child_rows: int = 1) -> None:
        """Grow the whole tree by own columns."""
        while not self.finished:
            for node in self.open:
                self.offer(node, OWN, self.own_split(node, min_child_rows))
            for due in self.due():
                self.apply(due)

    def finish(self, learning_rate: float, leaf_value: Callable[[Node], float] | None = None) -> Trees:
        """Return the tree. A leaf adds rate · its best weight, or rate · `leaf_value` within the leaf's bounds."""
        if not self.finished:
            raise ValueError("nodes are open")
        weights = np.array([draft.weight for draft in self._drafts])
        if leaf_value is not None:
            for leaf in self.leaves:
                weights[leaf.number] = self.rules.bounded(leaf_value(leaf), leaf.bounds)
        weights *= learning_rate
        self._leaf_weights = [float(weights[leaf.number]) for leaf in self.leaves]
        columns: dict[str, NDArray[Any]] = {
            name: np.array([getattr(draft, name) for draft in self._drafts], kind)
            for name, (kind, _) in _ARRAYS.items()
            if name not in ("starts", "sets", "weight")
        }
        starts = np.array([0, len(self._drafts)], np.int64)
        return Trees(starts=starts, sets=np.array(self._sets, np.uint8).reshape(-1, 32), weight=weights, **columns)

    def add_to(self, margins: Reals, passenger_margins: Reals) -> None:
        """Add each leaf of the finished tree to the margins of its rows, float64[rows], and of its passengers."""
        ranges = [(leaf.start, leaf.start + len(leaf.rows)) for leaf in self.leaves]
        _kernel.tree_add_leaves(margins, self._rows, ranges, self._leaf_weights)
        rides = [(leaf.passengers_start, leaf.passengers_start + len(leaf.passengers)) for leaf in self.leaves]
        _kernel.tree_add_leaves(passenger_margins, self._riders, rides, self._leaf_weights)

    def slots(self, nodes: Sequence[Node]) -> NDArray[np.uint16]:
        """Return for each training row the place in `nodes` of the node that has it, or NOWHERE."""
        found = np.full(len(self.g), NOWHERE, np.uint16)
        for place, node in enumerate(nodes):
            _kernel.tree_mark(found, node.rows, place)
        return found

    def members(self, node: Node) -> tuple[Bits, Bits]:
        """Return which training rows, and which passengers, a node has: a bit for each, by number, lowest first."""
        found = tuple(np.zeros(-(-count // 8), np.uint8) for count in (len(self._rows), len(self._riders)))
        _kernel.tree_set_bits(found[0], node.rows)
        _kernel.tree_set_bits(found[1], node.passengers)
        return found[0], found[1]

    def _children(self, due: Due, index: int, count: int, riders: int) -> tuple[Node, Node]:
        node, split = due.node, due.split
        draft = self._drafts[node.number]
        draft.party, draft.gain = due.party, split.gain
        draft.left, draft.right = len(self._drafts), len(self._drafts) + 1
        if due.party == OWN:
            self._note_own(draft, split)
        else:
            draft.index = index
        left, right = (
            Node(
                number,
                node.depth + 1,
                node,
                (0.0, 0.0),
                bounds,
                node.rows[rows],
                node.passengers[passengers],
                node.start + rows.start,
                node.passengers_start + passengers.start,
            )
            for number, bounds, rows, passengers in (
                (draft.left, split.bounds[0], slice(0, count), slice(0, riders)),
                (draft.right, split.bounds[1], slice(count, None), slice(riders, None)),
            )
        )
        smaller, larger = (left, right) if len(left.rows) <= len(right.rows) else (right, left)
        smaller.total = _kernel.tree_totals(self.g, self.h, smaller.rows)
        larger.total = node.total[0] - smaller.total[0], node.total[1] - smaller.total[1]
        left.sibling, right.sibling = right, left
        self._drafts += [self._draft(left), self._draft(right)]
        if self._may_split(left) and self._more_leaves():
            self._count(node, smaller, larger)
            self.open += [left, right]
        else:
            self.leaves += [left, right]
        if not self._more_leaves():
            self.leaves += self.open + self._waiting
            self.open, self._waiting = [], []
        node.sums = None
        return left, right

    def _count(self, node: Node, smaller: Node, larger: Node) -> None:
        """Count the smaller child, and take it from the node for the larger."""
        smaller.sums = histogram(self.columns, self.g, self.h, smaller.rows, self.chosen)
        larger.sums = node.sums.less(smaller.sums) if node.sums else None

    def _note_own(self, draft: _Draft, split: Split) -> None:
        bins = self.columns.bins[split.column]
        draft.index = split.column
        draft.missing_left = int(goes_left(split.left, bins.missing))
        if bins.is_categorical:
            draft.set_index = len(self._sets)
            self._sets.append(split.left)
        else:
            draft.threshold = bins.edges[split.bin] if split.bin < len(bins.edges) else math.inf

    def _draft(self, node: Node) -> _Draft:
        return _Draft(self.rules.weight(node.total, node.bounds), node.total[1])

    def _may_split(self, node: Node) -> bool:
        return node.depth < self.form.depth

    def _more_leaves(self) -> bool:
        """Whether the form lets the tree have a leaf more; a tree of s splits has s + 1 leaves."""
        return self.form.mode == "level" or (len(self._drafts) + 1) // 2 < self.form.leaves


def _gain(node: Node) -> float:
    return node.best[1].gain if node.best else -math.inf
