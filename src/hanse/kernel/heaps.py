"""Boosted trees: histograms, split search, growth level by level, routing.

`Growth` makes one tree of the columns that are at hand, and takes the splits of other parties' columns as they come:
the same code grows trees on one table and across organisations, and so the same trees. Of equal gains the first wins,
in order of parties, columns and bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel
from hanse.kernel.intervals import Binned

Reals = NDArray[np.float64]
Rows = NDArray[np.uint32]

LEAF, OWN = -1, 0
"""Whose column a node tests: nobody's, one's own; k ≥ 1 is the k-th other party's."""

_BITS = 1  # in the kernel: whoever else holds the split, its left bits decide


@dataclass(frozen=True)
class Rules:
    """What a split must satisfy. Gain = G_l²/(H_l + λ) + G_r²/(H_r + λ) − G²/(H + λ), as in Chen and Guestrin 2016."""

    reg_lambda: float = 1.0
    min_child_weight: float = 1.0
    min_split_gain: float = 0.0


@dataclass(frozen=True)
class Sums:
    """Sums over each bin of each column, column after column; `rows` is None where only the sums are known."""

    g: Reals
    h: Reals
    rows: Rows | None = None

    def less(self, part: Sums) -> Sums:
        """Return the sums of the rows that are not in `part`."""
        if self.rows is None or part.rows is None:
            return Sums(self.g - part.g, self.h - part.h)
        rows = self.rows - part.rows
        some = rows > 0  # an empty bin holds exactly nothing, whatever rounding left there
        return Sums((self.g - part.g) * some, (self.h - part.h) * some, rows)


@dataclass(frozen=True)
class Split:
    """`code <= bin` of a column goes left."""

    column: int
    bin: int
    gain: float


def histogram(columns: Binned, g: Reals, h: Reals, rows: Rows) -> Sums:
    """Return the sums of g, h and rows over each bin of each column, of the named rows."""
    bins = columns.bins
    width = int(bins.sum())
    sums = Sums(np.empty(width), np.empty(width), found := np.empty(width, np.uint32))
    _kernel.heap_histogram(columns.codes, bins, g, h, rows, sums.g, sums.h, found)
    return sums


def best_split(
    sums: Sums, bins: NDArray[np.uint32], total: tuple[float, float], rules: Rules, min_child_rows: int = 1
) -> Split | None:
    """Return the allowed split of the greatest gain, or None. `total` has the node's G and H."""
    limits = (rules.reg_lambda, rules.min_child_weight, rules.min_split_gain, min_child_rows)
    found = _kernel.heap_best_split(sums.g, sums.h, sums.rows, bins, total, limits)
    return None if found is None else Split(*found)


