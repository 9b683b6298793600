from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.components.local_boost.local_boost import Settings, component
from hanse.core.faults import HanseError
from hanse.kernel.binning import bin_columns
from hanse.sdk import Model, Report, Table, run

Reals = NDArray[np.float64]
Columns = dict[str, Any]

ROWS = 3000
CODES = [f"x{number}" for number in range(6)]


def population(rows: int = ROWS, seed: int = 8) -> tuple[Reals, Reals]:
    """Return six columns of codes, and a number that depends on them."""
    draw = np.random.default_rng(seed)
    numbers = draw.standard_normal((6, rows))
    signal = numbers[0] + numbers[1] * numbers[2] - np.abs(numbers[3])
    return bin_columns(numbers, 16).codes.astype(np.float64), signal + 0.3 * draw.standard_normal(rows)


def labels(objective: str, signal: Reals) -> Reals:
    draw = np.random.default_rng(9)
    mean = np.exp(0.5 * signal)
    made: dict[str, Reals] = {
        "binary": (signal > 0).astype(np.float64),
        "multiclass": np.digitize(signal, [-1.5, 0.5]).astype(np.float64),
        "regression": signal,
        "quantile": signal,
        "poisson": draw.poisson(mean).astype(np.float64),
        "gamma": draw.gamma(2, mean / 2) + 1e-3,
        "tweedie": draw.poisson(mean) * draw.gamma(2, 0.5, len(signal)),
        "ranking": np.digitize(signal, [-1.5, 0.0, 1.0]).astype(np.float64),
    }
    return made[objective]


def table(columns: Reals, label: Reals, **more: Any) -> Table:
    named = {f"x{index}": np.ascontiguousarray(column) for index, column in enumerate(columns)}
    ids = [f"r{row}" for row in range(len(label))]
    return Table.of({"id": ids, "y": label, **named, **more}, id="id", label="y")


def fit(settings: Settings, train: Table, valid: Table | None = None, warm: Model | None = None) -> dict[str, Any]:
    return dict(run(component, settings, {"guest": {"train": train, "valid": valid, "warm": warm}})["guest"])


def columns_of(scored: Any) -> dict[str, Reals]:
    assert isinstance(scored, Table)
    names = scored.schema.features
    return dict(zip(names, scored.numbers(names), strict=True))


def score(settings: Settings, model: Any, rows: Table) -> dict[str, Reals]:
    given = {"guest": {"model": model, "table": rows}}
    return columns_of(run(component, settings, given, apply=True)["guest"]["scores"])


def figures(fitted: dict[str, Any]) -> dict[str, Any]:
    report = fitted["report"]
    assert isinstance(report, Report)
    return dict(report.values)


XGBOOST: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic"},
    "multiclass": {"objective": "multi:softprob", "num_class": 3},
    "regression": {"objective": "reg:squarederror"},
    "poisson": {"objective": "count:poisson"},
    "gamma": {"objective": "reg:gamma"},
    "tweedie": {"objective": "reg:tweedie", "tweedie_variance_power": 1.5},
}
PLAIN = {"max_depth": 4, "eta": 0.3, "lambda": 1, "tree_method": "hist", "max_bin": 64, "nthread": 1}


def by_xgboost(
    model: Model, columns: Reals, label: Reals, rounds: int, options: dict[str, Any], **about: Any
) -> NDArray[np.float32]:
    """Return what xgboost says of its training rows after so many rounds from the same beginning, [rows(, classes)]."""
    xgboost = pytest.importorskip("xgboost", reason="xgboost is in the extra [ml]")
    base = np.array(model.details["base"], np.float64)
    data = xgboost.DMatrix(columns.T, label, base_margin=np.tile(base, (len(label), 1)), **about)
    found: NDArray[np.float32] = xgboost.train({**PLAIN, **options}, data, rounds).predict(data)
    return found


def shown(scored: dict[str, Reals]) -> Reals:
    """Return scores in the shape of `by_xgboost`."""
    chances = [column for name, column in scored.items() if name.startswith("probability_")]
    return np.stack(chances, 1) if chances else scored["score"]


def apart(mine: Reals, theirs: NDArray[np.float32]) -> float:
    """How far apart all but the worst hundredth of the scores are, against their spread."""
    return float(np.quantile(np.abs(mine - theirs), 0.99) / np.std(theirs))


