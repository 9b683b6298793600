"""A job and its approval: what exactly is approved, what the approver is shown, and that nothing else runs."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.orm import Session

from hanse.control.approvals import service as approvals
from hanse.control.approvals.tables import Approval, Kind, State
from hanse.control.derived.reading import names_behind
from hanse.control.estimates import service as estimates
from hanse.control.grants.service import resolve
from hanse.control.jobs import spending
from hanse.control.jobs.lineage import DATASET, all_datasets_of, datasets_of, settings_of
from hanse.control.jobs.service import organisations_of
from hanse.control.jobs.tables import Job
from hanse.core.faults import fault
from hanse.core.ids import OrganisationId, ProjectId, TaskName
from hanse.core.job_messages import Decision, report_problem
from hanse.core.planning import PipelineCheck
from hanse.core.problems import tell
from hanse.core.roles import GUEST, PartyId
from hanse.core.specs import PipelineSpec
from hanse.core.times import now

KIND: Kind = "job"


def digest_of(
    project: ProjectId, spec: PipelineSpec, parties: Mapping[PartyId, OrganisationId], versions: Mapping[str, str]
) -> str:
    """Return the SHA-256 of all that an approver agrees to: the pipeline, who is which party, which components."""
    whole = [project, spec, dict(parties), dict(versions)]
    return hashlib.sha256(msgspec.json.encode(whole, order="sorted")).hexdigest()


def digest_of_job(session: Session, job: Job) -> str:
    """Return the digest of a job as its rows are now."""
    return digest_of(job.project, job.spec, organisations_of(session, job.id), job.versions)


def ask(session: Session, directory: Path, requester: str, job: Job, check: PipelineCheck) -> Approval:
    """Ask this house's approvers for a job whose rows are open; a partner's is asked for by its organisation."""
    figures = _foresee(session, directory, job, check)
    tasks = sorted({task.component for task in check.tasks})
    facts: dict[str, Any] = {"components": tasks}
    facts["rows"] = max((figure.rows for figure in figures), default=0)
    facts["disclosure"] = max((figure.disclosure for figure in figures), default=0.0)
    return approvals.request(
        session,
        requester,
        KIND,
        job.id,
        digest_of_job(session, job),
        title=job.name,
        details={
            "party": job.me,
            "parties": job.spec.parties,
            "versions": job.versions,
            "pipeline": msgspec.to_builtins(job.spec),
            "learns": msgspec.to_builtins(check.learns),
            "uses": _uses(job),
            "disclosure": [figure._asdict() for figure in figures],
            "estimate": msgspec.to_builtins(estimates.find(session, job.id)),
        },
        project=job.project,
        organisation="" if job.me == GUEST else job.guest,
        facts=facts,
    )


def state_of(session: Session, job: Job) -> State | None:
    """Return how the job as it is now stands with this house's approvers."""
    return approvals.standing(session, KIND, job.id, digest_of_job(session, job))


def decision_of(session: Session, job: Job) -> Decision:
    """Return what this house answers to the proposal of a job that nothing else is in the way of."""
    state = state_of(session, job)
    if state in ("approved", "pending"):
        return Decision(pending=state == "pending", reused=tuple(job.reuse))
    return Decision((report_problem(job.me, tell("approval.missing", "", state=state or "missing")),))


def demand(session: Session, job: Job) -> None:
    """Raise `job.not_approved` unless exactly this job, as its rows are now, is approved."""
    state = state_of(session, job)
    if state != "approved":
        raise fault("job.not_approved", f"the approval of {job.id} as it is now is {state or 'missing'}")


class Foreseen(NamedTuple):
    """How much of a dataset a job may tell: `disclosure` is the figure that grants limit, if all planned is asked."""

    dataset: str
    rows: int
    planned: int
    told_before: int
    disclosure: float
    limit: float


def _foresee(session: Session, directory: Path, job: Job, check: PipelineCheck) -> list[Foreseen]:
    figures = []
    for name in _behind(session, all_datasets_of(job.spec, job.me)):
        use = resolve(session, directory, name, job.project, now())
        read = ((task, datasets_of(job.spec, job.me, TaskName(task.name))) for task in check.tasks)
        run = ((task, names) for task, names in read if task.name not in job.reuse)
        planned = sum(task.queries for task, names in run if name in _behind(session, names))
        told, rows = spending.used(session, use.snapshot.dataset.id, job.guest), use.snapshot.version.rows
        figure = (told + planned) * math.e / max(rows, 1)
        figures.append(Foreseen(name, rows, planned, told, figure, use.grant.disclosure_limit))
    return figures


def _behind(session: Session, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the datasets themselves that stand behind these, derived ones among them."""
    return tuple(dict.fromkeys(found for name in names for found in names_behind(session, name)))


def _uses(job: Job) -> list[dict[str, Any]]:
    """This party's datasets, task by task, with the columns that are named (none: all that are granted)."""
    reading = ((name, task) for name, task in job.spec.tasks.items() if task.component == DATASET)
    settings = ((name, settings_of(task, job.me)) for name, task in reading)
    return [
        {"task": name, "dataset": given.get(DATASET), "columns": given.get("columns") or []} for name, given in settings
    ]
