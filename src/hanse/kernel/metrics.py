"""How good scores are: figures and curves, exact, with equal scores treated as one threshold.

Labels are 0 and 1 (both present) and scores are finite, float64[rows], unless a function says otherwise. Curves are
pairs of float64 columns of at most `POINTS` values, thinned evenly over the thresholds, the ends kept.

Sources: Fawcett, An introduction to ROC analysis (2006) for thresholds and ties; Hanley and McNeil (1982) for the area
as a rank statistic; the two-sample Kolmogorov–Smirnov statistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel
from hanse.kernel.gradients import Groups, Loss, Objective

Reals = NDArray[np.float64]

POINTS = 200

METRICS: dict[Objective, tuple[str, ...]] = {
    "binary": ("auc", "log_loss", "aucpr", "error"),
    "multiclass": ("log_loss", "error"),
    "regression": ("rmse", "mae"),
    "poisson": ("deviance", "rmse"),
    "gamma": ("deviance", "rmse"),
    "tweedie": ("deviance", "rmse"),
    "quantile": ("pinball", "mae"),
    "ranking": ("ndcg", "pairwise_error"),
}
"""What `measure` knows of each objective; the first is the one that early stopping follows by default."""

GREATER_IS_BETTER = frozenset({"auc", "aucpr", "ndcg"})


def measure(
    loss: Loss, metric: str, labels: Reals, margins: Reals, weights: Reals | None = None, groups: Groups | None = None
) -> float:
    """Return how well margins, float64[outputs, rows], fit the labels by one of `METRICS`; see `measure_each`."""
    return measure_each(loss, (metric,), labels, margins, weights, groups)[metric]


def measure_each(
    loss: Loss,
    metrics: Sequence[str],
    labels: Reals,
    margins: Reals,
    weights: Reals | None = None,
    groups: Groups | None = None,
) -> dict[str, float]:
    """Return several figures at once, which shares the work of those that need the rows in order.

    auc, aucpr        area under the ROC curve (ties count half), average precision (ties are one threshold).
    log_loss, error   mean −ln of the label's probability, share of rows whose likeliest class is another.
    rmse, mae         of scores and labels.
    deviance          mean unit deviance of Poisson, gamma or Tweedie (Jørgensen 1997): 0 where the mean is the label.
    pinball           mean quantile loss.
    ndcg              mean over groups of NDCG of the first ten places, gains 2^grade − 1; equal margins share their
                      places (McSherry and Najork 2008); groups of one grade are left out.
    pairwise_error    share of the pairs of different grades, within groups, in the wrong order; ties count half.

    Rows count by their weights, groups by the mean weight of their rows. NaN where nothing can be said: an area with
    rows of one class alone. Raises ValueError for a metric that does not suit the objective.
    """
    found = _kernel.boosting_measure(loss.parameters, list(metrics), labels, weights, groups, margins)
    return dict(zip(metrics, found, strict=True))


@dataclass(frozen=True)
class Thresholds:
    """What is above each distinct score, from the highest down; the first entry is "nothing is above".

    `scores` float64[k], `positives` and `negatives` int64[k + 1]: how many of each class have that score or more.
    """

    scores: Reals
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]

    @property
    def total_positives(self) -> int:
        return int(self.positives[-1])

    @property
    def total_negatives(self) -> int:
        return int(self.negatives[-1])


@dataclass(frozen=True)
class Curve:
    """Points of a curve, in order: x and y float64[points ≤ POINTS]."""

    x: Reals
    y: Reals


def thresholds(labels: Reals, scores: Reals) -> Thresholds:
    """Count both classes above each distinct score. Raises ValueError unless both classes are present."""
    distinct, place = np.unique(-scores, return_inverse=True)
    positive = labels > 0.5
    of_positives = np.bincount(place[positive], minlength=len(distinct))
    of_negatives = np.bincount(place[~positive], minlength=len(distinct))
    if not of_positives.any() or not of_negatives.any():
        raise ValueError("labels of both classes are needed")
    return Thresholds(-distinct, _summed(of_positives), _summed(of_negatives))


def auc(labels: Reals, scores: Reals) -> float:
    """Return the area under the ROC curve; ties count half."""
    return auc_of(thresholds(labels, scores))


def auc_of(found: Thresholds) -> float:
    """Return the area under the ROC curve of counted thresholds, exactly: integers until the one division."""
    steps = np.diff(found.negatives)
    doubled = int((steps * (found.positives[1:] + found.positives[:-1])).sum())
    return doubled / (2 * found.total_positives * found.total_negatives)


def ks_of(found: Thresholds) -> float:
    """Return the Kolmogorov–Smirnov statistic: the greatest distance between the two classes' score distributions."""
    return float(np.abs(_share(found.positives) - _share(found.negatives)).max())


