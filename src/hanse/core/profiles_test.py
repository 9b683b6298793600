"""What follows from figures that were drawn."""

import pytest

from hanse.core.profiles import QUANTILES, Drawn, SharedFigure, Wanted, judge, quantiles_of, tell

EDGES = (0.0, 10.0, 20.0, 40.0)


def test_quantiles_lie_on_the_straight_line_within_their_bin() -> None:
    found = dict(zip(QUANTILES, quantiles_of(EDGES, (0, 50, 25, 25, 0)), strict=True))
    assert found == pytest.approx(
        {0.01: 0.2, 0.05: 1.0, 0.1: 2.0, 0.25: 5.0, 0.5: 10.0, 0.75: 20.0, 0.9: 32.0, 0.95: 36.0, 0.99: 39.2}
    )


def test_quantiles_beyond_the_edges_and_of_nothing_are_unknown() -> None:
    found = dict(zip(QUANTILES, quantiles_of(EDGES, (30, 20, 0, 0, 50)), strict=True))
    assert [share for share, value in found.items() if value is not None] == [0.5]
    assert set(quantiles_of(EDGES, (0, 0, 0, 0, 0))) == {None}
    assert set(quantiles_of(EDGES, (-5, -3, 0, -1, -9))) == {None}


def test_counts_below_zero_are_taken_for_zero() -> None:
    assert quantiles_of(EDGES, (-3, 4, -2, 4, -1)) == quantiles_of(EDGES, (0, 4, 0, 4, 0))


def test_what_is_told_of_a_drawn_histogram_is_its_counts_or_its_quantiles_alone() -> None:
    drawn = Drawn(Wanted("histogram", 500, "age", EDGES), (0, 5, 5, 0, 0, 2))
    assert tell(drawn, "histogram") == SharedFigure("histogram", 500, "age", EDGES, (), (0, 5, 5, 0, 0, 2))
    quantiles = tell(drawn, "quantiles")
    assert (quantiles.edges, quantiles.counts, quantiles.quantiles[4]) == ((), (), 10.0)


@pytest.mark.parametrize(("stability", "verdict"), [(0.0999, "stable"), (0.1, "shifted"), (0.25, "drifted")])
def test_a_stability_index_is_judged_by_the_usual_limits(stability: float, verdict: str) -> None:
    assert judge(stability) == verdict
