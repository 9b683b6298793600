"""A pipeline is checked at one desk: problems are named, nothing is kept, and no partner hears of it."""

from __future__ import annotations

from tests.control.conftest import Trio
from tests.control.offices import behaving, chain, reading

from hanse.control.access.callers import LOCAL
from hanse.control.audit import service as audit
from hanse.core.planning import Problem


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
    (found,) = await trio.bank.desk.check(LOCAL, chain(data=reading(), align=behaving({})))
    assert (found.party, found.task) == ("guest", "data")
