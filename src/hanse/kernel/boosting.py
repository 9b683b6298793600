"""A boosted model in the making: margins, trees, curves, and when to stop. On one table and across organisations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.core.schema import Schema
from hanse.kernel import gradients
from hanse.kernel.gradients import Objective
from hanse.kernel.heaps import Growth, Trees
from hanse.kernel.metrics import auc

Reals = NDArray[np.float64]

METRICS: dict[Objective, tuple[str, ...]] = {"binary": ("auc", "log_loss"), "regression": ("rmse",)}
"""What is measured after each tree; the first is the one that early stopping follows by default."""

_GREATER_IS_BETTER = frozenset({"auc"})


class Snapshot(msgspec.Struct, frozen=True):
    """A `Boosting` as bytes, for checkpoints."""

    trees: dict[str, bytes]
    margins: bytes
    valid_margins: bytes
    best_margins: bytes
    best_trees: int
    curves: dict[str, list[float]]


@dataclass
class Boosting:
    """The state between two trees. Make one with `start`; `valid_labels` is empty without a validation table.

    `best_trees` trees are kept in the end: those up to the best value of the followed metric, or all of them when no
    early stopping is asked for; `best_margins` are theirs.
    """

    objective: Objective
    labels: Reals
    valid_labels: Reals
    follow: str
    base: float
    margins: Reals
    valid_margins: Reals
    trees: Trees
    best_margins: Reals
    best_trees: int = 0
    curves: dict[str, list[float]] = field(default_factory=dict)

    @classmethod
    def start(cls, objective: Objective, labels: Reals, valid_labels: Reals, depth: int, follow: str = "") -> Boosting:
        """Begin with no tree. `follow` names the validation metric that decides which trees are kept; empty: all are.

        Raises HanseError("label.invalid" | "label.one_class") for labels that the objective cannot use.
        """
        check_labels(objective, labels, "training")
        if len(valid_labels):
            check_labels(objective, valid_labels, "validation")
        base = gradients.base_margin(objective, labels)
        margins, valid_margins = np.full(len(labels), base), np.full(len(valid_labels), base)
        return cls(
            objective,
            labels,
            valid_labels,
            follow,
            base,
            margins,
            valid_margins,
            Trees.empty(0, depth),
            margins.copy(),
        )

    def gradients(self) -> tuple[Reals, Reals]:
        """Return g and h of every training row."""
        return gradients.gradients(self.objective, self.labels, self.margins)

    def add(self, growth: Growth, learning_rate: float) -> dict[str, float]:
        """Finish the tree, add it, and return what was measured after it, by name of curve."""
        tree = growth.finish(learning_rate)
        growth.add_to(self.margins, self.valid_margins)
        self.trees = self.trees.then(tree)
        measured = self._measure("train", self.labels, self.margins)
        if len(self.valid_labels):
            measured |= self._measure("valid", self.valid_labels, self.valid_margins)
        for name, value in measured.items():
            self.curves.setdefault(name, []).append(value)
        if not self.follow or self._is_best():
            self.best_trees, self.best_margins = len(self.trees), self.margins.copy()
        return measured

    def has_stalled(self, rounds: int) -> bool:
        """Whether the followed metric has not improved for so many trees; never for 0 rounds."""
        return bool(rounds) and len(self.trees) - self.best_trees >= rounds

    @property
    def kept(self) -> Trees:
        """The trees of the model."""
        return self.trees.first(self.best_trees)

    @property
    def scores(self) -> Reals:
        """What the kept trees say of the training rows."""
        return gradients.scores(self.objective, self.best_margins)

    def snapshot(self) -> Snapshot:
        """Return the state as bytes."""
        arrays = {name: array.tobytes() for name, array in self.trees.arrays.items()}
        return Snapshot(
            arrays,
            self.margins.tobytes(),
            self.valid_margins.tobytes(),
            self.best_margins.tobytes(),
            self.best_trees,
            self.curves,
        )

    def restore(self, saved: Snapshot) -> None:
        """Go back to a saved state of the same training."""
        nodes = self.trees.party.shape[1]
        self.trees = Trees(
            **{
                name: np.frombuffer(saved.trees[name], array.dtype).reshape(-1, nodes)
                for name, array in self.trees.arrays.items()
            }
        )
        self.margins, self.valid_margins, self.best_margins = (
            np.frombuffer(raw, np.float64).copy() for raw in (saved.margins, saved.valid_margins, saved.best_margins)
        )
        self.best_trees, self.curves = saved.best_trees, {name: list(curve) for name, curve in saved.curves.items()}

    def _measure(self, table: str, labels: Reals, margins: Reals) -> dict[str, float]:
        loss = gradients.loss(self.objective, labels, margins)
        if self.objective == "binary":
            return {f"{table}_auc": auc(labels, margins), f"{table}_log_loss": loss}
        return {f"{table}_rmse": math.sqrt(loss)}

    def _is_best(self) -> bool:
        curve = self.curves[f"valid_{self.follow}"]
        sign = 1.0 if self.follow in _GREATER_IS_BETTER else -1.0
        return all(sign * curve[-1] > sign * earlier for earlier in curve[:-1])


def check_labels(objective: Objective, labels: Reals, table: str) -> None:
    """Raise HanseError when the labels of the `table` (a word for the message) do not suit the objective."""
    missing = int(np.count_nonzero(~np.isfinite(labels)))
    if missing or not len(labels):
        cause = f"{missing} labels of the {table} rows are missing or not finite" if missing else "there are no rows"
        raise fault("label.invalid", cause, "give every row a label")
    if objective != "binary":
        return
    if not np.isin(labels, (0.0, 1.0)).all():
        cause = f"the label of the {table} rows has other values than 0 and 1"
        raise fault("label.invalid", cause, "encode the two classes as 0 and 1, or set objective to regression")
    if labels.min() == labels.max():
        cause = f"all {len(labels)} {table} rows have the label {labels[0]:.0f}"
        raise fault("label.one_class", cause, "use rows of both classes")


def check_numbers(numbers: Reals, names: Sequence[str], table: str) -> None:
    """Raise HanseError naming the columns of float64[columns, rows] with missing or infinite values."""
    holes = np.count_nonzero(~np.isfinite(numbers), axis=1)
    if not holes.any():
        return
    listed = ", ".join(f"{name} ({count})" for name, count in zip(names, holes, strict=True) if count)
    cause = f"missing or infinite values in columns of the {table} rows: {listed}"
    raise fault("column.missing", cause, "fill the gaps before training, or leave these columns out")


def importance(trees: Trees, party: int, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return gain and number of splits of each feature of one party, greatest gain first.

    `names[index]` is the feature that a node of that party with this index tests; several may be the same.
    """
    mine = trees.party == party
    gains: dict[str, float] = {}
    splits: dict[str, int] = {}
    for index, gain in zip(trees.index[mine].tolist(), trees.gain[mine].tolist(), strict=True):
        name = names[index]
        gains[name], splits[name] = gains.get(name, 0.0) + gain, splits.get(name, 0) + 1
    order = sorted(gains, key=lambda name: (-gains[name], name))
    return [{"feature": name, "gain": gains[name], "splits": splits[name]} for name in order]


