"""The tasks of a pipeline as components run them: with which ports at which party, after which others."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hanse.core.ids import TaskName
from hanse.core.planning import Learns
from hanse.core.roles import PartyId, role_of
from hanse.core.specs import PREDICT, ArtefactKind, TaskSpec
from hanse.sdk.component import KINDS, Component

MODEL = "model"
MODEL_VERSION = "model:"
SOURCE = "source"
"""The input port that the control plane binds to the dataset that the setting `dataset` names."""


@dataclass
class Step:
    """One task of the pipeline with its component; `apply` when it uses a model that the component fitted."""

    name: str
    spec: TaskSpec
    component: Component
    apply: bool
    parties: tuple[PartyId, ...] = ()
    settings: dict[PartyId, Any] = field(default_factory=dict)

    def takes(self, party: PartyId) -> dict[str, ArtefactKind]:
        """Return the ports that must or may be connected at a party."""
        ports = self.component.takes(role_of(party), apply=self.apply)
        bound = "dataset" in self.component.params.__struct_fields__
        return {port: KINDS[kind] for port, kind in ports.items() if not (bound and port == SOURCE)}

    def gives(self, party: PartyId) -> dict[str, ArtefactKind]:
        """Return what the task leaves at a party."""
        return {port: KINDS[kind] for port, kind in self.component.gives(role_of(party), apply=self.apply).items()}


def sources_of(spec: TaskSpec) -> set[TaskName]:
    """Return the tasks that a task takes its inputs from."""
    return {
        TaskName(reference.partition(".")[0])
        for reference in spec.inputs.values()
        if not reference.startswith(MODEL_VERSION)
    }


def learns_of(step: Step) -> Iterator[Learns]:
    """Yield the lines of who learns what that hold under the settings of this task.

    Where a model is used its settings are those of its training, which are not known here: every line that holds under
    some of them is told.
    """
    roles = {role_of(party) for party in step.parties}
    for line in step.component.card().learns:
        chosen = [settings.values() for party, settings in step.settings.items() if role_of(party) == line.role]
        said = [{**values, PREDICT: step.apply} for values in chosen] or [{PREDICT: step.apply}]
        conditions = [(name, value) for name, value in line.when.items() if name == PREDICT or not step.apply]
        holds = all(values.get(name) == value for values in said for name, value in conditions)
        if line.role in roles and holds:
            yield line
