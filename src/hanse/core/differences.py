"""What is different between two pipelines: tasks, settings, edges, parties."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from hanse.core.pointers import point
from hanse.core.specs import PipelineSpec, TaskSpec


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """`place` is a JSON pointer (RFC 6901) into the pipeline. `before` or `after` is None where there was nothing."""

    kind: str
    place: str
    before: Any = None
    after: Any = None


def compare(old: PipelineSpec, new: PipelineSpec) -> tuple[Change, ...]:
    """Return the changes from `old` to `new`; none when both say the same.

    Kinds: name, project, description, party; task.added, task.removed, task.component, task.setting, task.edge.
    """
    return tuple(_compare(old, new))


def _compare(old: PipelineSpec, new: PipelineSpec) -> Iterator[Change]:
    for name in ("name", "project", "description"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change(name, point(name), before, after)
    yield from _maps("party", ("parties",), old.parties, new.parties)
    for task in sorted(old.tasks.keys() | new.tasks.keys()):
        yield from _tasks(task, old.tasks.get(task), new.tasks.get(task))


def _tasks(name: str, old: TaskSpec | None, new: TaskSpec | None) -> Iterator[Change]:
    if old is None or new is None:
        kind = "task.added" if old is None else "task.removed"
        yield Change(kind, point("tasks", name), _plain(old), _plain(new))
        return
    path = ("tasks", name)
    if old.component != new.component:
        yield Change("task.component", point(*path, "component"), old.component, new.component)
    yield from _maps("task.setting", (*path, "settings"), old.settings, new.settings)
    for party in sorted(old.party_settings.keys() | new.party_settings.keys()):
        sides = (side.party_settings.get(party, {}) for side in (old, new))
        yield from _maps("task.setting", (*path, "party_settings", party), *sides)
    yield from _maps("task.edge", (*path, "inputs"), old.inputs, new.inputs)


def _maps(kind: str, path: tuple[str, ...], old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[Change]:
    for key in sorted(old.keys() | new.keys()):
        if key not in old or key not in new or _write(old[key]) != _write(new[key]):
            yield Change(kind, point(*path, key), old.get(key), new.get(key))


def _plain(task: TaskSpec | None) -> Any:
    return None if task is None else msgspec.to_builtins(task)


def _write(value: Any) -> bytes:
    """Return what tells two settings apart: 1, 1.0 and true are three."""
    return msgspec.json.encode(value, order="deterministic")
