"""A boosted model in the making: margins, trees, curves, and when to stop. On one table and across organisations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.kernel import gradients
from hanse.kernel.metrics import GREATER_IS_BETTER
from hanse.kernel.trees import Growth, Node, Trees
from hanse.sdk.boosting.ensemble import Ensemble, name_classes, score_columns
from hanse.sdk.boosting.features import Features
from hanse.sdk.boosting.sampling import Lot, draw_columns
from hanse.sdk.boosting.settings import BoostSettings
from hanse.sdk.boosting.targets import Targets

Reals = NDArray[np.float64]


class SavedArray(msgspec.Struct, frozen=True):
    """An array as bytes."""

    type: str
    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, array: NDArray[Any]) -> SavedArray:
        return cls(array.dtype.str, array.shape, array.tobytes())

    @property
    def array(self) -> NDArray[Any]:
        return np.frombuffer(self.data, self.type).reshape(self.shape).copy()


class Snapshot(msgspec.Struct, frozen=True):
    """A `Boosting` as bytes, for checkpoints: the trees grown in this training, and the margins after them.

    `best` has the margins of the trees that are kept, where these are not the last ones.
    """

    forest: dict[str, SavedArray]
    margins: SavedArray
    passengers: SavedArray
    best: tuple[SavedArray, SavedArray] | None
    rounds: int
    best_rounds: int
    curves: dict[str, list[float]]


@dataclass(frozen=True, eq=False)
class Warm:
    """What a training goes on from: a model and its margins of this training's rows.

    margins     float64[outputs, counted rows].
    passengers  float64[outputs, passengers]: the rows left out, then those of the validation table.
    """

    ensemble: Ensemble
    margins: Reals
    passengers: Reals


class Boosting:
    """The state between two rounds; a round grows a tree for each output. Make one with `start`.

    margins, passengers   float64[outputs, counted rows] and float64[outputs, passengers], by all trees so far.
    rounds, best_rounds   grown in this training, and how many of them the model keeps: those up to the best value of
                          the followed metric, or all of them when no early stopping is asked for.
    curves                what was measured after each round, by name: train_auc, valid_auc …
    """

    def __init__(
        self, settings: BoostSettings, lot: Lot, train: Targets, valid: Targets | None, secret: bytes, begin: Warm
    ) -> None:
        self.settings, self.loss, self.lot = settings, settings.loss, lot
        self.margins, self.passengers = begin.margins, begin.passengers
        self.rounds = self.best_rounds = 0
        self.curves: dict[str, list[float]] = {}
        self._begin, self._grown = begin.ensemble, Trees.empty()
        self._train, self._valid, self._secret = train, valid, secret
        self._best: tuple[Reals, Reals] | None = None
        self._follow = settings.follows(len(valid) if valid is not None else 0)
        self._keep_best()

    @classmethod
    def start(
        cls,
        settings: BoostSettings,
        lot: Lot,
        train: Targets,
        valid: Targets | None,
        secret: bytes,
        warm: Warm | None = None,
    ) -> Boosting:
        """Begin with no tree, or with those of `warm`.

        train, valid  targets of all rows of the tables, in their order.
        secret        32 bytes: columns are drawn by it; keep it with the checkpoint.

        Raises HanseError("valid.absent" | "model.differs" | "label.one_class" …) for what cannot be trained on.
        """
        counted = train.take(lot.counted)
        counted.check(settings.loss, "training")
        if warm is None:
            count = len(lot.left_out) + (len(valid) if valid is not None else 0)
            warm = _from_nothing(settings, counted, count)
        else:
            _must_suit(warm.ensemble, settings, train.classes)
            warm = replace(warm, margins=warm.margins.copy(), passengers=warm.passengers.copy())
        return cls(settings, lot, counted, valid, secret, warm)

    @property
    def finished(self) -> bool:
        """Whether all rounds are grown, or the followed metric has not improved for as many as the settings say."""
        patience = self.settings.early_stopping_rounds
        stalled = bool(patience) and self.rounds - self.best_rounds >= patience
        return stalled or self.rounds >= self.settings.trees

    @property
    def new_trees(self) -> int:
        """How many of the trees grown in this training the model keeps."""
        return self.best_rounds * self.loss.outputs

    @property
    def kept_trees(self) -> int:
        """How many trees the model has, with those it started from."""
        return len(self._begin.forest) + self.new_trees

    @property
    def forest(self) -> Trees:
        """The trees it started from and all that were grown."""
        return self._begin.forest.then(self._grown)

    def gradients(self) -> tuple[Reals, Reals]:
        """Return g and h of every counted row, float64[outputs, rows] each."""
        return self._train.gradients(self.loss, self.margins)

    def chosen(self, counts: Sequence[int]) -> list[NDArray[np.uint8]]:
        """Return which columns the round now grown may use: for each party uint8[columns], see `draw_columns`."""
        return draw_columns(self._secret, self.rounds, counts, self.settings.column_sample)

    def add(self, growths: Sequence[Growth]) -> dict[str, float]:
        """Finish the trees of a round, one for each output, add them, and return what was measured after it."""
        if len(growths) != self.loss.outputs:
            raise ValueError(f"a round has {self.loss.outputs} trees, not {len(growths)}")
        for output, growth in enumerate(growths):
            self._grown = self._grown.then(growth.finish(self.settings.learning_rate, self._leaf_value()))
            growth.add_to(self.margins[output], self.passengers[output])
        self.rounds += 1
        measured = self._measure()
        for name, value in measured.items():
            self.curves.setdefault(name, []).append(value)
        self._keep_best()
        return measured

    def ensemble(self, features: Features) -> Ensemble:
        """Return what is kept in the end."""
        forest = self.forest.first(self.kept_trees)
        return Ensemble(self.loss, self._begin.base, forest, features, self._train.classes)

    def scores(self) -> dict[str, NDArray[Any]]:
        """Return what the kept trees say of all training rows, in the order of their table, by column."""
        margins, passengers = self._best or (self.margins, self.passengers)
        every = self.lot.restore(margins, passengers[:, : len(self.lot.left_out)])
        return score_columns(self.loss, self._train.classes, every)

    def figures(self) -> dict[str, Any]:
        """Return what a report says of the training."""
        return {
            "objective": self.loss.name,
            "rows": len(self.lot.counted) + len(self.lot.left_out),
            "rows_counted": len(self.lot.counted),
            "classes": list(self._train.classes),
            "trees": self.kept_trees,
            "trees_grown": self.rounds * self.loss.outputs,
            "rounds": self.best_rounds,
            "rounds_before": self._begin.rounds,
            "curves": self.curves,
        }

    def snapshot(self) -> Snapshot:
        """Return the state as bytes."""
        best = self._best if self.best_rounds < self.rounds else None
        return Snapshot(
            {name: SavedArray.of(array) for name, array in self._grown.arrays.items()},
            SavedArray.of(self.margins),
            SavedArray.of(self.passengers),
            best and (SavedArray.of(best[0]), SavedArray.of(best[1])),
            self.rounds,
            self.best_rounds,
            self.curves,
        )

    def restore(self, saved: Snapshot) -> None:
        """Go back to a saved state of the same training."""
        self._grown = Trees(**{name: array.array for name, array in saved.forest.items()})
        self.margins, self.passengers = saved.margins.array, saved.passengers.array
        self.rounds, self.best_rounds = saved.rounds, saved.best_rounds
        if saved.best is not None:
            self._best = saved.best[0].array, saved.best[1].array
        elif self._follow:
            self._best = self.margins.copy(), self.passengers.copy()
        self.curves = {name: list(curve) for name, curve in saved.curves.items()}

    def _measure(self) -> dict[str, float]:
        found = {f"train_{name}": value for name, value in self._train.measure(self.loss, self.margins).items()}
        if self._valid is not None and len(self._valid):
            margins = np.ascontiguousarray(self.passengers[:, len(self.lot.left_out) :])
            found |= {f"valid_{name}": value for name, value in self._valid.measure(self.loss, margins).items()}
        return found

    def _leaf_value(self) -> Callable[[Node], float] | None:
        """Return what a leaf holds where it is no Newton step: the quantile of its residuals (Friedman 2001, §4.3)."""
        if not self.loss.refits_leaves:
            return None
        residuals, weights, alpha = self._train.labels - self.margins[0], self._train.weights, self.loss.alpha

        def value(node: Node) -> float:
            weighed = None if weights is None else weights[node.rows]
            return gradients.quantile_step(residuals[node.rows], weighed, alpha)

        return value

    def _keep_best(self) -> None:
        """Take the trees so far as those to keep, if the followed metric says so."""
        if not self._follow:
            self.best_rounds = self.rounds
        elif not self.rounds or self._is_best():
            self.best_rounds, self._best = self.rounds, (self.margins.copy(), self.passengers.copy())

    def _is_best(self) -> bool:
        curve = self.curves[f"valid_{self._follow}"]
        sign = 1.0 if self._follow in GREATER_IS_BETTER else -1.0
        return all(sign * curve[-1] > sign * earlier for earlier in curve[:-1])


def _must_suit(earlier: Ensemble, settings: BoostSettings, classes: tuple[float, ...]) -> None:
    earlier.must_suit(settings)
    if earlier.classes != classes:
        had, here = (", ".join(name_classes(labels)) for labels in (earlier.classes, classes))
        cause = f"the model's classes are {had}, those of the training rows {here}"
        raise fault("model.differs", cause, "train on rows of the model's classes, or without it")


def _from_nothing(settings: BoostSettings, counted: Targets, passengers: int) -> Warm:
    loss = settings.loss
    base = counted.base(loss)
    ensemble = Ensemble(loss, base, Trees.empty(), Features((), ()), counted.classes)
    return Warm(ensemble, np.repeat(base[:, None], len(counted), 1), np.repeat(base[:, None], passengers, 1))
