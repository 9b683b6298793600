"""What may be said of a job when it is started: how urgent it is, how long it may take."""

from typing import NamedTuple

from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.estimates.service import Foreseen
from hanse.control.jobs import service
from hanse.control.jobs.fragments import WHOLE, Fragment
from hanse.control.jobs.queue import Rules
from hanse.control.jobs.states import has_ended
from hanse.control.jobs.tables import NORMAL
from hanse.core.faults import fault
from hanse.core.ids import JobId, PipelineId
from hanse.core.job_messages import JobProblem, report_problem
from hanse.core.pointers import point
from hanse.core.problems import tell
from hanse.core.roles import GUEST


class Wishes(NamedTuple):
    """`priority` 0 (lowest) to 9; limits in seconds, 0 for those of the node; the job that this one repeats.

    `job` is the id that the job gets; whoever may ask twice says one, and the second is refused by the database.
    `fresh`: run every task, whatever earlier jobs have made. `resume`: take what the repeated job has finished.
    `pipeline` and its version say where the pipeline was saved.
    """

    priority: int = NORMAL
    time_limit_s: int = 0
    task_time_limit_s: int = 0
    retry_of: JobId | None = None
    job: JobId | None = None
    fresh: bool = True
    resume: bool = False
    fragment: Fragment = WHOLE
    pipeline: PipelineId | None = None
    pipeline_version: int | None = None


PLAIN = Wishes()

ENOUGH = 3
"""So many measurements of a task make its estimate good enough to refuse by."""


def check_wishes(caller: Caller, wishes: Wishes, rules: Rules) -> None:
    """Raise `access.denied` for more urgency than the caller may ask for, `job.limit` for more time than there is."""
    _check_priority(caller, wishes.priority)
    for asked, most in ((wishes.time_limit_s, rules.time_limit_s), (wishes.task_time_limit_s, rules.task_time_limit_s)):
        if most and asked > most:
            raise fault("job.limit", f"{asked} s are asked for, this node gives at most {most} s")


def refuse_overrun(foreseen: Foreseen | None, wishes: Wishes, rules: Rules) -> tuple[JobProblem, ...]:
    """Return a problem where a job, by what this node has measured, takes longer than it may; models refuse nothing."""
    if foreseen is None:
        return ()
    estimate = foreseen.estimate
    limit_s, task_limit_s = (
        wishes.time_limit_s or rules.time_limit_s,
        wishes.task_time_limit_s or rules.task_time_limit_s,
    )
    measured = [task for task in estimate.tasks if task.history >= ENOUGH and not task.reused]
    slow = [task for task in measured if task_limit_s and task.seconds.least > task_limit_s]
    problems = [_refuse(task.task, task.seconds.least, task_limit_s) for task in slow]
    if limit_s and estimate.history >= ENOUGH and estimate.seconds.least > limit_s:
        problems.append(_refuse("", estimate.seconds.least, limit_s))
    return tuple(problems)


def _refuse(task: str, least_s: float, limit_s: int) -> JobProblem:
    place = point("tasks", task) if task else ""
    return report_problem(GUEST, tell("job.slow", place, task, least=f"{least_s:.0f}", limit=limit_s))


def change_priority(session: Session, caller: Caller, job: JobId, priority: int) -> None:
    """Say anew how urgent a job is. Raises `job.unknown`, `access.denied`, `job.ended`."""
    _check_priority(caller, priority)
    row = service.see_job(session, caller, job)
    if not caller.may(Permission.NODE_OPERATE):
        caller.demand(Permission.JOBS_RUN, owner=row.owner, project=row.project)
    if has_ended(row):
        raise fault("job.ended", f"job {job} is {row.state}")
    if row.priority != priority:
        audit.append(session, caller.id, "job.priority", job, before=row.priority, now=priority)
        row.priority = priority
        service.wake(row)


def _check_priority(caller: Caller, priority: int) -> None:
    if not 0 <= priority <= 9:
        raise fault("job.priority", f"{priority} is no priority", "say 0 (lowest) to 9 (highest)")
    if priority > NORMAL:
        caller.demand(Permission.NODE_OPERATE)
