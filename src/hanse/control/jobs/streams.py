"""Live events: one job's, or the states of all jobs, each reader at its own pace.

A stream keeps a place in the rows, not a queue of its own: a reader that is slow or gone holds nothing, and one that
comes back says where it was.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.jobs import service
from hanse.control.jobs.bell import EVERY_JOB, Bell
from hanse.control.jobs.states import has_ended
from hanse.control.jobs.tables import Job, JobEvent
from hanse.core import threads
from hanse.core.faults import fault
from hanse.core.ids import JobId
from hanse.core.times import format_time, now, parse_time

BEAT_S = 15.0
"""How often a stream says that it lives when nothing happens."""

LOOK_S = 2.0
"""How often a stream looks by itself: another process of this node may have written something."""

STREAMS = 16
"""How many streams one caller has open at once."""

SETTLED_S = 5.0
"""How far a stream of all jobs looks back: a transaction may be committed after a later one of another job."""

BATCH = 500

T = TypeVar("T")


class Told(NamedTuple):
    """An event and the place after it; without an event, a sign of life."""

    place: str
    event: JobEvent | None


class Mark(NamedTuple):
    """A place in the events of all jobs: `2026-11-23T12:38:00.125Z/job-5f2c9a7d01b4e6c8/7`."""

    at: str
    job: str
    number: int

    def __str__(self) -> str:
        return f"{self.at}/{self.job}/{self.number}"


class Streams:
    """The open streams of this node process."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._open: Counter[str] = Counter()

    def demand_room(self, caller: Caller) -> None:
        """Raise `stream.too_many` when the caller has as many streams open as one may have."""
        if self._open[caller.id] >= STREAMS:
            raise fault("stream.too_many", f"{STREAMS} streams of {caller.name} are open")

    @contextmanager
    def place(self, caller: Caller) -> Iterator[None]:
        """Hold one of the caller's streams. Raises `stream.too_many`."""
        self.demand_room(caller)
        self._open[caller.id] += 1
        try:
            yield
        finally:
            self._open[caller.id] -= 1
            if not self._open[caller.id]:
                del self._open[caller.id]

    async def follow_job(self, caller: Caller, job: JobId, after: int) -> AsyncIterator[Told]:
        """Yield a job's events above a number as they come, until it has ended. Raises `job.unknown`."""

        def look(session: Session) -> tuple[bool, list[JobEvent]]:
            return has_ended(service.see_job(session, caller, job)), service.events_after(session, job, after)

        async with self._bell.listen(job) as heard:
            quiet_s = 0.0
            while True:
                ended, found = await self._read(look)
                for event in found:
                    after = event.number
                    yield Told(str(after), event)
                if ended and not found:
                    return
                quiet_s = 0.0 if found else quiet_s + LOOK_S
                if quiet_s >= BEAT_S:
                    quiet_s = 0.0
                    yield Told(str(after), None)
                if not found:
                    await heard.within(LOOK_S)

    async def follow_all(self, caller: Caller, since: Mark | None) -> AsyncIterator[Told]:
        """Yield what happens to the states of all jobs that the caller may see, from now or from a place on.

        Within one stream no event comes twice; after `since` the last few may come again.
        """
        mark = since or Mark(now(), "", 0)
        floor = mark.at if since is None else look_back(mark.at)
        told: dict[tuple[JobId, int], str] = {}

        def look(session: Session) -> list[JobEvent]:
            found = list_states(session, caller, max(floor, look_back(mark.at)), BATCH + len(told))
            return [event for event in found if (event.job, event.number) not in told]

        async with self._bell.listen(EVERY_JOB) as heard:
            quiet_s = 0.0
            while True:
                found = await self._read(look)
                for event in found:
                    told[event.job, event.number] = event.at
                    mark = max(mark, place_of(event))
                    yield Told(str(place_of(event)), event)
                told = {key: at for key, at in told.items() if at >= look_back(mark.at)}
                quiet_s = 0.0 if found else quiet_s + LOOK_S
                if quiet_s >= BEAT_S:
                    quiet_s = 0.0
                    yield Told(str(mark), None)
                if not found:
                    await heard.within(LOOK_S)

    async def _read(self, look: Callable[[Session], T]) -> T:
        def run() -> T:
            with self._database.read() as session:
                return look(session)

        return await threads.run(run)


def list_states(session: Session, caller: Caller, since: str, limit: int) -> list[JobEvent]:
    """Return the first changes of jobs since a moment that the caller may see: their states, what they wait for."""
    query = select(JobEvent).join(Job, Job.id == JobEvent.job).where(JobEvent.kind.in_(("job", "waiting")))
    query = visible(query, caller, Permission.JOBS_READ, owner=Job.owner, project=Job.project)
    order = (JobEvent.at, JobEvent.job, JobEvent.number)
    return list(session.scalars(query.where(JobEvent.at >= since).order_by(*order).limit(limit)))


def place_of(event: JobEvent) -> Mark:
    """Return an event's place among those of all jobs."""
    return Mark(event.at, event.job, event.number)


def read_mark(text: str) -> Mark:
    """Return the place that a reader says it was at. Raises `request.invalid`."""
    parts = text.split("/")
    if len(parts) != len(Mark._fields) or not parts[2].isdecimal():
        raise fault("request.invalid", "Last-Event-ID is no place that this node has told")
    return Mark(format_time(parse_time(parts[0])), parts[1], int(parts[2]))


def look_back(at: str) -> str:
    """Return the moment up to which a stream that is at `at` still looks for latecomers."""
    return format_time(parse_time(at) - timedelta(seconds=SETTLED_S))
