"""Live events over server-sent events (WHATWG HTML, 9.2): a reader that comes back says `Last-Event-ID`."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from hanse.api.console.access import needs
from hanse.api.console.errors import FAULTS
from hanse.api.console.parts import part
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.jobs.desk import JobDesk
from hanse.control.jobs.streams import Told, read_mark
from hanse.core.faults import fault
from hanse.core.ids import JobId

router = APIRouter(tags=["jobs"])

Desk = Annotated[JobDesk, part(JobDesk)]
Reader = Annotated[Caller, needs(Permission.JOBS_READ)]
Place = Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)]

STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events as they come."},
    **FAULTS,
}


class Events(StreamingResponse):
    media_type = "text/event-stream"


@router.get("/jobs/{job_id}/events/stream", operation_id="stream_job_events", response_class=Events, responses=STREAM)
async def stream_job_events(job_id: str, desk: Desk, caller: Reader, last_event_id: Place = None) -> Events:
    """Tell what happens in a job as it happens; the stream ends with the event `end` when the job has ended.

    Each event has the number of the event in the job as `id`, its kind as `event`, and itself as JSON. Comments say
    every 15 s that the stream lives.
    """
    if last_event_id is not None and not last_event_id.isdecimal():
        raise fault("request.invalid", "Last-Event-ID is no number of an event")
    job = JobId(job_id)
    await desk.see(caller, job)
    desk.streams.demand_room(caller)
    return Events(_tell_job(desk, caller, job, int(last_event_id or 0)))


@router.get("/events", operation_id="stream_events", response_class=Events, responses=STREAM)
async def stream_events(desk: Desk, caller: Reader, last_event_id: Place = None) -> Events:
    """Tell how the states of all jobs change, and what they wait for, from now on or after `Last-Event-ID`.

    The stream does not end by itself. After a reconnection the last few events may come again.
    """
    mark = None if last_event_id is None else read_mark(last_event_id)
    desk.streams.demand_room(caller)

    async def tell() -> AsyncIterator[bytes]:
        with desk.streams.place(caller):
            yield _BEAT
            async for told in desk.streams.follow_all(caller, mark):
                yield _write(told)

    return Events(tell())


async def _tell_job(desk: JobDesk, caller: Caller, job: JobId, after: int) -> AsyncIterator[bytes]:
    with desk.streams.place(caller):
        yield _BEAT
        async for told in desk.streams.follow_job(caller, job, after):
            yield _write(told)
        yield b"event: end\ndata: {}\n\n"


def _write(told: Told) -> bytes:
    event = told.event
    if event is None:
        return _BEAT
    names = ("job", "number", "at", "task", "party", "kind", "data")
    body = msgspec.json.encode({name: getattr(event, name) for name in names})
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (told.place.encode(), event.kind.encode(), body)


_BEAT = b": alive\n\n"
