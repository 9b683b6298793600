import itertools
from typing import Any

import msgspec
import numpy as np
import pytest

from hanse.kernel.trees import OWN, Growth
from hanse.sdk.boosting.features import Features
from hanse.sdk.boosting.importance import importance
from hanse.sdk.boosting.sampling import Lot
from hanse.sdk.boosting.settings import BoostSettings
from hanse.sdk.boosting.state import Boosting, Snapshot
from hanse.sdk.boosting.targets import Targets
from hanse.sdk.boosting.treeview import view
from hanse.sdk.table import Table

ROWS = 400
DRAW = np.random.default_rng(2)
SIGNAL, BESIDE = DRAW.standard_normal((2, ROWS))
CITY = DRAW.integers(0, 6, ROWS)
LABEL = (SIGNAL + 0.5 * np.isin(CITY, (1, 4)) > 0.2).astype(np.float64)
TABLE = Table.of(
    {
        "id": [f"r{row}" for row in range(ROWS)],
        "y": LABEL,
        "signal": SIGNAL,
        "beside": BESIDE,
        "city": [f"city {code}" for code in CITY],
    },
    id="id",
    label="y",
)
SETTINGS: dict[str, Any] = {"trees": 4, "depth": 3, "row_sample": 0.8, "early_stopping_rounds": 3, "column_sample": 0.7}


class Training:
    """A training on the first 300 rows, with the others to look at."""

    def __init__(self, **settings: Any) -> None:
        self.settings = BoostSettings(**{**SETTINGS, **settings})
        rows, valid = TABLE.take(np.arange(300)), TABLE.take(np.arange(300, ROWS))
        lot = Lot.draw(rows.ids(), self.settings)
        self.features = Features.fit(rows, lot, self.settings)
        self.columns = self.features.columns(rows, lot, self.settings)
        self.passengers = self.features.passengers(rows, lot, valid)
        train, checked = (Targets.read(table, self.settings, "training") for table in (rows, valid))
        self.fit = Boosting.start(self.settings, lot, train, checked, bytes(32))

    def grow(self, rounds: int) -> Boosting:
        for _ in range(rounds):
            (chosen,) = self.fit.chosen([len(self.features.names)])
            growths = [
                Growth(
                    self.columns,
                    g,
                    h,
                    self.settings.rules,
                    self.settings.form,
                    passengers=self.passengers,
                    chosen=chosen,
                )
                for g, h in zip(*self.fit.gradients(), strict=True)
            ]
            for growth in growths:
                growth.grow_alone()
            self.fit.add(growths)
        return self.fit


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_a_training_restored_after_its_best_round_keeps_the_trees_up_to_it(rounds: int) -> None:
    settings = {"trees": 500, "learning_rate": 1.0, "early_stopping_rounds": 4, "depth": 5}
    straight, before, after = (Training(**settings) for _ in range(3))
    after.fit.restore(before.grow(rounds).snapshot())
    for training in (straight, after):
        while not training.fit.finished:
            training.grow(1)
    assert after.fit.best_rounds == straight.fit.best_rounds < straight.fit.rounds
    np.testing.assert_array_equal(after.fit.scores()["score"], straight.fit.scores()["score"])


@pytest.mark.parametrize("objective", ["binary", "multiclass", "quantile"])
def test_a_restored_state_goes_on_as_if_nothing_had_happened(objective: str) -> None:
    straight, before, after = (Training(objective=objective) for _ in range(3))
    straight.grow(4)
    saved = msgspec.msgpack.encode(before.grow(2).snapshot())
    after.fit.restore(msgspec.msgpack.decode(saved, type=Snapshot))
    after.grow(2)
    assert after.fit.curves == straight.fit.curves
    for name, column in straight.fit.scores().items():
        np.testing.assert_array_equal(after.fit.scores()[name], column)
    forest, again = (one.fit.ensemble(one.features).forest for one in (straight, after))
    for name, array in forest.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)


def test_the_loss_falls_with_every_tree() -> None:
    curve = Training(column_sample=1.0).grow(4).curves["train_log_loss"]
    assert all(later < earlier for earlier, later in itertools.pairwise(curve))


def test_a_training_that_no_longer_gets_better_is_finished() -> None:
    training = Training(trees=500, learning_rate=1.0, early_stopping_rounds=2, depth=5)
    while not training.fit.finished:
        training.grow(1)
    fit = training.fit
    assert fit.rounds == fit.best_rounds + 2 < 500
    assert fit.best_rounds == int(np.argmax(fit.curves["valid_auc"])) + 1
    assert fit.kept_trees == len(fit.ensemble(training.features).forest) == fit.best_rounds


def test_a_round_has_a_tree_for_each_class() -> None:
    training = Training(objective="multiclass")
    with pytest.raises(ValueError, match="2 trees"):
        training.fit.add([])
    assert training.grow(3).figures()["trees_grown"] == 6


def test_importance_sums_what_each_feature_gained() -> None:
    training = Training(column_sample=1.0)
    forest = training.grow(4).ensemble(training.features).forest
    lines = importance(forest, OWN, training.features.names)
    assert lines[0]["feature"] == "signal"
    assert [line["gain"] for line in lines] == sorted((line["gain"] for line in lines), reverse=True)
    inner = forest.party == OWN
    assert sum(line["gain"] for line in lines) == pytest.approx(float(forest.gain[inner].sum()))
    assert sum(line["cover"] for line in lines) == pytest.approx(float(forest.cover[inner].sum()))
    assert sum(line["splits"] for line in lines) == int(inner.sum())


def test_a_view_of_the_trees_says_what_they_do() -> None:
    training = Training(column_sample=1.0, early_stopping_rounds=0)
    ensemble = training.grow(4).ensemble(training.features)
    shown = view(ensemble)
    assert shown["trees"] == len(shown["shown"]) == 4
    row = {"signal": SIGNAL, "beside": BESIDE, "city": [f"city {code}" for code in CITY]}
    by_view = np.full(ROWS, float(ensemble.base[0]))
    for tree in shown["shown"]:
        for number in range(ROWS):
            node = tree["nodes"][0]
            while "weight" not in node:
                value = row[node["feature"]][number]
                goes_left = value in node["one_of"] if "one_of" in node else value <= node["at_most"]
                node = tree["nodes"][node["left" if goes_left else "right"]]
            by_view[number] += node["weight"]
    np.testing.assert_allclose(ensemble.margins(ensemble.numbers(TABLE))[0], by_view, rtol=0, atol=1e-12)


def test_a_view_says_nothing_of_anothers_thresholds() -> None:
    training = Training(column_sample=1.0, depth=1)
    ensemble = training.grow(1).ensemble(training.features)
    ensemble.forest.party[0], ensemble.forest.index[0] = 2, 1
    root = view(ensemble, ["host-1", "host-2"], [[], ["feature #9", "feature #4"]])["shown"][0]["nodes"][0]
    assert (root["party"], root["feature"]) == ("host-2", "feature #4")
    assert set(root) == {"party", "feature", "gain", "cover", "left", "right"}


def test_a_long_forest_is_shown_in_part() -> None:
    training = Training(trees=120, depth=1, early_stopping_rounds=0)
    shown = view(training.grow(105).ensemble(training.features))
    assert shown["trees"] == 105
    assert len(shown["shown"]) == 100
