"""Gradient boosting on one table: one's own data alone, or all data in one place.

Protocol  none: nothing is sent. The trees are those of hetero_boost (Friedman 2001; Chen and Guestrin 2016), quantile
          bins, grown level by level or best leaf first.
Secure    trivially: no other party takes part.
Learns    guest: nothing that its own table does not say.
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hanse.components.local_boost.cost import cost
from hanse.components.local_boost.schema import schema
from hanse.core.faults import fault
from hanse.core.roles import Role
from hanse.core.schema import KnownTable
from hanse.kernel.trees import OWN, Growth
from hanse.sdk import Component, Model, Party, Report, Table
from hanse.sdk.boosting import (
    Boosting,
    BoostSettings,
    Ensemble,
    Features,
    Lot,
    Targets,
    Warm,
    importance,
    names_of_columns,
    problems,
    view,
)
from hanse.sdk.findings import Finding


class Settings(BoostSettings, frozen=True):
    """How the trees are grown."""


class Fitted(NamedTuple):
    model: Model
    scores: Table
    report: Report


async def guest(me: Party, train: Table, valid: Table | None, warm: Model | None, settings: Settings) -> Fitted:
    """Grow tree after tree on my columns."""
    training = await asyncio.to_thread(Training, me.rng.seed(), train, valid, warm, settings)
    fit = training.fit
    while not fit.finished:
        for name, value in (await asyncio.to_thread(training.grow)).items():
            me.metric(name, value, fit.rounds)
        me.progress(fit.rounds, settings.trees, "tree")
    return await asyncio.to_thread(training.fitted)


async def predict(_me: Party, model: Model, table: Table, settings: Settings) -> Table:  # noqa: ARG001
    """Walk my trees for every row."""
    ensemble = Ensemble.open(model)
    margins = await asyncio.to_thread(lambda: ensemble.margins(ensemble.numbers(table)))
    return table.select([]).with_columns(ensemble.score_columns(margins))


class Training:
    """One training: what was read of the tables, and the trees so far."""

    def __init__(
        self, secret: bytes, train: Table, valid: Table | None, warm: Model | None, settings: Settings
    ) -> None:
        before = None if warm is None else _earlier(warm, settings)
        classes = before.classes if before else ()
        targets = Targets.read(train, settings, "training", classes)
        checked = None if valid is None else Targets.read(valid, settings, "validation", targets.classes)
        lot = Lot.draw(train.ids(), settings)
        self._train, self._settings = train, settings
        self.features, codes = Features.fit_encode(train, lot, settings, before=before.features if before else None)
        self._columns = self.features.columns(train, lot, settings, codes)
        self._passengers = self.features.passengers(train, lot, valid, codes)
        begin = None if before is None else _margins(before, lot, train, valid)
        self.fit = Boosting.start(settings, lot, targets, checked, secret, begin)

    def grow(self) -> dict[str, float]:
        """Grow the trees of a round, and return what was measured after it."""
        settings = self._settings
        (chosen,) = self.fit.chosen([len(self.features.names)])
        growths = [
            Growth(self._columns, g, h, settings.rules, settings.form, passengers=self._passengers, chosen=chosen)
            for g, h in zip(*self.fit.gradients(), strict=True)
        ]
        for growth in growths:
            growth.grow_alone()
        return self.fit.add(growths)

    def fitted(self) -> Fitted:
        """Return the outputs."""
        ensemble = self.fit.ensemble(self.features)
        lines = importance(ensemble.forest, OWN, self.features.names)
        figures = {
            **self.fit.figures(),
            **self.features.named(self._settings),
            "importance": [{"party": "guest", **line} for line in lines],
            "tree_view": view(ensemble),
        }
        scores = self._train.select([]).with_columns(self.fit.scores())
        return Fitted(ensemble.model(), scores, Report("boost", figures))


def _earlier(warm: Model, settings: Settings) -> Ensemble:
    """Return the model that is trained on. Raises HanseError when this training cannot go on from it."""
    before = Ensemble.open(warm)
    before.must_suit(settings)
    if np.any(before.forest.party > OWN):
        cause = "the model has splits on columns of other parties"
        raise fault("model.other", cause, "go on from a model of one table, or train with those parties")
    return before


def _margins(before: Ensemble, lot: Lot, train: Table, valid: Table | None) -> Warm:
    """Return what an earlier model says of the rows."""
    every = before.margins(before.numbers(train))
    beside = [every[:, lot.left_out]]
    if valid is not None:
        beside.append(before.margins(before.numbers(valid)))
    return Warm(before, every[:, lot.counted], np.concatenate(beside, axis=1))


def check(_role: Role, settings: Settings, tables: Mapping[str, KnownTable]) -> list[Finding]:
    """Say what is wrong with the tables before a row is read."""
    return problems(settings, tables, labelled=True)


component = Component(
    name="local_boost",
    version="2.0.0",
    params=Settings,
    roles={"guest": guest},
    inputs={"train": Table, "valid": Table, "warm": Model},
    outputs={"model": Model, "scores": Table, "report": Report},
    optional=("valid", "warm"),
    apply={"guest": predict},
    apply_inputs={"table": Table},
    apply_outputs={"scores": Table},
    example={"trees": 3, "depth": 3, "max_bins": 8},
    names=names_of_columns("guest", anywhere=False),
    check=check,
    cost=cost,
    schema=schema,
)
