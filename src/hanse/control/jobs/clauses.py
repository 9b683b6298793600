"""The clauses of grants in a job: looked at when it is proposed and at each attempt, and held while attempts run."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.datasets.keeping import folders_with
from hanse.control.derived.reading import is_derived, names_behind, open_reading
from hanse.control.grants import enforcement
from hanse.control.grants.enforcement import Request
from hanse.control.grants.service import resolve
from hanse.control.jobs import service
from hanse.control.jobs.decisions import place
from hanse.control.jobs.lineage import DATASET, all_datasets_of, datasets_of, settings_of
from hanse.control.jobs.spending import Plan
from hanse.control.jobs.states import advance
from hanse.control.jobs.tables import Attempt, Job, Task
from hanse.control.outbox import service as outbox
from hanse.core.faults import HanseError
from hanse.core.ids import DatasetId, JobId
from hanse.core.job_messages import AttemptEnded, JobProblem, report_problem
from hanse.core.planning import PlannedTask
from hanse.core.pointers import point_at_setting
from hanse.core.problems import tell_fault
from hanse.core.roles import GUEST
from hanse.core.times import now

KEPT_SUFFIXES = (".setup", ".hint")
"""Of what components keep from job to job, these go with a grant. What binds later jobs to earlier ones stays."""


def foresee(session: Session, directory: Path, plan: Plan) -> tuple[JobProblem, ...]:
    """Return a problem for each dataset whose grant does not allow what a proposed job wants."""
    problems = []
    for name in all_datasets_of(plan.spec, plan.me):
        tasks = [task for task in plan.tasks if name in datasets_of(plan.spec, plan.me, task.name)]  # type: ignore[arg-type]
        try:
            for use in open_reading(session, directory, name, plan.project, now()).uses:
                enforcement.demand(session, use, Request(plan.guest, plan.me == GUEST, _tasks(tasks)))
        except HanseError as error:
            readers = (
                task for task in plan.spec.tasks if settings_of(plan.spec.tasks[task], plan.me).get(DATASET) == name
            )
            where = next(task for task in readers if plan.spec.tasks[task].component == DATASET)
            place = point_at_setting(where, plan.spec.tasks[where], plan.me, DATASET)
            problems.append(report_problem(plan.me, tell_fault(error.fault, place, where)))
    return tuple(problems)


def request_of(session: Session, job: Job, names: tuple[str, ...]) -> Request:
    """Return what a job asks of the data behind `names`: all tasks that these reach count, whenever they run."""
    reached = [
        task
        for task in service.tasks_of(session, job.id)
        if set(names) & set(_expand(session, datasets_of(job.spec, job.me, task.name)))
    ]
    return Request(job.guest, job.me == GUEST, _tasks(reached), job.id)


def end_uncovered(session: Session, directory: Path) -> list[JobId]:
    """Fail this node's running attempts whose data are no longer granted as they are used; return their jobs."""
    query = select(Attempt).where(Attempt.state.in_(("ordered", "running")), Attempt.owner.is_not(None))
    ended = []
    for row in session.scalars(query).all():
        job = service.get_job(session, row.job)
        if row.party != job.me:
            continue
        try:
            for name in row.datasets:
                use = resolve(session, directory, name, job.project, now())
                enforcement.demand(session, use, request_of(session, job, (name,)))
        except HanseError as error:
            advance(session, row, "failed", place(error.fault, job.me, row.task))
            tell_guest(session, job, row)
            ended.append(job.id)
    return ended


def list_setups(directory: Path, dataset: DatasetId) -> list[Path]:
    """Return the files that components keep of a dataset for later jobs and that go when its grant goes."""
    found = (path for folder in folders_with(directory, dataset) for path in folder.rglob("*") if path.is_file())
    return [path for path in found if path.suffix in KEPT_SUFFIXES]


def tell_guest(session: Session, job: Job, row: Attempt) -> None:
    """Have a job's guest told how this party's attempt has ended: party, step and code of a fault, no more."""
    service.wake(job)
    if job.me != GUEST:
        fault = row.fault and row.fault.for_peers()
        message = AttemptEnded(row.job, row.task, row.number, row.party, row.state, fault)
        outbox.write(session, job.guest, message)


def _expand(session: Session, names: tuple[str, ...]) -> tuple[str, ...]:
    return names + tuple(found for name in names if is_derived(name) for found in names_behind(session, name))


def _tasks(tasks: list[Task] | list[PlannedTask]) -> tuple[enforcement.Task, ...]:
    return tuple(dict.fromkeys(enforcement.Task(task.component, task.apply) for task in tasks))
