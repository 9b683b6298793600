"""Delete a job that has ended, at this node: what goes and what remains is said first, and exactly that is confirmed.

Rows, events, logs and results of its tasks go. What others build on remains: models with their files, derived datasets
(they have files of their own), the uses that were counted against grants, what datasets have disclosed, the audit
records, and what this node has learnt for its estimates. Partners keep what they have of the job.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import NODE, Caller
from hanse.control.admission.gate import utc
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.derived.tables import Derived
from hanse.control.estimates.tables import Expectation
from hanse.control.jobs import service
from hanse.control.jobs.states import has_ended
from hanse.control.jobs.tables import Attempt, Job, JobEvent, Participant, Task
from hanse.control.models.tables import ModelVersion
from hanse.core import threads
from hanse.core.faults import HanseError, fault
from hanse.core.ids import JobId
from hanse.core.times import format_time

LOOK_S = 3600.0
MOST_AT_ONCE = 100
"""How many old jobs one look removes, each in a transaction of its own; the next look takes the rest."""

log = structlog.get_logger("hanse.retention")


class Consequences(msgspec.Struct, frozen=True):
    """What goes with a job (the results of `tasks`, `events`) and what remains: `models`, `derived` datasets by name.

    `retries` are the jobs that repeat it. `digest` stands for all of it: a deletion names the one that was shown.
    """

    job: JobId
    name: str
    tasks: tuple[str, ...]
    events: int
    models: tuple[str, ...]
    derived: tuple[str, ...]
    retries: tuple[str, ...]
    digest: str = ""


def foresee(session: Session, caller: Caller, job: JobId) -> Consequences:
    """Return what deleting a job would take, and leave. Raises `job.unknown`, `access.denied`, `job.open`."""
    row = service.touch_job(session, caller, job)
    if not has_ended(row):
        raise fault("job.open", f"job {job} is {row.state}")
    seen = Consequences(
        row.id,
        row.name,
        tuple(task.name for task in service.tasks_of(session, job)),
        session.scalar(select(func.count()).where(JobEvent.job == job)) or 0,
        tuple(session.scalars(select(ModelVersion.id).where(ModelVersion.job == job).order_by(ModelVersion.id))),
        tuple(session.scalars(select(Derived.name).where(Derived.job == job).order_by(Derived.name))),
        tuple(session.scalars(select(Job.id).where(Job.retry_of == job).order_by(Job.id))),
    )
    return msgspec.structs.replace(seen, digest=hashlib.sha256(msgspec.json.encode(seen)).hexdigest())


def remove(session: Session, caller: Caller, job: JobId, digest: str, is_at: Callable[[JobId], bool]) -> Consequences:
    """Delete a job with the consequences shown as `digest`. Its files go after the transaction, by `clear`.

    `is_at` says whether a process of the job is still being stopped here. Raises `job.open`, and `job.consequences`
    when they are others now.
    """
    session.get(Job, job, with_for_update=True)
    seen = foresee(session, caller, job)
    if seen.digest != digest:
        raise fault("job.consequences", f"what goes with {job} has changed since it was shown")
    if is_at(job):
        raise fault("job.open", f"the processes of {job} are still being stopped")
    for table in (JobEvent, Attempt, Task, Participant, Expectation):
        session.execute(delete(table).where(table.job == job))
    session.execute(delete(Job).where(Job.id == job))
    audit.append(session, caller.id, "job.remove", job, name=seen.name, models=seen.models, derived=seen.derived)
    return seen


def clear(database: Database, directory: Path, seen: Consequences) -> None:
    """Remove from the disk what a deleted job has left, but for the files of models that remain."""
    with database.read() as session:
        kept = [
            Path(row.artefact.path) for row in session.scalars(select(ModelVersion).where(ModelVersion.job == seen.job))
        ]
    for task in seen.tasks:
        for path in (directory / "log").glob(f"{seen.job}-{task}-*.log"):
            path.unlink(missing_ok=True)
    _prune(directory / "jobs" / seen.job, kept)


def _prune(folder: Path, kept: Iterable[Path]) -> None:
    """Remove a folder, but for the paths in it that are kept and the folders on the way to them."""
    inside = [path for path in kept if path.is_relative_to(folder)]
    if not inside:
        shutil.rmtree(folder, ignore_errors=True)
    elif folder not in inside:
        for entry in list(folder.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                _prune(entry, inside)
            elif entry not in inside:
                entry.unlink(missing_ok=True)


class Retention:
    """Removes jobs that ended more than `days` ago; with 0 days it removes none."""

    def __init__(self, database: Database, directory: Path, days: int, is_at: Callable[[JobId], bool]) -> None:
        self._database = database
        self._directory = directory
        self._days = days
        self._is_at = is_at

    async def run(self) -> None:
        """Look every hour, until cancelled."""
        while True:
            if self._days:
                try:
                    await threads.run(self.sweep)
                except HanseError as error:
                    log.error("retention.failed", fault=str(error))
            await asyncio.sleep(LOOK_S)

    def sweep(self) -> int:
        """Remove what is too old, and return how many jobs that were."""
        before = format_time(utc() - timedelta(days=self._days))
        old = select(Job.id).where(Job.ended_at < before).order_by(Job.ended_at).limit(MOST_AT_ONCE)
        with self._database.read() as session:
            found = list(session.scalars(old))
        removed = 0
        for job in found:
            with suppress(HanseError):  # another process has removed it, or what goes with it has changed
                clear(self._database, self._directory, self._remove(job))
                removed += 1
        return removed

    def _remove(self, job: JobId) -> Consequences:
        with self._database.write() as session:
            return remove(session, NODE, job, foresee(session, NODE, job).digest, self._is_at)
