"""A template is filled, or everything that is wrong with its values is said at once, each with its blank."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hanse.core.faults import HanseError
from hanse.core.ids import TaskName
from hanse.core.templates import Blank, TemplateSpec, demand_sound, fill

TITLE: Any = {"en": "it", "zh": "它"}
BLANKS = (
    Blank("guest", "organisation", TITLE),
    Blank("data", "dataset", TITLE),
    Blank("columns", "columns", TITLE, optional=True),
    Blank("trees", "integer", TITLE, default=20, at_least=1, at_most=500),
    Blank("share", "number", TITLE, default=0.2, at_least=0.1),
    Blank("aim", "choice", TITLE, default="binary", choices=("binary", "regression")),
)


def at(name: str) -> dict[str, str]:
    return {"blank": name}


PIPELINE: dict[str, Any] = {
    "name": "train",
    "project": "risk",
    "parties": {"guest": at("guest")},
    "tasks": {
        "data": {"component": "dataset", "settings": {"dataset": at("data"), "columns": at("columns")}},
        "fit": {"component": "boost", "settings": {"list": [at("trees"), at("share")], "aim": at("aim")}},
    },
}
TEMPLATE = TemplateSpec("t", TITLE, PIPELINE, BLANKS)


def cause(template: TemplateSpec, values: dict[str, Any], code: str = "template.values") -> str:
    with pytest.raises(HanseError) as caught:
        fill(template, values)
    assert caught.value.fault.code == code
    return caught.value.fault.cause


def test_values_take_the_places_of_their_blanks_and_the_optional_ones_leave_no_trace() -> None:
    spec = fill(TEMPLATE, {"guest": "bank", "data": "loans"})
    tasks = {name: task.settings for name, task in spec.tasks.items()}
    assert spec.parties == {"guest": "bank"}
    assert tasks == {"data": {"dataset": "loans"}, "fit": {"list": [20, 0.2], "aim": "binary"}}


def test_values_may_be_texts_as_a_command_line_gives_them() -> None:
    said = {"guest": "bank", "data": "loans", "columns": "income, age", "trees": "7", "share": "0.5"}
    spec = fill(TEMPLATE, said)
    assert spec == fill(TEMPLATE, {**said, "columns": ["income", "age"], "trees": 7, "share": 0.5})
    assert [task.settings for task in spec.tasks.values()] == [
        {"dataset": "loans", "columns": ["income", "age"]},
        {"list": [7, 0.5], "aim": "binary"},
    ]


def test_everything_that_is_wrong_is_said_at_once_with_its_blank() -> None:
    values = {"data": 3, "columns": "a,a", "trees": 501, "share": "0.01", "aim": "ranking", "tres": 1}
    assert [part.split(":")[0] for part in cause(TEMPLATE, values).split("; ")] == [
        "tres", "guest", "data", "columns", "trees", "share", "aim"
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["", "1.5", 1.5, True, "nan", [], {}, "x", 0, "\x1b[2J"])
def test_what_is_no_whole_number_within_the_bounds_is_refused(value: Any) -> None:
    assert cause(TEMPLATE, {"guest": "bank", "data": "loans", "trees": value}).startswith("trees: ")


@pytest.mark.parametrize("value", ["inf", "nan", True, float("nan"), [], 0.0])
def test_what_is_no_number_within_the_bounds_is_refused(value: Any) -> None:
    assert cause(TEMPLATE, {"guest": "bank", "data": "loans", "share": value}).startswith("share: ")


def test_a_value_is_never_looked_at_for_blanks_of_its_own() -> None:
    assert cause(TEMPLATE, {"guest": at("data"), "data": "loans"}).startswith("guest: ")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_template_of_the_guide_is_sound(language: str) -> None:
    guide = Path(__file__).parents[3] / "docs" / "guides" / language / "pipelines.md"
    (raw,) = re.findall(r"```json\n(.*?)```", guide.read_text("utf-8"), re.DOTALL)
    template = msgspec.json.decode(raw, type=TemplateSpec)
    demand_sound(template)
    assert fill(template, {"data": "loans"}).tasks[TaskName("align")].settings == {"minimum": 1000}


def test_a_template_without_a_fault_is_sound() -> None:
    demand_sound(TEMPLATE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"blanks": BLANKS[1:]}, "guest: the pipeline names it"),
        ({"blanks": (*BLANKS, Blank("more", "text", TITLE))}, "more: the pipeline has no such place"),
        ({"blanks": (*BLANKS, BLANKS[0])}, "guest: it is described twice"),
        ({"blanks": (*BLANKS[:5], Blank("aim", "choice", TITLE))}, "aim: a choice"),
        (
            {"blanks": (*BLANKS[:3], Blank("trees", "integer", TITLE, default=0, at_least=1), *BLANKS[4:])},
            "its default",
        ),
        ({"pipeline": {**PIPELINE, "nmae": 1}}, "nmae"),
        ({"pipeline": json.loads('{"a":' * 400 + "1" + "}" * 400)}, "nested more than 32 deep"),
    ],
)
def test_a_template_that_cannot_work_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(HanseError, match=words) as caught:
        demand_sound(msgspec.structs.replace(TEMPLATE, **change))
    assert caught.value.fault.code == "template.invalid"
