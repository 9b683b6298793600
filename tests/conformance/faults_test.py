"""What happens when a party sends junk, or dies, at any message and at any checkpoint of any component.

The ordinary tier takes the first message of each kind from each sender, the deep tier all (at most 40 a scene, evenly).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tests.conformance.messages import declared, list_junk
from tests.conformance.scenes import Scene, list_scenes, recorded, results, undisturbed

from hanse.core.faults import HanseError
from hanse.protocols.channel import ProtocolError
from hanse.protocols.simulation import JunkAtMessage, KillAtCheckpoint, KillAtMessage

MOST = 40
FIRST_CHECKPOINTS = 4
TALKING = [scene for scene in list_scenes() if recorded(scene).sent]
KEEPING = [scene for scene in list_scenes() if recorded(scene).checkpoints]


def firsts(scene: Scene) -> list[int]:
    """Number (from 1) the first message of each kind from each sender."""
    found: dict[tuple[str, str], int] = {}
    for number, sent in enumerate(recorded(scene).sent, 1):
        found.setdefault((sent.sender, sent.kind), number)
    return list(found.values())


def others(scene: Scene) -> list[int]:
    """Number (from 1) the messages that `firsts` leaves out, at most 40 in all, spread evenly."""
    rest = sorted(set(range(1, len(recorded(scene).sent) + 1)) - set(firsts(scene)))
    room = max(0, MOST - len(firsts(scene)))
    picks = np.linspace(0, len(rest) - 1, min(room, len(rest))).round().astype(int) if rest else np.empty(0, int)
    return [rest[pick] for pick in np.unique(picks)]


def tiers(scene: Scene) -> Iterator[tuple[int, list[pytest.MarkDecorator]]]:
    yield from ((number, []) for number in firsts(scene))
    yield from ((number, [pytest.mark.deep]) for number in others(scene))


def junk_cases() -> Iterator[object]:
    for scene in TALKING:
        recorder = recorded(scene)
        for number, marks in tiers(scene):
            sent, payload = recorder.sent[number - 1], recorder.raw[number - 1]
            for name in list_junk(payload, declared(scene.component)[sent.kind]):
                case = f"{scene.name}-{number}-{sent.sender}-{sent.kind}-{name}"
                yield pytest.param(scene, number, name, marks=marks, id=case)


def kill_cases() -> Iterator[object]:
    for scene in TALKING:
        for number, marks in tiers(scene):
            sent = recorded(scene).sent[number - 1]
            yield pytest.param(scene, number, marks=marks, id=f"{scene.name}-{number}-{sent.sender}-{sent.kind}")


def checkpoint_cases() -> Iterator[object]:
    for scene in KEEPING:
        for number, (party, checkpoint) in enumerate(recorded(scene).checkpoints[:MOST], 1):
            marks = [] if number <= FIRST_CHECKPOINTS else [pytest.mark.deep]
            yield pytest.param(scene, number, marks=marks, id=f"{scene.name}-{party}-{checkpoint}")


@pytest.mark.parametrize(("scene", "number", "name"), list(junk_cases()))
def test_the_sender_of_junk_is_named(scene: Scene, number: int, name: str) -> None:
    recorder = recorded(scene)
    kind = declared(scene.component)[recorder.sent[number - 1].kind]
    junk = JunkAtMessage(number, list_junk(recorder.raw[number - 1], kind)[name])
    with pytest.raises(HanseError) as caught:
        scene.play(junk)
    assert isinstance(caught.value, ProtocolError), caught.value
    assert caught.value.peer == junk.culprit


@pytest.mark.parametrize(("scene", "number"), list(kill_cases()))
def test_a_party_that_dies_at_a_message_changes_nothing(scene: Scene, number: int) -> None:
    outputs, died = scene.play_with_deaths(KillAtMessage(number))
    assert died
    assert outputs.keys() == undisturbed(scene).keys()
    assert results(outputs) == results(undisturbed(scene))


@pytest.mark.parametrize(("scene", "number"), list(checkpoint_cases()))
def test_a_party_that_dies_at_a_checkpoint_changes_nothing(scene: Scene, number: int) -> None:
    outputs, died = scene.play_with_deaths(KillAtCheckpoint(number))
    assert died
    assert outputs.keys() == undisturbed(scene).keys()
    assert results(outputs) == results(undisturbed(scene))
