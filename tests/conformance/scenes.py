"""The catalogue on a stage: every component with generic inputs, so that one suite covers them all.

A scene is one task: a component (or its `apply`), its `example` settings or one of its `variants`, and aligned tables
of made-up people in every input port. What a scene needs of an earlier one (a fitted model) comes from
running that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import numpy as np

from hanse.core.roles import PartyId, role_of
from hanse.core.specs import Disclosure
from hanse.protocols.simulation import Killed, MemoryAttempt, Recorder, Wrap
from hanse.runtime import catalogue
from hanse.sdk import Model, Params, Report, Rule, Table, run
from hanse.sdk.component import Component, Value

ROWS = 96
FEATURES = 3
SEED = 7
MOVED = 8
"""People who have gone, and as many who have come, when something is fitted again."""

ANY_QUERIES = Disclosure(limit=1e12)


@dataclass(frozen=True)
class Scene:
    """One task, ready to be played."""

    component: Component
    parties: tuple[PartyId, ...]
    apply: bool = False
    variant: str = ""
    later: bool = False
    """Fitted again, with what was fitted before in the optional ports, when some people have gone and others come."""

    @property
    def name(self) -> str:
        stage = ".apply" if self.apply else ".later" if self.later else ""
        words = [f"{self.component.name}{stage}", self.variant, "+".join(self.parties)]
        return "-".join(filter(None, words))

    @property
    def settings(self) -> Params:
        """The settings of all parties."""
        varied = self.component.variants[self.variant].settings if self.variant else {}
        return self.component.params.parse({**self.component.example, **varied})

    def play(
        self,
        wrap: Wrap | None = None,
        *,
        seed: int = SEED,
        attempts: Mapping[PartyId, MemoryAttempt] | None = None,
    ) -> dict[str, dict[str, Value]]:
        """Run the task once."""
        inputs: dict[str, dict[str, Value]] = {party: self._inputs(party) for party in self.parties}
        return run(
            self.component,
            self.settings,
            inputs,
            apply=self.apply,
            seed=seed,
            disclosure=ANY_QUERIES,
            wrap=wrap,
            attempts=attempts,
        )

    def play_with_deaths(self, death: Wrap) -> tuple[dict[str, dict[str, Value]], bool]:
        """Play; when a tap kills a party, play again from the checkpoints. Return the outputs, and whether one died."""
        attempts = {party: MemoryAttempt() for party in self.parties}
        try:
            return self.play(death, attempts=attempts), False
        except Killed:
            return self.play(attempts=attempts), True

    def _inputs(self, party: PartyId) -> dict[str, Value]:
        ports = self.component.takes(role_of(party), apply=self.apply)
        if not (self.apply or self.later):  # what an earlier run of the component would have left is not there yet
            ports = {port: kind for port, kind in ports.items() if kind is Table or port not in self.component.optional}
        return {port: self._value(party, kind) for port, kind in ports.items()}

    def _value(self, party: PartyId, kind: type[Value]) -> Value:
        if kind is Table:
            return people(party, MOVED if self.later else 0)
        trained = undisturbed(Scene(self.component, self.parties, variant=self.variant))
        return next(value for value in trained[party].values() if isinstance(value, kind))


@cache
def people(party: PartyId, first: int = 0) -> Table:
    """Return one party's columns of the same people, in the same order; the guest has a label and some scores too."""
    rng = np.random.default_rng([SEED, *party.encode()])
    hidden = np.random.default_rng(SEED).normal(size=ROWS)
    columns: dict[str, Any] = {"id": [f"person{row:04d}" for row in range(first, first + ROWS)]}
    if party == "guest":
        columns["y"] = (hidden + 0.5 * rng.normal(size=ROWS) > 0).astype(np.int64)
        columns["score"] = 1 / (1 + np.exp(-hidden))
    for number in range(FEATURES):
        columns[f"x{number}"] = hidden * (number == 0) + rng.normal(size=ROWS)
    return Table.of(columns, id="id", label="y" if party == "guest" else None)


@cache
def undisturbed(scene: Scene) -> dict[str, dict[str, Value]]:
    """Return the scene's outputs when nothing goes wrong."""
    return scene.play()


@cache
def recorded(scene: Scene) -> Recorder:
    """Return what the scene sends when nothing goes wrong."""
    recorder = Recorder(payloads=True)
    scene.play(recorder)
    return recorder


def list_scenes() -> list[Scene]:
    """Return the scenes of the whole catalogue: with one host and with two, or with the guest alone; then `apply`."""
    scenes = []
    for component in catalogue.load_all().values():
        everywhere = (1, 2) if "host" in component.roles else (0,)
        stages = {"": everywhere, **{name: variant.hosts for name, variant in component.variants.items()}}
        for variant, numbers in stages.items():
            for hosts in numbers:
                hosted = tuple(PartyId(f"host-{number}") for number in range(1, hosts + 1))
                parties = (PartyId("guest"), *hosted)
                scenes.append(Scene(component, parties, variant=variant))
                if component.apply:
                    scenes.append(Scene(component, parties, apply=True, variant=variant))
                if not variant and _adds(component):
                    scenes.append(Scene(component, parties, later=True))
    return scenes


def _adds(component: Component) -> bool:
    """Say whether the component can be given what it fitted before, to add to it."""
    ports = {port: kind for role in component.roles for port, kind in component.takes(role).items()}
    return any(ports[port] is Model for port in component.optional)


def results(outputs: dict[str, dict[str, Value]]) -> dict[str, dict[str, Any]]:
    """Return what `plain` does, without reports: they say how often was asked, and a restarted task asks more often."""
    kept: dict[str, dict[str, Value]] = {
        party: {port: value for port, value in ports.items() if not isinstance(value, Report)}
        for party, ports in outputs.items()
    }
    return plain(kept)


def plain(outputs: dict[str, dict[str, Value]]) -> dict[str, dict[str, Any]]:
    """Return outputs in a form that `==` compares, bit by bit."""
    return {party: {port: _plain(value) for port, value in ports.items()} for party, ports in outputs.items()}


def _plain(value: Value) -> Any:
    match value:
        case Table(schema=schema):
            numbers = [column.name for column in schema.columns if column.type != "text"]
            return schema, value.ids().to_strings(), value.numbers(numbers).tobytes()
        case Model(arrays=arrays, details=details, files=files):
            plain_arrays = {name: (array.dtype.str, array.tobytes()) for name, array in arrays.items()}
            return plain_arrays, {name: file.data.tobytes() for name, file in files.items()}, _json(details)
        case Rule(details=details):
            return _json(details)
        case Report(view=view, values=values):
            return view, _json(values)


def _json(values: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(dict(values), enc_hook=lambda array: array.tolist(), order="sorted")
