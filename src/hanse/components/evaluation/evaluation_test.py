from typing import Any

import numpy as np
import pytest

from hanse.components.evaluation.evaluation import Settings, component
from hanse.core.faults import HanseError
from hanse.core.roles import GUEST
from hanse.core.schema import UNKNOWN, KnownTable
from hanse.sdk import Report, Table, run

DEFAULT = Settings()


def judge(labels: list[float], scores: list[float | None], settings: Settings = DEFAULT) -> Report:
    ids = [str(number) for number in range(len(labels))]
    table = Table.of({"id": ids, "y": np.array(labels, np.float64), "score": scores}, id="id", label="y")
    report = run(component, settings, {"guest": {"scores": table}})["guest"]["report"]
    assert isinstance(report, Report)
    return report


def test_probabilities_are_judged_by_figures_and_curves() -> None:
    values = judge([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]).values
    assert (values["objective"], values["rows"], values["positives"]) == ("binary", 4, 2)
    assert values["auc"] == 0.75
    assert values["ks"] == 0.5
    assert set(values["curves"]) == {"roc", "ks", "precision_recall", "gain", "lift", "calibration"}
    for curve in values["curves"].values():
        assert 0 < len(curve["x"]) == len(curve["y"]) <= 200


def test_other_labels_are_judged_as_numbers() -> None:
    values = judge([1.5, 2.0, 4.0], [1.5, 2.0, 5.0]).values
    assert values["objective"] == "regression"
    assert values["rmse"] == pytest.approx(np.sqrt(1 / 3))
    assert "auc" not in values


def test_scores_of_many_classes_are_judged_as_a_whole_and_class_by_class() -> None:
    chances = {"probability_0": [0.5, 0.2, 0.1], "probability_1": [0.25, 0.7, 0.1], "probability_2": [0.25, 0.1, 0.8]}
    columns: dict[str, Any] = {"id": ["a", "b", "c"], "y": np.array([0.0, 1.0, 1.0]), "predicted": [0, 1, 2], **chances}
    report = run(component, DEFAULT, {"guest": {"scores": Table.of(columns, id="id", label="y")}})["guest"]["report"]
    assert isinstance(report, Report)
    assert report.values["objective"] == "multiclass"
    assert report.values["log_loss"] == pytest.approx(-np.log([0.5, 0.7, 0.1]).mean())
    assert report.values["error"] == pytest.approx(1 / 3)
    assert report.values["by_class"] == [
        {"class": 0, "rows": 1, "predicted": 1, "precision": 1.0, "recall": 1.0},
        {"class": 1, "rows": 2, "predicted": 1, "precision": 1.0, "recall": 0.5},
        {"class": 2, "rows": 0, "predicted": 1, "precision": 0.0, "recall": None},
    ]


def test_a_report_is_written_as_json_and_read_back(tmp_path: object) -> None:
    report = judge([0, 1], [0.2, 0.7])
    artefact = report.save(tmp_path)  # type: ignore[arg-type]
    assert Report.open(tmp_path).values["curves"]["roc"]["y"][-1] == 1  # type: ignore[arg-type]
    assert artefact.kind == "report"


@pytest.mark.parametrize(
    ("labels", "scores", "settings", "code"),
    [
        ([1, 1], [0.5, 0.6], Settings(), "evaluation.one_class"),
        ([0, 1], [0.5, 1.6], Settings(), "evaluation.score"),
        ([0, 2], [0.5, 0.6], Settings(objective="binary"), "evaluation.label"),
        ([0, 1], [0.5, None], Settings(), "evaluation.missing"),
        ([], [], Settings(), "evaluation.empty"),
    ],
)
def test_what_cannot_be_judged_ends_in_a_clear_error(
    labels: list[float], scores: list[float | None], settings: Settings, code: str
) -> None:
    with pytest.raises(HanseError) as caught:
        judge(labels, scores, settings)
    assert caught.value.fault.code == code
    assert caught.value.fault.remedy


def test_a_missing_label_or_score_is_seen_before_any_row_is_read() -> None:
    assert component.check is not None
    bare = Table.of({"id": ["a"], "x": [1.0]}, id="id").schema
    found = component.check("guest", Settings(), {"scores": KnownTable.of(bare, GUEST)})
    assert [(one.code, one.port) for one in found] == [("label.absent", "scores"), ("column.required", "scores")]
    assert component.check("guest", Settings(), {"scores": UNKNOWN}) == []
