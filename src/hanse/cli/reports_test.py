import io
from typing import Any

from hanse.cli.reports import MOST_ROWS, draw_report
from hanse.cli.screen import Screen
from hanse.client.resources import Report

TREE = [
    {
        "party": "guest",
        "feature": "age",
        "at_most": 40.5,
        "missing": "left",
        "gain": 12.5,
        "cover": 90.0,
        "left": 1,
        "right": 2,
    },
    {"party": "host-1", "feature": "feature #3", "gain": 3.25, "cover": 60.0, "left": 3, "right": 4},
    {
        "party": "guest",
        "feature": "city",
        "one_of": ["北京", "[b]x"],
        "missing": "right",
        "gain": 1.0,
        "cover": 30.0,
        "left": 5,
        "right": 6,
    },
    *({"weight": weight, "cover": 15.0} for weight in (-0.5, 0.25, 0.125, 1.5)),
]


def drawn(values: dict[str, Any], trees: int = 0) -> str:
    file = io.StringIO()
    draw_report(Screen(file=file, width=160, color_system=None), Report("boost", values), trees)
    return file.getvalue()


def test_figures_tables_and_curves_are_drawn_by_their_shape() -> None:
    text = drawn(
        {
            "rows_counted": 4930,
            "auc": 0.81239,
            "objective": "binary",
            "stopped": True,
            "nothing": None,
            "curves": {"train_auc": [0.5, 0.75, 0.7], "valid_auc": []},
            "importance": [{"feature": "age", "gain": 12.5, "splits": 3}, {"feature": "x", "gain": 0.5, "cover": 7}],
            "hosts": {"host-1": {"rho": 0.25}},
            "classes": ["no", "yes"],
        }
    )
    for words in ("rows counted  4,930", "auc           0.8124", "objective     binary", "stopped       yes"):
        assert words in text
    assert "nothing" not in text
    (curve,) = (line.split() for line in text.splitlines() if line.startswith("train auc"))
    assert curve == ["train", "auc", "3", "0.5000", "0.7000", "0.5000", "0.7500", "▁█▇"]
    assert "valid" not in text
    table = text[text.index("importance") :].splitlines()
    assert table[1].split() == ["feature", "gain", "splits", "cover"]
    assert table[2].split() == ["age", "12.5000", "3"]
    assert table[3].split() == ["x", "0.5000", "7"]
    assert "hosts · host-1" in text
    assert "no, yes" in text


def test_trees_are_drawn_on_request_and_of_a_partners_split_only_what_is_told() -> None:
    forest = {"trees": 120, "shown": [{"round": 1, "class": "yes", "nodes": TREE}] * 2}
    assert "120 trees, 2 of them in the report" in drawn({"trees": forest})
    text = drawn({"trees": forest}, trees=1)
    lines = [line.strip(" │├└─") for line in text.splitlines()]
    assert "tree 1 · class yes" in lines
    assert "tree 2 · class yes" not in lines
    assert "guest age ≤ 40.5 missing left gain 12.5000, cover 90" in lines
    assert "left  host-1 feature #3 gain 3.2500, cover 60" in lines
    assert "right  guest city is 北京, [b]x missing right gain 1.0000, cover 30" in lines
    at = lines.index("left  host-1 feature #3 gain 3.2500, cover 60")
    assert lines[at + 1 : at + 3] == ["left  -0.5000 cover 15", "right  0.2500 cover 15"]


def test_no_report_makes_the_screen_run_on_or_fail() -> None:
    rows = [{"feature": f"x{number}", "gain": 1.0} for number in range(MOST_ROWS + 5)]
    assert "… and 5 more" in drawn({"importance": rows})
    circle = [{"party": "guest", "feature": "a", "gain": 1, "cover": 1, "left": 0, "right": 99}]
    assert "guest a" in drawn({"trees": {"trees": 1, "shown": [{"nodes": circle}]}}, trees=5)
    assert drawn({}) == ""
    assert "\x1b" not in drawn({"name": "\x1b[2Jwiped", "list": ["\x1b[31m"]})


def test_classes_are_a_list_of_whole_numbers_and_no_curve() -> None:
    text = drawn({"classes": [0.0, 1.0, 2.0]})
    assert "0, 1, 2" in text
    assert "curve" not in text
