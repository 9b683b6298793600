"""What the rest of the platform knows of an algorithm: data, and one coroutine per role.

The header of a component's module is data too. Its docstring reads

    Title: one sentence that sums it up.

    Protocol  which protocol, with its source.
    Secure    against whom, under which assumption.
    Learns    guest: what the guest learns.
              host: what a host learns.
              host: what it learns more [share_result=true]

A role may have several lines; one that ends in `[setting=value]` (or `[a=1, b=true]`) holds under those settings only,
one that ends in `[predict=true]` only where the fitted model is used, in `[predict=false]` only where it is fitted.
The Chinese names are in the folder's `zh.toml`:

    title = "…"
    summary = "…"
    [settings.share_result]
    title = "…"
    help = "…"

Settings that several components inherit have their Chinese names in the `zh.toml` beside the class that declares them.
"""

import inspect
import json
import re
import sys
import tomllib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from hanse.core.faults import fault
from hanse.core.planning import ComponentCard, Learns
from hanse.core.roles import ROLES, Role
from hanse.core.schema import KnownTable
from hanse.core.specs import ArtefactKind
from hanse.protocols.channel import Party
from hanse.sdk.costs import Costs, Work
from hanse.sdk.findings import Finding, Naming
from hanse.sdk.model import Model, Report, Rule
from hanse.sdk.params import Params
from hanse.sdk.schemas import Flow, Tables
from hanse.sdk.table import Table

Value = Table | Model | Rule | Report
RoleFunction = Callable[..., Coroutine[Any, Any, Any]]
Ports = Mapping[str, type[Value]]
PortsByRole = Ports | Mapping[Role, Ports]
Check = Callable[[Role, Any, Mapping[str, KnownTable]], list[Finding]]

KINDS: dict[type[Value], ArtefactKind] = {Table: "table", Model: "model", Rule: "rule", Report: "report"}
SECTIONS = ("Protocol", "Secure", "Learns")
_section = re.compile(rf"^({'|'.join(SECTIONS)})\s+(.*)$")
_line = re.compile(rf"^({'|'.join(ROLES)}):\s*(.*)$")
_condition = re.compile(r"\s*\[([^\[\]]*=[^\[\]]*)\]\.?$")


@dataclass(frozen=True)
class Variant:
    """Settings under which a component speaks otherwise than under its example, and with how many hosts it can."""

    settings: Mapping[str, Any]
    hosts: tuple[int, ...] = (1, 2)


