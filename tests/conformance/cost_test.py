"""Cost models against the golden transcripts: what a component says that it sends is about what it sends."""

from __future__ import annotations

import pytest
from tests.conformance.golden import transcript
from tests.conformance.scenes import FEATURES, ROWS, Scene, list_scenes

from hanse.core.costs import Size
from hanse.core.roles import PartyId, role_of
from hanse.runtime import catalogue
from hanse.sdk import Table
from hanse.sdk.component import Component
from hanse.sdk.costs import Costs, Work

FACTOR = 2.0
"""A model counts what grows; it is held on tables so small that openings and greetings are a part of all bytes."""

FEW_BYTES = 4096


def name(scene: Scene) -> str:
    return scene.name


def judge(scene: Scene, me: PartyId, rows: int = ROWS) -> Costs:
    given: dict[PartyId, dict[str, Size]] = {}
    for party in scene.parties:
        ports = scene.component.takes(role_of(party), apply=scene.apply)
        kept = {port for port, kind in ports.items() if scene.apply or (kind is Table and not optional(scene, port))}
        given[party] = dict.fromkeys(kept, Size(rows, FEATURES))
    settings = dict.fromkeys(scene.parties, scene.settings)
    assert scene.component.cost is not None
    return scene.component.cost(Work(me, scene.parties, given, settings, 1, scene.apply))


def optional(scene: Scene, port: str) -> bool:
    return port in scene.component.optional and scene.component.name == "psi_cached"


def first_runs() -> list[Scene]:
    return [scene for scene in list_scenes() if not scene.later]


@pytest.mark.parametrize("scene", first_runs(), ids=name)
def test_a_component_sends_about_as_many_bytes_as_its_cost_model_says(scene: Scene) -> None:
    said = transcript(scene)
    for party in scene.parties:
        sent = sum(line[4] for line in said if line[0] == party)
        foreseen = judge(scene, party).cost.bytes_sent
        assert foreseen <= FACTOR * sent + FEW_BYTES
        assert sent <= FACTOR * foreseen + FEW_BYTES


@pytest.mark.parametrize("component", catalogue.load_all().values(), ids=lambda component: component.name)
def test_every_component_states_what_it_takes(component: Component) -> None:
    assert component.cost is not None


@pytest.mark.parametrize("scene", first_runs(), ids=name)
def test_larger_tables_take_more_of_everything_and_what_comes_out_fits_what_went_in(scene: Scene) -> None:
    for party in scene.parties:
        small, large = judge(scene, party, 20_000), judge(scene, party, 200_000)
        assert large.cost.seconds > small.cost.seconds > 0
        assert large.cost.bytes_sent >= small.cost.bytes_sent
        assert large.cost.memory_bytes >= small.cost.memory_bytes
        for ports in large.gives.values():
            assert all(0 <= size.rows <= 200_000 for size in ports.values())
