"""The demo's pipeline is sound; each way to break it is said in words, at its task."""

from typing import Any

import msgspec
import pytest

from hanse.core.planning import Catalogue, CheckPipeline, DescribeCatalogue, PipelineCheck
from hanse.core.roles import PartyId
from hanse.core.schema import Column, Schema
from hanse.core.specs import PREDICT, PipelineSpec
from hanse.runtime import catalogue
from hanse.runtime.pipelines import check
from hanse.runtime.planner import answer
from hanse.sdk.component import Component

BANK = Schema((Column("id", "text", "id"), Column("bad", "integer", "label"), Column("income", "real")))
TELECOM = Schema((Column("id", "text", "id"), Column("calls", "real"), Column("nights", "integer")))
GUEST, HOST = PartyId("guest"), PartyId("host-1")


@pytest.fixture(scope="module")
def components() -> dict[str, Component]:
    return catalogue.load_all()


def demo() -> dict[str, Any]:
    """The pipeline of the demo as the API gets it."""
    return {
        "name": "demo",
        "project": "credit",
        "parties": {"guest": "bank", "host-1": "telecom"},
        "tasks": {
            "data": {
                "component": "dataset",
                "party_settings": {
                    "guest": {"dataset": "loans"},
                    "host-1": {"dataset": "lines", "columns": ["calls"]},
                },
            },
            "align": {"component": "psi", "inputs": {"table": "data.table"}},
            "split": {"component": "split", "inputs": {"table": "align.table"}},
            "boost": {
                "component": "hetero_boost",
                "settings": {"trees": 3},
                "inputs": {"train": "split.train", "valid": "split.test"},
            },
            "scores": {"component": "predict", "inputs": {"model": "boost.model", "table": "split.test"}},
            "judge": {"component": "evaluation", "inputs": {"scores": "scores.scores"}},
            "alone": {"component": "local_boost", "inputs": {"train": "split.train"}},
            "alone_scores": {"component": "predict", "inputs": {"model": "alone.model", "table": "split.test"}},
        },
    }


def ask(
    pipeline: dict[str, Any], components: dict[str, Component], party: PartyId = GUEST, **more: Any
) -> PipelineCheck:
    schemas = {"loans": BANK} if party == GUEST else {"lines": TELECOM}
    question = CheckPipeline(msgspec.convert(pipeline, PipelineSpec), party, schemas, **more)
    return check(question, components)


@pytest.mark.parametrize("party", [GUEST, HOST])
def test_the_demo_is_sound_at_every_party(components: dict[str, Component], party: PartyId) -> None:
    found = ask(demo(), components, party)
    assert found.problems == ()
    tasks = {task.name: task for task in found.tasks}
    names = list(tasks)
    assert all(names.index(before) < names.index(task.name) for task in found.tasks for before in task.after)
    assert tasks["boost"].parties == (GUEST, HOST)
    assert tasks["alone"].parties == tasks["judge"].parties == tasks["alone_scores"].parties == (GUEST,)
    assert (tasks["scores"].component, tasks["scores"].apply) == ("hetero_boost", True)
    assert (tasks["alone_scores"].component, tasks["alone_scores"].apply) == ("local_boost", True)
    assert tasks["scores"].parties == (GUEST, HOST)
    assert tasks["scores"].outputs[GUEST] == {"scores": "table"}
    assert tasks["data"].version == components["dataset"].version
    assert {line.role for line in found.learns["align"]} == {"guest", "host"}
    assert {line.when["predict"] for line in found.learns["boost"]} == {False}
    assert {line.when["predict"] for line in found.learns["scores"]} == {True}
    assert {line.role for line in found.learns["alone"]} == {"guest"}


def test_learns_lines_hold_under_their_settings_only(components: dict[str, Component]) -> None:
    for name, component in components.items():
        lines = [line for line in component.card().learns if line.when]
        for line in lines:
            unknown = set(line.when) - {PREDICT, *component.params.__struct_fields__}
            assert unknown == set(), f"{name} speaks of settings that it has not"


@pytest.mark.parametrize("model", ["prepared.model", "model:model-1-prepared"])
def test_where_a_model_is_used_all_is_told_that_its_settings_may_let_be_learnt(
    components: dict[str, Component], model: str
) -> None:
    tasks = {
        "data": demo()["tasks"]["data"],
        "prepared": {"component": "psi_cached", "settings": {"share_result": False}, "inputs": {"table": "data.table"}},
        "asked": {"component": "predict", "inputs": {"model": model, "table": "data.table"}},
    }
    found = ask({**demo(), "tasks": tasks}, components, GUEST, models={"model-1-prepared": "psi_cached"})
    (shared,) = (line for line in found.learns["asked"] if line.role == "host" and "share_result" in line.when)
    assert shared.when == {"predict": True, "share_result": True}
    assert all(line.when["predict"] for line in found.learns["asked"])


