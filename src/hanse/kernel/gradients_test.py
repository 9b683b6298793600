import numpy as np
import pytest

from hanse.core.faults import HanseError
from hanse.kernel import gradients
from hanse.kernel.gradients import Loss


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
