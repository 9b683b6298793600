from typing import Any

import numpy as np
import pytest

from hanse.core.faults import HanseError
from hanse.sdk.boosting.settings import BoostSettings
from hanse.sdk.boosting.targets import Targets
from hanse.sdk.table import Table

LABELS = [1.0, 0.0, 2.0, 1.0, 0.0, 2.0]


def table(labels: list[float], **more: Any) -> Table:
    return Table.of({"id": [f"r{row}" for row in range(len(labels))], "y": labels, **more}, id="id", label="y")


RANKING = BoostSettings(objective="ranking", group="g")


@pytest.mark.parametrize("groups", [["b", "a", "b", "a", "b", "a"], [9, 2, 9, 2, 9, 2], [0.5, 0.1, 0.5, 0.1, 0.5, 0.1]])
def test_a_ranking_is_the_same_however_its_rows_are_ordered(groups: list[Any]) -> None:
    targets = Targets.read(table(LABELS, g=groups), RANKING, "training")
    margins = np.array([[0.3, -0.2, 0.1, 0.0, 0.5, -0.4]])
    g, h = targets.gradients(RANKING.loss, margins)
    order = np.array([4, 1, 0, 5, 3, 2])
    moved = targets.take(order)
    moved_g, moved_h = moved.gradients(RANKING.loss, np.ascontiguousarray(margins[:, order]))
    np.testing.assert_allclose(moved_g, g[:, order], rtol=0, atol=1e-15)
    np.testing.assert_allclose(moved_h, h[:, order], rtol=0, atol=1e-15)
    assert moved.measure(RANKING.loss, margins[:, order]) == pytest.approx(targets.measure(RANKING.loss, margins))
    assert np.abs(g).min() > 0


def test_gradients_sum_to_nothing_within_each_group() -> None:
    groups = ["b", "a", "b", "a", "b", "a"]
    targets = Targets.read(table(LABELS, g=groups), RANKING, "training")
    g, _ = targets.gradients(RANKING.loss, np.array([[0.3, -0.2, 0.1, 0.0, 0.5, -0.4]]))
    assert g[0, ::2].sum() == pytest.approx(0, abs=1e-12)
    assert g[0, 1::2].sum() == pytest.approx(0, abs=1e-12)


def test_validation_rows_have_the_classes_of_the_training() -> None:
    settings = BoostSettings(objective="multiclass", classes=3)
    training = Targets.read(table([5.0, 9.0, 7.0]), settings, "training")
    assert training.classes == (5.0, 7.0, 9.0)
    assert training.labels.tolist() == [0, 2, 1]
    assert Targets.read(table([9.0, 9.0]), settings, "validation", training.classes).labels.tolist() == [2, 2]
    with pytest.raises(HanseError) as error:
        Targets.read(table([9.0, 8.0]), settings, "validation", training.classes)
    assert error.value.fault.code == "label.classes"
    assert "8" in error.value.fault.cause


BAD: dict[str, tuple[BoostSettings, dict[str, Any], str]] = {
    "weight missing": (BoostSettings(weight="w"), {"w": [1.0, None, 1.0]}, "weight.invalid"),
    "weight below 0": (BoostSettings(weight="w"), {"w": [1.0, -1.0, 1.0]}, "weight.invalid"),
    "weight unknown": (BoostSettings(weight="v"), {}, "column.unknown"),
    "weight text": (BoostSettings(weight="w"), {"w": ["a", "b", "c"]}, "column.text"),
    "group missing": (RANKING, {"g": ["a", None, "a"]}, "group.invalid"),
    "number missing": (RANKING, {"g": [1, None, 1]}, "group.invalid"),
    "group unknown": (RANKING, {}, "column.unknown"),
}


@pytest.mark.parametrize(("settings", "more", "code"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_named(settings: BoostSettings, more: dict[str, Any], code: str) -> None:
    with pytest.raises(HanseError) as error:
        Targets.read(table([0.0, 1.0, 1.0], **more), settings, "training")
    assert error.value.fault.code == code
