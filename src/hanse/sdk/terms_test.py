"""What grants demand of results, held inside the components that alone can see it."""

import numpy as np
import pytest

from hanse.components.psi.psi import component as psi
from hanse.components.psi.settings import Settings
from hanse.core.faults import HanseError
from hanse.core.roles import GUEST, PartyId, host
from hanse.core.specs import Terms
from hanse.protocols.channel import Party
from hanse.sdk import Table, run

PEOPLE = [f"p{number}" for number in range(40)]


def table(ids: list[str]) -> Table:
    return Table.of({"id": ids, "row": np.arange(len(ids))}, id="id")


def align(shared: int, terms: dict[PartyId, Terms], **settings: object) -> int:
    inputs = {"guest": {"table": table(PEOPLE[:20])}, "host-1": {"table": table(PEOPLE[20 - shared :])}}
    found = run(psi, Settings(method="ecdh", **settings), inputs, terms=terms)  # type: ignore[arg-type]
    return len(found["host-1"]["table"])


def test_fewer_shared_ids_than_a_grant_demands_end_the_task_before_a_host_is_told() -> None:
    with pytest.raises(HanseError) as caught:
        align(5, {GUEST: Terms(minimum_intersection=6)})
    assert caught.value.fault.code == "grant.intersection"
    assert align(6, {GUEST: Terms(minimum_intersection=6)}) == 6


def test_a_host_sees_to_it_that_its_guest_has_agreed_to_the_minimum() -> None:
    terms = {host(1): Terms(minimum_intersection=6)}
    with pytest.raises(HanseError, match=r"grant\.intersection") as caught:
        align(9, terms)
    assert "set `minimum` to 6 or more" in caught.value.fault.remedy
    with pytest.raises(HanseError, match=r"grant\.intersection"):
        align(9, terms, minimum=6, share_result=False)
    assert align(9, terms, minimum=6) == 9
    with pytest.raises(HanseError, match=r"psi\.too_few"):
        align(5, terms, minimum=6)


async def ignore(me: Party, table: Table, settings: Settings) -> Table:
    me.terms = Terms()
    found: Table = await psi.roles["guest"](me, table, Settings(method="ecdh", minimum=1))
    return found


def test_a_guest_that_does_not_end_the_task_is_ended_by_the_host() -> None:
    inputs = {"guest": {"table": table(PEOPLE[:20])}, "host-1": {"table": table(PEOPLE[15:])}}
    settings = Settings(method="ecdh", minimum=6)
    with pytest.raises(HanseError) as caught:
        run(psi, settings, inputs, terms={host(1): Terms(minimum_intersection=6)}, replace={GUEST: ignore})
    assert caught.value.fault.code == "grant.intersection"
