"""What a party that deviates can make the other one do: nothing but end the task, with its own name on it."""

from typing import Any

import numpy as np
import pytest

from hanse.components.psi.psi import component
from hanse.components.psi.settings import Settings
from hanse.core.faults import HanseError
from hanse.protocols.channel import Party
from hanse.protocols.psi import sizes
from hanse.protocols.psi.ecdh import GuestPoints
from hanse.protocols.psi.opening import MOST_ITEMS, Echo, Probe, SetSize, Terms
from hanse.protocols.psi.payload import Column, Columns
from hanse.protocols.psi.star import SHARED_TAG_BITS
from hanse.protocols.simulation import JunkAtMessage, Recorder
from hanse.sdk import ProtocolError, Table, run

PEOPLE = [f"p{number}" for number in range(60)]


def table(ids: list[str]) -> Table:
    return Table.of({"id": ids, "row": np.arange(len(ids)), "rate": np.arange(len(ids)) / 7}, id="id")


def align(guest: list[str], host: list[str], settings: Any, **options: Any) -> dict[str, Table]:
    inputs = {"guest": {"table": table(guest)}, "host-1": {"table": table(host)}}
    return {party: out["table"] for party, out in run(component, settings, inputs, **options).items()}


@pytest.mark.parametrize("payload", [(), ("rate",)])
def test_a_host_that_sends_one_tag_in_two_pieces_is_named(
    payload: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "HOST_PIECE", 40)
    settings = {"guest": Settings(method="ecdh"), "host-1": Settings(method="ecdh", payload=payload)}
    recorder = Recorder(payloads=True)
    align(PEOPLE[:5], PEOPLE, settings, wrap=recorder)
    first, second = [number for number, sent in enumerate(recorder.sent) if sent.kind == "TagSet"]
    with pytest.raises(ProtocolError, match="once") as caught:
        align(PEOPLE[:5], PEOPLE, settings, wrap=JunkAtMessage(second + 1, lambda _: recorder.raw[first]))
    assert caught.value.peer == "host-1"


@pytest.mark.parametrize(
    "columns",
    [
        [Column("row", "integer", 3), Column("rate", "real", 13)],
        [Column("row", "text", 8), Column("rate", "real", 8)],  # type: ignore[arg-type]
        [Column("row\x1b[31m", "integer", 8), Column("rate", "real", 8)],
        [Column("row", "integer", 8), Column("ROW", "real", 8)],
        [Column("row", "integer", 8), Column("rate", "integer", 8)],
    ],
    ids=["other widths", "text", "a name that a terminal obeys", "one name twice", "fractions as integers"],
)
def test_a_host_whose_columns_cannot_be_is_named(columns: list[Column]) -> None:
    settings = {"guest": Settings(method="ecdh"), "host-1": Settings(method="ecdh", payload=("row", "rate"))}
    recorder = Recorder()
    align(PEOPLE[:5], PEOPLE, settings, wrap=recorder)
    number = [sent.kind for sent in recorder.sent].index("Columns") + 1
    with pytest.raises(ProtocolError) as caught:
        align(PEOPLE[:5], PEOPLE, settings, wrap=JunkAtMessage(number, lambda _: Columns(columns).encode()))
    assert caught.value.peer == "host-1"


def test_a_guest_that_measures_for_ever_is_named() -> None:
    async def measure(me: Party, table: Table, settings: Settings) -> Table:
        await me.host.send(SetSize(5, np.frombuffer(me.rng.seed(), np.uint8)))
        await me.host.recv(SetSize)
        for _ in range(50):
            await me.host.send(Probe(1))
            await me.host.recv(Echo)
        return table

    with pytest.raises(ProtocolError) as caught:
        align(PEOPLE[:5], PEOPLE, Settings(), replace={"guest": measure})
    assert caught.value.peer == "guest"


def test_a_guest_that_sends_its_points_to_count_in_crumbs_is_named() -> None:
    async def crumble(me: Party, table: Table, settings: Settings) -> Table:
        nonce = np.frombuffer(me.rng.seed(), np.uint8)
        await me.host.send(SetSize(5, nonce))
        theirs = await me.host.recv(SetSize)
        await me.host.send(Probe(0))
        nonces = np.concatenate([nonce, theirs.nonce])
        await me.host.send(Terms("ecdh", "count", True, "conservative", "semi_honest", "auto", False, nonces))
        point = np.zeros(32, np.uint8)
        point[0] = 9
        for _ in range(5):
            await me.host.send(GuestPoints(point))
        return table

    with pytest.raises(ProtocolError, match="blocks") as caught:
        align(PEOPLE[:5], PEOPLE, Settings(result="count"), replace={"guest": crumble})
    assert caught.value.peer == "guest"


@pytest.mark.parametrize(("party", "result"), [("guest", "shared"), ("guest", "count"), ("host-1", "count")])
def test_a_party_with_a_repeated_id_finds_it_before_it_sends_a_point(party: str, result: Any) -> None:
    sets = {"guest": PEOPLE[:9], "host-1": PEOPLE[:20]}
    sets[party] = [*sets[party], "p3"]
    recorder = Recorder()
    with pytest.raises(HanseError, match=r"psi\.duplicate_ids"):
        align(sets["guest"], sets["host-1"], Settings(method="ecdh", result=result), wrap=recorder)
    assert not {"GuestPoints", "HostPoints"} & {sent.kind for sent in recorder.sent if sent.sender == party}


def test_a_column_whose_name_is_taken_twice_over_still_gets_one_of_its_own() -> None:
    columns: dict[str, Any] = {"id": PEOPLE[:5], "rate": np.arange(5), "Rate_host_1": np.arange(5)}
    inputs = {"guest": {"table": Table.of(columns, id="id")}, "host-1": {"table": table(PEOPLE)}}
    settings = {"guest": Settings(method="ecdh"), "host-1": Settings(method="ecdh", payload=("rate",))}
    found = run(component, settings, inputs)["guest"]["table"]
    assert found.schema.names == ("id", "rate", "Rate_host_1", "rate_host_1_host_1")


def test_numbers_beyond_what_a_real_holds_whole_stay_reals() -> None:
    large = Table.of({"id": PEOPLE[:3], "account": [1, 2, (1 << 63) - 1]}, id="id")
    inputs = {"guest": {"table": table(PEOPLE)}, "host-1": {"table": large}}
    settings = {"guest": Settings(method="ecdh"), "host-1": Settings(method="ecdh", payload=("account",))}
    found = run(component, settings, inputs)["guest"]["table"]
    assert sorted(found.numbers(["account"])[0].tolist()) == [1.0, 2.0, 2.0**63]


def test_the_tags_of_shared_ids_are_too_long_for_two_of_a_host_to_be_alike() -> None:
    pairs = MOST_ITEMS * (MOST_ITEMS - 1) / 2
    assert pairs * 2.0**-SHARED_TAG_BITS <= 2.0**-40
