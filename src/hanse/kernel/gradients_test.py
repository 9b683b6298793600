from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hanse.core.faults import HanseError
from hanse.kernel import gradients
from hanse.kernel.gradients import Loss, Objective

Reals = NDArray[np.float64]


@pytest.mark.parametrize(
    ("loss", "labels", "code"),
    [
        (Loss("binary"), [], "label.invalid"),
        (Loss("binary"), [0, np.nan], "label.invalid"),
        (Loss("binary"), [1, 2], "label.invalid"),
        (Loss("binary"), [1, 1], "label.one_class"),
        (Loss("multiclass", classes=3), [0, 1, 3], "label.invalid"),
        (Loss("multiclass", classes=3), [0, 1, 0.5], "label.invalid"),
        (Loss("multiclass", classes=3), [0, 1, 1], "label.one_class"),
        (Loss("regression"), [1, np.inf], "label.invalid"),
        (Loss("poisson"), [1, -1], "label.invalid"),
        (Loss("poisson"), [0, 0], "label.one_class"),
        (Loss("gamma"), [1, 0], "label.invalid"),
        (Loss("tweedie"), [1, -0.5], "label.invalid"),
        (Loss("tweedie"), [0, 0], "label.one_class"),
        (Loss("ranking"), [1, 32, 0], "label.invalid"),
        (Loss("ranking"), [1.5, 0, 0], "label.invalid"),
        (Loss("ranking"), [1, 1, 3], "label.one_class"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(loss: Loss, labels: list[float], code: str) -> None:
    groups = np.array([0, 2, 3]) if loss.name == "ranking" else None
    with pytest.raises(HanseError) as error:
        gradients.check(loss, np.array(labels, np.float64), None, groups, "training")
    assert error.value.fault.code == code
    assert error.value.fault.remedy


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (Loss("multiclass", classes=3), [0, 1, 1]),
        (Loss("poisson"), [0, 0]),
        (Loss("regression"), [-3, 3]),
        (Loss("quantile"), [5, 5]),
    ],
)
def test_a_validation_table_need_not_tell_all_labels_apart(loss: Loss, labels: list[float]) -> None:
    gradients.check(loss, np.array(labels, np.float64), None, None, "validation")


@pytest.mark.parametrize("weights", [[1, np.nan], [1, -1], [0, 0], [1, 1, 1]])
def test_weights_that_cannot_be_used_are_refused(weights: list[float]) -> None:
    with pytest.raises(HanseError) as error:
        gradients.check(Loss("binary"), np.array([0.0, 1]), np.array(weights, np.float64), None, "training")
    assert error.value.fault.code == "weight.invalid"


def test_a_class_whose_rows_all_weigh_nothing_is_absent() -> None:
    with pytest.raises(HanseError) as error:
        gradients.check(Loss("binary"), np.array([0.0, 1]), np.array([0.0, 1]), None, "training")
    assert error.value.fault.code == "label.one_class"


@pytest.mark.parametrize("groups", [None, [0, 2], [1, 3], [0, 2, 2, 3], [0]])
def test_groups_that_do_not_hold_every_row_once_are_refused(groups: list[int] | None) -> None:
    cuts = None if groups is None else np.array(groups, np.int64)
    with pytest.raises(HanseError) as error:
        gradients.check(Loss("ranking"), np.array([0.0, 1, 2]), None, cuts, "training")
    assert error.value.fault.code == "group.invalid"


def test_rounding_has_the_same_bits_everywhere() -> None:
    g = np.linspace(-1, 1, 9)
    rounded = gradients.quantise(g, np.abs(g) + 0.5, 5, 4, bytes(range(32)))
    assert rounded.g.tolist() == [-15, -12, -7, -4, 0, 4, 7, 11, 15]
    assert rounded.h.tolist() == [15, 12, 10, 7, 5, 8, 10, 13, 15]


def test_integers_go_back_to_what_they_stand_for() -> None:
    g = np.random.default_rng(0).standard_normal(5000)
    rounded = gradients.quantise(g, np.ones(5000), 20, 18, bytes(32))
    rows = np.arange(5000, dtype=np.uint32)
    g_sum, h_sum = (np.array([total]) for total in rounded.total(rows))
    back_g, back_h = rounded.real(g_sum, h_sum)
    assert back_g[0] == pytest.approx(g.sum(), abs=1e-3)
    assert back_h[0] == pytest.approx(5000, rel=1e-12)


LOSSES = {
    "binary": Loss("binary"),
    "multiclass": Loss("multiclass", classes=3),
    "regression": Loss("regression"),
    "poisson": Loss("poisson"),
    "gamma": Loss("gamma"),
    "tweedie": Loss("tweedie", power=1.3),
    "quantile": Loss("quantile", alpha=0.8),
    "ranking": Loss("ranking"),
}


def labels_of(loss: Loss, rows: int) -> Reals:
    draw = np.random.default_rng(3)
    drawn: dict[Objective, Reals] = {
        "binary": draw.integers(0, 2, rows).astype(np.float64),
        "multiclass": draw.integers(0, loss.classes, rows).astype(np.float64),
        "poisson": draw.poisson(2.0, rows).astype(np.float64),
        "gamma": draw.gamma(2.0, 1.5, rows),
        "tweedie": draw.gamma(2.0, 1.5, rows) * draw.integers(0, 2, rows),
        "ranking": draw.integers(0, 4, rows).astype(np.float64),
    }
    return drawn.get(loss.name, draw.standard_normal(rows))


def margins_of(loss: Loss, rows: int) -> Reals:
    return np.random.default_rng(4).standard_normal((loss.outputs, rows))


XGBOOST: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic"},
    "multiclass": {"objective": "multi:softprob", "num_class": 3},
    "regression": {"objective": "reg:squarederror"},
    "poisson": {"objective": "count:poisson"},
    "gamma": {"objective": "reg:gamma"},
    "tweedie": {"objective": "reg:tweedie", "tweedie_variance_power": 1.3},
    "ranking": {
        "objective": "rank:ndcg",
        "lambdarank_normalization": False,
        "lambdarank_score_normalization": False,
        "lambdarank_num_pair_per_sample": 32,
    },
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", XGBOOST)
def test_a_tree_with_a_leaf_for_each_row_steps_as_that_of_xgboost(name: str, weighted: bool) -> None:
    xgboost = pytest.importorskip("xgboost", reason="xgboost is in the extra [ml]")
    loss, rows, groups = LOSSES[name], 60, np.array([0, 25, 40, 60])
    labels, margins = labels_of(loss, rows), margins_of(loss, rows)
    by_group = np.array([0.75, 1.875, 0.375])  # xgboost weighs whole groups, and scales the mean of them to 1
    each = np.repeat(by_group, np.diff(groups)) if name == "ranking" else np.linspace(0.5, 2, rows)
    weights = each if weighted else None
    g, h = gradients.gradients(loss, labels, margins, weights, groups)
    data = xgboost.DMatrix(np.arange(rows, dtype=np.float64)[:, None], labels, base_margin=margins.T)
    if name == "ranking":
        data.set_group(np.diff(groups))
    if weighted:
        data.set_weight(by_group if name == "ranking" else each)
    # λ weighs against h: what is found checks both derivatives
    options = {"eta": 1.0, "lambda": 0.25, "min_child_weight": 0, "max_depth": 0, "max_delta_step": 0, "nthread": 1}
    grown = {"grow_policy": "lossguide", "max_leaves": 0, "tree_method": "hist", "max_bin": 256}
    poisson = {"max_delta_step": 0.7} if name == "poisson" else {}
    model = xgboost.train({**options, **grown, **XGBOOST[name], **poisson}, data, 1)
    leaves = model.predict(data, pred_leaf=True).reshape(rows, -1)
    found = (model.predict(data, output_margin=True).reshape(rows, -1).T - margins).T
    for output in range(loss.outputs):
        for leaf in np.unique(leaves[:, output]):
            inside = leaves[:, output] == leaf
            step = -g[output, inside].sum() / (h[output, inside].sum() + 0.25)
            step = float(np.clip(step, -0.7, 0.7)) if name == "poisson" else step
            np.testing.assert_allclose(found[inside, output], step, rtol=2e-4, atol=2e-5)
        assert len(np.unique(leaves[:, output])) > rows / 4


def test_the_quantile_of_a_leaf_is_that_of_numpy() -> None:
    draw = np.random.default_rng(5)
    values, weights = draw.standard_normal(501).round(1), draw.integers(0, 4, 501).astype(np.float64)
    for alpha in (0.01, 0.25, 0.5, 0.9, 0.999):
        plain = np.quantile(values, alpha, method="inverted_cdf")
        assert gradients.quantile_step(values, None, alpha) == plain
        heavy = np.quantile(values, alpha, method="inverted_cdf", weights=weights)
        assert gradients.quantile_step(values, weights, alpha) == heavy


def test_the_base_is_the_best_constant() -> None:
    for loss in LOSSES.values():
        labels = labels_of(loss, 300)
        weights = np.linspace(0.1, 2, 300)
        base = gradients.base_margins(loss, labels, weights)
        assert base.shape == (loss.outputs,)
        scores = gradients.scores(loss, np.repeat(base[:, None], 300, axis=1))[:, 0]
        mean = float(np.average(labels, weights=weights))
        shares = [np.average(labels == label, weights=weights) for label in range(loss.classes)]
        heavy = float(np.quantile(labels, loss.alpha, method="inverted_cdf", weights=weights))
        expected = {"multiclass": shares, "quantile": [heavy], "ranking": [0.0]}.get(loss.name, [mean])
        np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_rows_are_brought_together_by_group_in_their_order() -> None:
    values = np.array(["b", "a", "b", "c", "a", "b"])
    order, offsets = gradients.group_rows(values)
    assert order.tolist() == [1, 4, 0, 2, 5, 3]
    assert offsets.tolist() == [0, 2, 5, 6]
    one = gradients.group_rows(np.array([7.0]))
    assert (one[0].tolist(), one[1].tolist()) == ([0], [0, 1])
    with pytest.raises(HanseError) as error:
        gradients.group_rows(np.array([1.0, np.nan]))
    assert error.value.fault.code == "group.invalid"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Loss("multiclass"),
        lambda: Loss("multiclass", classes=257),
        lambda: Loss("tweedie", power=2.0),
        lambda: Loss("quantile", alpha=0.0),
        lambda: Loss("quantile", alpha=float("nan")),
    ],
)
def test_numbers_out_of_range_are_refused(make: Callable[[], Loss]) -> None:
    with pytest.raises(ValueError, match="between"):
        make()


