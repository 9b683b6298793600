"""Parts of a pipeline: one task, from a task on, up to a task. What lies before comes from earlier jobs."""

from typing import Literal, NamedTuple

import msgspec

from hanse.control.jobs.lineage import downstream, upstream
from hanse.core.faults import fault
from hanse.core.ids import TaskName
from hanse.core.specs import PipelineSpec

Part = Literal["all", "only", "from", "to"]


class Fragment(NamedTuple):
    """Which part of a pipeline to run: all, `only` a task, `from` it on with all that follows, or up `to` it."""

    part: Part = "all"
    task: TaskName = TaskName("")

    def __str__(self) -> str:
        return "" if self.part == "all" else f"{self.part} {self.task}"


WHOLE = Fragment()


class Cut(NamedTuple):
    """The pipeline that a fragment leaves; its tasks that run in any case; those that must come from earlier jobs."""

    spec: PipelineSpec
    run: frozenset[TaskName] = frozenset()
    reused: frozenset[TaskName] = frozenset()


def cut(spec: PipelineSpec, fragment: Fragment) -> Cut:
    """Return what a fragment of a pipeline is. Raises `pipeline.no_task` when it has no such task."""
    if fragment.part == "all":
        return Cut(spec)
    if fragment.task not in spec.tasks:
        there = ", ".join(spec.tasks)
        raise fault("pipeline.no_task", f"{spec.name!r} has no task {fragment.task!r}; its tasks are {there}")
    run = frozenset(
        downstream(spec, fragment.task) if fragment.part == "from" else (fragment.task,) * (fragment.part == "only")
    )
    needed = {name for task in run or {fragment.task} for name in upstream(spec, task)}
    tasks = {name: task for name, task in spec.tasks.items() if name in needed}
    before = frozenset(needed - run) if run else frozenset()
    return Cut(msgspec.structs.replace(spec, tasks=tasks), run, before)
