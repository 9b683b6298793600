import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse.kernel import gradients, metrics
from hanse.kernel.gradients import Loss

LABELS = np.array([0, 0, 1, 1, 0, 1, 0, 1], np.float64)
SCORES = np.array([0.1, 0.4, 0.4, 0.8, 0.3, 0.9, 0.8, 0.4])


def test_the_area_counts_ties_half() -> None:
    pairs = [(p, n) for p in SCORES[LABELS == 1] for n in SCORES[LABELS == 0]]
    by_hand = sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs)
    assert metrics.auc(LABELS, SCORES) == by_hand


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=60))
def test_area_and_distance_equal_their_definitions(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([float(label) for label, _ in rows])
    scores = np.array([score / 5 for _, score in rows])
    if len(set(labels)) < 2:
        with pytest.raises(ValueError, match="both classes"):
            metrics.thresholds(labels, scores)
        return
    found = metrics.thresholds(labels, scores)
    positive, negative = scores[labels > 0.5], scores[labels < 0.5]
    wins = (positive[:, None] > negative).sum() + 0.5 * (positive[:, None] == negative).sum()
    assert metrics.auc_of(found) == pytest.approx(wins / (len(positive) * len(negative)), abs=1e-12)
    distances = [abs((positive >= cut).mean() - (negative >= cut).mean()) for cut in scores]
    assert metrics.ks_of(found) == pytest.approx(max(distances), abs=1e-12)


def test_scores_that_separate_the_classes_are_perfect_and_equal_scores_say_nothing() -> None:
    perfect = metrics.thresholds(LABELS, LABELS)
    assert (metrics.auc_of(perfect), metrics.ks_of(perfect)) == (1, 1)
    blind = metrics.thresholds(LABELS, np.full(8, 0.5))
    assert (metrics.auc_of(blind), metrics.ks_of(blind)) == (0.5, 0)


def test_losses_are_what_they_are_by_hand() -> None:
    assert metrics.log_loss(np.array([1.0, 0.0]), np.array([0.8, 0.4])) == pytest.approx(
        -(np.log(0.8) + np.log(0.6)) / 2
    )
    assert np.isfinite(metrics.log_loss(np.array([1.0, 0.0]), np.array([0.0, 1.0])))
    assert metrics.rmse(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == pytest.approx(np.sqrt(2))
    assert metrics.mean_absolute_error(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 1
    assert metrics.r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])) == 1
    assert np.isnan(metrics.r_squared(np.ones(3), np.ones(3)))


def test_curves_begin_and_end_where_they_must() -> None:
    found = metrics.thresholds(LABELS, SCORES)
    roc, ks, gain = metrics.roc_curve(found), metrics.ks_curve(found), metrics.gain_curve(found)
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    assert (ks.y[0], ks.y[-1]) == (0, 0)
    assert ks.y.max() == pytest.approx(metrics.ks_of(found))
    assert (gain.x[-1], gain.y[-1]) == (1, 1)
    recall = metrics.precision_recall_curve(found)
    assert (recall.y[0], recall.x[-1], recall.y[-1]) == (1, 1, 0.5)
    lift = metrics.lift_curve(found)
    assert (lift.x[-1], lift.y[-1]) == (1, 1)
    assert lift.y[0] == 2


def test_the_area_under_the_drawn_curve_is_the_area() -> None:
    found = metrics.thresholds(LABELS, SCORES)
    roc = metrics.roc_curve(found)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(metrics.auc_of(found))


def test_curves_of_many_rows_are_thinned() -> None:
    scores = np.random.default_rng(1).random(5000)
    labels = (np.random.default_rng(2).random(5000) < scores).astype(np.float64)
    found = metrics.thresholds(labels, scores)
    for draw in (metrics.roc_curve, metrics.ks_curve, metrics.precision_recall_curve, metrics.gain_curve):
        curve = draw(found)
        assert len(curve.x) == len(curve.y) == metrics.POINTS
        assert np.all(np.diff(curve.x) >= 0)
    calibration = metrics.calibration_curve(labels, scores)
    assert len(calibration.x) == 10
    assert np.abs(calibration.x - calibration.y).max() < 0.1


def test_calibration_keeps_equal_scores_together() -> None:
    curve = metrics.calibration_curve(np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.2, 0.9]))
    assert curve.x.tolist() == pytest.approx([0.2, 0.9])
    assert curve.y.tolist() == pytest.approx([2 / 3, 1])