def test_columns_that_do_not_belong_together_are_refused() -> None:
    labels, margins = np.array([0.0, 1, 2]), np.zeros((3, 3))
    classes, ranking = Loss("multiclass", classes=3), Loss("ranking")
    wrong: list[tuple[Loss, tuple[Any, ...]]] = [
        (classes, (labels, margins[:2])),
        (classes, (labels + 1, margins)),
        (classes, (labels, margins, np.ones(2))),
        (classes, (labels[:0], margins[:, :0])),
        (ranking, (labels, margins[:1])),
        (ranking, (labels + 0.5, margins[:1], None, np.array([0, 3]))),
        (ranking, (labels, margins[:1], None, np.array([0, 2, 1, 3]))),
        (ranking, (labels, margins[:1], None, np.array([0, 4]))),
    ]
    for loss, parts in wrong:
        with pytest.raises(ValueError, match=" "):
            gradients.gradients(loss, *parts)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(LOSSES)), st.integers(2, 40), st.floats(-900, 900))
def test_gradients_are_finite_and_bends_positive_whatever_the_margin(name: str, rows: int, margin: float) -> None:
    loss, groups = LOSSES[name], np.array([0, rows])
    g, h = gradients.gradients(loss, labels_of(loss, rows), np.full((loss.outputs, rows), margin), None, groups)
    assert np.isfinite(g).all()
    assert np.isfinite(h).all()
    assert (h > 0).all()