@pytest.mark.parametrize("objective", XGBOOST)
def test_it_agrees_with_xgboost_on_the_binned_columns(objective: str) -> None:
    columns, signal = population()
    label = labels(objective, signal)
    classes = 3 if objective == "multiclass" else 2
    settings = Settings(trees=12, objective=objective, classes=classes)  # type: ignore[arg-type]
    ours = fit(settings, table(columns, label))
    theirs = by_xgboost(ours["model"], columns, label, 12, XGBOOST[objective])
    assert apart(shown(columns_of(ours["scores"])), theirs) < 0.01


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "l1": ({"reg_alpha": 3.0}, {"alpha": 3.0}),
    "bounds": ({"min_child_weight": 40.0, "min_split_gain": 2.0}, {"min_child_weight": 40, "gamma": 2}),
    "step": ({"max_delta_step": 0.2}, {"max_delta_step": 0.2}),
    "leaf": (
        {"growth": "leaf", "leaves": 9, "depth": 6},
        {"grow_policy": "lossguide", "max_leaves": 9, "max_depth": 6},
    ),
    "monotone": (
        {"monotone_increasing": ("x0", "x1"), "monotone_decreasing": ("x3",)},
        {"monotone_constraints": "(1,1,0,-1,0,0)"},
    ),
}


