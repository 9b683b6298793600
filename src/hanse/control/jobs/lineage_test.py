"""What a pipeline says of where things come from."""

import pytest

from hanse.control.jobs.lineage import (
    all_datasets_of,
    datasets_by_port,
    datasets_of,
    models_of,
    settings_of,
    source_of,
    upstream,
)
from hanse.core.ids import TaskName
from hanse.core.roles import GUEST, PartyId, host
from hanse.core.specs import PipelineSpec, TaskSpec

SPEC = PipelineSpec(
    "credit",
    "risk",
    {GUEST: "bank", host(1): "telecom"},
    {
        TaskName("data"): TaskSpec(
            "dataset", party_settings={GUEST: {"dataset": "loans"}, host(1): {"dataset": "calls", "columns": ["a"]}}
        ),
        TaskName("more"): TaskSpec("dataset", {"dataset": "extra"}),
        TaskName("align"): TaskSpec("psi", inputs={"table": "data.table"}),
        TaskName("fit"): TaskSpec("hetero_boost", inputs={"train": "align.table"}),
        TaskName("score"): TaskSpec(
            "predict", inputs={"table": "more.table", "model": "model:model-0123456789abcdef-fit"}
        ),
    },
)


@pytest.mark.parametrize(
    ("party", "task", "names"),
    [
        (GUEST, "fit", ("loans",)),
        (host(1), "fit", ("calls",)),
        (host(1), "data", ("calls",)),
        (host(1), "score", ("extra",)),
        (host(2), "fit", ()),
    ],
)
def test_a_dataset_reaches_what_is_made_from_it(party: PartyId, task: str, names: tuple[str, ...]) -> None:
    assert datasets_of(SPEC, party, TaskName(task)) == names


def test_datasets_are_told_apart_by_the_port_that_they_reach() -> None:
    fit = TaskSpec("hetero_boost", inputs={"train": "align.table", "valid": "more.table", "warm": "model:model-0-fit"})
    spec = PipelineSpec("credit", "risk", SPEC.parties, {**SPEC.tasks, TaskName("fit"): fit})
    assert datasets_of(spec, host(1), TaskName("fit")) == ("calls", "extra")
    assert datasets_by_port(spec, host(1), TaskName("fit")) == {"train": ("calls",), "valid": ("extra",)}


def test_a_party_has_all_the_datasets_that_it_names() -> None:
    assert all_datasets_of(SPEC, GUEST) == ("extra", "loans")


def test_settings_of_a_party_win_over_those_of_all() -> None:
    task = TaskSpec("x", {"a": 1, "b": 1}, {GUEST: {"b": 2}})
    assert settings_of(task, GUEST) == {"a": 1, "b": 2}
    assert settings_of(task, host(1)) == {"a": 1, "b": 1}


def test_models_of_earlier_jobs_are_found_and_are_no_tasks() -> None:
    assert models_of(SPEC) == ("model-0123456789abcdef-fit",)
    assert upstream(SPEC, TaskName("score")) == ("score", "more")


def test_an_input_names_a_task_and_a_port() -> None:
    assert source_of("align.table") == ("align", "table")


def test_a_pipeline_that_bites_its_tail_is_walked_once() -> None:
    loop = PipelineSpec(
        "x",
        "p",
        {GUEST: "bank"},
        {TaskName("a"): TaskSpec("x", inputs={"in": "b.out"}), TaskName("b"): TaskSpec("x", inputs={"in": "a.out"})},
    )
    assert upstream(loop, TaskName("a")) == ("a", "b")


def test_the_datasets_of_a_long_chain_are_found_in_one_pass() -> None:
    class Counted(dict[TaskName, TaskSpec]):
        reads = 0

        def __getitem__(self, name: TaskName) -> TaskSpec:
            self.reads += 1
            return super().__getitem__(name)

    tasks = Counted({TaskName("t0"): TaskSpec("dataset", {"dataset": "calls"})})
    for number in range(1, 400):
        tasks[TaskName(f"t{number}")] = TaskSpec("psi", inputs={"table": f"t{number - 1}.table"})
    assert all_datasets_of(PipelineSpec("x", "p", {}, tasks), host(1)) == ("calls",)
    assert tasks.reads <= len(tasks)
