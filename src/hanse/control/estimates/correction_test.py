from math import isclose

from hypothesis import given
from hypothesis import strategies as st

from hanse.control.estimates.correction import LEAST_WIDTH, correct, ratio
from hanse.core.estimates import Range


def test_without_history_the_model_stands_and_its_doubt_is_the_interval() -> None:
    found = correct(10.0, [], 4.0)
    assert found.likely == 10.0
    assert isclose(found.most, 10.0 * 4.0 * LEAST_WIDTH)
    assert isclose(found.least, 10.0 / (4.0 * LEAST_WIDTH))


def test_one_run_moves_the_figure_to_what_was_measured_and_narrows_the_interval() -> None:
    found = correct(10.0, [3.0], 4.0)
    assert isclose(found.likely, 30.0)
    assert found.most < correct(10.0, [], 4.0).most * 3
    assert found.least < 30.0 < found.most


def test_up_to_half_of_the_runs_may_be_outliers() -> None:
    steady = correct(1.0, [2.0, 2.0, 2.0, 2.0, 2.0], 4.0)
    assert correct(1.0, [2.0, 2.0, 2.0, 900.0, 0.01], 4.0) == steady


def test_a_figure_that_a_model_puts_at_nothing_is_nothing() -> None:
    assert correct(0.0, [2.0], 4.0) == Range()
    assert ratio(5.0, 0.0) is None
    assert ratio(0.0, 5.0) is None


@given(
    modelled=st.floats(1e-6, 1e12),
    ratios=st.lists(st.floats(1e-4, 1e4), max_size=30),
    doubt=st.floats(1.1, 10.0),
)
def test_the_interval_holds_the_likely_figure_and_scales_with_the_model(
    modelled: float, ratios: list[float], doubt: float
) -> None:
    found = correct(modelled, ratios, doubt)
    assert 0 < found.least < found.likely < found.most
    twice = correct(2 * modelled, ratios, doubt)
    assert isclose(twice.likely, 2 * found.likely, rel_tol=1e-9)
    assert isclose(twice.most, 2 * found.most, rel_tol=1e-9)
    if ratios:
        assert min(ratios) * modelled * 0.999 <= found.likely <= max(ratios) * modelled * 1.001
