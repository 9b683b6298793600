"""Which columns reach each task, from those of the datasets on: every component says what its outputs have."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from hanse.core.planning import CheckPipeline, Ports
from hanse.core.roles import PartyId, role_of
from hanse.core.schema import UNKNOWN, KnownTable
from hanse.runtime import log
from hanse.runtime.steps import SOURCE, Step
from hanse.sdk.findings import Finding, Naming
from hanse.sdk.schemas import Flow, Tables


class Absent(NamedTuple):
    """A column that is not there, and those that are."""

    finding: Finding
    column: str
    known: Collection[str]


class Kept:
    """What is known of the tables at the inputs and outputs of tasks, by party and task, then by port."""

    def __init__(self, question: CheckPipeline) -> None:
        self._question = question
        self._sources: dict[tuple[PartyId, str], KnownTable] = {}
        self.inputs: dict[tuple[PartyId, str], dict[str, KnownTable]] = {}
        self.outputs: dict[tuple[PartyId, str], dict[str, KnownTable]] = {}

    def carry(self, step: Step, trained: Mapping[PartyId, Any] | None) -> None:
        """Carry the tables that reach a task through it. `trained`: the settings of the training of what it uses."""
        for party in step.parties:
            self.inputs[party, step.name] = self._arriving(step, party)
        given = {party: self.inputs[party, step.name] for party in step.parties}
        settings = (trained or {}) if step.apply else step.settings
        told = _ask(step, Flow(step.parties, given, settings, step.apply))
        for party in step.parties:
            ports = [port for port, kind in step.gives(party).items() if kind == "table"]
            self.outputs[party, step.name] = {port: told.get(party, {}).get(port, UNKNOWN) for port in ports}

    def listed(self) -> tuple[tuple[KnownTable, ...], dict[str, dict[PartyId, Ports]]]:
        """Return the tables, each once, and which of them is at each port."""
        numbers: dict[int, int] = {}
        tables: list[KnownTable] = []

        def number(table: KnownTable) -> int:
            if id(table) not in numbers:
                numbers[id(table)] = len(tables)
                tables.append(table)
            return numbers[id(table)]

        ports: dict[str, dict[PartyId, Ports]] = {}
        for (party, task), given in self.inputs.items():
            made = self.outputs[party, task]
            ports.setdefault(task, {})[party] = Ports(
                {port: number(table) for port, table in given.items()},
                {port: number(table) for port, table in made.items()},
            )
        return tuple(tables), ports

    def _arriving(self, step: Step, party: PartyId) -> dict[str, KnownTable]:
        found = {}
        if reads(step):
            settings = step.settings.get(party)
            found[SOURCE] = UNKNOWN if settings is None else self._source(party, settings.dataset)
        for port, kind in step.takes(party).items():
            if kind == "table" and port in step.spec.inputs:
                name, _, output = step.spec.inputs[port].partition(".")
                found[port] = self.outputs.get((party, name), {}).get(output, UNKNOWN)
        return found

    def _source(self, party: PartyId, name: str) -> KnownTable:
        """Return what a dataset gives: what is the same for two tasks is the same table."""
        question = self._question
        known = question.schemas if party == question.party else question.offered.get(party, {})
        if (party, name) not in self._sources:
            schema = known.get(name)
            self._sources[party, name] = UNKNOWN if schema is None else KnownTable.of(schema, party)
        return self._sources[party, name]


def reads(step: Step) -> bool:
    """Say whether nodes bind their datasets to the task."""
    return "dataset" in step.component.params.__struct_fields__ and not step.apply


def find_absent(
    setting: str, naming: Naming, party: PartyId, settings: Any, tables: Tables, asking: PartyId
) -> "Iterator[Absent]":
    """Yield each column that a setting names and that no table has which it is about, at the first such port."""
    if naming.role not in (None, role_of(party)) or (naming.anywhere and role_of(asking) != "guest"):
        return
    value = getattr(settings, setting)
    places: dict[str, tuple[int, ...]] = (
        {value: ()} if isinstance(value, str) else {name: (place,) for place, name in enumerate(value)}
    )
    parties = tables if naming.anywhere else (party,)
    said: set[str] = {""}
    for port in naming.ports:
        about = [tables[one][port] for one in parties if port in tables[one]]
        known = {name: None for table in about for name in table.features}
        if about and not any(table.open for table in about):
            for name in places.keys() - known.keys() - said:
                said.add(name)
                code = "column.nowhere" if naming.anywhere else "column.unknown"
                yield Absent(Finding(code, port, setting, places[name], {"column": name}), name, known)


def _ask(step: Step, flow: Flow) -> Tables:
    """Ask the component. One whose function fails keeps no pipeline from running: its tables are then not known."""
    if step.component.schema is None:
        return {}
    try:
        return step.component.schema(flow)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        log.error("schema.failed", error)
        return {}
