"""Sum: the guest adds a host's column to its own.

Protocol  none to speak of: the host sends its column
          as it is.
Secure    not at all.
Learns    guest: the host's column,
            all of it.
          guest: its largest value [show=true, places=2].
          host: nothing.
"""

import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.core.faults import HanseError
from hanse.core.ids import JobId, TaskName
from hanse.core.roles import PartyId, Role
from hanse.core.specs import ModelManifest
from hanse.sdk import Component, Message, Model, Params, Party, Report, Rule, Table, artefacts, run
from hanse.sdk.component import read_header


class Settings(Params, frozen=True):
    """How to add."""

    show: Annotated[bool, msgspec.Meta(title="Show", description="Show the largest value.")] = True
    places: Annotated[int, msgspec.Meta(ge=0, le=9, title="Places", description="Decimal places.")] = 2


class Numbers(Message, frozen=True):
    """host → guest: a column."""

    values: NDArray[np.float64]


class Outcome(NamedTuple):
    table: Table
    model: Model


async def guest(me: Party, table: Table, extra: Table | None, settings: Settings) -> Outcome:
    theirs = (await me.host.recv(Numbers)).values
    me.host.must(len(theirs) == len(table), "a number for each row")
    total = table.numbers(["x"])[0] + theirs
    return Outcome(table.with_column("sum", total), Model({"sum": total}, {"extra": extra is not None}))


async def host(me: Party, table: Table, extra: Table | None, settings: Settings) -> None:
    await me.guest.send(Numbers(table.numbers(["x"])[0]))


async def recall(me: Party, model: Model, table: Table, settings: Settings) -> Table:
    return table.with_column("sum", model.arrays["sum"])


OUTPUTS: dict[Role, dict[str, Any]] = {"guest": {"table": Table, "model": Model}, "host": {}}
component = Component(
    name="component_test",
    version="1.0.0",
    params=Settings,
    roles={"guest": guest, "host": host},
    inputs={"table": Table, "extra": Table},
    outputs=OUTPUTS,
    optional=("extra",),
    apply={"guest": recall},
    apply_inputs={"table": Table},
    apply_outputs={"table": Table},
)
MINE = Table.of({"id": ["a", "b"], "x": [1.0, 2.0]}, id="id")
THEIRS = Table.of({"id": ["a", "b"], "x": [10.0, 20.0]}, id="id")
INPUTS = {"guest": {"table": MINE}, "host-1": {"table": THEIRS}}
MANIFEST = ModelManifest("sum", "1.0.0", PartyId("guest"), {}, {}, JobId("job-1"), TaskName("sum"))


def test_outputs_come_by_party_and_port() -> None:
    out = run(component, Settings(), INPUTS)
    assert out["guest"]["table"].numbers(["sum"]).tolist() == [[11, 22]]
    assert out["guest"]["model"].details == {"extra": False}
    assert out["host-1"] == {}


def test_what_was_fitted_is_applied() -> None:
    model = run(component, Settings(), INPUTS)["guest"]["model"]
    out = run(component, Settings(), {"guest": {"model": model, "table": MINE}}, apply=True)
    assert out["guest"]["table"].numbers(["sum"]).tolist() == [[11, 22]]


async def test_a_notebook_whose_loop_runs_can_run_a_component() -> None:
    assert run(component, Settings(), INPUTS)["guest"]["table"].numbers(["sum"]).tolist() == [[11, 22]]


def test_the_header_is_data() -> None:
    card = component.card()
    assert (card.title, card.summary) == (
        {"en": "Sum"},
        {"en": "the guest adds a host's column to its own."},
    )
    assert card.protocol == "none to speak of: the host sends its column as it is."
    assert [(line.role, line.text, line.when) for line in card.learns] == [
        ("guest", "the host's column, all of it.", {}),
        ("guest", "its largest value", {"show": True, "places": 2}),
        ("host", "nothing.", {}),
    ]
    assert card.inputs["host"] == {"table": "table", "extra": "table"}
    assert card.outputs == {"guest": {"table": "table", "model": "model"}, "host": {}}
    assert card.apply_inputs == {"guest": {"model": "model", "table": "table"}}
    assert card.params["properties"]["places"]["maximum"] == 9
    assert json.loads(msgspec.json.encode(card))["optional"] == ["extra"]


