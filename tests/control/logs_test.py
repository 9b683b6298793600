"""The end of an attempt's log, for those who may read results."""

from __future__ import annotations

import msgspec
import pytest
from tests.control.conftest import Trio
from tests.control.offices import behaving, chain
from tests.control.queue_test import MODELLER, OPERATOR, STRANGER

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.jobs.logs import find_log, read_tail
from hanse.core.faults import HanseError
from hanse.core.ids import JobId, TaskName
from hanse.core.roles import GUEST


async def test_the_end_of_an_own_attempts_log_is_read_by_whole_lines(trio: Trio) -> None:
    job = await trio.bank.run(chain(only=behaving({"1": "die"}, GUEST)))
    await trio.bank.end(job)
    bank, only = trio.bank, TaskName("only")
    number, path = bank.read(lambda session: find_log(session, bank.directory, LOCAL, job, only, None))
    assert (number, path.name) == (2, f"{job}-only-2.log")
    first, earlier = bank.read(lambda session: find_log(session, bank.directory, LOCAL, job, only, 1))
    assert (first, earlier.exists()) == (1, True)
    path.write_text("one\ntwo\nthree\n")
    assert read_tail(number, path, 100) == (2, "one\ntwo\nthree\n", 0)
    assert read_tail(number, path, 9) == (2, "three\n", 8)
    path.write_bytes(b"\xff\xfe\n")
    assert read_tail(number, path, 100).text == "\ufffd\ufffd\n"


async def test_logs_are_for_those_who_may_read_results(trio: Trio) -> None:
    job = await trio.bank.run(chain(only=behaving({})))
    await trio.bank.end(job)
    bank = trio.bank
    mine = msgspec.structs.replace(MODELLER, id="user-ann")
    assert bank.read(lambda session: find_log(session, bank.directory, mine, job, TaskName("only"), None))[0] == 1

    def refused(caller: Caller, job: JobId, task: str, number: int | None) -> str:
        with pytest.raises(HanseError) as told:
            bank.read(lambda session: find_log(session, bank.directory, caller, job, TaskName(task), number))
        return told.value.fault.code

    assert refused(OPERATOR, job, "only", None) == "access.denied"
    assert refused(STRANGER, job, "only", None) == "job.unknown"
    assert refused(LOCAL, job, "../../secrets", None) == "job.unknown_task"
    assert refused(LOCAL, job, "only", 9) == "job.no_log"
    with pytest.raises(HanseError) as gone:
        read_tail(1, bank.directory / "log" / "none.log", 100)
    assert gone.value.fault.code == "job.no_log"
