"""What the guest's table says of what is to be learnt: labels, weights, ranking groups."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.kernel import gradients
from hanse.kernel.gradients import Loss
from hanse.kernel.metrics import METRICS, measure_each
from hanse.sdk.boosting.settings import BoostSettings
from hanse.sdk.table import Table

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Targets:
    """Labels of rows, and what goes with them.

    labels   float64[rows]; multiclass: the number of the class.
    weights  float64[rows], or None: all weigh 1.
    groups   int64[rows], the number of the group in which the row is ranked; None: no ranking.
    classes  multiclass: the label of each class number, rising; else empty.
    """

    labels: Reals
    weights: Reals | None = None
    groups: NDArray[np.int64] | None = None
    classes: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def read(cls, table: Table, settings: BoostSettings, word: str, classes: tuple[float, ...] = ()) -> Targets:
        """Read and check the targets of a table. `word` says which it is, for errors.

        `classes` are those of the training, or of the model that is trained on; none: those of this table.
        Raises HanseError("label.absent" | "label.invalid" | "label.one_class" | "label.classes" | "weight.invalid" |
        "group.invalid" | "column.unknown" | "column.text").
        """
        labels = table.label()
        if settings.objective == "multiclass":
            labels, classes = _numbered(labels, classes, settings.classes, word)
        weights = table.numbers([settings.weight])[0] if settings.weight else None
        groups = _groups(table, settings.group, word) if settings.group else None
        found = cls(labels, weights, groups, classes if settings.objective == "multiclass" else ())
        found.check(settings.loss, word)
        return found

    def take(self, rows: NDArray[np.int64]) -> Targets:
        """Return the targets of these rows, in this order."""
        weights = None if self.weights is None else self.weights[rows]
        groups = None if self.groups is None else self.groups[rows]
        return Targets(self.labels[rows], weights, groups, self.classes)

    def check(self, loss: Loss, word: str) -> None:
        """Raise HanseError when the objective cannot use these targets; `word` says whose they are."""
        gradients.check(loss, *self._grouped(), word)

    def base(self, loss: Loss) -> Reals:
        """Return the margins, float64[outputs], that all rows start from."""
        return gradients.base_margins(loss, self.labels, self.weights)

    def gradients(self, loss: Loss, margins: Reals) -> tuple[Reals, Reals]:
        """Return the first and second derivatives, float64[outputs, rows] each, at these margins [outputs, rows]."""
        labels, weights, offsets = self._grouped()
        if self._by_group is None:
            return gradients.gradients(loss, labels, margins, weights, offsets)
        order = self._by_group[0]
        found = gradients.gradients(loss, labels, np.ascontiguousarray(margins[:, order]), weights, offsets)
        g, h = np.empty_like(margins), np.empty_like(margins)
        g[:, order], h[:, order] = found
        return g, h

    def measure(self, loss: Loss, margins: Reals) -> dict[str, float]:
        """Return every figure of the objective at these margins, float64[outputs, rows], by name."""
        labels, weights, offsets = self._grouped()
        if self._by_group is not None:
            margins = np.ascontiguousarray(margins[:, self._by_group[0]])
        return measure_each(loss, METRICS[loss.name], labels, margins, weights, offsets)

    @cached_property
    def _by_group(self) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """The rows with those of a group together, and where each group begins."""
        return None if self.groups is None else gradients.group_rows(self.groups)

    def _grouped(self) -> tuple[Reals, Reals | None, NDArray[np.int64] | None]:
        """Return labels, weights and offsets of groups as the losses take them."""
        if self._by_group is None:
            return self.labels, self.weights, None
        order, offsets = self._by_group
        return self.labels[order], None if self.weights is None else self.weights[order], offsets


def _numbered(labels: Reals, classes: tuple[float, ...], count: int, word: str) -> tuple[Reals, tuple[float, ...]]:
    """Return labels as class numbers, and the label of each class."""
    if missing := int(np.count_nonzero(~np.isfinite(labels))):
        cause = f"{missing} labels of the {word} rows are missing or not finite"
        raise fault("label.invalid", cause, "give every row a label")
    found = np.unique(labels)
    known = np.array(classes) if classes else found
    if strange := [f"{value:g}" for value in found[:100] if value not in known]:
        cause = f"the label of the {word} rows has values that the training rows do not have: {', '.join(strange)}"
        raise fault("label.classes", cause, "leave these rows out, or train on rows of all classes")
    if len(known) != count:
        cause = f"the label of the {word} rows has {len(known)} different values, the setting classes says {count}"
        raise fault("label.classes", cause, f"set classes to {len(known)}")
    return np.searchsorted(known, labels).astype(np.float64), tuple(known.tolist())


def _groups(table: Table, name: str, word: str) -> NDArray[np.int64]:
    column = next((column for column in table.schema.columns if column.name == name), None)
    if column is not None and column.type == "text":
        groups = table.categories(name, most=max(1, len(table))).codes.astype(np.int64)
        missing = int(np.count_nonzero(groups < 0))
    else:
        numbers = table.numbers([name])[0]
        groups = np.unique(numbers, return_inverse=True)[1].astype(np.int64)
        missing = int(np.count_nonzero(np.isnan(numbers)))
    if missing:
        cause = f"{missing} of the {word} rows have no {name}"
        raise fault("group.invalid", cause, "give every row a group, or leave these rows out")
    return groups
