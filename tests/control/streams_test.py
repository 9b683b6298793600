"""Live events over HTTP: in order, without a gap over a disconnection, bounded, and only what the caller may see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import update
from tests.control.conftest import Trio
from tests.control.offices import PARTIES, Office, behaving, chain
from tests.control.queue_test import MODELLER, STRANGER

from hanse.api.console import live
from hanse.control.access.callers import LOCAL
from hanse.control.jobs import streams
from hanse.control.jobs.tables import Job, JobEvent
from hanse.core.faults import HanseError
from hanse.core.ids import JobId


async def read(chunks: AsyncIterator[bytes], most: int | None = None) -> list[dict[str, str]]:
    """Return the fields of the first so many events of a stream."""
    found: list[dict[str, str]] = []
    async with asyncio.timeout(30):
        async for chunk in chunks:
            lines = chunk.decode().strip().splitlines()
            fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
            found += [fields] if fields else []
            if len(found) == most:
                break
    return found


async def open_stream(office: Office, job: JobId, last: str | None = None) -> AsyncIterator[bytes]:
    answer = await live.stream_job_events(job, office.desk, LOCAL, last)
    return answer.body_iterator  # type: ignore[return-value]


async def test_a_stream_goes_on_where_it_was_cut_and_ends_with_the_job(trio: Trio) -> None:
    job = await trio.bank.run(chain(only=behaving({})))
    cut = await open_stream(trio.bank, job)
    first = await read(cut, 3)
    await cut.aclose()  # type: ignore[attr-defined]
    rest = await read(await open_stream(trio.bank, job, first[-1]["id"]))
    assert rest[-1] == {"event": "end", "data": "{}"}
    numbers = [int(event["id"]) for event in (*first, *rest[:-1])]
    assert numbers == list(range(1, len(numbers) + 1))
    assert json.loads(rest[-2]["data"])["data"]["state"] == "succeeded"


async def test_what_another_process_has_written_comes_without_a_ring(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "LOOK_S", 0.05)
    job = await trio.bank.run(chain(only=behaving({"always": "hang"}, *PARTIES)))
    await trio.bank.wait(job, trio.bank.is_running(job, "only", 1))
    last = trio.bank.read(lambda session: session.get_one(Job, job).last_event)
    reading = asyncio.create_task(read(await open_stream(trio.bank, job, str(last)), 1))
    event = JobEvent(job=job, number=last + 1, at="2026-11-23T00:00:00.000Z", kind="note", data={"text": "x"})
    trio.bank.write(lambda session: session.add(event))
    trio.bank.write(lambda session: session.execute(update(Job).where(Job.id == job).values(last_event=last + 1)))
    assert [found["event"] for found in await reading] == ["note"]
    await trio.bank.desk.cancel(LOCAL, job)


async def test_a_caller_has_so_many_streams_and_a_closed_one_makes_room(
    trio: Trio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "STREAMS", 1)
    everything = (await live.stream_events(trio.bank.desk, LOCAL)).body_iterator
    await anext(everything)  # type: ignore[call-overload]
    with pytest.raises(HanseError, match=r"stream\.too_many"):
        await live.stream_events(trio.bank.desk, LOCAL)
    await live.stream_events(trio.bank.desk, MODELLER)
    await everything.aclose()  # type: ignore[attr-defined]
    await live.stream_events(trio.bank.desk, LOCAL)


async def test_the_stream_of_all_jobs_tells_states_to_those_who_may_see_the_job(trio: Trio) -> None:
    desk = trio.bank.desk
    everything = (await live.stream_events(desk, MODELLER)).body_iterator
    nothing = (await live.stream_events(desk, STRANGER)).body_iterator
    assert [await anext(found) for found in (everything, nothing)] == [b": alive\n\n"] * 2  # type: ignore[call-overload]
    unseen = asyncio.create_task(read(nothing, 1))  # type: ignore[arg-type]
    reading = asyncio.create_task(read(everything, 2))  # type: ignore[arg-type]
    job = await trio.bank.run(chain(only=behaving({})))
    first, second = await reading
    assert json.loads(first["data"])["job"] == job
    await trio.bank.end(job)
    again = (await live.stream_events(desk, MODELLER, second["id"])).body_iterator
    while '"succeeded"' not in (await read(again, 1))[0]["data"]:  # type: ignore[arg-type]
        pass
    assert not unseen.done()
    unseen.cancel()


@pytest.mark.parametrize("place", ["x", "1/2/3", "2026-11-23T12:00:00.000Z/job-1/x", "-1"])
async def test_a_place_that_was_never_told_is_refused(trio: Trio, place: str) -> None:
    with pytest.raises(HanseError):
        await live.stream_events(trio.bank.desk, LOCAL, place)
