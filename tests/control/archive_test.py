"""Jobs that were put away."""

from __future__ import annotations

import pytest
from tests.control.conftest import Trio
from tests.control.offices import behaving, chain
from tests.control.queue_test import OPERATOR, STRANGER

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.audit import service as audit
from hanse.control.jobs import archive, service
from hanse.control.jobs.search import Wanted
from hanse.core.faults import HanseError
from hanse.core.ids import JobId
from hanse.core.roles import GUEST


async def test_an_ended_job_is_put_away_and_taken_out_with_one_audit_line_each(trio: Trio) -> None:
    bank = trio.bank
    job = await bank.run(chain(only=behaving({"always": "hang"}, GUEST)))

    def refused(caller: Caller) -> str:
        with pytest.raises(HanseError) as told:
            bank.write(lambda session: archive.archive(session, caller, job))
        return told.value.fault.code

    def listed(*, archived: bool) -> list[JobId]:
        found = bank.read(lambda session: service.list_jobs(session, LOCAL, Wanted(archived=archived)))
        return [row.id for row in found]

    assert refused(LOCAL) == "job.open"
    await bank.desk.cancel(LOCAL, job)
    await bank.end(job)
    assert (refused(OPERATOR), refused(STRANGER)) == ("access.denied", "job.unknown")
    for _ in range(2):
        bank.write(lambda session: archive.archive(session, LOCAL, job))
    assert (listed(archived=False), listed(archived=True)) == ([], [job])
    for _ in range(2):
        bank.write(lambda session: archive.restore(session, LOCAL, job))
    assert (listed(archived=False), listed(archived=True)) == ([job], [])
    said = [line.action for line in bank.read(audit.lines)]
    assert (said.count("job.archive"), said.count("job.restore")) == (1, 1)
