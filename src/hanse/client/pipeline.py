"""Writing a pipeline in Python: add tasks, connect ports, get the JSON that the node runs."""

from typing import Any

import msgspec

from hanse.core.ids import TaskName
from hanse.core.roles import GUEST, PartyId, host
from hanse.core.specs import PREDICT, PipelineSpec, TaskSpec


class Step(msgspec.Struct, frozen=True):
    """A task that was added; `step["train"]` is its port, to be handed to another task."""

    name: str

    def __getitem__(self, port: str) -> str:
        return f"{self.name}.{port}"


class Pipeline:
    """A graph of components under way. `hosts` are numbered in the order given: `host-1`, `host-2`, …"""

    def __init__(self, name: str, *, project: str, guest: str, hosts: list[str], description: str = "") -> None:
        parties = {GUEST: guest} | {host(number): organisation for number, organisation in enumerate(hosts, 1)}
        self._spec = PipelineSpec(name, project, parties, {}, description)

    def add(
        self,
        name: str,
        component: str,
        settings: dict[str, Any] | None = None,
        *,
        at: dict[str, dict[str, Any]] | None = None,
        **inputs: str,
    ) -> Step:
        """Add a task: `settings` for every party, `at[party]` for one, `inputs` by port from other tasks' ports.

        Raises ValueError for a name that is taken, an unknown party, or an input of a task that is not there yet.
        """
        tasks = self._spec.tasks
        strangers = sorted(set(at or {}) - set(self._spec.parties))
        missing = sorted({source.partition(".")[0] for source in inputs.values() if not is_model(source)} - set(tasks))
        if name in tasks:
            raise ValueError(f"there is a task {name} already")
        if strangers:
            raise ValueError(f"{', '.join(strangers)}: no party of this pipeline ({', '.join(self._spec.parties)})")
        if missing:
            raise ValueError(f"{name} takes from {', '.join(missing)}, which was not added before it")
        by_party = {PartyId(party): dict(own) for party, own in (at or {}).items()}
        tasks[TaskName(name)] = TaskSpec(component, dict(settings or {}), by_party, dict(inputs))
        return Step(name)

    def predict(self, name: str, *, model: str, table: str) -> Step:
        """Add a task that uses a fitted model (a port, or `model:<id>`) on a table."""
        return self.add(name, PREDICT, model=model, table=table)

    def spec(self) -> PipelineSpec:
        """Return the pipeline, checked for the form of its names. Raises msgspec.ValidationError."""
        return msgspec.convert(msgspec.to_builtins(self._spec), PipelineSpec)

    def json(self) -> str:
        """Return the pipeline as the file that `hanse job run` takes."""
        return msgspec.json.format(msgspec.json.encode(self.spec())).decode()


def is_model(source: str) -> bool:
    """Say whether an input is a model version and not a port of a task."""
    return source.startswith("model:")