def log_loss(labels: Reals, scores: Reals) -> float:
    """Return the mean negative log-likelihood; scores are probabilities, cut at 1e-15 from 0 and 1."""
    safe = np.clip(scores, 1e-15, 1 - 1e-15)
    return float(-np.mean(np.where(labels > 0.5, np.log(safe), np.log1p(-safe))))


def rmse(labels: Reals, scores: Reals) -> float:
    """Return the root of the mean squared difference; labels are any numbers."""
    return float(np.sqrt(np.mean(np.square(labels - scores))))


def mean_absolute_error(labels: Reals, scores: Reals) -> float:
    """Return the mean absolute difference; labels are any numbers."""
    return float(np.mean(np.abs(labels - scores)))


def r_squared(labels: Reals, scores: Reals) -> float:
    """Return the share of the labels' variance that is explained; NaN when they are all equal."""
    spread = float(np.sum(np.square(labels - labels.mean())))
    return 1 - float(np.sum(np.square(labels - scores))) / spread if spread else float("nan")


def roc_curve(found: Thresholds) -> Curve:
    """Return x = false positive rate, y = true positive rate."""
    return _thinned(_share(found.negatives), _share(found.positives))


def ks_curve(found: Thresholds) -> Curve:
    """Return x = share of all rows above the threshold, y = true positive rate − false positive rate."""
    return _thinned(_share(found.positives + found.negatives), _share(found.positives) - _share(found.negatives))


def precision_recall_curve(found: Thresholds) -> Curve:
    """Return x = recall, y = precision, from the highest threshold on."""
    above = found.positives[1:] + found.negatives[1:]
    return _thinned(_share(found.positives)[1:], found.positives[1:] / above)


def gain_curve(found: Thresholds) -> Curve:
    """Return x = share of all rows above the threshold, y = share of the positives among them."""
    return _thinned(_share(found.positives + found.negatives), _share(found.positives))


def lift_curve(found: Thresholds) -> Curve:
    """Return x = share of all rows above the threshold, y = how many times more positives than in all rows."""
    above = found.positives[1:] + found.negatives[1:]
    total = found.total_positives + found.total_negatives
    return _thinned(above / total, found.positives[1:] / above * (total / found.total_positives))


def calibration_curve(labels: Reals, scores: Reals, groups: int = 10) -> Curve:
    """Return x = mean score, y = share of positives, in `groups` groups of equal size by score (equal scores together).

    A group that ties leave empty is left out.
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    cuts = np.searchsorted(ordered, ordered[(np.arange(1, groups) * len(scores)) // groups], side="left")
    starts = np.unique(np.concatenate([[0], cuts]))
    sizes = np.diff(np.append(starts, len(scores)))
    return Curve(
        np.add.reduceat(ordered, starts) / sizes, np.add.reduceat((labels[order] > 0.5).astype(float), starts) / sizes
    )


def _summed(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _share(counts: NDArray[np.int64]) -> Reals:
    return np.asarray(counts / counts[-1], np.float64)


def _thinned(x: Reals, y: Reals) -> Curve:
    picks = np.unique(np.linspace(0, len(x) - 1, min(POINTS, len(x))).round().astype(np.int64))
    return Curve(x[picks], y[picks])
