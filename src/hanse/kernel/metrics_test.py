import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse.kernel import metrics

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
