"""Figures are read as they are written on the command line, and drawn as text."""

import pytest

from hanse.cli.figures import bars, figures_of
from hanse.core.faults import HanseError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rows", {"figure": "rows"}),
        ("rows@0.5", {"figure": "rows", "epsilon": 0.5}),
        ("missing:age", {"figure": "missing", "column": "age"}),
        ("missing:age@1", {"figure": "missing", "column": "age", "epsilon": 1.0}),
        ("distinct:a@b", {"figure": "distinct", "column": "a@b"}),
        ("histogram:age=0,18.5,60", {"figure": "histogram", "column": "age", "edges": [0, 18.5, 60]}),
        ("quantiles:age=-1,1@0.2", {"figure": "quantiles", "column": "age", "edges": [-1, 1], "epsilon": 0.2}),
        ("histogram:city=a|b c@0.2", {"figure": "histogram", "column": "city", "values": ["a", "b c"], "epsilon": 0.2}),
        ("histogram:y=1|", {"figure": "histogram", "column": "y", "values": ["1"]}),
    ],
)
def test_a_figure_is_read_as_it_is_written(text: str, said: dict[str, object]) -> None:
    assert figures_of(text) == said


@pytest.mark.parametrize("text", ["rows@many", "histogram:age=young", "histogram:age=1,,2"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(HanseError, match=r"profile\.figure"):
        figures_of(text)


def test_bars_show_every_count_that_is_there() -> None:
    assert bars([0, 1, 50, 100]) == " ▁▄█"
    assert bars([0, 0]) == ""
    assert bars([-3, 10]) == " █"