@dataclass(frozen=True)
class Trees:
    """Trees as heaps, [trees, nodes]: the children of node k are 2k + 1 (left) and 2k + 2.

    party      int16: LEAF, OWN, or k for a split that the k-th other party holds.
    index      uint32: own column, or the number of the split at its party.
    threshold  float64: `x <= threshold` goes left (own splits).
    weight     float64: what a leaf adds to the margin, learning rate included.
    gain       float64: what the split gained.
    """

    party: NDArray[np.int16]
    index: NDArray[np.uint32]
    threshold: Reals
    weight: Reals
    gain: Reals

    @classmethod
    def empty(cls, trees: int, depth: int) -> Trees:
        """Return `trees` trees that are leaves of weight 0."""
        shape = (trees, (2 << depth) - 1)
        party, index = np.full(shape, LEAF, np.int16), np.zeros(shape, np.uint32)
        return cls(party, index, np.zeros(shape), np.zeros(shape), np.zeros(shape))

    def __len__(self) -> int:
        return len(self.party)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, as a model keeps them."""
        return {
            "party": self.party,
            "index": self.index,
            "threshold": self.threshold,
            "weight": self.weight,
            "gain": self.gain,
        }

    def first(self, count: int) -> Trees:
        """Return the first `count` trees."""
        return Trees(*(array[:count] for array in self.arrays.values()))

    def then(self, more: Trees) -> Trees:
        """Return these trees followed by `more` of the same depth."""
        pairs = zip(self.arrays.values(), more.arrays.values(), strict=True)
        return Trees(*(np.concatenate(pair) for pair in pairs))

    def used(self, party: int) -> NDArray[np.uint32]:
        """Return the columns (or split numbers) of one party that some node tests, ascending."""
        return np.unique(self.index[self.party == party])


def margins(trees: Trees, base: float, numbers: Reals, left: Sequence[NDArray[np.uint8]] = ()) -> Reals:
    """Return base + the leaf of every tree, for every row.

    numbers  float64[columns, rows], own columns.
    left     for the 1st, 2nd … other party uint8[splits, ⌈rows/8⌉]: a bit for each row, first row lowest, 1 = left.

    Raises ValueError when a node tests what is not there.
    """
    rows = numbers.shape[1]
    starts = np.cumsum([0, 0, *(len(bits) for bits in left)])
    if trees.party.size and int(trees.party.max()) > len(left):
        raise ValueError("a node tests a column of a party that gave no bits")
    for party, bits in enumerate(left, start=1):
        if np.any(trees.used(party) >= len(bits)):
            raise ValueError("a node tests a split that its party does not know")
    own = trees.party <= OWN
    source = np.where(own, trees.party, _BITS).astype(np.int8)
    index = (trees.index + np.where(own, 0, starts[np.maximum(trees.party, 0)])).astype(np.uint32)
    packed = np.concatenate(left) if len(left) else np.empty((0, -(-rows // 8)), np.uint8)
    found = np.empty(rows)
    _kernel.heap_margins(
        source.reshape(-1),
        index.reshape(-1),
        np.ascontiguousarray(trees.threshold).reshape(-1),
        np.ascontiguousarray(trees.weight).reshape(-1),
        trees.party.shape[1],
        base,
        np.ascontiguousarray(numbers),
        np.ascontiguousarray(packed).reshape(-1),
        rows,
        found,
    )
    return found


@dataclass
class Node:
    """A node of the level in the making: its rows (and those of the validation table), G and H, own sums if needed."""

    place: int
    rows: Rows
    valid: Rows
    total: tuple[float, float]
    sums: Sums | None = None


@dataclass(frozen=True)
class Choice:
    """How a node is split: whose split, its index and threshold as in `Trees`, and which rows of the node go left."""

    party: int
    index: int
    threshold: float
    gain: float
    left: NDArray[np.bool_]
    left_valid: NDArray[np.bool_]


@dataclass
class Growth:
    """One tree in the making. `nodes` are those of the current level, from left to right, None where there is none.

    columns  own columns in bins; `valid` has the codes of the validation rows under the same edges.
    g, h     gradients of every row.
    """

    columns: Binned
    valid: NDArray[np.uint8]
    g: Reals
    h: Reals
    rules: Rules
    depth: int
    nodes: list[Node | None] = field(init=False)
    tree: Trees = field(init=False)
    leaves: list[Node] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        rows = np.arange(len(self.g), dtype=np.uint32)
        valid = np.arange(self.valid.shape[1], dtype=np.uint32)
        root = Node(0, rows, valid, _kernel.heap_totals(self.g, self.h, rows))
        if self.depth:
            root.sums = histogram(self.columns, self.g, self.h, rows)
        self.nodes = [root]
        self.tree = Trees.empty(1, self.depth)

    def own_split(self, node: Node, min_child_rows: int = 1) -> Split | None:
        """Return the best split of a node by own columns."""
        if node.sums is None:
            raise ValueError("the node is a leaf by depth")
        return best_split(node.sums, self.columns.bins, node.total, self.rules, min_child_rows)

    def own_choice(self, node: Node, split: Split) -> Choice:
        """Return an own split as a choice."""
        left = self.columns.codes[split.column][node.rows] <= split.bin
        left_valid = self.valid[split.column][node.valid] <= split.bin
        threshold = float(self.columns.edges[split.column][split.bin])
        return Choice(OWN, split.column, threshold, split.gain, left, left_valid)

    def advance(self, choices: Sequence[Choice | None]) -> None:
        """Split each node as chosen (None: it is a leaf) and go on to the next level."""
        level: list[Node | None] = []
        for node, choice in zip(self.nodes, choices, strict=True):
            if node is None or choice is None:
                self.leaves += [node] if node is not None else []
                level += [None, None]
            else:
                level += self._children(node, choice)
        self.nodes = level

    def grow_alone(self) -> None:
        """Grow to full depth by own columns."""
        for _ in range(self.depth):
            splits = [self.own_split(node) if node else None for node in self.nodes]
            pairs = zip(self.nodes, splits, strict=True)
            self.advance([self.own_choice(node, split) if node and split else None for node, split in pairs])

    def finish(self, learning_rate: float) -> Trees:
        """Make leaves of the last level and return the tree: each leaf adds −rate·G/(H + λ)."""
        self.leaves += [node for node in self.nodes if node is not None]
        self.nodes = []
        for leaf in self.leaves:
            g, h = leaf.total
            self.tree.weight[0, leaf.place] = -learning_rate * g / (h + self.rules.reg_lambda)
        return self.tree

    def add_to(self, margins: Reals, valid_margins: Reals) -> None:
        """Add each finished leaf to the margins of its rows."""
        for leaf in self.leaves:
            margins[leaf.rows] += self.tree.weight[0, leaf.place]
            valid_margins[leaf.valid] += self.tree.weight[0, leaf.place]

    def _children(self, node: Node, choice: Choice) -> list[Node | None]:
        tree, place = self.tree, node.place
        tree.party[0, place], tree.index[0, place] = choice.party, choice.index
        tree.threshold[0, place], tree.gain[0, place] = choice.threshold, choice.gain
        sides = (
            (node.rows[choice.left], node.valid[choice.left_valid]),
            (node.rows[~choice.left], node.valid[~choice.left_valid]),
        )
        left, right = (
            Node(2 * place + side, rows, valid, _kernel.heap_totals(self.g, self.h, rows))
            for side, (rows, valid) in enumerate(sides, start=1)
        )
        if 2 * left.place + 2 < tree.party.shape[1]:  # they may be split again: count the smaller, subtract
            smaller, larger = (left, right) if len(left.rows) <= len(right.rows) else (right, left)
            smaller.sums = histogram(self.columns, self.g, self.h, smaller.rows)
            larger.sums = node.sums.less(smaller.sums) if node.sums else None
        return [left, right]