BREAKS: list[tuple[str, list[str], Any, str, str]] = [
    ("no such component", ["tasks", "align", "component"], "fortune_teller", "align", "is no component"),
    ("no such task", ["tasks", "split", "inputs"], {"table": "nowhere.table"}, "split", "there is no task 'nowhere'"),
    ("no such output", ["tasks", "split", "inputs"], {"table": "align.chair"}, "split", "leaves no 'chair'"),
    ("no such input", ["tasks", "split", "inputs", "chair"], "align.table", "split", "has no input 'chair'"),
    ("input left open", ["tasks", "split", "inputs"], {}, "split", "is not connected"),
    ("wrong kind", ["tasks", "judge", "inputs"], {"scores": "boost.report"}, "judge", "takes a table"),
    ("cycle", ["tasks", "data", "inputs"], {"table": "align.table"}, "", "wait for one another"),
    ("setting out of bounds", ["tasks", "boost", "settings"], {"trees": -1}, "boost", "settings of guest"),
    ("unknown setting", ["tasks", "boost", "settings"], {"leaves": 1}, "boost", "settings of guest"),
    ("wrong type", ["tasks", "boost", "settings"], {"trees": "many"}, "boost", "settings of guest"),
    ("setting of nobody", ["tasks", "boost", "party_settings"], {"host-7": {}}, "boost", "host-7, which is no party"),
    ("dataset of nobody", ["tasks", "data", "party_settings", "guest"], {"dataset": "x"}, "data", "no dataset 'x'"),
    (
        "column not granted",
        ["tasks", "data", "party_settings", "guest"],
        {"dataset": "loans", "columns": ["income", "secret"]},
        "data",
        "'secret' is not granted",
    ),
    ("prediction with settings", ["tasks", "scores", "settings"], {"trees": 1}, "scores", "no settings of its own"),
    ("no model", ["tasks", "scores", "inputs"], {"table": "split.test"}, "scores", "is unknown"),
    ("unknown model", ["tasks", "scores", "inputs", "model"], "model:none", "scores", "is unknown"),
    ("model of no use", ["tasks", "scores", "inputs", "model"], "data.table", "scores", "does not say how to use"),
    ("no guest", ["parties"], {"host-1": "telecom"}, "", "there is no guest"),
    ("no party", ["parties", "emperor"], "rome", "", "is no party"),
    ("bad name", ["tasks", "Big Task"], {"component": "dataset"}, "Big Task", "is no name"),
    ("no task", ["tasks"], {}, "", "there is no task"),
]


@pytest.mark.parametrize(("path", "value", "task", "words"), [case[1:] for case in BREAKS], ids=[b[0] for b in BREAKS])
def test_each_way_to_break_it_is_said(
    components: dict[str, Component], path: list[str], value: Any, task: str, words: str
) -> None:
    pipeline = demo()
    place = pipeline
    for step in path[:-1]:
        place = place.setdefault(step, {})
    place[path[-1]] = value
    found = ask(pipeline, components)
    assert found.tasks == ()
    assert any(problem.task == task and words in problem.message for problem in found.problems), found.problems


def test_a_partner_of_another_version_is_named_with_both_versions(components: dict[str, Component]) -> None:
    found = ask(demo(), components, HOST, versions={"psi": "9.3.1"})
    (problem,) = found.problems
    assert problem.task == "align"
    assert "9.3.1" in problem.message
    assert components["psi"].version in problem.message
    assert ask(demo(), components, HOST, versions={"psi": components["psi"].version}).problems == ()


def test_a_stored_model_is_used_through_its_component(components: dict[str, Component]) -> None:
    pipeline = demo()
    pipeline["tasks"] = {
        "data": pipeline["tasks"]["data"],
        "align": pipeline["tasks"]["align"],
        "scores": {"component": "predict", "inputs": {"model": "model:mv-1", "table": "align.table"}},
    }
    found = ask(pipeline, components, models={"mv-1": "hetero_boost"})
    assert found.problems == ()
    assert found.tasks[-1].component == "hetero_boost"
    assert found.tasks[-1].after == ("align",)


def test_the_label_is_missed_before_any_data_is_touched(components: dict[str, Component]) -> None:
    without = Schema(tuple(column for column in BANK.columns if column.use != "label"))
    question = CheckPipeline(msgspec.convert(demo(), PipelineSpec), GUEST, {"loans": without})
    found = check(question, components)
    assert {problem.task for problem in found.problems} >= {"boost", "alone"}


def test_the_planner_answers_both_questions_in_msgpack(components: dict[str, Component]) -> None:
    catalogue_answer = answer(msgspec.msgpack.encode(DescribeCatalogue()), components)
    assert isinstance(catalogue_answer, Catalogue)
    decoded = msgspec.msgpack.decode(msgspec.msgpack.encode(catalogue_answer), type=Catalogue)
    assert [card.name for card in decoded.components] == sorted(components)
    question = CheckPipeline(msgspec.convert(demo(), PipelineSpec), GUEST, {"loans": BANK})
    checked = answer(msgspec.msgpack.encode(question), components)
    assert isinstance(checked, PipelineCheck)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(checked), type=PipelineCheck) == checked


def test_a_host_is_told_how_many_exact_sums_a_task_may_ask_of_it(components: dict[str, Component]) -> None:
    boost = components["hetero_boost"]
    assert boost.queries is not None
    planned = {task.name: task.queries for task in ask(demo(), components, HOST).tasks}
    assert planned.pop("boost") == boost.queries(boost.params.parse({"trees": 3})) > 3
    assert set(planned.values()) == {0}, "neither a prediction nor what one party does alone asks for any"
    assert {task.queries for task in ask(demo(), components, GUEST).tasks} == {0}