# The settings of every boosted model: what a user reads of them, and their bounds.
TreeCount = Annotated[int, Meta(title="Trees", description="How many trees to grow at most.", ge=1, le=2000)]
Depth = Annotated[int, Meta(title="Depth", description="Levels of splits in each tree.", ge=1, le=8)]
LearningRate = Annotated[
    float, Meta(title="Learning rate", description="How much of each tree is added to the model.", gt=0, le=1)
]
Bins = Annotated[
    int, Meta(title="Bins", description="Each column is cut into at most so many groups of rows.", ge=2, le=128)
]
ObjectiveName = Annotated[
    Objective,
    Meta(title="Objective", description="binary: a label of 0 and 1, scores are probabilities. regression: a number."),
]
RegLambda = Annotated[
    float, Meta(title="L2 regularisation", description="Shrinks the weights of small leaves.", ge=0, le=1e6)
]
MinChildWeight = Annotated[
    float, Meta(title="Least child weight", description="Least sum of second derivatives in a child.", ge=0, le=1e9)
]
MinSplitGain = Annotated[
    float, Meta(title="Least split gain", description="A split must gain more than this.", ge=0, le=1e9)
]
EarlyStopping = Annotated[
    int,
    Meta(
        title="Early stopping",
        description="Stop after so many trees without a better validation metric, and keep the best; 0: never.",
        ge=0,
        le=2000,
        extra_json_schema={"unit": "trees"},
    ),
]
StoppingMetric = Annotated[
    Literal["default", "auc", "log_loss", "rmse"],
    Meta(title="Stopping metric", description="default: AUC for binary, RMSE for regression."),
]


def followed(objective: Objective, metric: str, rounds: int, validation_rows: int) -> str:
    """Return which validation metric decides on the trees that are kept; empty when early stopping is off.

    Raises HanseError("valid.absent") when early stopping has nothing to look at.
    """
    if not rounds:
        return ""
    if not validation_rows:
        remedy = "connect a table to valid, or set early_stopping_rounds to 0"
        raise fault("valid.absent", "early stopping needs validation rows", remedy)
    return METRICS[objective][0] if metric == "default" else metric


def check_metric(objective: Objective, metric: str) -> None:
    """Raise ValueError in words when a stopping metric does not suit the objective."""
    if metric not in ("default", *METRICS[objective]):
        raise ValueError(f"early_stopping_metric {metric} does not suit the objective {objective}")


def problems(port: str, schema: Schema, *, labelled: bool) -> list[str]:
    """Return what the schema of an input shows to be wrong, in words."""
    texts = [column.name for column in schema.columns if column.use == "feature" and column.type == "text"]
    label = next((column for column in schema.columns if column.use == "label"), None)
    found = [f"{port}: columns with text cannot be used: {', '.join(texts)}"] if texts else []
    if labelled and label is None:
        found.append(f"{port}: the guest's table has no label column")
    if labelled and label is not None and label.type == "text":
        found.append(f"{port}: the label {label.name} is text, expected a number")
    if "score" in (schema.id, schema.label):
        found.append(f"{port}: the id or label column is called score, which is the name of the result")
    return found