@dataclass(frozen=True, eq=False)
class Component:
    """An algorithm of the catalogue.

    `inputs` and `outputs` are `{port: Table | Model | Rule | Report}`, or `{role: {port: type}}` where roles differ.
    `optional` names input ports that may be absent (the role then gets None). `apply` says how to use what was fitted:
    its functions get `model` (this party's own part), then `apply_inputs`, and the settings of the training.
    `names` says which settings name columns, and of which table. `check(role, settings, tables)` says what else is
    wrong with what is known of the tables of input ports, before any data is touched. `queries(settings)` says how
    many exact sums of its table a host may have to answer, so that a job that the table's owner will not allow is
    refused before anything runs. `redraws(settings)` says whether another run on the same inputs is meant to come
    out differently: its results are reused only when asked for. `cost(work)` says what it takes, from sizes and
    settings alone, and how large its outputs are: a pure function, beside the component in `cost.py`.
    `schema(flow)` says which columns its tables will have, likewise, in `schema.py`. `example` holds small
    settings, as a pipeline says them, for documentation and tests; `variants`, by name, what else the conformance
    suite is to play, where settings change what is said.
    """

    name: str
    version: str
    params: type[Params]
    roles: Mapping[Role, RoleFunction]
    inputs: PortsByRole
    outputs: PortsByRole
    apply: Mapping[Role, RoleFunction] = field(default_factory=dict)
    apply_inputs: PortsByRole = field(default_factory=dict)
    apply_outputs: PortsByRole = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Variant] = field(default_factory=dict)
    names: Mapping[str, Naming] = field(default_factory=dict)
    check: Check | None = None
    queries: Callable[[Any], int] | None = None
    redraws: Callable[[Any], bool] | None = None
    cost: Callable[[Work], Costs] | None = None
    schema: Callable[[Flow], Tables] | None = None

    def takes(self, role: Role, *, apply: bool = False) -> Ports:
        """Return the input ports of a role by name (those of `apply` begin with `model`)."""
        if apply:
            return {"model": Model, **_of_role(self.apply_inputs, role)}
        return _of_role(self.inputs, role)

    def needs(self, role: Role, *, apply: bool = False) -> tuple[str, ...]:
        """Return the input ports of a role that are never absent."""
        return tuple(port for port in self.takes(role, apply=apply) if port not in self.optional)

    def gives(self, role: Role, *, apply: bool = False) -> Ports:
        """Return the output ports of a role by name."""
        return _of_role(self.apply_outputs if apply else self.outputs, role)

    @cached_property
    def folder(self) -> Path:
        """The folder that holds the component's module."""
        return Path(str(sys.modules[self._module].__file__)).parent

    @property
    def _module(self) -> str:
        """The module of the component's name beside its settings, else (all in one file) that of the settings."""
        beside = f"{self.params.__module__.rpartition('.')[0]}.{self.name}"
        return beside if beside in sys.modules else self.params.__module__

    def card(self) -> ComponentCard:
        """Return the component as data. Raises ValueError when the module's header is not as it must be."""
        header = read_header(sys.modules[self._module].__doc__ or "", tuple(self.roles))
        chinese = _read_chinese(self.folder / "zh.toml")
        settings = {**_inherited_chinese(self.params), **chinese.get("settings", {})}
        return ComponentCard(
            name=self.name,
            version=self.version,
            title=_texts(header.title, chinese.get("title")),
            summary=_texts(header.summary, chinese.get("summary")),
            protocol=header.protocol,
            secure=header.secure,
            learns=header.learns,
            roles=tuple(self.roles),
            inputs={role: _kinds(self.takes(role)) for role in self.roles},
            outputs={role: _kinds(self.gives(role)) for role in self.roles},
            applies=tuple(self.apply),
            apply_inputs={role: _kinds(self.takes(role, apply=True)) for role in self.apply},
            apply_outputs={role: _kinds(self.gives(role, apply=True)) for role in self.apply},
            optional=self.optional,
            params=_with_chinese(self.params.schema(), settings),
        )


async def perform(
    component: Component,
    me: Party,
    inputs: Mapping[str, Value | None],
    settings: Params,
    *,
    apply: bool = False,
    program: RoleFunction | None = None,
) -> dict[str, Value]:
    """Run one role's program and return its outputs by port. `program` replaces the role's own (for tests).

    Raises HanseError("input.missing" | "input.kind") before the program starts.
    """
    functions = component.apply if apply else component.roles
    if me.role not in functions:
        raise fault(
            "component.role", f"{component.name} has no part for a {me.role}", "leave this party out", party=me.id
        )
    arguments = {
        port: _argument(component, port, kind, inputs.get(port))
        for port, kind in component.takes(me.role, apply=apply).items()
    }
    result = await (program or functions[me.role])(me, **arguments, settings=settings)
    return name_outputs(component, me.role, result, apply=apply)


def name_outputs(component: Component, role: Role, result: Any, *, apply: bool = False) -> dict[str, Value]:
    """Return what a role's program returned as `{port: value}`. Raises TypeError when it is not what was declared."""
    ports = component.gives(role, apply=apply)
    if hasattr(result, "_asdict"):
        named: dict[str, Any] = result._asdict()
    elif len(ports) == 1 and result is not None:
        named = {next(iter(ports)): result}
    else:
        named = {}
    if named.keys() != ports.keys() or any(not isinstance(named[port], kind) for port, kind in ports.items()):
        raise TypeError(f"{component.name}: the {role} returned {named or result!r}, declared is {_kinds(ports)}")
    return named