@pytest.mark.parametrize(
    ("docstring", "words"),
    [
        ("T: s.\n\nProtocol  p\nLearns    guest: g\n          host: h", "lacks Secure"),
        ("T: s.\n\nProtocol  p\nSecure    s\nLearns    guest: g", "what host learns"),
        ("T: s.\n\nProtocol  p\nSecure    s\nLearns    everything", "starts with its role"),
        ("", "lacks Protocol, Secure, Learns"),
    ],
)
def test_a_header_that_is_not_whole_is_refused(docstring: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_header(docstring, ("guest", "host"))


@pytest.mark.parametrize(
    ("values", "words"),
    [({"places": 10}, "places"), ({"place": 1}, "place"), ({"show": "yes"}, "show")],
    ids=["out of bounds", "unknown", "of another type"],
)
def test_settings_that_cannot_be_are_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(HanseError, match=rf"settings\.invalid.*{words}"):
        Settings.parse(values)


def test_settings_made_in_python_are_checked_too() -> None:
    with pytest.raises(HanseError, match=r"settings\.invalid"):
        run(component, Settings(places=99), INPUTS)


def test_inputs_are_checked_before_a_program_starts() -> None:
    with pytest.raises(HanseError, match=r"input\.missing.*'table'"):
        run(component, Settings(), {**INPUTS, "guest": {}})
    with pytest.raises(HanseError, match=r"input\.kind.*report"):
        run(component, Settings(), {**INPUTS, "guest": {"table": Report("r", {})}})
    with pytest.raises(HanseError, match=r"component\.role"):
        run(component, Settings(), {**INPUTS, "arbiter": {}})


def test_a_program_that_returns_something_else_is_a_bug() -> None:
    async def lazy(me: Party, **_: Any) -> None:
        await me.host.recv(Numbers)

    with pytest.raises(TypeError, match="declared is"):
        run(component, Settings(), INPUTS, replace={"guest": lazy})


@pytest.mark.parametrize(
    "value", [MINE, Model({"w": np.arange(3.0)}, {"a": [1, 2]}), Rule({"edges": [0.5]}), Report("v", {"auc": 0.5})]
)
def test_every_kind_of_output_is_saved_and_loaded(tmp_path: Path, value: Any) -> None:
    artefact = artefacts.save(value, tmp_path / "port", MANIFEST)
    again = artefacts.load(artefact)
    assert type(again) is type(value)
    if isinstance(again, Model):
        assert again.arrays["w"].tolist() == [0, 1, 2]
        assert (again.details, again.manifest) == (
            {"a": [1, 2]},
            msgspec.structs.replace(MANIFEST, details={"a": [1, 2]}),
        )
    if isinstance(again, Report):
        assert again == value


def test_a_model_says_the_same_bytes_twice(tmp_path: Path) -> None:
    model = Model({"b": np.zeros(2), "a": np.ones(3, np.int32)}, {"k": 1})
    assert model.save(tmp_path / "1", MANIFEST).sha256 == model.save(tmp_path / "2", MANIFEST).sha256


def test_an_artefact_that_was_touched_is_not_opened(tmp_path: Path) -> None:
    artefact = artefacts.save(Model({"w": np.arange(3.0)}, {}), tmp_path / "m", MANIFEST)
    file = tmp_path / "m" / "arrays.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    with pytest.raises(HanseError, match=r"artefact\.damaged"):
        artefacts.load(artefact)
    with pytest.raises(HanseError, match=r"artefact\.damaged"):
        artefacts.load(msgspec.structs.replace(artefact, path=str(tmp_path / "gone")))


@pytest.mark.parametrize("name", ["arrays.safetensors", "manifest.json"])
def test_files_that_are_no_model_are_refused(tmp_path: Path, name: str) -> None:
    Model({"w": np.arange(3.0)}, {}).save(tmp_path, MANIFEST)
    (tmp_path / name).write_bytes(b"\x80\x04junk")
    with pytest.raises(HanseError, match=r"artefact\.damaged"):
        Model.open(tmp_path)


def test_a_report_writes_numpy_and_says_null_for_what_is_no_number(tmp_path: Path) -> None:
    Report("v", {"curve": np.array([0.0, 1.0]), "nan": float("nan"), "n": np.int64(3)}).save(tmp_path)
    assert Report.open(tmp_path).values == {"curve": [0, 1], "nan": None, "n": 3}
