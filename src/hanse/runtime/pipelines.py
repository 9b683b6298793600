"""Is a pipeline sound, as far as one party can tell before any data is touched? And how would it run?"""

import re
from collections.abc import Sequence
from typing import Any

from hanse.core.faults import HanseError
from hanse.core.guesses import COMPARISONS, Guesses
from hanse.core.ids import TaskName
from hanse.core.planning import CheckPipeline, PipelineCheck, PlannedTask, Problem
from hanse.core.pointers import point, point_at_setting
from hanse.core.problems import tell
from hanse.core.roles import GUEST, PartyId, role_of
from hanse.core.specs import DERIVED, PREDICT, ArtefactKind, TaskSpec
from hanse.runtime import costs, tables
from hanse.runtime.agreement import line_of
from hanse.runtime.graphs import arrange
from hanse.runtime.steps import MODEL, MODEL_VERSION, Step, learns_of, sources_of
from hanse.runtime.tables import Kept
from hanse.sdk.component import Component
from hanse.sdk.findings import Finding
from hanse.sdk.mistakes import choices, find_mistakes

MOST_NAMES = 20
"""Names of a circle that are said: all when there are no more."""

_name = re.compile(r"^[a-z][a-z0-9_]{0,47}$")


class Checker:
    """Goes through a pipeline and collects all that is wrong: what is wrong with one task hides nothing of others.

    Takes time linear in the size of the pipeline, and of the tables that it reads.
    """

    def __init__(self, question: CheckPipeline, catalogue: dict[str, Component]) -> None:
        self.question = question
        self.tasks = question.pipeline.tasks
        self.catalogue = catalogue
        self.steps: dict[str, Step] = {}
        self.kept = Kept(question)
        self.guesses = Guesses(COMPARISONS + 10 * len(self.tasks))
        self._problems: dict[tuple[str, str, str], Problem] = {}
        self._parties = tuple(party for party in question.pipeline.parties if _is_party(party))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong: of the pipeline itself, then of each task in the order of the pipeline."""
        place = {str(name): number for number, name in enumerate(self.tasks)}
        return tuple(sorted(self._problems.values(), key=lambda problem: place.get(problem.task, -1)))

    def check(self) -> PipelineCheck:
        """Return the problems, and the tasks in an order in which they can run."""
        self._check_parties()
        steps = {name: step for name, spec in self.tasks.items() if (step := self._make_step(name, spec))}
        needs = {str(name): sorted(sources_of(spec) & self.tasks.keys()) for name, spec in self.tasks.items()}
        order, circles = arrange(needs)
        self.steps = {name: steps[TaskName(name)] for name in order if name in steps}
        for circle in circles:
            self._say_circle(circle)
        for step in self.steps.values():
            self._check_step(step)
        return self._answer()

    def _answer(self) -> PipelineCheck:
        problems, steps = self.problems, list(self.steps.values())
        planned = tuple(self._plan(step) for step in steps)
        known, ports = self.kept.listed() if self.question.tells_tables else ((), {})
        if problems:
            return PipelineCheck(problems, planned, tables=known, ports=ports)
        learns = {step.name: tuple(learns_of(step)) for step in steps}
        foreseen = costs.foresee(self.question, steps)
        return PipelineCheck(
            (), planned, learns, foreseen.costs, foreseen.guessed, foreseen.machine, tables=known, ports=ports
        )

    def _say(self, code: str, pointer: str, task: str = "", suggestion: str = "", /, **facts: object) -> None:
        """Note a problem; what several parties have in common is said once."""
        problem = tell(code, pointer, task, suggestion, **facts)
        self._problems.setdefault((pointer, code, problem.message), problem)

    def _check_parties(self) -> None:
        pipeline = self.question.pipeline
        for party in pipeline.parties:
            if party not in self._parties:
                near = self.guesses.near(party, {GUEST, "host-1", "arbiter"} - pipeline.parties.keys())
                self._say("party.name", point("parties", party), "", near, party=party)
        if GUEST not in pipeline.parties:
            self._say("pipeline.no_guest", point("parties"))
        if self.question.party not in pipeline.parties:
            self._say("party.absent", point("parties"), party=self.question.party)
        if not self.tasks:
            self._say("pipeline.no_task", point("tasks"))

    def _make_step(self, name: TaskName, spec: TaskSpec) -> Step | None:
        if not _name.match(name):
            self._say("task.name", point("tasks", name), name, name=name)
        component = self._component_of(name, spec)
        if component is None:
            return None
        step = Step(name, spec, component, spec.component == PREDICT)
        roles = component.apply if step.apply else component.roles
        step.parties = tuple(party for party in self._parties if role_of(party) in roles)
        if not step.parties and GUEST in self._parties:
            place = point("tasks", name, "component")
            self._say("component.parties", place, name, component=component.name, roles=", ".join(roles))
        return step

    def _component_of(self, name: str, spec: TaskSpec) -> Component | None:
        if spec.component == PREDICT:
            return self._component_of_model(name, spec.inputs.get(MODEL, ""))
        component = self.catalogue.get(spec.component)
        if component is None:
            known = (*self.catalogue, PREDICT)
            near, place = self.guesses.near(spec.component, known), point("tasks", name, "component")
            self._say("component.unknown", place, name, near, component=spec.component, known=", ".join(known))
        return component

    def _component_of_model(self, name: str, reference: str) -> Component | None:
        """Return the component that made the model of a prediction; None if that is wrong, here or where it is made."""
        place, source = point("tasks", name, "inputs", MODEL), reference.partition(".")[0]
        if not reference:
            self._say("input.missing", place, name, port=MODEL, parties=PREDICT)
            return None
        if not reference.startswith(MODEL_VERSION) and (maker := self.tasks.get(TaskName(source))) is not None:
            if maker.component == PREDICT:
                self._say("model.unmade", place, name, source=source)
                return None
            made_by = self.catalogue.get(maker.component)
        else:
            made_by = self._maker_of(reference)
            if made_by is None:
                self._say("model.unknown", place, name, self._near_output(reference, {MODEL}), reference=reference)
        if made_by is not None and not made_by.apply:
            self._say("model.unused", place, name, component=made_by.name)
            return None
        return made_by

    def _maker_of(self, reference: str) -> Component | None:
        """Return the component of a model of an earlier job."""
        models = self.question.models
        number = reference.removeprefix(MODEL_VERSION)
        return self.catalogue.get(models.get(number, models.get(reference, "")))

    def _say_circle(self, circle: list[str]) -> None:
        """Say which tasks wait for one another, at the input that leads from the last of them to the first."""
        before, first = circle[-2], TaskName(circle[0])
        inputs = self.tasks[first].inputs.items()
        port = next(port for port, reference in inputs if reference.partition(".")[0] == before)
        shown = circle if len(circle) <= MOST_NAMES else [*circle[: MOST_NAMES - 2], "…", *circle[-2:]]
        self._say("pipeline.cycle", point("tasks", first, "inputs", port), first, path=" → ".join(shown))

    def _check_step(self, step: Step) -> None:
        self._check_version(step)
        self._check_inputs(step)
        self._check_settings(step)
        self._check_datasets(step)
        trained = self.steps.get(step.spec.inputs.get(MODEL, "").partition(".")[0]) if step.apply else None
        self.kept.carry(step, trained.settings if trained is not None else None)
        self._check_tables(step)

    def _check_version(self, step: Step) -> None:
        component, party = step.component, self.question.party
        proposed = self.question.versions.get(component.name)
        if proposed is not None and line_of(proposed) != line_of(component.version):
            facts = {"component": component.name, "proposed": proposed, "party": party, "installed": component.version}
            self._say("component.version", point("tasks", step.name, "component"), step.name, **facts)

    def _check_inputs(self, step: Step) -> None:
        given = step.spec.inputs
        takers: dict[str, list[PartyId]] = {}
        for party in step.parties:
            for port in step.takes(party):
                takers.setdefault(port, []).append(party)
        for port in given.keys() - takers.keys() if step.parties else ():
            place, near = (
                point("tasks", step.name, "inputs", port),
                self.guesses.near(port, takers.keys() - given.keys()),
            )
            known = ", ".join(sorted(takers)) or "-"
            self._say("input.unknown", place, step.name, near, component=step.component.name, port=port, known=known)
        for port, parties in takers.items():
            place = point("tasks", step.name, "inputs", port)
            if port in given:
                self._check_source(step, port, parties, place)
            elif port not in step.component.optional:
                self._say("input.missing", place, step.name, port=port, parties=", ".join(parties))

    def _check_source(self, step: Step, port: str, takers: Sequence[PartyId], place: str) -> None:
        reference = step.spec.inputs[port]
        wanted = {party: step.takes(party)[port] for party in takers}
        if reference.startswith(MODEL_VERSION):
            if set(wanted.values()) != {MODEL}:
                self._say("input.model", place, step.name, reference=reference, port=port)
            elif self._maker_of(reference) is None:
                self._say("model.unknown", place, step.name, reference=reference)
            return
        name, _, output = reference.partition(".")
        source = self.steps.get(name)
        if source is None:
            if name not in self.tasks and not (step.apply and port == MODEL):  # a model's maker was looked for before
                near = self._near_output(reference, set(wanted.values()))
                self._say("input.no_task", place, step.name, near, port=port, reference=reference, source=name)
            return
        given = {party: source.gives(party).get(output) if party in source.parties else None for party in takers}
        absent = [party for party, kind in given.items() if kind is None]
        if absent and (port not in step.component.optional or len(absent) == len(takers)):
            known = sorted({out for party in absent if party in source.parties for out in source.gives(party)})
            suitable = self._outputs(source, set(wanted.values()))
            near = self.guesses.near(output, suitable) or (suitable[0] if len(suitable) == 1 else "")
            facts = {"source": name, "output": output, "parties": ", ".join(absent), "known": ", ".join(known) or "-"}
            self._say("input.no_output", place, step.name, near and f"{name}.{near}", **facts)
        for party, kind in given.items():
            if kind is not None and kind != wanted[party]:
                suitable = self._outputs(source, {wanted[party]})
                near = f"{name}.{suitable[0]}" if len(suitable) == 1 else ""
                facts = {"reference": reference, "given": kind, "port": port, "wanted": wanted[party]}
                self._say("input.kind", place, step.name, near, **facts)

    def _near_output(self, reference: str, kinds: set[ArtefactKind] | set[str]) -> str:
        """Return the output of a task that a reference to no task is likely to mean."""
        name, _, output = reference.partition(".")
        near = self.guesses.near(name, self.tasks)
        component = self.catalogue.get(self.tasks[TaskName(near)].component) if near else None
        if component is None:
            return ""
        found = self._outputs(Step(near, self.tasks[TaskName(near)], component, False, self._parties), set(kinds))
        return f"{near}.{output}" if output in found else f"{near}.{found[0]}" if len(found) == 1 else ""

    @staticmethod
    def _outputs(source: Step, kinds: set[Any]) -> list[str]:
        """Return the outputs of these kinds, of any party."""
        return sorted({out for party in source.parties for out, kind in source.gives(party).items() if kind in kinds})

    def _check_settings(self, step: Step) -> None:
        spec, parties = step.spec, self.question.pipeline.parties
        for party in spec.party_settings.keys() - parties.keys():
            near, place = self.guesses.near(party, parties), point("tasks", step.name, "party_settings", party)
            self._say("setting.stranger", place, step.name, near, party=party)
        if step.apply:
            for told in (told for told in ("settings", "party_settings") if getattr(spec, told)):
                self._say("setting.of_prediction", point("tasks", step.name, told), step.name)
            return
        for party in step.parties:
            values = {**spec.settings, **spec.party_settings.get(party, {})}
            try:
                step.settings[party] = step.component.params.parse(values)
            except HanseError:
                for found in find_mistakes(step.component.params, values):
                    self._say_finding(step, party, found, self._meant(step, values, found))

    def _meant(self, step: Step, values: dict[str, Any], found: Finding) -> str:
        """Return what a wrong setting is likely to mean: another setting, or another of the words that it may be."""
        params = step.component.params
        if found.code == "setting.unknown":
            return self.guesses.near(found.setting, set(params.__struct_fields__) - values.keys())
        if found.code != "setting.invalid":
            return ""
        value = values[found.setting]
        for part in found.path:
            value = value[part] if isinstance(value, list | dict) else None  # type: ignore[index]
        return self.guesses.near(value, choices(params, found.setting, found.path)) if isinstance(value, str) else ""

    def _say_finding(self, step: Step, party: PartyId, found: Finding, suggestion: str = "") -> None:
        place = point("tasks", step.name, "inputs", found.port)
        if found.setting:
            place = point_at_setting(step.name, step.spec, party, found.setting, *found.path)
        elif not found.port:
            place = point("tasks", step.name, "settings")
        known = ", ".join(step.component.params.__struct_fields__)
        facts = {"component": step.component.name, "known": known, "party": party, "port": found.port}
        setting = ".".join([found.setting, *map(str, found.path)])
        named = found.setting if found.code.startswith("column.") else setting
        self._say(found.code, place, step.name, suggestion, **{**facts, "setting": named, **found.facts})

    def _check_datasets(self, step: Step) -> None:
        """Check the datasets that are named: this party's, and those of partners that have told what they grant."""
        if not tables.reads(step):
            return
        granted = {**self.question.offered, self.question.party: self.question.schemas}
        for party in step.settings.keys() & granted.keys():
            name, place = step.settings[party].dataset, point_at_setting(step.name, step.spec, party, "dataset")
            is_told = party == self.question.party or not name.startswith(DERIVED)
            if not name:
                self._say("dataset.unnamed", place, step.name, party=party)
            elif is_told and name not in granted[party]:
                near = self.guesses.near(name, granted[party])
                self._say("dataset.not_granted", place, step.name, near, party=party, dataset=name)

    def _check_tables(self, step: Step) -> None:
        """Hold the settings of this party against the tables that reach it; at the guest, those of its partners too."""
        mine = [party for party in step.settings if self.question.party in (party, GUEST)]
        at = {party: self.kept.inputs.get((party, step.name), {}) for party in step.parties}
        for party in mine:
            for setting, naming in step.component.names.items():
                for absent in tables.find_absent(setting, naming, party, step.settings[party], at, self.question.party):
                    near = self.guesses.near(absent.column, absent.known)
                    self._say_finding(step, party, absent.finding, near)
            if step.component.check is not None:
                for found in step.component.check(role_of(party), step.settings[party], at[party]):
                    self._say_finding(step, party, found)

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


def _is_party(party: PartyId) -> bool:
    try:
        role_of(party)
    except ValueError:
        return False
    return True
