"""Is a pipeline sound, as far as one party can tell before any data is touched? And how would it run?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from hanse.core.faults import HanseError
from hanse.core.ids import TaskName
from hanse.core.planning import CheckPipeline, Learns, PipelineCheck, PlannedTask, Problem
from hanse.core.roles import PartyId, role_of
from hanse.core.schema import Schema
from hanse.core.specs import PREDICT, ArtefactKind, TaskSpec
from hanse.runtime import costs
from hanse.runtime.agreement import line_of
from hanse.sdk.component import KINDS, Component
from hanse.sdk.params import Params

MODEL = "model"
MODEL_VERSION = "model:"
SOURCE = "source"
"""The input port that the control plane binds to the dataset that the setting `dataset` names."""

_name = re.compile(r"^[a-z][a-z0-9_]{0,47}$")


@dataclass
class Step:
    """One task of the pipeline with its component; `apply` when it uses a model that the component fitted."""

    name: str
    spec: TaskSpec
    component: Component
    apply: bool
    parties: tuple[PartyId, ...] = ()
    settings: dict[PartyId, Params] = field(default_factory=dict)

    def takes(self, party: PartyId) -> dict[str, ArtefactKind]:
        """Return the ports that must or may be connected at a party."""
        ports = self.component.takes(role_of(party), apply=self.apply)
        bound = "dataset" in self.component.params.__struct_fields__
        return {port: KINDS[kind] for port, kind in ports.items() if not (bound and port == SOURCE)}

    def gives(self, party: PartyId) -> dict[str, ArtefactKind]:
        """Return what the task leaves at a party."""
        return {port: KINDS[kind] for port, kind in self.component.gives(role_of(party), apply=self.apply).items()}


class Checker:
    """Goes through a pipeline in the order of its tasks and collects what is wrong."""

    def __init__(self, question: CheckPipeline, catalogue: dict[str, Component]) -> None:
        self.question = question
        self.tasks = question.pipeline.tasks
        self.catalogue = catalogue
        self.problems: list[Problem] = []
        self.steps: dict[str, Step] = {}
        self.schemas: dict[tuple[str, str], Schema] = {}

    def check(self) -> PipelineCheck:
        """Return the problems, or the tasks in an order in which they can run."""
        self._check_parties()
        for name in self._order():
            self._check_task(name)
        if self.problems:
            return PipelineCheck(tuple(self.problems), ())
        planned = tuple(self._plan(step) for step in self.steps.values())
        learns = {step.name: tuple(learns_of(step)) for step in self.steps.values()}
        foreseen = costs.foresee(self.question, list(self.steps.values()))
        return PipelineCheck((), planned, learns, foreseen.costs, foreseen.guessed, foreseen.machine)

    def _say(self, task: str, message: str, remedy: str = "") -> None:
        self.problems.append(Problem(task, message, remedy))

    def _check_parties(self) -> None:
        for party in self.question.pipeline.parties:
            try:
                role_of(party)
            except ValueError as error:
                self._say("", str(error), "name the parties guest, arbiter, host-1, host-2, …")
        if "guest" not in self.question.pipeline.parties:
            self._say("", "there is no guest", "name the organisation that starts the job as guest")
        if self.question.party not in self.question.pipeline.parties:
            self._say("", f"{self.question.party} is no party of this pipeline")
        if not self.tasks:
            self._say("", "there is no task", "add a task")

    def _order(self) -> list[TaskName]:
        """Return the tasks, each after those it needs; of a cycle, nothing."""
        if self.problems:
            return []
        needs = {name: sources_of(spec) & self.tasks.keys() for name, spec in self.tasks.items()}
        try:
            return list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            self._say("", f"the tasks wait for one another: {' → '.join(reversed(error.args[1]))}", "break the cycle")
            return []

    def _check_task(self, name: TaskName) -> None:
        spec = self.tasks[name]
        if not _name.match(name):
            self._say(name, f"{name!r} is no name", "use lower-case letters, digits and _, beginning with a letter")
        component = self._component_of(name, spec)
        if component is None:
            return
        step = Step(name, spec, component, spec.component == PREDICT)
        roles = component.apply if step.apply else component.roles
        step.parties = tuple(party for party in self.question.pipeline.parties if role_of(party) in roles)
        if not step.parties:
            self._say(name, f"no party of this job can run {component.name}", f"it is for: {', '.join(roles)}")
        self._check_version(step)
        self._check_inputs(step)
        self._check_settings(step)
        self._check_dataset(step)
        self._check_schemas(step)
        self.steps[name] = step

    def _component_of(self, name: str, spec: TaskSpec) -> Component | None:
        if spec.component != PREDICT:
            component = self.catalogue.get(spec.component)
            if component is None:
                known = ", ".join([*self.catalogue, PREDICT])
                self._say(name, f"{spec.component!r} is no component of this installation", f"one of: {known}")
            return component
        reference = spec.inputs.get(MODEL, "")
        made_by = self._maker_of(reference)
        if made_by is None:
            self._say(
                name, f"the model {reference!r} is unknown", "connect `model` to a task's model, or to model:<id>"
            )
        elif not made_by.apply:
            self._say(
                name, f"{made_by.name} does not say how to use its model", "choose the model of another component"
            )
            return None
        return made_by

    def _maker_of(self, reference: str) -> Component | None:
        if reference.startswith(MODEL_VERSION):
            models = self.question.models
            number = reference.removeprefix(MODEL_VERSION)
            return self.catalogue.get(models.get(number, models.get(reference, "")))
        source, _, _ = reference.partition(".")
        step = self.steps.get(source)
        return step.component if step and not step.apply else None

    def _check_version(self, step: Step) -> None:
        proposed = self.question.versions.get(step.component.name)
        if proposed is not None and line_of(proposed) != line_of(step.component.version):
            self._say(
                step.name,
                f"the guest runs {step.component.name} {proposed}, {self.question.party} {step.component.version}",
                "bring both nodes to one release",
            )

    def _check_inputs(self, step: Step) -> None:
        known = {port for party in step.parties for port in step.takes(party)}
        for port in step.spec.inputs.keys() - known:
            self._say(
                step.name, f"{step.component.name} has no input {port!r}", f"it takes: {', '.join(sorted(known))}"
            )
        for port in sorted(known & step.spec.inputs.keys()):
            self._check_source(step, port, step.spec.inputs[port])
        for party in step.parties:
            for port in step.takes(party).keys() - step.spec.inputs.keys() - set(step.component.optional):
                self._say(step.name, f"the input {port!r} of {party} is not connected", f"connect {port!r}")

    def _check_source(self, step: Step, port: str, reference: str) -> None:
        takers = [party for party in step.parties if port in step.takes(party)]
        if reference.startswith(MODEL_VERSION):
            if any(step.takes(party)[port] != "model" for party in takers):
                self._say(step.name, f"{reference} is a model, {port!r} takes none", "connect a task's output")
            elif self._maker_of(reference) is None:
                self._say(step.name, f"{reference} is unknown", "see `hanse model list`")
            return
        name, _, output = reference.partition(".")
        source = self.steps.get(name)
        if source is None:
            if name not in self.tasks:
                self._say(step.name, f"{port!r} comes from {reference!r}, but there is no task {name!r}", "name a task")
            return
        for party in takers:
            given = source.gives(party).get(output) if party in source.parties else None
            if given is None and port not in step.component.optional:
                self._say(step.name, f"{name} leaves no {output!r} at {party}", "connect an output that this party has")
            elif given is not None and given != step.takes(party)[port]:
                wanted = step.takes(party)[port]
                self._say(step.name, f"{reference} is a {given}, {port!r} takes a {wanted}", f"connect a {wanted}")

    def _check_settings(self, step: Step) -> None:
        for party in step.spec.party_settings.keys() - set(self.question.pipeline.parties):
            self._say(step.name, f"it has settings for {party}, which is no party", "correct the name of the party")
        if step.apply and (step.spec.settings or step.spec.party_settings):
            self._say(
                step.name, "a prediction has no settings of its own", "leave them out: those of the training hold"
            )
        for party in step.parties if not step.apply else ():
            values = {**step.spec.settings, **step.spec.party_settings.get(party, {})}
            try:
                step.settings[party] = step.component.params.parse(values)
            except HanseError as error:
                self._say(step.name, f"settings of {party}: {error.fault.cause}", error.fault.remedy)

    def _check_dataset(self, step: Step) -> None:
        """Check the dataset that this party names, and take note of what the task gives on of it."""
        values: dict[str, Any] = step.settings[self.question.party].values() if self._is_mine(step) else {}
        if "dataset" not in values:
            return
        schema = self.question.schemas.get(values["dataset"])
        if schema is None:
            known = ", ".join(sorted(self.question.schemas)) or "none"
            self._say(
                step.name,
                f"{self.question.party} has granted no dataset {values['dataset']!r} to this project",
                f"grant it, or choose one of: {known}",
            )
            return
        self.schemas[step.name, SOURCE] = schema
        for port, kind in step.gives(self.question.party).items():
            if kind == "table":
                self.schemas[step.name, port] = schema.only(values.get("columns") or schema.names)

    def _check_schemas(self, step: Step) -> None:
        """Let the component look at the schemas that are known; a task from one table to tables gives its schema on."""
        party = self.question.party
        if party not in step.parties:
            return
        schemas = {}
        for port in step.takes(party):
            name, _, output = step.spec.inputs.get(port, "").partition(".")
            if (name, output) in self.schemas:
                schemas[port] = self.schemas[name, output]
        if (step.name, SOURCE) in self.schemas:
            schemas[SOURCE] = self.schemas[step.name, SOURCE]
        if step.component.check is not None and party in step.settings:
            for message in step.component.check(role_of(party), step.settings[party], schemas):
                self._say(step.name, f"{party}: {message}")
        gives = step.gives(party)
        if len(step.takes(party)) == len(schemas) == 1 and set(gives.values()) == {"table"} and not step.apply:
            for port in gives:
                self.schemas[step.name, port] = next(iter(schemas.values()))

    def _is_mine(self, step: Step) -> bool:
        return self.question.party in step.settings

    def _plan(self, step: Step) -> PlannedTask:
        return PlannedTask(
            name=step.name,
            component=step.component.name,
            version=step.component.version,
            parties=step.parties,
            after=tuple(sorted(sources_of(step.spec))),
            outputs={party: step.gives(party) for party in step.parties},
            apply=step.apply,
            queries=self._count_queries(step),
            redraws=self._redraws(step),
        )

    def _redraws(self, step: Step) -> bool:
        """Say whether a run is meant to differ from the last one. A party without a part in it does not judge."""
        party, redraws = self.question.party, step.component.redraws
        return redraws is not None and not step.apply and party in step.settings and redraws(step.settings[party])

    def _count_queries(self, step: Step) -> int:
        party, count = self.question.party, step.component.queries
        if count is None or step.apply or party not in step.settings or role_of(party) != "host":
            return 0
        return count(step.settings[party])


def check(question: CheckPipeline, catalogue: dict[str, Component]) -> PipelineCheck:
    """Answer `CheckPipeline`."""
    return Checker(question, catalogue).check()


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
