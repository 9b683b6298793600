"""Leases on jobs: one scheduler at a time steps a job, any number may run, a dead one loses its leases."""

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from hanse.control.jobs.service import get_job
from hanse.control.jobs.tables import Job, Participant
from hanse.core.ids import JobId
from hanse.core.roles import GUEST
from hanse.core.times import later, now

LEASE_S = 15.0

STEPPED = "stepped"
"""Stands in `due_at` while a job is being stepped (it sorts after every moment); a wake in between overwrites it."""


class LeaseLost(Exception):
    """Another scheduler holds the job now: what this one was about to write is stale."""


def take(session: Session, owner: str) -> JobId | None:
    """Lease the job of this guest that is due longest, if any is."""
    moment = now()
    query = (
        select(Job)
        .where(Job.me == GUEST, Job.state.in_(("proposed", "running")))
        .where(or_(Job.due_at <= moment, Job.due_at == STEPPED), Job.lease_until < moment)
        .order_by(Job.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    job = session.scalar(query)
    if job is None:
        return None
    if job.lease_owner is not None:  # nobody will read what the one before has asked
        session.execute(update(Participant).where(Participant.job == job.id).values(asked_at=None))
    job.lease_owner, job.lease_until, job.due_at = owner, later(LEASE_S), STEPPED
    return job.id


def hold(session: Session, job: JobId, owner: str) -> Job:
    """Return a leased job for writing, its lease renewed. Raises LeaseLost."""
    row = get_job(session, job)
    if row.lease_owner != owner or row.lease_until <= now():
        raise LeaseLost(f"job {job} is stepped by another scheduler")
    row.lease_until = later(LEASE_S)
    return row


def release(session: Session, job: JobId, owner: str, pause_s: float) -> None:
    """Give a job back, to be stepped again after `pause_s`, or at once when something has woken it meanwhile."""
    row = get_job(session, job)
    if row.lease_owner == owner:
        row.lease_owner, row.lease_until = None, ""
        if row.due_at == STEPPED:
            row.due_at = later(pause_s)


def release_all(session: Session, owner: str) -> None:
    """Give back every job that a scheduler holds, to be stepped at once by another one."""
    held = update(Job).where(Job.lease_owner == owner)
    session.execute(held.values(lease_owner=None, lease_until="", due_at=""))
