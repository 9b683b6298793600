"""The demo's pipeline is sound; each way to break it is said in words, at its task."""

import sys
from collections.abc import Iterable
from string import Formatter
from typing import Any, NamedTuple

import msgspec
import pytest

from hanse.core.ids import TaskName
from hanse.core.planning import Catalogue, CheckPipeline, DescribeCatalogue, PipelineCheck
from hanse.core.problems import CATALOGUE, Words
from hanse.core.roles import PartyId
from hanse.core.schema import Column, Schema
from hanse.core.specs import PREDICT, PipelineSpec, TaskSpec
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


class Break(NamedTuple):
    """A way to break the demo: what is put where, and the problem that is told of it."""

    path: str
    value: Any
    code: str
    pointer: str
    words: str
    suggestion: str = ""


BREAKS = [
    Break("align/component", "psy", "component.unknown", "align/component", "'psy' is no component", "psi"),
    Break(
        "split/inputs/table",
        "aling.table",
        "input.no_task",
        "split/inputs/table",
        "there is no task 'aling'",
        "align.table",
    ),
    Break(
        "split/inputs/table",
        "align.tables",
        "input.no_output",
        "split/inputs/table",
        "align leaves no 'tables' at guest, host-1",
        "align.table",
    ),
    Break("split/inputs/table", "align", "input.no_output", "split/inputs/table", "leaves no ''", "align.table"),
    Break(
        "split/inputs/tabel",
        "align.table",
        "input.unknown",
        "split/inputs/tabel",
        "split has no input 'tabel'",
    ),
    Break(
        "boost/inputs",
        {"train": "split.train", "vaild": "split.test"},
        "input.unknown",
        "boost/inputs/vaild",
        "no input 'vaild'",
        "valid",
    ),
    Break("split/inputs", {}, "input.missing", "split/inputs/table", "'table' of guest, host-1 is not connected"),
    Break(
        "judge/inputs/scores",
        "boost.report",
        "input.kind",
        "judge/inputs/scores",
        "boost.report is a report, 'scores' takes a table",
        "boost.scores",
    ),
    Break("judge/inputs/scores", "model:mv-1", "input.model", "judge/inputs/scores", "model:mv-1 is a model"),
    Break(
        "align/inputs/table", "split.train", "pipeline.cycle", "align/inputs/table", "another: align → split → align"
    ),
    Break(
        "boost/settings/trees",
        -1,
        "setting.invalid",
        "boost/settings/trees",
        "trees: expected a whole number at least 1 and at most 2,000, got -1",
    ),
    Break("boost/settings/leafs", 1, "setting.unknown", "boost/settings/leafs", "has no setting 'leafs'", "leaves"),
    Break(
        "boost/settings/objective",
        "binry",
        "setting.invalid",
        "boost/settings/objective",
        "objective: expected one of binary",
        "binary",
    ),
    Break(
        "boost/party_settings",
        {"host-1": {"categorical": ["calls", 3]}},
        "setting.invalid",
        "boost/party_settings/host-1/categorical/1",
        "categorical.1: expected a text",
    ),
    Break(
        "align/settings",
        {"result": "count", "method": "vole"},
        "setting.clash",
        "align/settings/method",
        "a count is made by the method ecdh",
    ),
    Break(
        "boost/party_settings",
        {"host1": {}},
        "setting.stranger",
        "boost/party_settings/host1",
        "host1, which is no party",
        "host-1",
    ),
    Break(
        "data/party_settings/guest/dataset",
        "loan",
        "dataset.not_granted",
        "data/party_settings/guest/dataset",
        "guest has granted no dataset 'loan'",
        "loans",
    ),
    Break("data/party_settings", {}, "dataset.unnamed", "data/settings/dataset", "guest names no dataset"),
    Break(
        "data/party_settings/guest/columns",
        ["income", "incme"],
        "column.unknown",
        "data/party_settings/guest/columns/1",
        "guest has no column 'incme' at 'source', which 'columns' names",
        "income",
    ),
    Break("alone/settings/weight", "imcome", "column.unknown", "alone/settings/weight", "no column 'imcome'", "income"),
    Break("scores/settings", {"trees": 1}, "setting.of_prediction", "scores/settings", "no settings of its own"),
    Break("scores/inputs", {"table": "split.test"}, "input.missing", "scores/inputs/model", "'model' of predict"),
    Break("scores/inputs/model", "bost.model", "model.unknown", "scores/inputs/model", "'bost.model'", "boost.model"),
    Break("scores/inputs/model", "model:none", "model.unknown", "scores/inputs/model", "'model:none' is unknown"),
    Break("scores/inputs/model", "data.table", "model.unused", "scores/inputs/model", "does not say how to use"),
    Break(
        "scores/inputs/model",
        "alone_scores.scores",
        "model.unmade",
        "scores/inputs/model",
        "'alone_scores' makes no model",
    ),
    Break("/parties", {"host-1": "telecom"}, "pipeline.no_guest", "/parties", "there is no guest"),
    Break("/parties/host2", "rome", "party.name", "/parties/host2", "'host2' is no party"),
    Break(
        "Big task",
        {"component": "evaluation", "inputs": {"scores": "boost.scores"}},
        "task.name",
        "Big task",
        "'Big task' is no name",
    ),
    Break("/tasks", {}, "pipeline.no_task", "/tasks", "there is no task"),
]


