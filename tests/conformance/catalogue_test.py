"""What a component says of itself and of what it sends: the whole catalogue, with no code for any one."""

from __future__ import annotations

import json
import re

import pytest
from tests.conformance.golden import CATALOGUE, COMMAND, schemas, transcript, transcript_file
from tests.conformance.messages import declared
from tests.conformance.scenes import Scene, list_scenes, plain, recorded, undisturbed

from hanse.core.roles import PartyId, role_of
from hanse.core.specs import PREDICT
from hanse.protocols.messages import decode
from hanse.runtime import catalogue
from hanse.sdk.component import Component

COMPONENTS = catalogue.load_all()
SCENES = {scene.name: scene for scene in list_scenes()}
every_component = pytest.mark.parametrize("component", COMPONENTS.values(), ids=COMPONENTS)
every_scene = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)


@every_component
def test_folder_file_and_component_bear_one_name(component: Component) -> None:
    assert component.folder.name == component.name
    assert (component.folder / f"{component.name}.py").is_file()
    assert re.fullmatch(r"\d+\.\d+\.\d+", component.version)


@every_component
def test_the_header_says_what_every_role_learns_under_settings_that_exist(component: Component) -> None:
    card = component.card()
    assert card.title["en"]
    assert card.summary["en"]
    assert card.protocol
    assert card.secure
    assert {line.role for line in card.learns} == set(component.roles)
    for line in card.learns:
        assert line.text
        for setting, value in line.when.items():
            known = {PREDICT: {"type": "boolean"}, **card.params["properties"]}
            assert value in _values(known[setting]), f"[{setting}={value}] never holds"


def _values(shape: dict[str, object]) -> list[object]:
    return [True, False] if shape.get("type") == "boolean" else list(shape.get("enum", []))  # type: ignore[call-overload]


@every_component
def test_names_and_help_are_there_in_english_and_chinese(component: Component) -> None:
    card = component.card()
    assert card.title.get("zh")
    assert card.summary.get("zh")
    for name, shape in card.params["properties"].items():
        assert shape.get("title"), f"{name} lacks a title"
        assert shape.get("description"), f"{name} lacks a description"
        chinese = shape.get("x-zh", {})
        assert chinese.get("title"), f"{name} lacks a Chinese title"
        assert chinese.get("description"), f"{name} lacks a Chinese help"


@every_component
def test_an_example_shows_the_settings(component: Component) -> None:
    for settings in (component.example, *(variant.settings for variant in component.variants.values())):
        example = component.params.parse(settings)
        assert {name: example.values()[name] for name in settings} == dict(settings)
    assert component.params().checked() == component.params()


def test_the_settings_are_those_of_the_golden_catalogue() -> None:
    assert schemas() == json.loads(CATALOGUE.read_text("utf-8")), f"meant? then: {COMMAND}"


@every_component
def test_every_message_says_who_sends_it_to_whom(component: Component) -> None:
    for kind in declared(component).values():
        assert re.search(r"\w+ [→⇄] [^:]+: \S", kind.__doc__ or ""), kind.__name__


@every_scene
def test_nothing_but_declared_messages_crosses_the_wire(scene: Scene) -> None:
    kinds = declared(scene.component)
    recorder = recorded(scene)
    for sent, payload in zip(recorder.sent, recorder.raw, strict=True):
        assert sent.kind in kinds, f"{sent.sender} sent an undeclared {sent.kind}"
        assert decode(payload, kinds[sent.kind]).encode() == payload, f"{sent.kind} carries more than its fields"


@every_scene
def test_the_transcript_is_the_golden_one(scene: Scene) -> None:
    golden = json.loads(transcript_file(scene.component).read_text("utf-8"))
    found = transcript(scene)
    expected = golden.get(scene.name)
    assert expected is not None, f"no transcript of this scene: {COMMAND}"
    settled = [one if other[-1] else [*one[:-1], ""] for one, other in zip(found, expected, strict=False)]
    assert settled + found[len(expected) :] == expected, (
        f"{scene.component.name} speaks differently: give it a new version, then: {COMMAND}"
    )
    assert golden["version"] == scene.component.version, f"a new version needs a new transcript: {COMMAND}"


@every_scene
def test_the_same_seed_gives_the_same_outputs(scene: Scene) -> None:
    assert plain(scene.play()) == plain(undisturbed(scene))


@every_scene
def test_every_declared_output_is_there(scene: Scene) -> None:
    for party, outputs in undisturbed(scene).items():
        assert outputs.keys() == scene.component.gives(role_of(PartyId(party)), apply=scene.apply).keys()