@pytest.mark.parametrize(("mine", "theirs"), CASES.values(), ids=CASES)
def test_its_settings_mean_what_they_mean_to_xgboost(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    columns, signal = population()
    label = labels("binary", signal)
    ours = fit(Settings(trees=10, **mine), table(columns, label))
    said = by_xgboost(ours["model"], columns, label, 10, {**XGBOOST["binary"], **theirs})
    assert apart(shown(columns_of(ours["scores"])), said) < 0.01


def test_missing_values_go_where_xgboost_sends_them() -> None:
    columns, signal = population()
    columns[0, np.random.default_rng(1).random(ROWS) < 0.3] = np.nan
    columns[3, signal > 1] = np.nan
    label = labels("binary", signal)
    ours = fit(Settings(trees=10), table(columns, label))
    said = by_xgboost(ours["model"], columns, label, 10, XGBOOST["binary"])
    assert apart(shown(columns_of(ours["scores"])), said) < 0.01
    assert score(Settings(), ours["model"], table(columns, label))["score"].tolist() == (
        columns_of(ours["scores"])["score"].tolist()
    )


def test_weights_count_as_they_do_for_xgboost() -> None:
    columns, signal = population()
    label, weights = labels("binary", signal), np.random.default_rng(2).uniform(0.1, 4, ROWS)
    ours = fit(Settings(trees=10, weight="w"), table(columns, label, w=weights))
    said = by_xgboost(ours["model"], columns, label, 10, XGBOOST["binary"], weight=weights)
    assert apart(shown(columns_of(ours["scores"])), said) < 0.01
    assert {line["feature"] for line in figures(ours)["importance"]} <= set(CODES)


def test_rows_of_weight_two_are_rows_that_are_there_twice() -> None:
    columns, signal = population(400)
    label, twice = labels("regression", signal), np.arange(400) % 3 == 0
    doubled = np.concatenate([np.arange(400), np.flatnonzero(twice)])
    weighed = fit(Settings(trees=5, objective="regression", weight="w"), table(columns, label, w=1.0 + twice))
    repeated = fit(Settings(trees=5, objective="regression"), table(columns[:, doubled], label[doubled]))
    found, expected = (columns_of(one["scores"])["score"] for one in (weighed, repeated))
    np.testing.assert_allclose(found, expected[:400], rtol=0, atol=1e-9)


def test_categories_are_split_as_xgboost_splits_them() -> None:
    xgboost = pytest.importorskip("xgboost", reason="xgboost is in the extra [ml]")
    draw = np.random.default_rng(4)
    cities = draw.integers(0, 12, ROWS)
    effect = draw.standard_normal(12)[cities]
    label = ((effect + 0.5 * draw.standard_normal(ROWS)) > 0).astype(np.float64)
    columns = draw.integers(0, 9, (1, ROWS)).astype(np.float64)
    named = np.array([f"city {city:02d}" for city in range(12)])[cities].tolist()
    ours = fit(Settings(trees=6, depth=3), table(columns, label, city=named))
    base = np.full(ROWS, ours["model"].details["base"][0])
    both = np.stack([columns[0], cities.astype(np.float64)], 1)
    data = xgboost.DMatrix(both, label, base_margin=base, feature_types=["q", "c"], enable_categorical=True)
    options = {**PLAIN, **XGBOOST["binary"], "max_depth": 3, "max_cat_to_onehot": 4}
    theirs = xgboost.train(options, data, 6).predict(data)
    mine = columns_of(ours["scores"])["score"]
    loss = [-np.mean(label * np.log(p) + (1 - label) * np.log(1 - p)) for p in (mine, theirs.astype(np.float64))]
    assert loss[0] == pytest.approx(loss[1], rel=0.02)
    assert figures(ours)["importance"][0]["feature"] == "city"


def test_whole_numbers_can_be_names() -> None:
    draw = np.random.default_rng(4)
    codes = draw.integers(0, 12, 800)
    label = np.isin(codes, [1, 4, 6, 11]).astype(np.float64)
    rows = Table.of({"id": [f"r{row}" for row in range(800)], "y": label, "plan": codes}, id="id", label="y")
    settings = Settings(trees=3, depth=1, categorical=("plan",))
    fitted = fit(settings, rows)
    assert figures(fitted)["curves"]["train_error"][0] == 0
    (root, *_) = figures(fitted)["tree_view"]["shown"][0]["nodes"]
    assert sorted(root["one_of"], key=int) in (
        ["1", "4", "6", "11"],
        [str(c) for c in range(12) if not label[codes == c].any()],
    )
    strange = Table.of({"id": ["a", "b"], "plan": [4, 99]}, id="id")
    found = score(settings, fitted["model"], strange)["score"]
    assert np.isfinite(found).all()
    assert found[0] > 0.5


def test_a_quantile_has_its_share_of_the_labels_below() -> None:
    columns, signal = population()
    for alpha in (0.2, 0.8):
        settings = Settings(trees=40, objective="quantile", quantile_alpha=alpha)
        fitted = fit(settings, table(columns, signal))
        below = np.mean(signal <= columns_of(fitted["scores"])["score"])
        assert below == pytest.approx(alpha, abs=0.04)


def test_a_ranking_puts_the_relevant_first() -> None:
    columns, signal = population()
    label, groups = labels("ranking", signal), np.random.default_rng(3).integers(0, 150, ROWS)
    for name, column in (("number", groups), ("text", [f"query {group}" for group in groups])):
        settings = Settings(trees=10, objective="ranking", group=name)
        curve = figures(fit(settings, table(columns, label, **{name: column})))["curves"]["train_ndcg"]
        assert curve[-1] > curve[0] + 0.04


def test_classes_keep_their_labels() -> None:
    columns, signal = population(900)
    label = np.array([7.0, 20.0, 3.0])[labels("multiclass", signal).astype(int)]
    settings = Settings(trees=8, objective="multiclass", classes=3)
    fitted = fit(settings, table(columns, label))
    found = columns_of(fitted["scores"])
    assert list(found) == ["predicted", "probability_3", "probability_7", "probability_20"]
    chances = np.stack([found[f"probability_{name}"] for name in (3, 7, 20)])
    np.testing.assert_allclose(chances.sum(axis=0), 1, atol=1e-12)
    np.testing.assert_array_equal(found["predicted"], np.array([3, 7, 20])[chances.argmax(axis=0)])
    assert np.mean(found["predicted"] == label) > 0.8
    again = score(settings, fitted["model"], table(columns, label))
    for name, column in found.items():
        np.testing.assert_array_equal(again[name], column)
    assert {tree["class"] for tree in figures(fitted)["tree_view"]["shown"]} == {"3", "7", "20"}


def test_another_number_of_classes_is_refused_with_the_number_that_is_there() -> None:
    columns, signal = population(300)
    with pytest.raises(HanseError) as error:
        fit(Settings(objective="multiclass", classes=4), table(columns, labels("multiclass", signal)))
    assert error.value.fault.code == "label.classes"
    assert error.value.fault.remedy == "set classes to 3"


def test_scoring_the_training_rows_gives_the_training_scores() -> None:
    columns, signal = population(800)
    rows, settings = table(columns, labels("binary", signal)), Settings(trees=5)
    fitted = fit(settings, rows)
    assert fitted["scores"].schema.names == ("id", "y", "score")
    again = score(settings, fitted["model"], rows)["score"]
    np.testing.assert_array_equal(again, columns_of(fitted["scores"])["score"])


def test_early_stopping_keeps_the_trees_up_to_the_best() -> None:
    columns, signal = population(600)
    label = labels("binary", signal + 2 * np.random.default_rng(0).standard_normal(600))
    train, valid = table(columns[:, :300], label[:300]), table(columns[:, 300:], label[300:])
    settings = Settings(trees=60, learning_rate=1.0, early_stopping_rounds=3, early_stopping_metric="log_loss")
    fitted = fit(settings, train, valid)
    said = figures(fitted)
    curve = said["curves"]["valid_log_loss"]
    assert said["trees"] == int(np.argmin(curve)) + 1 == len(curve) - 3
    chance = score(settings, fitted["model"], valid)["score"]
    loss = -np.mean(label[300:] * np.log(chance) + (1 - label[300:]) * np.log(1 - chance))
    assert loss == pytest.approx(min(curve), abs=1e-12)
    trained = score(settings, fitted["model"], train)["score"]
    np.testing.assert_allclose(trained, columns_of(fitted["scores"])["score"], rtol=0, atol=1e-12)


def test_early_stopping_without_validation_rows_is_refused() -> None:
    columns, signal = population(100)
    with pytest.raises(HanseError) as error:
        fit(Settings(early_stopping_rounds=2), table(columns, labels("binary", signal)))
    assert error.value.fault.code == "valid.absent"


@pytest.mark.parametrize("objective", ["binary", "multiclass"])
def test_training_on_from_a_model_gives_what_one_training_gives(objective: str) -> None:
    columns, signal = population(900)
    label = labels(objective, signal)
    rows, valid = table(columns[:, :700], label[:700]), table(columns[:, 700:], label[700:])
    classes = 3 if objective == "multiclass" else 2
    whole, half = (Settings(trees=trees, objective=objective, classes=classes) for trees in (8, 4))  # type: ignore[arg-type]
    straight = fit(whole, rows, valid)
    first = fit(half, rows, valid)
    second = fit(half, rows, valid, first["model"])
    for name, column in columns_of(straight["scores"]).items():
        np.testing.assert_allclose(columns_of(second["scores"])[name], column, rtol=0, atol=1e-12)
    once, again = figures(straight), figures(second)
    assert again["trees"] == once["trees"]
    assert again["rounds_before"] == 4
    for name, curve in once["curves"].items():
        np.testing.assert_allclose(again["curves"][name], curve[4:], rtol=0, atol=1e-12)
    by_model = score(whole, second["model"], valid)
    for name, column in score(whole, straight["model"], valid).items():
        np.testing.assert_allclose(by_model[name], column, rtol=0, atol=1e-12)


def test_a_model_is_trained_on_with_new_columns_and_new_categories() -> None:
    columns, signal = population(900)
    label = labels("binary", signal)
    cities = np.array(["Bern", "Rome", "Oslo", "Riga"])[np.random.default_rng(5).integers(0, 4, 900)]
    first = fit(Settings(trees=4), table(columns[:3, :400], label[:400], city=cities[:400].tolist()))
    later = cities[400:].copy()
    later[::7] = "Kyiv"
    rows = table(columns[:, 400:], label[400:], city=later.tolist())
    second = fit(Settings(trees=4), rows, None, first["model"])
    kept = second["model"].details["features"]["names"]
    assert list(kept[:4]) == ["x0", "x1", "x2", "city"]
    assert set(kept[4:]) == {"x3", "x4", "x5"}
    again = score(Settings(), second["model"], rows)["score"]
    np.testing.assert_allclose(again, columns_of(second["scores"])["score"], rtol=0, atol=1e-12)
    assert figures(second)["trees"] == 8


DIFFERENT: dict[str, tuple[dict[str, Any], str]] = {
    "objective": ({"objective": "regression"}, "model.differs"),
    "columns": ({"weight": "x0"}, "model.features"),
    "kinds": ({"categorical": ("x1",)}, "model.features"),
}


@pytest.mark.parametrize(("changed", "code"), DIFFERENT.values(), ids=DIFFERENT)
def test_a_model_that_does_not_fit_is_not_trained_on(changed: dict[str, Any], code: str) -> None:
    columns, signal = population(300)
    whole = {f"x{index}": column.astype(np.int64) for index, column in enumerate(columns)}
    ids = [f"r{row}" for row in range(300)]
    rows = Table.of({"id": ids, "y": labels("binary", signal), **whole}, id="id", label="y")
    model = fit(Settings(trees=1), rows)["model"]
    with pytest.raises(HanseError) as error:
        fit(Settings(trees=1, **changed), rows, None, model)
    assert error.value.fault.code == code


def test_a_model_with_splits_of_others_is_not_trained_on_alone() -> None:
    columns, signal = population(100)
    rows = table(columns, labels("binary", signal))
    model = fit(Settings(trees=1), rows)["model"]
    model.arrays["party"][0] = 1
    with pytest.raises(HanseError) as error:
        fit(Settings(trees=1), rows, None, model)
    assert error.value.fault.code == "model.other"


def test_a_model_of_the_first_release_is_refused_in_words() -> None:
    columns, signal = population(50)
    rows = table(columns, labels("binary", signal))
    old = Model({"party": np.zeros((1, 1), np.int16)}, {"features": ["x0"], "base": 0.0, "objective": "binary"})
    with pytest.raises(HanseError) as error:
        score(Settings(), old, rows)
    assert error.value.fault.code == "model.version"


def test_rows_that_are_not_drawn_are_scored_and_do_not_count() -> None:
    columns, signal = population(1000)
    label = labels("binary", signal)
    settings = Settings(trees=6, row_sample=0.5, sample_seed=4)
    fitted = fit(settings, table(columns, label))
    said = figures(fitted)
    assert 400 < said["rows_counted"] < 600
    assert said["rows"] == 1000
    found = columns_of(fitted["scores"])["score"]
    np.testing.assert_allclose(
        score(settings, fitted["model"], table(columns, label))["score"], found, rtol=0, atol=1e-12
    )
    other = fit(Settings(trees=6, row_sample=0.5, sample_seed=5), table(columns, label))
    assert np.abs(columns_of(other["scores"])["score"] - found).max() > 1e-3


def test_the_order_of_the_rows_changes_nothing() -> None:
    columns, signal = population(700)
    rows = table(columns, labels("binary", signal))
    turned = np.random.default_rng(6).permutation(700)
    settings = Settings(trees=4, row_sample=0.8, column_sample=0.5)
    found, other = (columns_of(fit(settings, one)["scores"])["score"] for one in (rows, rows.take(turned)))
    np.testing.assert_array_equal(other, found[turned])


def test_columns_are_drawn_anew_in_each_round() -> None:
    columns, signal = population(600)
    fitted = fit(Settings(trees=12, column_sample=0.34), table(columns, labels("binary", signal)))
    used = [
        {node["feature"] for node in tree["nodes"] if "feature" in node}
        for tree in figures(fitted)["tree_view"]["shown"]
    ]
    assert max(map(len, used)) <= 2
    assert len(set.union(*used)) > 2


def test_a_monotone_column_never_turns() -> None:
    columns, signal = population()
    columns[0] = np.where(np.random.default_rng(7).random(ROWS) < 0.2, np.nan, columns[0])
    settings = Settings(trees=15, monotone_increasing=("x0",), monotone_decreasing=("x3",))
    fitted = fit(settings, table(columns, labels("binary", signal)))
    probe = np.tile(columns[:, 11:12], (1, 16))
    for column, sign in ((0, 1), (3, -1)):
        turned = probe.copy()
        turned[column] = np.arange(16)
        found = score(settings, fitted["model"], table(turned, np.zeros(16)))["score"]
        assert np.all(sign * np.diff(found) >= 0)
        assert found[-1] != found[0]


INVALID: dict[str, dict[str, Any]] = {
    "metric": {"objective": "regression", "early_stopping_metric": "auc"},
    "leaves": {"growth": "leaf", "depth": 3, "leaves": 9},
    "no group": {"objective": "ranking"},
    "group of no ranking": {"group": "g"},
    "both ways": {"monotone_increasing": ["a"], "monotone_decreasing": ["a"]},
    "order of names": {"monotone_increasing": ["a"], "categorical": ["a"]},
}


@pytest.mark.parametrize("settings", INVALID.values(), ids=INVALID)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(HanseError) as error:
        Settings.parse(settings)
    assert error.value.fault.code == "settings.invalid"


def test_importance_names_the_columns_that_matter() -> None:
    columns, signal = population()
    lines = figures(fit(Settings(), table(columns, labels("binary", signal))))["importance"]
    assert {line["feature"] for line in lines[:4]} == {"x0", "x1", "x2", "x3"}
    assert all(line["party"] == "guest" for line in lines)
    assert all(line["gain"] > 0 and line["cover"] > 0 and line["splits"] > 0 for line in lines)


def test_columns_with_infinite_values_are_named() -> None:
    columns, signal = population(100)
    columns[2, 5] = np.inf
    with pytest.raises(HanseError) as error:
        fit(Settings(trees=1), table(columns, labels("binary", signal)))
    assert error.value.fault.code == "column.infinite"
    assert "x2" in error.value.fault.cause
