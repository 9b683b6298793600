"""Which nodes are asked for at a level, and what is known of the open nodes from the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hanse.kernel.gradients import Rounded
from hanse.kernel.trees import Growth, Node

Integers = NDArray[np.int64]
Sums = list[tuple[Integers, Integers]]
"""For each host the sums of g and of h over all its cells."""

Key = tuple[int, int]
"""A node: the tree of the round, and its number there."""


@dataclass(frozen=True)
class Question:
    """One query: a node of one tree of the round, None where zeros are asked about; and its sums of g and h."""

    output: int
    node: Node | None = None
    total: tuple[int, int] = (0, 0)

    def most(self, gradient_bits: int) -> int:
        """Return what no sum of g over rows of the node passes."""
        return 0 if self.node is None else len(self.node.rows) << (gradient_bits - 1)


@dataclass
class Books:
    """What is known of the open nodes of a round's trees: totals of all of them, the hosts' sums of those asked for."""

    sums: dict[Key, Sums] = field(default_factory=dict)
    totals: dict[Key, tuple[int, int]] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)

    def clear(self) -> None:
        """Begin a round."""
        self.sums.clear()
        self.totals.clear()

    def ask(self, output: int, growth: Growth, rounded: Rounded, count: int, least: int) -> list[Question]:
        """Return `count` questions for one tree: its root, or the smaller child of each pair of open nodes.

        None of fewer than `least` rows is asked for; what is left is filled up with questions about nothing.
        """
        questions = []
        for node in growth.open:
            if (output, node.number) in self.totals:
                continue
            smaller = self._total(output, node, rounded)
            if len(smaller.rows) >= least:
                questions.append(Question(output, smaller, self.totals[output, smaller.number]))
        if len(questions) > count:
            raise ValueError(f"{len(questions)} nodes to ask for, {count} queries")
        return questions + [Question(output)] * (count - len(questions))

    def _total(self, output: int, node: Node, rounded: Rounded) -> Node:
        """Note the totals of a pair of nodes, and return the smaller one."""
        if node.parent is None or node.sibling is None:
            self.totals[output, node.number] = rounded.total(node.rows)
            return node
        pair = sorted((node, node.sibling), key=lambda each: (len(each.rows), each.number))
        g_all, h_all = self.totals[output, node.parent.number]
        g, h = rounded.total(pair[0].rows)
        self.totals[output, pair[0].number] = g, h
        self.totals[output, pair[1].number] = g_all - g, h_all - h
        return pair[0]

    def note(self, question: Question, sums: Sums) -> set[int]:
        """Take in the answers to one question, and with them its sibling's; return the hosts whose sums do not fit."""
        node, output = question.node, question.output
        if node is None:
            return set()
        self.sums[output, node.number] = sums
        if node.parent is None or node.sibling is None:
            return set()
        whole = self.sums.pop((output, node.parent.number), None)
        if whole is None:
            return set()
        rest = [(all_g - g, all_h - h) for (all_g, all_h), (g, h) in zip(whole, sums, strict=True)]
        self.sums[output, node.sibling.number] = rest
        most = self.totals[output, node.sibling.number][1]
        return {host for host, (_, h) in enumerate(rest) if np.any((h < 0) | (h > most))}


def slots(questions: Sequence[Question], growth: Growth) -> NDArray[np.uint16]:
    """Return for each sample which of the questions, all of this tree, counts it; 0xFFFF: none."""
    return growth.slots([question.node for question in questions if question.node is not None])
