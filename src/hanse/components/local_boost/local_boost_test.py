import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.components.local_boost.local_boost import Settings, component
from hanse.core.faults import HanseError
from hanse.kernel.intervals import bin_columns
from hanse.kernel.metrics import auc
from hanse.sdk import Report, Table, run


def population(rows: int = 3000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    draw = np.random.default_rng(8)
    numbers = draw.standard_normal((6, rows))
    odds = numbers[0] + numbers[1] * numbers[2] - np.abs(numbers[3])
    return numbers, (draw.random(rows) < 1 / (1 + np.exp(-2 * odds))).astype(np.float64)


def table(numbers: NDArray[np.float64], labels: NDArray[np.float64]) -> Table:
    columns = {f"x{index}": column for index, column in enumerate(numbers)}
    return Table.of({"id": [f"r{row}" for row in range(len(labels))], "y": labels, **columns}, id="id", label="y")


def fit(settings: Settings, train: Table, valid: Table | None = None) -> dict[str, object]:
    return dict(run(component, settings, {"guest": {"train": train, "valid": valid}})["guest"])


def score(settings: Settings, model: object, rows: Table) -> NDArray[np.float64]:
    found = run(component, settings, {"guest": {"model": model, "table": rows}}, apply=True)["guest"]["scores"]  # type: ignore[dict-item]
    assert isinstance(found, Table)
    column: NDArray[np.float64] = found.numbers(["score"])[0]
    return column


@pytest.mark.parametrize("objective", ["binary", "regression"])
def test_it_agrees_with_xgboost_on_the_binned_columns(objective: str) -> None:
    xgboost = pytest.importorskip("xgboost", reason="xgboost is in the extra [ml]")
    numbers, labels = population()
    codes = bin_columns(numbers, 16).codes.astype(np.float64)
    settings = Settings(trees=15, depth=4, objective=objective, max_bins=16)  # type: ignore[arg-type]
    ours = fit(settings, table(codes, labels))["scores"]
    assert isinstance(ours, Table)
    mine = ours.numbers(["score"])[0]
    loss = "binary:logistic" if objective == "binary" else "reg:squarederror"
    options = {"max_depth": 4, "eta": 0.3, "lambda": 1, "objective": loss, "tree_method": "hist", "nthread": 1}
    data = xgboost.DMatrix(codes.T, labels)
    theirs = xgboost.train({**options, "base_score": float(labels.mean())}, data, 15).predict(data)
    assert abs(auc(labels, mine) - auc(labels, theirs.astype(np.float64))) < 0.002
    assert np.quantile(np.abs(mine - theirs), 0.99) < 0.01


def test_scoring_the_training_rows_gives_the_training_scores() -> None:
    numbers, labels = population(800)
    settings = Settings(trees=5)
    fitted = fit(settings, table(numbers, labels))
    trained = fitted["scores"]
    assert isinstance(trained, Table)
    assert trained.schema.names == ("id", "y", "score")
    again = score(settings, fitted["model"], table(numbers, labels))
    np.testing.assert_array_equal(again, trained.numbers(["score"])[0])


def test_early_stopping_keeps_the_trees_up_to_the_best() -> None:
    numbers, labels = population(600)
    train, valid = table(numbers[:, :300], labels[:300]), table(numbers[:, 300:], labels[300:])
    settings = Settings(trees=60, learning_rate=1.0, early_stopping_rounds=3, early_stopping_metric="log_loss")
    fitted = fit(settings, train, valid)
    report = fitted["report"]
    assert isinstance(report, Report)
    curve = report.values["curves"]["valid_log_loss"]
    assert report.values["trees"] == int(np.argmin(curve)) + 1 == len(curve) - 3
    chance = score(settings, fitted["model"], valid)
    loss = -np.mean(labels[300:] * np.log(chance) + (1 - labels[300:]) * np.log(1 - chance))
    assert loss == pytest.approx(min(curve), abs=1e-12)


def test_a_metric_that_does_not_suit_the_objective_is_refused() -> None:
    with pytest.raises(HanseError):
        Settings.parse({"objective": "regression", "early_stopping_metric": "auc"})


def test_importance_names_the_columns_that_matter() -> None:
    numbers, labels = population()
    report = fit(Settings(), table(numbers, labels))["report"]
    assert isinstance(report, Report)
    lines = report.values["importance"]
    assert {line["feature"] for line in lines[:4]} == {"x0", "x1", "x2", "x3"}
    assert all(line["party"] == "guest" for line in lines)
