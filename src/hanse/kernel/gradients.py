"""Losses of boosting, their gradients, and the stochastic rounding of these, with the same bits on every machine.

Columns are float64[rows], margins and what is derived from them float64[outputs, rows], all C-contiguous. A table may
have weights (float64[rows], ≥ 0) and, for a ranking, groups: int64[groups + 1], rising from 0 to the number of rows;
group i are the rows from `groups[i]` up to `groups[i + 1]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.kernel import _kernel

Objective = Literal["binary", "multiclass", "regression", "poisson", "gamma", "tweedie", "quantile", "ranking"]
"""What a model is fitted to, by what labels are.

binary      0 and 1: logistic loss; margins are log-odds.
multiclass  0 … classes − 1: a margin for each class, softmax.
regression  numbers: squared loss.
poisson     counts; gamma: numbers > 0; tweedie: numbers ≥ 0, many of them 0. Margins are ln of the mean.
quantile    numbers: pinball loss; margins are the quantile `alpha`.
ranking     grades of relevance 0 … 31 within groups of rows: LambdaMART with NDCG (Burges 2010).
"""

Reals = NDArray[np.float64]
Groups = NDArray[np.int64]

MOST_CLASSES = 256
MOST_GRADE = 31
_POISSON_STEP = 0.7
_MOST_LABEL = 1e100  # sums of squares and of gradients stay finite


@dataclass(frozen=True)
class Loss:
    """An objective with its numbers: `classes` of multiclass, `power` of tweedie's variance, `alpha` of the quantile.

    Raises ValueError when a number is out of its range.
    """

    name: Objective
    classes: int = 1
    power: float = 1.5
    alpha: float = 0.5

    def __post_init__(self) -> None:
        if self.name == "multiclass" and not 2 <= self.classes <= MOST_CLASSES:
            raise ValueError(f"{self.classes} classes: a model of classes has between 2 and {MOST_CLASSES}")
        if not 1 < self.power < 2:
            raise ValueError(f"the variance power is {self.power}, and must be between 1 and 2")
        if not 0 < self.alpha < 1:
            raise ValueError(f"the quantile is {self.alpha}, and must be between 0 and 1")

    @property
    def outputs(self) -> int:
        """Margins of a row: trees of a round."""
        return self.classes if self.name == "multiclass" else 1

    @property
    def refits_leaves(self) -> bool:
        """Whether a leaf takes `quantile_step` of its rows' residuals in place of −G/(H + λ)."""
        return self.name == "quantile"

    @property
    def max_delta_step(self) -> float:
        """What bounds a leaf before the learning rate where a user asks for no bound; 0: nothing. As xgboost does."""
        return _POISSON_STEP if self.name == "poisson" else 0.0

    @property
    def parameters(self) -> tuple[str, int, float, float]:
        """What the kernel takes."""
        return self.name, self.classes, self.power, self.alpha


def base_margins(loss: Loss, labels: Reals, weights: Reals | None = None) -> Reals:
    """Return the margins that all rows start from, float64[outputs]: the constants of least loss.

    Labels and weights are those that `check` lets pass as "training".
    """
    found = np.empty(loss.outputs)
    _kernel.boosting_base_margins(loss.parameters, labels, weights, found)
    return found


def gradients(
    loss: Loss, labels: Reals, margins: Reals, weights: Reals | None = None, groups: Groups | None = None
) -> tuple[Reals, Reals]:
    """Return the first and second derivatives (g, h) of every row's loss by its margins, times its weight.

    h is positive where the weight is. It is the second derivative but for these, which keep steps from overshooting as
    xgboost does: multiclass and ranking take twice of it, poisson that of a margin greater by 0.7, quantile 1.
    """
    g, h = np.empty_like(margins), np.empty_like(margins)
    _kernel.boosting_gradients(loss.parameters, labels, weights, groups, margins, g, h)
    return g, h


def scores(loss: Loss, margins: Reals) -> Reals:
    """Return what a user reads, float64[outputs, rows]: probability of label 1 or of each class, mean, or value."""
    found = np.empty_like(margins)
    _kernel.boosting_scores(loss.parameters, margins, found)
    return found


def quantile_step(residuals: Reals, weights: Reals | None, alpha: float) -> float:
    """Return what a leaf adds for quantile loss: the weighted `alpha` quantile of its rows' residuals (label − margin).

    It is the least residual with a share of `alpha` or more at or below it: the constant of least pinball loss
    (Friedman 2001, §4.3, for the median). One row at least.
    """
    return _kernel.boosting_quantile(residuals, weights, alpha)


def group_rows(values: NDArray[Any]) -> tuple[NDArray[np.int64], Groups]:
    """Return (order, offsets): rows of equal value side by side, by rising value, rows of a group in their order.

    `values[order]` is what `offsets` cut into groups. Raises HanseError("group.invalid") for missing values.
    """
    missing = int(np.count_nonzero(values != values))  # only NaN differs from itself
    if missing:
        raise fault("group.invalid", f"{missing} rows are in no group", "fill the gaps of the column of groups")
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    return order.astype(np.int64), np.concatenate([[0], starts, [len(values)]]).astype(np.int64)