def broken(breaks: Iterable[Break]) -> dict[str, Any]:
    """Return the demo with all of these things put into it."""
    pipeline = demo()
    for one in breaks:
        place: Any = pipeline
        *path, last = located(one.path).strip("/").split("/")
        for step in path:
            place = place.setdefault(step, {})
        place[last] = one.value
    return pipeline


def located(path: str) -> str:
    return path if path.startswith("/") else f"/tasks/{path}"


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: f"{one.path} {one.code}")
def test_each_way_to_break_it_is_said_at_its_place(components: dict[str, Component], one: Break) -> None:
    problems = ask(broken([one]), components).problems
    place = (one.code, located(one.pointer))
    (found,) = (problem for problem in problems if (problem.code, problem.pointer) == place)
    assert one.words in found.message
    assert found.suggestion == one.suggestion
    assert found.message_zh not in ("", found.message)
    assert found.task == ("" if one.pointer.startswith("/") else one.pointer.split("/")[0])


@pytest.mark.parametrize(("code", "words"), CATALOGUE.items(), ids=CATALOGUE)
def test_both_languages_name_the_same_facts(code: str, words: Words) -> None:
    said = [{name.removesuffix("_zh") for _, name, _, _ in Formatter().parse(text) if name} for text in words]
    assert said[0] == said[1], code
    assert said[2] == said[3], code
    assert words.message, code
    assert bool(words.remedy) == bool(words.remedy_zh), code


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_pipeline(components: dict[str, Component]) -> None:
    circle = Break("boost/inputs/valid", "scores.scores", "pipeline.cycle", "boost/inputs/valid", "")
    codes = ("component.unknown", "input.no_task", "input.kind", "setting.stranger", "setting.of_prediction")
    more = ("party.name", "task.name", "setting.unknown")
    first = {one.code: one for one in reversed(BREAKS)}
    invalid = [one for one in BREAKS if one.path in ("boost/settings/trees", "boost/settings/objective")]
    absent = [one for one in BREAKS if one.path == "data/party_settings/guest/columns"]
    together = [circle, *invalid, *absent, *(first[code] for code in (*codes, *more))]
    told = ask(broken(together), components).problems
    assert {(found.code, found.pointer) for found in told} == {(one.code, located(one.pointer)) for one in together}
    tasks = [*demo()["tasks"], "Big task"]
    order = [tasks.index(found.task) if found.task else -1 for found in told]
    assert order == sorted(order)


def test_what_is_the_same_for_all_parties_is_said_once(components: dict[str, Component]) -> None:
    (found,) = ask(broken([Break("boost/settings/trees", 0, "", "", "")]), components).problems
    assert found.pointer == "/tasks/boost/settings/trees"


def test_what_follows_from_a_mistake_is_not_told_as_another(components: dict[str, Component]) -> None:
    """Of a task whose component is unknown, nothing is said where others take what it leaves."""
    (found,) = ask(broken([BREAKS[0]]), components).problems
    assert found.code == "component.unknown"


def long_chain(tasks: int, *, wrong: bool) -> CheckPipeline:
    """Return a pipeline of so many tasks, each of them with two mistakes or none, and with a circle at its end."""
    found = {TaskName("t0"): TaskSpec("dataset", {"dataset": "loans"})}
    for number in range(1, tasks):
        settings = {"test_ration": 0.2, "stratify": "no"} if wrong else {}
        port = "tran" if wrong and number % 2 else "train" if number > 1 else "table"
        found[TaskName(f"t{number}")] = TaskSpec("split", settings, inputs={"table": f"t{number - 1}.{port}"})
    spec = PipelineSpec("long", "credit", {GUEST: "bank", HOST: "telecom"}, found)
    return CheckPipeline(spec, GUEST, {"loans": BANK}, tells_tables=True)


def count_calls(question: CheckPipeline, components: dict[str, Component]) -> int:
    """Return how many functions are called to check a pipeline, as a measure of the work that no clock disturbs."""
    calls = 0

    def count(_frame: object, event: str, _of: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        check(question, components)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize(
    ("few", "many"), [(100, 400), pytest.param(1000, 10_000, marks=pytest.mark.deep)], ids=["short", "long"]
)
def test_the_work_grows_no_faster_than_the_pipeline(
    components: dict[str, Component], few: int, many: int, wrong: bool
) -> None:
    check(long_chain(2, wrong=wrong), components)  # what is read once
    small, large = (count_calls(long_chain(tasks, wrong=wrong), components) for tasks in (few, many))
    assert large < 1.1 * small * many / few


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
