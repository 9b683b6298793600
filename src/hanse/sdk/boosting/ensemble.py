"""A boosted model as the guest keeps it: what it starts from, its trees, and how to read a table for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.kernel import gradients, trees
from hanse.kernel.gradients import Loss
from hanse.kernel.trees import OWN, Trees
from hanse.sdk.boosting.features import Features
from hanse.sdk.boosting.settings import BoostSettings
from hanse.sdk.model import Model
from hanse.sdk.table import Table

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The guest's part of a boosted model. Tree t adds to output t % outputs.

    base      float64[outputs], the margins of every row before the first tree.
    features  the guest's own.
    classes   multiclass: the label of each class number; else empty.
    """

    loss: Loss
    base: Reals
    forest: Trees
    features: Features
    classes: tuple[float, ...] = ()

    @property
    def rounds(self) -> int:
        """Trees of each output."""
        return len(self.forest) // self.loss.outputs

    @property
    def own(self) -> list[int]:
        """The numbers of the guest's features that some node tests."""
        found: list[int] = self.forest.used(OWN).tolist()
        return found

    def model(self, **details: Any) -> Model:
        """Return the model; `details` are kept beside, as JSON can say them."""
        kept = {
            "loss": asdict(self.loss),
            "base": self.base.tolist(),
            "features": msgspec.to_builtins(self.features),
            "classes": list(self.classes),
        }
        return Model(self.forest.arrays, {**kept, **details})

    @classmethod
    def open(cls, model: Model) -> Ensemble:
        """Read a model. Raises HanseError("model.version") for one that this release cannot read."""
        try:
            details = model.details
            return cls(
                Loss(**details["loss"]),
                np.array(details["base"], np.float64),
                Trees.parse(dict(model.arrays)),
                msgspec.convert(details["features"], Features),
                tuple(details["classes"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            by = f" by {model.manifest.component} {model.manifest.version}" if model.manifest else ""
            cause = f"the model was fitted{by} in a form that this release does not read"
            raise fault("model.version", cause, "fit it again with this release") from error

    def numbers(self, table: Table) -> Reals:
        """Return the guest's own numbers that the trees test, float64[features, rows]; what they do not test is NaN."""
        return self.features.numbers(table, self.own)

    def margins(self, numbers: Reals, left: Sequence[NDArray[np.uint8]] = ()) -> Reals:
        """Return float64[outputs, rows] of rows with these `numbers`; `left`: the other parties' bits."""
        return trees.margins(self.forest, self.loss.outputs, self.base, numbers, left)

    def score_columns(self, margins: Reals) -> dict[str, NDArray[Any]]:
        """Return what a user reads of margins [outputs, rows]: `score`, or `predicted` and a probability per class."""
        return score_columns(self.loss, self.classes, margins)

    def must_suit(self, settings: BoostSettings) -> None:
        """Raise HanseError("model.differs") unless the training that the settings say can go on from this model."""
        wanted, had = _said(settings.loss), _said(self.loss)
        if wanted != had:
            cause = f"the model was trained for {had}, this training is for {wanted}"
            raise fault("model.differs", cause, "train with the settings of the model, or without it")


def score_columns(loss: Loss, classes: Sequence[float], margins: Reals) -> dict[str, NDArray[Any]]:
    """Return the columns of scores that margins [outputs, rows] stand for, by name.

    Multiclass: `predicted`, the label of the likeliest class, and `probability_<label>` of each; else `score`.
    """
    found = gradients.scores(loss, margins)
    if loss.name != "multiclass":
        return {"score": found[0]}
    labels = np.array(classes)
    predicted = (labels.astype(np.int64) if _are_whole(labels) else labels)[np.argmax(found, axis=0)]
    chances = zip(name_classes(classes), found, strict=True)
    return {"predicted": predicted, **{f"probability_{name}": column for name, column in chances}}


def name_classes(classes: Sequence[float]) -> list[str]:
    """Return the labels of classes as texts: whole numbers without a point."""
    whole = _are_whole(np.array(classes))
    return [str(int(label)) if whole else repr(float(label)) for label in classes]


def _are_whole(labels: Reals) -> bool:
    return bool(np.all((labels == np.round(labels)) & (np.abs(labels) < 1 << 53)))


def _said(loss: Loss) -> str:
    match loss.name:
        case "multiclass":
            return f"{loss.classes} classes"
        case "tweedie":
            return f"tweedie of power {loss.power:g}"
        case "quantile":
            return f"the quantile {loss.alpha:g}"
        case name:
            return str(name)
