"""Exact sums that a dataset has given away to one guest, over all jobs and restarts: counted before they are told."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from hanse.control.derived.reading import names_behind
from hanse.control.grants.service import Use, resolve
from hanse.control.jobs.attempts import AttemptKey
from hanse.control.jobs.lineage import all_datasets_of, datasets_of
from hanse.control.jobs.service import get_job
from hanse.control.jobs.tables import Attempt, Job, Spending
from hanse.core.faults import Fault, HanseError
from hanse.core.ids import DatasetId, OrganisationId, ProjectId, TaskName
from hanse.core.job_messages import JobProblem, report_problem
from hanse.core.planning import PlannedTask
from hanse.core.pointers import point
from hanse.core.problems import tell
from hanse.core.roles import PartyId
from hanse.core.specs import Disclosure, PipelineSpec
from hanse.core.times import now


def ceiling(rows: int, limit: float) -> int:
    """Return how many queries no table of `rows` rows may answer under `limit`, however it is binned.

    Rule R1 (docs/protocols/histogram.md) is queries / (k·ln(rows/k)) ≤ limit for the smallest answered row k. Over all
    k the denominator is at most rows/e, at k = rows/e. The component, which knows k, stops earlier than this.
    """
    return math.floor(limit * rows / math.e)


def used(session: Session, dataset: DatasetId, guest: OrganisationId) -> int:
    """Return how many queries a dataset has answered one guest."""
    row = session.get(Spending, (dataset, guest))
    return 0 if row is None else row.used


def disclosure_of(session: Session, guest: OrganisationId, uses: Iterable[Use]) -> Disclosure | None:
    """Return what an attempt that reads these datasets may still tell; the strictest of them counts."""
    terms = [(used(session, use.snapshot.dataset.id, guest), use.grant.disclosure_limit) for use in uses]
    if not terms:
        return None
    return Disclosure(used=max(spent for spent, _ in terms), limit=min(limit for _, limit in terms))


class Plan(NamedTuple):
    """What a proposed job would ask of this house: whose it is, its pipeline, and how its tasks would run."""

    project: ProjectId
    guest: OrganisationId
    me: PartyId
    spec: PipelineSpec
    tasks: tuple[PlannedTask, ...]


def foresee(session: Session, directory: Path, plan: Plan) -> tuple[JobProblem, ...]:
    """Return a problem for each dataset that may not answer all that a proposed job plans to ask of it.

    That is known before any row is read: an alignment only leaves fewer rows than the dataset has. What passes here may
    still be refused by the component, which sees the rows and what they hold.
    """
    problems = []
    for name in _behind(session, all_datasets_of(plan.spec, plan.me)):
        asking = [task for task in plan.tasks if task.queries and name in _read_by(session, plan, task)]
        count = sum(task.queries for task in asking)
        if count:
            use = resolve(session, directory, name, plan.project, now())
            spent, limit = used(session, use.snapshot.dataset.id, plan.guest), use.grant.disclosure_limit
            rows = use.snapshot.version.rows
            most = ceiling(rows, limit)
            if spent + count > most:
                task = max(asking, key=lambda found: found.queries)
                facts = {"count": count, "dataset": name, "spent": spent, "rows": rows, "limit": limit, "most": most}
                place = point("tasks", task.name, "settings")
                problems.append(report_problem(plan.me, tell("disclosure.planned", place, task.name, **facts)))
    return tuple(problems)


def _read_by(session: Session, plan: Plan, task: PlannedTask) -> tuple[str, ...]:
    return _behind(session, datasets_of(plan.spec, plan.me, TaskName(task.name)))


def _behind(session: Session, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found for name in names for found in names_behind(session, name)))


def spend(session: Session, directory: Path, key: AttemptKey, count: int, most: int | None = None) -> Fault | None:
    """Count `count` queries against every dataset that the attempt's inputs come from, or say why not.

    `most` is the component's own bound on all that is counted, by its smallest row. It is held here, where the counts
    of jobs that run at the same time meet: each of them began with what was counted then.
    """
    job = get_job(session, key.job)
    row = session.get(Attempt, (*key, job.me))
    if row is None or row.state not in ("ordered", "running"):
        return Fault("attempt.over", job.me, key.task, "the attempt that asks is over")
    if count < 1 or not row.datasets:
        return Fault("disclosure.limit", job.me, key.task, "no dataset stands behind these answers")
    try:
        uses = [resolve(session, directory, name, job.project, now()) for name in row.datasets]
    except HanseError as error:
        return Fault(error.fault.code, job.me, key.task, error.fault.cause, error.fault.remedy)
    for use in uses:
        if (refusal := _refuse(session, job, key, use, count, most)) is not None:
            return refusal
    for use in uses:
        _count(session, use.snapshot.dataset.id, job.guest, count)
    return None


def _refuse(session: Session, job: Job, key: AttemptKey, use: Use, count: int, bound: int | None) -> Fault | None:
    dataset, version = use.snapshot
    most, spent = ceiling(version.rows, use.grant.disclosure_limit), used(session, dataset.id, job.guest)
    most = most if bound is None else min(most, bound)
    if spent + count <= most:
        return None
    cause = f"{dataset.name!r} has answered this guest {spent} queries; {count} more would pass its limit of {most}"
    return Fault("disclosure.limit", job.me, key.task, cause)


def _count(session: Session, dataset: DatasetId, guest: OrganisationId, count: int) -> None:
    entry = session.get(Spending, (dataset, guest))
    if entry is None:
        entry = Spending(dataset=dataset, guest=guest, used=0)
        session.add(entry)
    entry.used += count
