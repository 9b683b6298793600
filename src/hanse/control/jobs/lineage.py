"""Where the inputs of a task come from, read off the pipeline: pure functions on a spec."""

from collections.abc import Iterable, Iterator
from typing import Any

from hanse.control.models.service import REFERENCE
from hanse.core.ids import ModelVersionId, TaskName
from hanse.core.roles import PartyId
from hanse.core.specs import PipelineSpec, TaskSpec

DATASET = "dataset"
"""The component that reads a registered table, and its setting that names the table."""


def settings_of(task: TaskSpec, party: PartyId) -> dict[str, Any]:
    """Return the settings that hold for one party."""
    return {**task.settings, **task.party_settings.get(party, {})}


def upstream(spec: PipelineSpec, name: TaskName) -> tuple[TaskName, ...]:
    """Return the task and every task whose outputs reach it, each once, nearest first."""
    seen: dict[TaskName, None] = {}
    waiting = [name]
    while waiting:
        at = waiting.pop(0)
        if at not in seen and at in spec.tasks:
            seen[at] = None
            waiting += [task for task, _port in _references(spec.tasks[at])]
    return tuple(seen)


def downstream(spec: PipelineSpec, name: TaskName) -> tuple[TaskName, ...]:
    """Return the task and every task that its outputs reach, in the order of the pipeline."""
    return tuple(task for task in spec.tasks if name in upstream(spec, task))


def datasets_of(spec: PipelineSpec, party: PartyId, name: TaskName) -> tuple[str, ...]:
    """Return the names of the party's datasets that reach a task, sorted."""
    return _names_in((spec.tasks[task] for task in upstream(spec, name)), party)


def datasets_by_port(spec: PipelineSpec, party: PartyId, name: TaskName) -> dict[str, tuple[str, ...]]:
    """Return, by input port of a task, the names of the party's datasets that reach it, sorted; none, no entry."""
    sources = {
        port: source_of(reference)[0]
        for port, reference in spec.tasks[name].inputs.items()
        if not reference.startswith(REFERENCE)
    }
    found = {port: datasets_of(spec, party, source) for port, source in sources.items()}
    return {port: names for port, names in found.items() if names}


def all_datasets_of(spec: PipelineSpec, party: PartyId) -> tuple[str, ...]:
    """Return the names of the party's datasets in the whole pipeline, sorted."""
    return _names_in(spec.tasks.values(), party)


def _names_in(tasks: Iterable[TaskSpec], party: PartyId) -> tuple[str, ...]:
    names = (settings_of(task, party).get(DATASET) for task in tasks if task.component == DATASET)
    return tuple(sorted({found for found in names if isinstance(found, str)}))


def models_of(spec: PipelineSpec) -> tuple[ModelVersionId, ...]:
    """Return the model versions of earlier jobs that the pipeline uses, sorted."""
    references = (reference for task in spec.tasks.values() for reference in task.inputs.values())
    found = {reference.removeprefix(REFERENCE) for reference in references if reference.startswith(REFERENCE)}
    return tuple(sorted(ModelVersionId(model) for model in found))


def source_of(reference: str) -> tuple[TaskName, str]:
    """Return (task, port) of an input such as `align.table`."""
    task, _, port = reference.partition(".")
    return TaskName(task), port


def _references(task: TaskSpec) -> Iterator[tuple[TaskName, str]]:
    return (source_of(reference) for reference in task.inputs.values() if not reference.startswith(REFERENCE))