def check(loss: Loss, labels: Reals, weights: Reals | None, groups: Groups | None, table: str) -> None:
    """Raise HanseError when the labels, weights or groups of the `table` (a word for the message) cannot be used.

    The table "training" must also tell labels apart: rows of every class, grades that differ within a group, a mean
    above 0 where the margin is its logarithm. So must any table for binary, whose areas need both classes, and ranking.
    """
    missing = int(np.count_nonzero(~(np.abs(labels) <= _MOST_LABEL)))  # NaN compares as false
    if missing or not len(labels):
        cause = f"{missing} labels of the {table} rows are missing or not finite" if missing else "there are no rows"
        raise fault("label.invalid", cause, "give every row a label")
    _check_weights(labels, weights, table)
    allowed, remedy = _LABELS[loss.name]
    most = loss.classes - 1 if loss.name == "multiclass" else MOST_GRADE
    if not np.all(_suits(loss.name, labels, most)):
        raise fault("label.invalid", f"the label of the {table} rows {allowed.format(most=most)}", remedy)
    if loss.name == "ranking":
        _check_groups(labels, groups, table)
    counted = labels if weights is None else labels[weights > 0]
    if loss.name == "binary":
        _check_classes(counted, 2, table)
    elif loss.name == "multiclass" and table == "training":
        _check_classes(counted, loss.classes, table)
    elif loss.name in ("poisson", "tweedie") and table == "training" and not counted.any():
        raise fault("label.one_class", f"all {len(counted)} {table} rows have the label 0", "use rows of other labels")


_LABELS: dict[Objective, tuple[str, str]] = {
    "binary": ("has other values than 0 and 1", "encode the two classes as 0 and 1, or set objective to regression"),
    "multiclass": ("has classes beyond 0 to {most}", "use the classes that the model was trained on"),
    "regression": ("", ""),
    "poisson": ("has values below 0", "counts are 0 or more: set objective to regression for other numbers"),
    "gamma": ("has values that are not above 0", "set objective to tweedie if values of 0 are meant"),
    "tweedie": ("has values below 0", "set objective to regression for such numbers"),
    "quantile": ("", ""),
    "ranking": ("has other values than whole numbers from 0 to {most}", "give grades of relevance from 0 on"),
}
"""For each objective, what is wrong with labels that do not suit it, and what to do."""


def _suits(name: Objective, labels: Reals, most: int) -> NDArray[np.bool_]:
    if name == "binary":
        return np.isin(labels, (0.0, 1.0))
    if name in ("multiclass", "ranking"):
        return np.asarray((labels >= 0) & (labels <= most) & (labels == np.floor(labels)))
    if name in ("poisson", "tweedie"):
        return np.asarray(labels >= 0)
    return np.asarray(labels > 0) if name == "gamma" else np.ones(len(labels), np.bool_)


def _check_weights(labels: Reals, weights: Reals | None, table: str) -> None:
    if weights is None:
        return
    wrong = int(np.count_nonzero(~np.isfinite(weights) | (weights < 0)))
    if wrong or len(weights) != len(labels):
        raise fault("weight.invalid", f"{wrong} weights of the {table} rows are missing, not finite, or below 0")
    if not weights.any():
        raise fault("weight.invalid", f"all weights of the {table} rows are 0")


def _check_groups(labels: Reals, groups: Groups | None, table: str) -> None:
    if groups is None:
        raise fault("group.invalid", "a ranking needs groups of rows", "name the column of groups in the setting group")
    if len(groups) < 2 or groups[0] != 0 or groups[-1] != len(labels) or np.any(np.diff(groups) <= 0):
        raise fault("group.invalid", f"the groups of the {table} rows do not hold every row once")
    starts = groups[:-1]
    if np.array_equal(np.maximum.reduceat(labels, starts), np.minimum.reduceat(labels, starts)):
        cause = f"no group of the {table} rows has two rows of different grades"
        raise fault("label.one_class", cause, "use groups in which some rows are more relevant than others")


def _check_classes(labels: Reals, classes: int, table: str) -> None:
    present = np.bincount(labels.astype(np.int64), minlength=classes)
    absent = np.flatnonzero(present == 0).tolist()
    if not absent:
        return
    if classes == 2:
        cause = f"all {len(labels)} {table} rows have the label {1 - absent[0]}"
        raise fault("label.one_class", cause, "use rows of both classes")
    raise fault("label.one_class", f"no {table} row is of class {absent[0]}", "use rows of every class")


@dataclass(frozen=True)
class Rounded:
    """Gradients as small integers: value ≈ integer / scale, exactly so on average."""

    g: NDArray[np.int32]
    h: NDArray[np.int32]
    g_scale: float
    h_scale: float

    def total(self, rows: NDArray[np.uint32]) -> tuple[int, int]:
        """Return the sums of the integers over the named rows."""
        return int(self.g[rows].sum(dtype=np.int64)), int(self.h[rows].sum(dtype=np.int64))

    def real(self, g_sums: NDArray[np.int64], h_sums: NDArray[np.int64]) -> tuple[Reals, Reals]:
        """Return sums of the integers as sums of gradients."""
        return g_sums / self.g_scale, h_sums / self.h_scale


def quantise(g: Reals, h: Reals, gradient_bits: int, hessian_bits: int, seed: bytes) -> Rounded:
    """Round stochastically: |g| below 2^(gradient_bits − 1), h in [0, 2^hessian_bits); unbiased, from 32 bytes of seed.

    g and h are float64[rows]. The scales take the largest |g| and the largest h to the ends of these ranges.

    Source: Gupta et al. 2015 for the rounding, Shi et al. 2022 (arXiv 2207.09682) for its use in boosting.
    """
    g_out, h_out = np.empty(len(g), np.int32), np.empty(len(h), np.int32)
    g_scale, h_scale = _kernel.quantise_gradients(g, h, (gradient_bits, hessian_bits), seed, g_out, h_out)
    return Rounded(g_out, h_out, g_scale, h_scale)