NUMBERS = np.random.default_rng(6)
ROWS = 400
WEIGHTS = NUMBERS.integers(1, 5, ROWS).astype(np.float64)
# rounded: many rows have equal margins
MARGINS = NUMBERS.standard_normal((3, ROWS)).round(1)
COUNTS = NUMBERS.poisson(1.5, ROWS).astype(np.float64)
AMOUNTS = NUMBERS.gamma(2.0, 1.0, ROWS)
CLASSES = NUMBERS.integers(0, 3, ROWS).astype(np.float64)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_figures_are_those_of_scikit_learn(weights: metrics.Reals | None) -> None:
    known = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the extra [ml]")
    one, chance = MARGINS[:1], 1 / (1 + np.exp(-MARGINS[0]))
    binary, numbers = (COUNTS > 1).astype(np.float64), MARGINS[1] * 2

    def check(loss: Loss, labels: metrics.Reals, margins: metrics.Reals, expected: dict[str, float]) -> None:
        found = metrics.measure_each(loss, list(expected), labels, margins, weights)
        assert found == pytest.approx(expected, rel=1e-12)
        for name, value in found.items():
            assert metrics.measure(loss, name, labels, margins, weights) == value

    check(
        Loss("binary"),
        binary,
        one,
        {
            "auc": known.roc_auc_score(binary, one[0], sample_weight=weights),
            "aucpr": known.average_precision_score(binary, one[0], sample_weight=weights),
            "log_loss": known.log_loss(binary, chance, sample_weight=weights),
            "error": 1 - known.accuracy_score(binary, chance > 0.5, sample_weight=weights),
        },
    )
    classes = Loss("multiclass", classes=3)
    shares = gradients.scores(classes, MARGINS)
    np.testing.assert_allclose(shares.sum(axis=0), 1, rtol=1e-14)
    check(
        classes,
        CLASSES,
        MARGINS,
        {
            "log_loss": known.log_loss(CLASSES, shares.T, sample_weight=weights),
            "error": 1 - known.accuracy_score(CLASSES, shares.argmax(axis=0), sample_weight=weights),
        },
    )
    check(
        Loss("regression"),
        numbers,
        one,
        {
            "rmse": known.root_mean_squared_error(numbers, one[0], sample_weight=weights),
            "mae": known.mean_absolute_error(numbers, one[0], sample_weight=weights),
        },
    )
    for loss, labels, power in [
        (Loss("poisson"), COUNTS, 1),
        (Loss("gamma"), AMOUNTS, 2),
        (Loss("tweedie", power=1.7), AMOUNTS * (COUNTS > 0), 1.7),
    ]:
        mean = np.exp(one[0])
        check(
            loss,
            labels,
            one,
            {
                "deviance": known.mean_tweedie_deviance(labels, mean, power=power, sample_weight=weights),
                "rmse": known.root_mean_squared_error(labels, mean, sample_weight=weights),
            },
        )
    check(
        Loss("quantile", alpha=0.8),
        numbers,
        one,
        {
            "pinball": known.mean_pinball_loss(numbers, one[0], alpha=0.8, sample_weight=weights),
            "mae": known.mean_absolute_error(numbers, one[0], sample_weight=weights),
        },
    )


def test_ndcg_is_that_of_scikit_learn() -> None:
    known = pytest.importorskip("sklearn.metrics", reason="scikit-learn is in the extra [ml]")
    groups = np.array([0, 30, 37, 40, 100, 399, 400])
    spans = [slice(*cut) for cut in itertools.pairwise(groups)]
    gains = 2**COUNTS - 1
    weights = np.linspace(0.5, 1.5, ROWS)
    each = {
        span.start: known.ndcg_score([gains[span]], [MARGINS[0, span]], k=10)
        for span in spans
        if COUNTS[span].min() < COUNTS[span].max()
    }
    assert 3 < len(each) < len(spans)
    found = metrics.measure(Loss("ranking"), "ndcg", COUNTS, MARGINS[:1], None, groups)
    assert found == pytest.approx(np.mean(list(each.values())), rel=1e-12)
    means = [weights[span].mean() for span in spans if span.start in each]
    heavy = metrics.measure(Loss("ranking"), "ndcg", COUNTS, MARGINS[:1], weights, groups)
    assert heavy == pytest.approx(np.average(list(each.values()), weights=means), rel=1e-12)


def test_the_area_is_the_one_that_is_reported_elsewhere() -> None:
    assert metrics.measure(Loss("binary"), "auc", LABELS, SCORES[None]) == metrics.auc(LABELS, SCORES)


def test_nothing_is_said_of_rows_that_say_nothing() -> None:
    assert np.isnan(metrics.measure(Loss("binary"), "auc", np.ones(3), np.zeros((1, 3))))
    groups = np.array([0, 3])
    assert np.isnan(metrics.measure(Loss("ranking"), "ndcg", np.ones(3), np.zeros((1, 3)), None, groups))
    assert np.isnan(metrics.measure(Loss("ranking"), "pairwise_error", np.ones(3), np.zeros((1, 3)), None, groups))


def test_a_figure_of_another_objective_is_refused() -> None:
    for loss, names in metrics.METRICS.items():
        others = {name for suited in metrics.METRICS.values() for name in suited} - set(names)
        whole = Loss(loss, classes=3)
        margins = np.zeros((whole.outputs, 4))
        for name in names:
            metrics.measure(whole, name, np.array([0.0, 1, 1, 0]), margins, None, np.array([0, 4]))
        for name in others - {"rmse"}:
            with pytest.raises(ValueError, match=name):
                metrics.measure(whole, name, np.array([0.0, 1, 1, 0]), margins, None, np.array([0, 4]))
