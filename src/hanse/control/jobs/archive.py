"""Put jobs that have ended away, and take them out again: what is archived is listed no more, and stays as it is."""

from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.audit import service as audit
from hanse.control.jobs import service
from hanse.control.jobs.states import has_ended
from hanse.core.faults import fault
from hanse.core.ids import JobId
from hanse.core.times import now


def archive(session: Session, caller: Caller, job: JobId) -> None:
    """Put a job away. Raises `job.unknown`, `access.denied`, `job.open`."""
    row = service.touch_job(session, caller, job)
    if not has_ended(row):
        raise fault("job.open", f"job {job} is {row.state}")
    if row.archived_at is None:
        row.archived_at = now()
        audit.append(session, caller.id, "job.archive", job, name=row.name)


def restore(session: Session, caller: Caller, job: JobId) -> None:
    """Take a job out of the archive. Raises `job.unknown`, `access.denied`."""
    row = service.touch_job(session, caller, job)
    if row.archived_at is not None:
        row.archived_at = None
        audit.append(session, caller.id, "job.restore", job, name=row.name)
