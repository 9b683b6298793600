"""A pipeline is checked at one desk: problems are named, nothing is kept, and no partner hears of it."""

from __future__ import annotations

import pytest
from tests.control.conftest import Trio
from tests.control.offices import IDS, PARTIES, PROJECT, behaving, chain, reading

from hanse.control.access.callers import LOCAL
from hanse.control.audit import service as audit
from hanse.control.grants.tables import Offer
from hanse.core.ids import GrantId
from hanse.core.planning import Problem
from hanse.core.roles import host
from hanse.core.schema import Column, IdType, Schema


async def test_a_sound_pipeline_has_no_problems_and_leaves_no_trace(trio: Trio) -> None:
    before = len(trio.bank.read(audit.lines))
    assert await trio.bank.desk.check(LOCAL, chain(data=reading(), align=behaving({}))) == ()
    assert trio.wire.said == []
    assert len(trio.bank.read(audit.lines)) == before


async def test_problems_of_grants_and_of_the_catalogue_are_told(trio: Trio) -> None:
    trio.bank.gateway.problem = Problem("align", "it has no part", "leave it out")
    (found,) = await trio.bank.desk.check(LOCAL, chain(data=reading(), align=behaving({})))
    assert (found.party, found.task, found.message, found.remedy) == (
        "guest",
        "align",
        "it has no part",
        "leave it out",
    )
    trio.bank.revoke()
    both = await trio.bank.desk.check(LOCAL, chain(data=reading(), align=behaving({})))
    assert [(found.party, found.task) for found in both] == [("guest", "data"), ("guest", "align")]


@pytest.mark.parametrize(("kind", "refused"), [("phone", True), ("free", False)])
async def test_ids_of_another_type_at_a_partner_are_refused_in_words(trio: Trio, kind: IdType, refused: bool) -> None:
    trio.bank.write(lambda session: session.add(offered(kind)))
    found = await trio.bank.desk.check(LOCAL, chain(data=reading(), align=behaving({})))
    assert [(problem.task, "hanse dataset register" in problem.remedy) for problem in found] == [
        ("data", True)
    ] * refused
    assert all("free (rules 1) here and phone (rules 1) at host-1" in problem.message for problem in found)


def offered(kind: IdType) -> Offer:
    schema = Schema((Column("id", "text", "id", kind), Column("a", "real")))
    return Offer(
        grant=GrantId("grant-of-another-house"),
        organisation=IDS[PARTIES[host(1)]],
        project=PROJECT,
        dataset="people",
        schema=schema,
        rows=10,
        disclosure_limit=0.1,
    )
