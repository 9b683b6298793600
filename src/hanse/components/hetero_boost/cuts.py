"""What a host keeps of a fitted model: the cells and the splits on its features, and which rows go left at each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.components.hetero_boost.messages import LeftBits, Scored, alignment
from hanse.core.faults import fault
from hanse.kernel.trees import left_bits
from hanse.sdk import Model, Party, Table
from hanse.sdk.boosting import Features

SCORING_BLOCK = 1 << 18
"""Rows of one `LeftBits`."""


class Cut(msgspec.Struct, frozen=True):
    """A split on one of my features: in which tree of this training, and the codes that go left, as a bitmap."""

    tree: int
    feature: int
    left: bytes


@dataclass(frozen=True)
class Cuts:
    """All splits of a model at this host, in the order in which the guest counts them.

    parts     the features of each training that the model went through, under their cells.
    part, feature, tree   uint32[splits]: where each split is.
    left      uint8[splits, 32]: which codes go left.
    """

    parts: tuple[Features, ...]
    part: NDArray[np.uint32]
    feature: NDArray[np.uint32]
    tree: NDArray[np.uint32]
    left: NDArray[np.uint8]

    @classmethod
    def none(cls) -> Cuts:
        """Return no splits."""
        nowhere = np.empty(0, np.uint32)
        return cls((), nowhere, nowhere, nowhere, np.empty((0, 32), np.uint8))

    @classmethod
    def open(cls, model: Model) -> Cuts:
        """Read this host's part of a model. Raises HanseError("model.version") for one of an earlier release."""
        if "parts" not in model.details:
            raise fault("model.version", "the model was fitted by hetero_boost 1", "fit it again with this release")
        parts = tuple(msgspec.convert(part, Features) for part in model.details["parts"])
        names = ("part", "feature", "tree", "left")
        return cls(parts, *(model.arrays[name] for name in names))

    def then(self, features: Features, cuts: Sequence[Cut], trees_before: int) -> Cuts:
        """Return these splits followed by those of one more training, of the features that they use alone."""
        used = sorted({cut.feature for cut in cuts})
        place = {feature: number for number, feature in enumerate(used)}
        left = np.frombuffer(b"".join(cut.left for cut in cuts), np.uint8).reshape(-1, 32)
        return Cuts(
            (*self.parts, features.pick(used)),
            np.append(self.part, np.full(len(cuts), len(self.parts))).astype(np.uint32),
            np.append(self.feature, [place[cut.feature] for cut in cuts]).astype(np.uint32),
            np.append(self.tree, [trees_before + cut.tree for cut in cuts]).astype(np.uint32),
            np.concatenate([self.left, left]),
        )

    def model(self, trees: int) -> Model:
        """Return what this host keeps; `trees` is how many trees the whole model has."""
        arrays: dict[str, NDArray[Any]] = {
            "part": self.part,
            "feature": self.feature,
            "tree": self.tree,
            "left": self.left,
        }
        return Model(arrays, {"parts": msgspec.to_builtins(self.parts), "trees": trees})

    def describe(self, most: int) -> list[dict[str, Any]]:
        """Return the first splits in words: tree (from 1), feature, threshold or categories, direction of missing."""
        columns = (self.tree[:most].tolist(), self.part[:most].tolist(), self.feature[:most].tolist(), self.left[:most])
        return [
            {"tree": tree + 1, **self.parts[part].describe(feature, left)}
            for tree, part, feature, left in zip(*columns, strict=True)
        ]

    def sides(self, table: Table) -> Iterator[NDArray[np.uint8]]:
        """Yield, block of rows by block of rows, which go left at each split: one bit each, whole bytes a split."""
        codes = [part.encode(table) for part in self.parts]
        for start in range(0, len(table), SCORING_BLOCK):
            block = slice(start, start + SCORING_BLOCK)
            splits = zip(self.part.tolist(), self.feature.tolist(), self.left, strict=True)
            bits = [left_bits(codes[part][feature, block], left) for part, feature, left in splits]
            yield np.concatenate(bits) if bits else np.empty(0, np.uint8)


async def answer_rows(me: Party, cuts: Cuts, tables: Iterable[Table]) -> None:
    """Tell the guest the sides of the rows of each table, once it has shown that it means these rows."""
    for table in tables:
        asked = await me.guest.recv(Scored)
        if asked.rows != len(table) or asked.alignment != alignment(asked.nonce, table.ids()):
            raise misaligned("scored")
        for bits in cuts.sides(table):
            await me.guest.send(LeftBits(bits))


def misaligned(table: str) -> Exception:
    """Return the error for rows that are not the same, in the same order, at guest and host."""
    cause = f"the {table} rows of guest and host are not the same rows in the same order"
    return fault("rows.misaligned", cause, "align the tables with psi first", step="set-up")
