import itertools

import numpy as np
import pytest

from hanse.core.faults import HanseError
from hanse.kernel import boosting
from hanse.kernel.boosting import Boosting
from hanse.kernel.heaps import Growth, Rules
from hanse.kernel.intervals import bin_columns


def boost(fit: Boosting, trees: int) -> Boosting:
    numbers = np.random.default_rng(2).standard_normal((2, 200))
    columns = bin_columns(numbers, 8)
    for _ in range(trees):
        growth = Growth(columns, np.empty((2, 0), np.uint8), *fit.gradients(), Rules(), 2)
        growth.grow_alone()
        fit.add(growth, 0.3)
    return fit


def start() -> Boosting:
    labels = (np.random.default_rng(2).standard_normal((2, 200))[0] > 0.2).astype(np.float64)
    return Boosting.start("binary", labels, np.empty(0), 2)


def test_a_restored_state_goes_on_as_if_nothing_had_happened() -> None:
    straight = boost(start(), 4)
    restored = start()
    restored.restore(boost(start(), 2).snapshot())
    boost(restored, 2)
    assert restored.curves == straight.curves
    np.testing.assert_array_equal(restored.scores, straight.scores)
    for name, array in straight.kept.arrays.items():
        np.testing.assert_array_equal(restored.kept.arrays[name], array)


def test_the_loss_falls_with_every_tree() -> None:
    curve = boost(start(), 5).curves["train_log_loss"]
    assert all(later < earlier for earlier, later in itertools.pairwise(curve))


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ([], "label.invalid"),
        ([0.0, np.nan], "label.invalid"),
        ([1.0, 2.0], "label.invalid"),
        ([1.0, 1.0], "label.one_class"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(labels: list[float], code: str) -> None:
    with pytest.raises(HanseError) as error:
        boosting.check_labels("binary", np.array(labels), "training")
    assert error.value.fault.code == code


def test_columns_with_gaps_are_named() -> None:
    with pytest.raises(HanseError) as error:
        boosting.check_numbers(np.array([[1.0, 2.0], [np.nan, np.inf]]), ["age", "income"], "training")
    assert "income (2)" in error.value.fault.cause
    assert "age" not in error.value.fault.cause
