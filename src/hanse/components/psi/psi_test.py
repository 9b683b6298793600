from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from hanse.components.psi.ecdh import Blinded, Doubled, Shared
from hanse.components.psi.psi import component
from hanse.components.psi.settings import Settings
from hanse.core.faults import HanseError
from hanse.protocols.simulation import JunkAtMessage, Recorder
from hanse.sdk import Message, Party, ProtocolError, Table, run

DEFAULT = Settings()


def table(*ids: str) -> Table:
    return Table.of({"id": list(ids), "row": np.arange(len(ids))}, id="id")


GUEST = table("ann", "bob", "cat", "dan", "eve")
HOSTS = {"host-1": table("eve", "fay", "ann", "cat"), "host-2": table("gus", "cat", "bob", "ann", "hal", "ida")}


def align(tables: Mapping[str, Table], settings: Settings = DEFAULT, **options: Any) -> dict[str, Table]:
    inputs = {party: {"table": found} for party, found in tables.items()}
    return {party: out["table"] for party, out in run(component, settings, inputs, **options).items()}


def test_one_host_and_the_guest_get_the_shared_rows_in_one_order() -> None:
    out = align({"guest": GUEST, "host-1": HOSTS["host-1"]})
    ids = out["guest"].ids().to_strings()
    assert sorted(ids) == ["ann", "cat", "eve"]
    assert out["host-1"].ids().to_strings() == ids


def test_every_party_gets_the_rows_that_all_of_them_have() -> None:
    out = align({"guest": GUEST, **HOSTS})
    ids = out["guest"].ids().to_strings()
    assert sorted(ids) == ["ann", "cat"]
    assert [found.ids().to_strings() for found in out.values()] == [ids] * 3


def test_the_order_tells_nothing_it_is_drawn_anew() -> None:
    many = table(*(f"p{number}" for number in range(40)))
    orders = {tuple(align({"guest": many, "host-1": many}, seed=seed)["guest"].ids().to_strings()) for seed in range(3)}
    assert len(orders) == 3


def test_the_rows_carry_their_columns_along() -> None:
    out = align({"guest": GUEST, "host-1": HOSTS["host-1"]})
    place = dict(zip(HOSTS["host-1"].ids().to_strings(), range(4), strict=True))
    assert out["host-1"].numbers(["row"])[0].tolist() == [place[one] for one in out["guest"].ids().to_strings()]


def test_a_host_gets_no_rows_when_the_result_is_not_shared() -> None:
    out = align({"guest": GUEST, "host-1": HOSTS["host-1"]}, Settings(share_result=False))
    assert (len(out["guest"]), len(out["host-1"])) == (3, 0)


def test_an_empty_intersection_and_a_small_one_end_in_clear_errors() -> None:
    with pytest.raises(HanseError) as empty:
        align({"guest": GUEST, "host-1": table("zoe")})
    assert empty.value.fault.code == "psi.empty"
    assert empty.value.fault.remedy
    with pytest.raises(HanseError, match=r"psi\.too_few.*3 ids"):
        align({"guest": GUEST, "host-1": HOSTS["host-1"]}, Settings(minimum=4))


def test_two_hosts_that_share_nothing_with_one_another_are_told_so() -> None:
    with pytest.raises(HanseError, match=r"psi\.empty.*all 2 hosts"):
        align({"guest": GUEST, "host-1": table("ann"), "host-2": table("bob")})


def test_a_table_without_rows_ends_in_a_clear_error() -> None:
    with pytest.raises(HanseError, match=r"psi\.no_ids"):
        align({"guest": GUEST, "host-1": GUEST.take(np.empty(0, np.int64))})


def test_repeated_ids_are_the_fault_of_the_side_that_has_them() -> None:
    with pytest.raises(HanseError, match=r"psi\.duplicate_ids"):
        align({"guest": table("ann", "ann"), "host-1": HOSTS["host-1"]})
    with pytest.raises(ProtocolError) as caught:
        align({"guest": GUEST, "host-1": table("ann", "bob", "ann")})
    assert caught.value.peer == "host-1"


def test_two_hosts_see_unrelated_points_of_the_same_guest() -> None:
    recorder = Recorder(payloads=True)
    align({"guest": GUEST, **HOSTS}, wrap=recorder)
    blinded = [
        raw
        for sent, raw in zip(recorder.sent, recorder.raw, strict=True)
        if sent.sender == "guest" and sent.kind == "Blinded"
    ]
    points = [{raw[-32 * n : len(raw) - 32 * (n - 1)] for n in range(1, 6)} for raw in blinded]
    assert len(points) == 2
    assert points[0].isdisjoint(points[1])


def test_what_comes_back_is_cut_to_what_the_comparison_needs() -> None:
    recorder = Recorder()
    align({"guest": GUEST, "host-1": HOSTS["host-1"]}, wrap=recorder)
    (doubled,) = (sent for sent in recorder.sent if sent.kind == "Doubled")
    assert doubled.size_bytes < 5 * 8 + 20


@pytest.mark.parametrize(
    "answers",
    [
        [Shared(np.zeros(1, np.uint32))],
        [Blinded(np.zeros(31, np.uint8))],
        [Blinded(np.empty(0, np.uint8))],
        [Blinded(np.zeros(64, np.uint8))],
        [Blinded(np.full(64, 255, np.uint8))],
    ],
    ids=["out of turn", "part of a point", "no point", "low order", "not canonical"],
)
def test_a_host_that_sends_what_is_no_column_of_points_is_named(answers: list[Message]) -> None:
    async def cheat(me: Party, table: Table, settings: Settings) -> Table:
        for answer in answers:
            await me.guest.send(answer)
        await me.guest.recv(Blinded)
        return table

    with pytest.raises(ProtocolError) as caught:
        align({"guest": GUEST, "host-1": HOSTS["host-1"]}, replace={"host-1": cheat})
    assert caught.value.peer == "host-1"


@pytest.mark.parametrize("rows", [[4], [0, 0], []], ids=["beyond the end", "twice", "none"])
def test_a_guest_that_names_rows_that_cannot_be_is_named(rows: list[int]) -> None:
    with pytest.raises(ProtocolError) as caught:
        align(
            {"guest": GUEST, "host-1": HOSTS["host-1"]},
            wrap=JunkAtMessage(4, lambda _: Shared(np.array(rows, np.uint32)).encode()),
        )
    assert caught.value.peer == "guest"


async def _short(me: Party, table: Table, settings: Settings) -> Table:
    """A host that sends one tag too few."""
    await me.guest.send(Blinded((await me.guest.recv(Blinded)).points))
    await me.guest.send(Doubled(np.zeros(8 * (len(GUEST) - 1), np.uint8)))
    return table


def test_a_host_that_sends_too_few_tags_is_named() -> None:
    with pytest.raises(ProtocolError, match="one tag back"):
        align({"guest": GUEST, "host-1": HOSTS["host-1"]}, replace={"host-1": _short})