def _argument(component: Component, port: str, kind: type[Value], value: Value | None) -> Value | None:
    if value is None and port in component.optional:
        return None
    if value is None:
        raise fault("input.missing", f"{component.name} needs the input {port!r}", f"connect {port!r}")
    if not isinstance(value, kind):
        given = KINDS[type(value)]
        raise fault("input.kind", f"input {port!r} of {component.name} is a {given}", f"connect a {KINDS[kind]}")
    return value


@dataclass(frozen=True)
class Header:
    """The parsed docstring of a component's module."""

    title: str
    summary: str
    protocol: str
    secure: str
    learns: tuple[Learns, ...]


def read_header(docstring: str, roles: tuple[Role, ...]) -> Header:
    """Parse a component's docstring. Raises ValueError in words when a section or a role's line is absent."""
    text = inspect.cleandoc(docstring)
    first, _, rest = text.partition("\n\n")
    title, _, summary = " ".join(first.split()).partition(":")
    sections: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in rest.splitlines():
        if match := _section.match(line):
            current = sections.setdefault(match[1], [])
            current.append(match[2].strip())
        elif current is not None and line[:1].isspace():
            current.append(line.strip())
        else:
            current = None
    if absent := [name for name in SECTIONS if not sections.get(name)]:
        raise ValueError(f"the header lacks {', '.join(absent)}")
    learns = _read_learns(sections["Learns"])
    if silent := [role for role in roles if all(entry.role != role for entry in learns)]:
        raise ValueError(f"the header does not say what {', '.join(silent)} learns")
    return Header(title.strip(), summary.strip(), " ".join(sections["Protocol"]), " ".join(sections["Secure"]), learns)


def _read_learns(lines: list[str]) -> tuple[Learns, ...]:
    entries: list[tuple[Role, str]] = []
    for line in lines:
        if match := _line.match(line):
            entries.append((next(role for role in get_args(Role) if role == match[1]), match[2]))
        elif entries:
            role, text = entries.pop()
            entries.append((role, f"{text} {line}"))
        else:
            raise ValueError(f"a Learns line starts with its role: {line!r}")
    return tuple(_read_condition(role, text.strip()) for role, text in entries)


def _read_condition(role: Role, text: str) -> Learns:
    match = _condition.search(text)
    if not match:
        return Learns(role, text)
    pairs = (part.split("=", 1) for part in match[1].split(","))
    return Learns(role, text[: match.start()], {name.strip(): _plain(value.strip()) for name, value in pairs})


def _plain(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _of_role(ports: PortsByRole, role: Role) -> Ports:
    by_role = bool(ports) and all(key in ROLES and isinstance(value, Mapping) for key, value in ports.items())
    found: Any = ports.get(role, {}) if by_role else ports
    return dict(found)


def _kinds(ports: Ports) -> dict[str, ArtefactKind]:
    return {port: KINDS[kind] for port, kind in ports.items()}


def _texts(english: str, chinese: str | None) -> dict[str, str]:
    return {"en": english, **({"zh": chinese} if chinese else {})}


def _read_chinese(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}


def _inherited_chinese(params: type[Params]) -> dict[str, Any]:
    """Return the Chinese words of inherited settings, those of the nearest class first in force."""
    found: dict[str, Any] = {}
    for declared in reversed(params.__mro__[1:]):
        if issubclass(declared, Params) and declared is not Params:
            path = Path(str(sys.modules[declared.__module__].__file__)).parent / "zh.toml"
            found |= _read_chinese(path).get("settings", {})
    return found


def _with_chinese(schema: dict[str, Any], settings: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the schema with each property's Chinese words under `x-zh`: {title, description}."""
    properties = {
        name: {**shape, "x-zh": {"title": said["title"], "description": said["help"]}}
        if (said := settings.get(name))
        else shape
        for name, shape in schema.get("properties", {}).items()
    }
    return {**schema, "properties": properties}
