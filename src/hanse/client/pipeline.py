"""Writing a pipeline in Python: add tasks, connect ports, get the JSON that the node runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hanse.core.documents import write_pipeline
from hanse.core.ids import TaskName
from hanse.core.roles import GUEST, PartyId, host
from hanse.core.specs import PREDICT, PipelineSpec, TaskSpec


class Step(msgspec.Struct, frozen=True):
    """A task that was added; `step["train"]` is its port, to be handed to another task."""

    name: str

    def __getitem__(self, port: str) -> str:
        return f"{self.name}.{port}"


class Pipeline:
    """A graph of components under way. `hosts` are numbered in the order given: `host-1`, `host-2`, …

    `parties` says instead which organisation stands behind each party.
    """

    def __init__(
        self,
        name: str,
        *,
        project: str,
        guest: str = "",
        hosts: Sequence[str] = (),
        parties: Mapping[str, str] | None = None,
        description: str = "",
    ) -> None:
        named = {GUEST: guest} | {host(number): organisation for number, organisation in enumerate(hosts, 1)}
        chosen = named if parties is None else {PartyId(party): parties[party] for party in parties}
        self._spec = PipelineSpec(name, project, chosen, {}, description)

    def add(
        self,
        name: str,
        component: str,
        settings: dict[str, Any] | None = None,
        *,
        at: dict[str, dict[str, Any]] | None = None,
        inputs: Mapping[str, str] | None = None,
        **connected: str,
    ) -> Step:
        """Add a task: `settings` for every party, `at[party]` for one, `port=step["port"]` for what it takes.

        `inputs` has further inputs as they stand in the JSON; the node checks them. Raises ValueError for a name that
        is taken, an unknown party, or a port that is connected to a task that is not there yet.
        """
        tasks = self._spec.tasks
        strangers = sorted(set(at or {}) - set(self._spec.parties))
        missing = sorted(
            {source.partition(".")[0] for source in connected.values() if not is_model(source)} - set(tasks)
        )
        if name in tasks:
            raise ValueError(f"there is a task {name} already")
        if strangers:
            raise ValueError(f"{', '.join(strangers)}: no party of this pipeline ({', '.join(self._spec.parties)})")
        if missing:
            raise ValueError(f"{name} takes from {', '.join(missing)}, which was not added before it")
        by_party = {PartyId(party): dict(own) for party, own in (at or {}).items()}
        tasks[TaskName(name)] = TaskSpec(component, dict(settings or {}), by_party, {**(inputs or {}), **connected})
        return Step(name)

    def predict(self, name: str, *, model: str, table: str) -> Step:
        """Add a task that uses a fitted model (a port, or `model:<id>`) on a table."""
        return self.add(name, PREDICT, model=model, table=table)

    def spec(self) -> PipelineSpec:
        """Return the pipeline, checked for the form of its names. Raises msgspec.ValidationError."""
        return msgspec.convert(msgspec.to_builtins(self._spec), PipelineSpec)

    def json(self) -> str:
        """Return the pipeline as the file that `hanse job run` takes: its canonical JSON."""
        return write_pipeline(self.spec()).decode()


def is_model(source: str) -> bool:
    """Say whether an input is a model version and not a port of a task."""
    return source.startswith("model:")
