"""Save what a task made as a derived dataset: its lineage is the job's."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.datasets.tables import Dataset
from hanse.control.derived import service as derived
from hanse.control.derived.tables import Derived, OnRefresh, Source
from hanse.control.grants.tables import DatasetRead
from hanse.control.jobs import service as jobs
from hanse.control.jobs.lineage import upstream
from hanse.control.jobs.tables import Job, Task
from hanse.core.faults import fault
from hanse.core.ids import JobId, TaskName, new_id
from hanse.core.specs import Artefact
from hanse.core.times import now


def save(
    session: Session,
    caller: Caller,
    directory: Path,
    name: str,
    job_id: JobId,
    task_name: TaskName,
    port: str = "",
    on_refresh: OnRefresh = "invalid",
) -> Derived:
    """Keep this party's part of a table under a name; the other parties save theirs. `directory` is the node's.

    Saving the same output again, under whatever name, returns what is there. `port` may be left out where the task made
    one table. Raises `job.unknown`, `job.unknown_task`, `derived.source`, `derived.name_taken`.
    """
    job = jobs.see_job(session, caller, job_id)
    caller.demand(Permission.PIPELINES_WRITE, project=job.project)
    task = jobs.get_task(session, job.id, task_name)
    port, made = _find_table(session, job, task, port)
    row = Derived(
        id=new_id("derived"),
        name=name,
        digest=_digest(session, job, task, port),
        project=job.project,
        job=job.id,
        task=task.name,
        port=port,
        component=task.component,
        version=task.version,
        settings_digest=_hash(job.spec.tasks[task.name]),
        parties=dict(_organisations(session, job, task)),
        sources=_list_sources(session, job, task),
        artefact=made,
        on_refresh=on_refresh,
        owner=caller.person,
        created_at=now(),
    )
    return derived.record(session, caller, directory, row)


def _find_table(session: Session, job: Job, task: Task, port: str) -> tuple[str, Artefact]:
    kept = jobs.kept_attempt(session, job.id, task.name, job.me)
    made = {} if kept is None or task.state != "succeeded" else kept.outputs
    tables = {name: found for name, found in made.items() if found.kind == "table" and found.schema is not None}
    if port in tables:
        return port, tables[port]
    if port or len(tables) != 1:
        there = ", ".join(sorted(tables)) or "none"
        raise fault("derived.source", f"task {task.name} of job {job.id} made these tables here: {there}")
    return next(iter(tables.items()))


def _list_sources(session: Session, job: Job, task: Task) -> tuple[Source, ...]:
    query = select(DatasetRead).where(DatasetRead.job == job.id, DatasetRead.task.in_(upstream(job.spec, task.name)))
    reads = list(session.scalars(query.order_by(DatasetRead.dataset, DatasetRead.version)))
    names = {row.id: row.name for row in session.scalars(select(Dataset))}
    found = {Source(r.dataset, names.get(r.dataset, r.dataset), r.version, r.grant): None for r in reads}
    if not found:
        raise fault("derived.source", f"no dataset of this party reached task {task.name} of job {job.id}")
    return tuple(found)


def _digest(session: Session, job: Job, task: Task, port: str) -> str:
    """Return what names this output at every party: the job with all that made the output, and nothing of one side."""
    made_by = {name: job.spec.tasks[name] for name in upstream(job.spec, task.name)}
    return _hash([job.id, task.name, port, task.component, _organisations(session, job, task), made_by])


def _organisations(session: Session, job: Job, task: Task) -> dict[Any, Any]:
    everybody = jobs.organisations_of(session, job.id)
    return {party: everybody[party] for party in sorted(task.parties)}


def _hash(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
