"""What the guest's node decides about a job: one transaction that looks at the rows and moves those that can move.

Nothing here waits or speaks. A decision may be made again at any time: it finds done what was done.
"""

from collections.abc import Iterable

import msgspec
from sqlalchemy.orm import Session

from hanse.control.jobs import queue, service
from hanse.control.jobs.queue import Rules
from hanse.control.jobs.states import advance, append_event, has_ended, open_row
from hanse.control.jobs.tables import Attempt, Job, Participant, Task
from hanse.control.outbox import service as outbox
from hanse.core.faults import Fault
from hanse.core.job_messages import EndAttempt, JobEnded, JobRequest, JobState, StartJob, TaskEnded, TaskState, read_out
from hanse.core.roles import GUEST, PartyId
from hanse.core.times import later, now

ATTEMPTS = 4
"""A task is tried once and, when a process or node dies, three times more."""

AWAY_S = 600.0
"""How long a party's node may be away before the job gives up."""

VERDICT_S = 5.0
"""How long a failure that only blames another party waits for that party's own word."""

SECOND_HAND = frozenset({"peer.lost", "peer.restarted", "peer.refused", "link.broken", "attempt.cancelled"})
"""Codes by which an attempt says that it ended because another one did."""


def decide(session: Session, job: Job, rules: Rules) -> bool:
    """Move a job as far as its rows and the node's rules allow; return whether anything moved."""
    before = job.last_event
    if has_ended(job):
        return False
    if job.cancel_asked_at is not None:
        _finish(session, job, "cancelled")
    elif job.state == "proposed":
        _decide_proposal(session, job, rules)
    else:
        _decide_run(session, job, rules)
    return job.last_event != before


def _decide_proposal(session: Session, job: Job, rules: Rules) -> None:
    participants = service.participants_of(session, job.id)
    if job.problems:
        party = job.problems[0].party
        _finish(session, job, "rejected", Fault("job.rejected", party, "proposal", read_out(job.problems)))
    elif lost := _find_away(participants, {row.party for row in participants}):
        _finish(session, job, "failed", _blame_absence(lost.party, "proposal"))
    elif waiting := queue.say_what_is_waited_for(session, job, rules):
        _wait(session, job, waiting)
    else:
        job.waiting = ()
        advance(session, job, "running")
        _tell(session, job, StartJob(job.id))


def _wait(session: Session, job: Job, reasons: tuple[Fault, ...]) -> None:
    """Note what a job waits for, and tell those who watch it when that is something else than before."""
    if [(found.code, found.party) for found in job.waiting] != [(found.code, found.party) for found in reasons]:
        told = [msgspec.to_builtins(reason) for reason in reasons]
        append_event(session, job.id, "waiting", {"reasons": told})
        job.waiting = reasons


def _decide_run(session: Session, job: Job, rules: Rules) -> None:
    if overrun := queue.find_overrun(job, service.tasks_of(session, job.id)):
        _stop_late(session, job, *overrun)
        return
    for task in service.tasks_of(session, job.id):
        if task.state == "running" and (fault := _settle(session, job, task)) is not None:
            _fail(session, job, task, fault)
            return
    tasks = service.tasks_of(session, job.id)
    done = {task.name for task in tasks if task.state == "succeeded"}
    if len(done) == len(tasks):
        _finish(session, job, "succeeded")
        return
    ready = [task for task in tasks if task.state == "waiting" and done.issuperset(task.after)]
    if not ready:
        return
    queue.enter(session)
    free = queue.count_free(session, rules)
    _wait(session, job, () if free or any(task.state == "running" for task in tasks) else (queue.BUSY,))
    for task in ready[:free]:
        advance(session, task, "running")
        _order_next(session, task)


def _stop_late(session: Session, job: Job, task: Task | None, fault: Fault) -> None:
    if task is None:
        _finish(session, job, "failed", fault)
    else:
        _fail(session, job, task, fault)


