"""The queue of the jobs that this node leads: which may begin, in what order, and what the others wait for.

A job is ready when every party has accepted it. Of the ready ones the most urgent begins first; waiting makes more
urgent, so that nothing starves; among equals the project that has the fewest jobs running, then the oldest.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from hanse.control.estimates import service as estimates
from hanse.control.jobs.tables import Attempt, Job, Participant, Task, Turnstile
from hanse.core.faults import Fault
from hanse.core.ids import JobId, ProjectId
from hanse.core.roles import GUEST
from hanse.core.times import format_time, later, now, parse_time

AGE_S = 600.0
"""Waiting this long makes a job one step of priority more urgent."""

DAY_S = 86_400.0


class Rules(NamedTuple):
    """How much of a node its jobs may use; 0 is no limit. `tasks` run at once, whatever job they belong to.

    A day is the last 24 hours. Time limits (seconds) are for jobs that bring none of their own, and the most that one
    may bring.
    """

    tasks: int = 2
    jobs: int = 8
    jobs_of_project: int = 0
    jobs_of_user: int = 0
    jobs_of_project_a_day: int = 0
    jobs_of_user_a_day: int = 0
    time_limit_s: int = 0
    task_time_limit_s: int = 0


USUAL = Rules()


class Place(NamedTuple):
    """What the order of the queue looks at."""

    id: JobId
    project: ProjectId
    owner: str
    priority: int
    created_at: str


def say_what_is_waited_for(session: Session, job: Job, rules: Rules) -> tuple[Fault, ...]:
    """Return why a proposed job does not begin now; nothing when it may."""
    absent = [row for row in _participants(session, job.id) if not row.accepted]
    if absent:
        return tuple(_say_absence(row) for row in absent)
    enter(session)
    reason = line_up(session, rules).get(job.id)
    return () if reason is None else (reason,)


def enter(session: Session) -> None:
    """Let no other scheduler count until this transaction is over."""
    if session.get(Turnstile, 1, with_for_update=True) is None:
        session.add(Turnstile(id=1))
        session.flush()


def line_up(session: Session, rules: Rules) -> dict[JobId, Fault | None]:
    """Return all ready jobs, first first, each with what keeps it from beginning, None for those that may begin."""
    waiting = list_ready(session)
    running = Counter(found.project for found in _list_running(session))
    waiting.sort(key=lambda place: (-urgency(place), running[place.project], place.created_at, place.id))
    quota = _Quota(session, rules)
    return {place.id: quota.admit(place) for place in waiting}


def urgency(place: Place) -> int:
    """Return the priority of a waiting job: what it was given, and one more for each `AGE_S` that it has waited."""
    waited_s = (parse_time(now()) - parse_time(place.created_at)).total_seconds()
    return place.priority + int(max(waited_s, 0.0) / AGE_S)


def list_ready(session: Session) -> list[Place]:
    """Return the jobs of this guest that every party has accepted and that have not begun."""
    missing = exists().where(Participant.job == Job.id, Participant.accepted.is_(False))
    query = select(*_COLUMNS).where(Job.me == GUEST, Job.state == "proposed", Job.cancel_asked_at.is_(None), ~missing)
    return [Place(*row) for row in session.execute(query)]


def count_free(session: Session, rules: Rules) -> int:
    """Return how many more tasks may begin on this node: those that it leads and its shares of others' count."""
    led = select(func.count()).select_from(Task).join(Job, Job.id == Task.job)
    own = select(func.count()).select_from(Attempt).join(Job, Job.id == Attempt.job)
    busy = session.scalar(led.where(Job.me == GUEST, Job.state == "running", Task.state == "running")) or 0
    busy += session.scalar(own.where(Job.me != GUEST, Attempt.party == Job.me, Attempt.state == "running")) or 0
    return max(rules.tasks - busy, 0)


def find_overrun(job: Job, tasks: Sequence[Task]) -> tuple[Task | None, Fault] | None:
    """Return the limit that a running job has passed: its own, or that of a task."""
    if job.time_limit_s and _is_past(job.started_at, job.time_limit_s):
        return None, Fault("job.time_limit", None, "", f"it ran for more than {job.time_limit_s} s")
    late = (task for task in tasks if task.state == "running" and _is_past(task.started_at, job.task_time_limit_s))
    task = next(late, None) if job.task_time_limit_s else None
    if task is None:
        return None
    return task, Fault("job.time_limit", None, task.name, f"the task ran for more than {job.task_time_limit_s} s")


BUSY = Fault("queue.busy")

_COLUMNS = (Job.id, Job.project, Job.owner, Job.priority, Job.created_at)


class _Quota:
    """What is left of each limit while the queue is walked from its head."""

    def __init__(self, session: Session, rules: Rules) -> None:
        self._session = session
        running = _list_running(session)
        today = _list_begun(session, later(-DAY_S))
        self._jobs = len(running)
        self._most = rules.jobs
        self._limits = (
            ("project", rules.jobs_of_project, Counter(found.project for found in running), "queue.limit"),
            ("owner", rules.jobs_of_user, Counter(found.owner for found in running), "queue.limit"),
            ("project", rules.jobs_of_project_a_day, Counter(found.project for found in today), "queue.quota"),
            ("owner", rules.jobs_of_user_a_day, Counter(found.owner for found in today), "queue.quota"),
        )

    def admit(self, place: Place) -> Fault | None:
        """Return what keeps a job out, or count it as one that begins."""
        for of, most, used, code in self._limits:
            if most and used[getattr(place, of)] >= most:
                return Fault(code, cause=f"{most} jobs of this {_WHOSE[of]}{_WHEN[code]}")
        if self._most and self._jobs >= self._most:
            return Fault(
                "queue.full", cause=f"{self._most} jobs run at once on this node{_say_next_end(self._session)}"
            )
        self._jobs += 1
        for of, _most, used, _code in self._limits:
            used[getattr(place, of)] += 1
        return None


_WHOSE = {"project": "project", "owner": "user"}
_WHEN = {"queue.limit": " run at once", "queue.quota": " have begun in the last 24 hours"}


def _list_running(session: Session) -> list[Place]:
    query = select(*_COLUMNS).where(Job.me == GUEST, Job.state == "running")
    return [Place(*row) for row in session.execute(query)]


def _say_next_end(session: Session) -> str:
    """Say when the first of the running jobs is expected to end; nothing when none is, or is late already."""
    query = select(Job.id, Job.started_at).where(Job.me == GUEST, Job.state == "running", Job.started_at.is_not(None))
    ends = []
    for job, started_at in session.execute(query):
        expected = estimates.find(session, job)
        if expected is not None and expected.seconds.likely and started_at is not None:
            ends.append(format_time(parse_time(started_at) + timedelta(seconds=expected.seconds.likely)))
    first = min(ends, default="")
    return f"; the first is expected to end at {first}" if first > now() else ""


def _list_begun(session: Session, since: str) -> list[Place]:
    query = select(*_COLUMNS).where(Job.me == GUEST, Job.started_at >= since)
    return [Place(*row) for row in session.execute(query)]


def _participants(session: Session, job: JobId) -> Iterable[Participant]:
    return session.scalars(select(Participant).where(Participant.job == job).order_by(Participant.party))


def _say_absence(row: Participant) -> Fault:
    if row.away_since is not None:
        return Fault("queue.away", row.party, "proposal", f"its node has not been reached since {row.away_since}")
    if row.pending:
        return Fault("queue.approval", row.party, "proposal")
    return Fault("queue.unanswered", row.party, "proposal")


def _is_past(began: str | None, limit_s: int) -> bool:
    return began is not None and began < later(-limit_s)
