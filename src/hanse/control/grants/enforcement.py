"""The clauses of a grant, held at proposal and at each attempt: by whom, with what, how often. Counts uses."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from hanse.control.audit import service as audit
from hanse.control.grants.service import Use
from hanse.control.grants.tables import DatasetRead, Grant, GrantUse
from hanse.core.clauses import WINDOW_S
from hanse.core.faults import fault
from hanse.core.ids import DatasetId, GrantId, JobId, OrganisationId, ProjectId, TaskName
from hanse.core.times import later, now


class Task(NamedTuple):
    """A task that data of a grant reach: its component (the model's own when a model is applied)."""

    component: str
    apply: bool


class Source(Protocol):
    """A version of a dataset, and the grant under which it is read."""

    @property
    def dataset(self) -> DatasetId: ...
    @property
    def version(self) -> int: ...
    @property
    def grant(self) -> GrantId: ...


class Request(NamedTuple):
    """Who wants to read, and what for. `own`: the guest is the owner itself. `job` is None before there is one."""

    guest: OrganisationId
    own: bool
    tasks: tuple[Task, ...]
    job: JobId | None = None


READING = "dataset"
"""The component that reads is what a grant is for: no clause has to name it."""


def demand(session: Session, use: Use, request: Request) -> None:
    """Raise `grant.guest`, `grant.component`, `grant.uses` or `grant.rate` for what the grant does not allow."""
    grant, name = use.grant, use.snapshot.dataset.name
    clauses = grant.clauses
    if clauses.organisations and not request.own and request.guest not in clauses.organisations:
        raise fault("grant.guest", f"the grant of {name!r} is for other organisations")
    for component, apply in request.tasks:
        if component != READING and not clauses.allows(component, apply=apply):
            deed = f"models of {component} to be applied" if apply else component
            allowed = ", ".join(clauses.components)
            raise fault("grant.component", f"the grant of {name!r} does not allow {deed}; it allows {allowed}")
    if request.job is None or session.get(GrantUse, (grant.id, request.job)) is None:
        _demand_another_use(session, grant, name)


def count(session: Session, use: Use, request: Request) -> None:
    """Count a job as a use of its grant, once; raise as `demand` does when it may not be one.

    The row of the grant is locked first, so that two jobs that begin at once cannot both be the last.
    """
    session.scalar(select(Grant.version).where(Grant.id == use.grant.id).with_for_update())
    demand(session, use, request)
    if request.job is None or session.get(GrantUse, (use.grant.id, request.job)) is not None:
        return
    row = GrantUse(grant=use.grant.id, job=request.job, guest=request.guest, version=use.grant.version, at=now())
    session.add(row)
    session.flush()
    _record(session, use, request)


def refuse(session: Session, job: JobId, project: ProjectId, guest: OrganisationId, name: str, code: str) -> None:
    """Record that a job was not given a dataset: `code` says which clause of the grant was in its way."""
    audit.refuse(session, guest, "dataset.use", name, code, job=job, project=project)


def note_read(session: Session, job: JobId, task: TaskName, sources: Iterable[Source]) -> None:
    """Note which versions of datasets a task is given; what an earlier attempt was given no longer counts."""
    session.execute(delete(DatasetRead).where(DatasetRead.job == job, DatasetRead.task == task))
    for found in sources:
        row = DatasetRead(job=job, task=task, dataset=found.dataset, version=found.version, grant=found.grant)
        session.add(row)
    session.flush()


def used(session: Session, grant: GrantId, since: str = "") -> int:
    """Return how many jobs have used a grant, or have begun to since a moment."""
    query = select(func.count()).where(GrantUse.grant == grant, GrantUse.at > since)
    return session.scalar(query) or 0


def _record(session: Session, use: Use, request: Request) -> None:
    """Record the use of a dataset: by which job, under which version of which grant, held to which clauses."""
    grant, (dataset, version) = use.grant, use.snapshot
    read: dict[str, Any] = {
        "dataset": dataset.name,
        "version": version.number,
        "columns": grant.columns,
        "job": request.job,
    }
    terms: dict[str, Any] = {
        "grant": grant.id,
        "grant_version": grant.version,
        "until": grant.until,
        "clauses": grant.clauses,
    }
    audit.append(session, request.guest, "dataset.use", dataset.id, project=grant.project, **read, **terms)


def _demand_another_use(session: Session, grant: Grant, name: str) -> None:
    clauses = grant.clauses
    if clauses.uses is not None and (spent := used(session, grant.id)) >= clauses.uses:
        raise fault("grant.uses", f"{spent} of {clauses.uses} uses of {name!r} are spent")
    if clauses.rate is None:
        return
    begun = used(session, grant.id, later(-WINDOW_S[clauses.window]))
    if begun >= clauses.rate:
        raise fault(
            "grant.rate",
            f"{name!r} was used {begun} times within the last {clauses.window}; {clauses.rate} are allowed",
        )