def _settle(session: Session, job: Job, task: Task) -> Fault | None:
    """End a running task or its latest attempt if the rows say so; return the fault that ends the job."""
    rows = service.attempts_of(session, job.id, task.name, task.attempt)
    if all(row.state == "succeeded" for row in rows):
        advance(session, task, "succeeded")
        service.keep_model(session, job, task)
        _tell(session, job, TaskEnded(job.id, task.name, "succeeded"))
        return None
    if verdict := next((row for row in rows if row.state == "failed" and not _is_second_hand(row)), None):
        return place(verdict.fault, verdict.party, task.name)
    dead = [row for row in rows if row.state in ("lost", "failed", "cancelled") and not _awaits_verdict(row, rows)]
    if dead:
        return _try_again(session, job, task, dead)
    working = {row.party for row in rows if not has_ended(row)}
    absent = _find_away(service.participants_of(session, job.id), working)
    return None if absent is None else _blame_absence(absent.party, task.name)


def _try_again(session: Session, job: Job, task: Task, dead: list[Attempt]) -> Fault | None:
    culprit = min(dead, key=lambda row: ("lost", "cancelled", "failed").index(row.state))
    if task.attempt >= ATTEMPTS:
        cause = f"it ended {ATTEMPTS} times without a result"
        party = culprit.fault.party if culprit.fault and culprit.fault.party else culprit.party
        return Fault("attempt.lost", party, task.name, cause)
    service.end_attempts(session, service.attempts_of(session, job.id, task.name, task.attempt))
    _tell(session, job, EndAttempt(job.id, task.name, task.attempt), task.parties)
    _order_next(session, task)
    return None


def _order_next(session: Session, task: Task) -> None:
    task.attempt += 1
    moment = now()
    for party in task.parties:
        key = {"job": task.job, "task": task.name, "number": task.attempt, "party": party}
        open_row(session, Attempt(**key, state="ordered", ordered_at=moment))


def fail(session: Session, job: Job, fault: Fault) -> None:
    """End a job, all of its tasks included, for a reason that lies outside of it, and tell all parties."""
    _finish(session, job, "failed", fault)


def _fail(session: Session, job: Job, task: Task, fault: Fault) -> None:
    service.end_task(session, task, "failed", fault)
    _tell(session, job, TaskEnded(job.id, task.name, "failed", fault.for_peers()))
    _finish(session, job, "failed", fault)


def _finish(session: Session, job: Job, state: JobState, fault: Fault | None = None) -> None:
    job.waiting = ()
    over: list[tuple[Task, TaskState]] = [(task, task.state) for task in service.tasks_of(session, job.id)]
    service.end_job(session, job, state, fault)
    for task, before in over:
        if task.state != before:
            _tell(session, job, TaskEnded(job.id, task.name, task.state, task.fault and task.fault.for_peers()))
    _tell(session, job, JobEnded(job.id, state, fault and fault.for_peers()))


def _tell(session: Session, job: Job, message: JobRequest, parties: Iterable[PartyId] | None = None) -> None:
    """Write a letter to every other party (or to those of `parties`)."""
    for row in service.participants_of(session, job.id):
        if row.party != GUEST and (parties is None or row.party in parties):
            outbox.write(session, row.organisation, message)


def place(fault: Fault | None, party: PartyId, step: str) -> Fault:
    """Return a fault that says at which party and in which step it came up, if it did not say so itself."""
    known = fault or Fault("attempt.failed")
    return Fault(known.code, known.party or party, known.step or step, known.cause, known.remedy)


def _is_second_hand(row: Attempt) -> bool:
    return row.fault is not None and row.fault.code in SECOND_HAND


def _awaits_verdict(row: Attempt, rows: list[Attempt]) -> bool:
    """Say whether the party that a failed attempt blames still has time to say itself what happened."""
    blamed = row.fault.party if row.fault is not None and row.state == "failed" else None
    silent = any(other.party == blamed and not has_ended(other) for other in rows)
    return silent and (row.ended_at or "") > later(-VERDICT_S)


def _find_away(participants: list[Participant], needed: set[PartyId]) -> Participant | None:
    limit = later(-AWAY_S)
    return next((row for row in participants if row.party in needed and (row.away_since or limit) < limit), None)


def _blame_absence(party: PartyId, step: str) -> Fault:
    cause = f"its node could not be reached for {AWAY_S:.0f} s"
    return Fault("peer.unreachable", party, step, cause, "see that its node runs and that its address is right")
