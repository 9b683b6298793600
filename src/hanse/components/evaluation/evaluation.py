"""Evaluation: how good the scores are, in figures and curves.

Protocol  none: nothing is sent.
Secure    trivially: no other party takes part.
Learns    guest: nothing that its own labels and scores do not say.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.components.evaluation.cost import cost
from hanse.components.evaluation.schema import schema
from hanse.core.faults import fault
from hanse.core.roles import Role
from hanse.core.schema import UNKNOWN, KnownTable
from hanse.kernel import metrics
from hanse.sdk import Component, Params, Party, Report, Table
from hanse.sdk.findings import Finding, absent_label

SCORE = "score"
PREDICTED = "predicted"
PROBABILITY = "probability_"
LEAST_CHANCE = 1e-15
Reals = NDArray[np.float64]


class Settings(Params, frozen=True):
    """What the scores are."""

    objective: Annotated[
        Literal["auto", "binary", "regression"],
        msgspec.Meta(
            title="Objective",
            description="binary: scores are probabilities of label 1; regression: estimates of the label; "
            "auto: binary when all labels are 0 or 1.",
        ),
    ] = "auto"


async def guest(me: Party, scores: Table, settings: Settings) -> Report:
    """Compare scores with labels."""
    if SCORE not in scores.schema.names and PREDICTED in scores.schema.names:
        return await _guest_of_classes(me, scores)
    labels, values = scores.label(), scores.numbers([SCORE])[0]
    _check_rows(labels, values)
    is_binary = bool(np.isin(labels, (0, 1)).all()) if settings.objective == "auto" else settings.objective == "binary"
    figures = judge_classes(labels, values) if is_binary else judge_numbers(labels, values)
    for name, value in figures.items():
        if isinstance(value, float):
            me.metric(name, value)
    return Report("evaluation", {"objective": "binary" if is_binary else "regression", "rows": len(labels), **figures})


async def _guest_of_classes(me: Party, scores: Table) -> Report:
    """Judge the scores of a multiclass model: a predicted class and a probability of each."""
    names = [name for name in scores.schema.names if name.startswith(PROBABILITY)]
    labels, (predicted, *chances) = scores.label(), scores.numbers([PREDICTED, *names])
    _check_rows(labels, predicted)
    classes = [float(name.removeprefix(PROBABILITY)) for name in names]
    figures = judge_many_classes(labels, predicted, dict(zip(classes, chances, strict=True)))
    for name in ("log_loss", "error"):
        me.metric(name, figures[name])
    return Report("evaluation", {"objective": "multiclass", "rows": len(labels), **figures})


def judge_many_classes(labels: Reals, predicted: Reals, chances: dict[float, Reals]) -> dict[str, Any]:
    """Return log_loss, error (share of wrong classes), and of each class its rows, precision and recall.

    chances  by class, the probability of each row. Rows of a class that the model does not know count as chance 0.
    """
    given = np.zeros(len(labels))
    for value, chance in chances.items():
        given[labels == value] = chance[labels == value]
    right = labels == predicted
    lines = []
    for value in np.union1d(labels, list(chances)).tolist():
        told, true, hits = predicted == value, labels == value, int((right & (labels == value)).sum())
        lines.append(
            {
                "class": int(value) if value.is_integer() else value,
                "rows": int(true.sum()),
                "predicted": int(told.sum()),
                "precision": hits / int(told.sum()) if told.any() else None,
                "recall": hits / int(true.sum()) if true.any() else None,
            }
        )
    log_loss = float(-np.log(np.clip(given, LEAST_CHANCE, 1)).mean())
    return {"log_loss": log_loss, "error": float(1 - right.mean()), "by_class": lines}


def judge_classes(labels: Reals, scores: Reals) -> dict[str, Any]:
    """Return auc, ks, log_loss, rmse and curves of labels 0 and 1 and probabilities.

    Raises HanseError("evaluation.label" | "evaluation.one_class" | "evaluation.score").
    """
    if not np.isin(labels, (0, 1)).all():
        raise fault("evaluation.label", "the labels are not all 0 or 1", "set the objective to regression")
    if scores.min() < 0 or scores.max() > 1:
        raise fault("evaluation.score", "the scores are not all between 0 and 1", "set the objective to regression")
    if labels.min() == labels.max():
        cause = f"all {len(labels)} labels are {labels[0]:g}: with one class nothing can be told apart"
        raise fault("evaluation.one_class", cause, "judge rows of both classes")
    found = metrics.thresholds(labels, scores)
    curves = {
        "roc": metrics.roc_curve(found),
        "ks": metrics.ks_curve(found),
        "precision_recall": metrics.precision_recall_curve(found),
        "gain": metrics.gain_curve(found),
        "lift": metrics.lift_curve(found),
        "calibration": metrics.calibration_curve(labels, scores),
    }
    return {
        "positives": found.total_positives,
        "auc": metrics.auc_of(found),
        "ks": metrics.ks_of(found),
        "log_loss": metrics.log_loss(labels, scores),
        "rmse": metrics.rmse(labels, scores),
        "curves": {name: {"x": curve.x, "y": curve.y} for name, curve in curves.items()},
    }


def judge_numbers(labels: Reals, scores: Reals) -> dict[str, Any]:
    """Return rmse, mean_absolute_error and r_squared of estimates (r_squared is null when all labels are equal)."""
    return {
        "rmse": metrics.rmse(labels, scores),
        "mean_absolute_error": metrics.mean_absolute_error(labels, scores),
        "r_squared": metrics.r_squared(labels, scores),
    }


def check(_role: Role, _settings: Settings, tables: Mapping[str, KnownTable]) -> list[Finding]:
    """Say when the table has no label or no score."""
    table = tables.get("scores", UNKNOWN)
    if table.open:
        return []
    found = [absent_label("scores")] if table.label is None else []
    if not {SCORE, PREDICTED} & set(table.names):
        found.append(Finding("column.required", "scores", facts={"column": SCORE}))
    return found


def _check_rows(labels: Reals, scores: Reals) -> None:
    if len(labels) == 0:
        raise fault("evaluation.empty", "there are no rows to judge", "score some rows")
    if missing := int(np.isnan(labels).sum() + np.isnan(scores).sum()):
        raise fault("evaluation.missing", f"{missing} labels or scores are missing", "judge rows that have both")


component = Component(
    name="evaluation",
    version="1.0.0",
    params=Settings,
    roles={"guest": guest},
    inputs={"scores": Table},
    outputs={"report": Report},
    check=check,
    cost=cost,
    schema=schema,
)
