"""Gradient boosting on one table: one's own data alone, or all data in one place.

Protocol  none: nothing is sent. The trees are those of hetero_boost (Friedman 2001; Chen and Guestrin 2016), quantile
          bins, grown level by level.
Secure    trivially: no other party takes part.
Learns    guest: nothing that its own table does not say.
"""

from typing import NamedTuple

import numpy as np

from hanse.core.roles import Role
from hanse.core.schema import Schema
from hanse.kernel import boosting, gradients
from hanse.kernel import heaps as trees
from hanse.kernel.boosting import Boosting
from hanse.kernel.intervals import bin_columns, encode
from hanse.sdk import Component, Model, Params, Party, Report, Table


class Settings(Params, frozen=True):
    """How the trees are grown."""

    trees: boosting.TreeCount = 20
    depth: boosting.Depth = 4
    learning_rate: boosting.LearningRate = 0.3
    max_bins: boosting.Bins = 16
    objective: boosting.ObjectiveName = "binary"
    reg_lambda: boosting.RegLambda = 1.0
    min_child_weight: boosting.MinChildWeight = 1.0
    min_split_gain: boosting.MinSplitGain = 0.0
    early_stopping_rounds: boosting.EarlyStopping = 0
    early_stopping_metric: boosting.StoppingMetric = "default"

    def __post_init__(self) -> None:
        boosting.check_metric(self.objective, self.early_stopping_metric)


class Fitted(NamedTuple):
    model: Model
    scores: Table
    report: Report


async def guest(me: Party, train: Table, valid: Table | None, settings: Settings) -> Fitted:
    """Grow tree after tree on my columns."""
    names = train.schema.features
    numbers = train.numbers(names)
    boosting.check_numbers(numbers, names, "training")
    valid_numbers = np.empty((len(names), 0)) if valid is None else valid.numbers(names)
    boosting.check_numbers(valid_numbers, names, "validation")
    follow = boosting.followed(
        settings.objective, settings.early_stopping_metric, settings.early_stopping_rounds, valid_numbers.shape[1]
    )
    valid_labels = np.empty(0) if valid is None else valid.label()
    fit = Boosting.start(settings.objective, train.label(), valid_labels, settings.depth, follow)
    columns = bin_columns(numbers, settings.max_bins)
    valid_codes = encode(valid_numbers, columns.edges)
    rules = trees.Rules(settings.reg_lambda, settings.min_child_weight, settings.min_split_gain)
    for number in range(1, settings.trees + 1):
        growth = trees.Growth(columns, valid_codes, *fit.gradients(), rules, settings.depth)
        growth.grow_alone()
        for name, value in fit.add(growth, settings.learning_rate).items():
            me.metric(name, value, number)
        me.progress(number, settings.trees, "tree")
        if fit.has_stalled(settings.early_stopping_rounds):
            break
    return Fitted(
        Model(fit.kept.arrays, {"features": list(names), "base": fit.base, "objective": settings.objective}),
        train.select([]).with_column("score", fit.scores),
        Report("boost", _figures(fit, names)),
    )


async def predict(_me: Party, model: Model, table: Table, settings: Settings) -> Table:
    """Walk my trees for every row."""
    names = model.details["features"]
    numbers = table.numbers(names)
    boosting.check_numbers(numbers, names, "scored")
    margins = trees.margins(trees.Trees(**model.arrays), model.details["base"], numbers)
    return table.select([]).with_column("score", gradients.scores(settings.objective, margins))


def check(_role: Role, _settings: Settings, schemas: dict[str, Schema]) -> list[str]:
    """Say what is wrong with the tables before a row is read."""
    return [problem for port, schema in schemas.items() for problem in boosting.problems(port, schema, labelled=True)]


def _figures(fit: Boosting, names: tuple[str, ...]) -> dict[str, object]:
    return {
        "objective": fit.objective,
        "rows": len(fit.labels),
        "trees": fit.best_trees,
        "trees_grown": len(fit.trees),
        "curves": fit.curves,
        "importance": [{"party": "guest", **line} for line in boosting.importance(fit.kept, trees.OWN, names)],
    }


component = Component(
    name="local_boost",
    version="1.0.0",
    params=Settings,
    roles={"guest": guest},
    inputs={"train": Table, "valid": Table},
    outputs={"model": Model, "scores": Table, "report": Report},
    optional=("valid",),
    apply={"guest": predict},
    apply_inputs={"table": Table},
    apply_outputs={"scores": Table},
    example={"trees": 3, "depth": 3, "max_bins": 8},
    check=check,
)
