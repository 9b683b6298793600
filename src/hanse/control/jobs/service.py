"""What happens to a job at any party: opened, heard of, cancelled, ended. The guest's decisions are in `decisions`."""

from collections.abc import Iterable

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import LOCAL, Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.approvals import service as approvals
from hanse.control.jobs.search import EVERY, Wanted
from hanse.control.jobs.states import advance, has_ended, open_row
from hanse.control.jobs.tables import Attempt, Job, JobEvent, Participant, Task
from hanse.control.models.service import name_model, register_model
from hanse.control.models.tables import ModelVersion
from hanse.control.notifications import service as notifications
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.job_messages import JobStanding, JobState, TaskStanding, TaskState
from hanse.core.planning import PipelineCheck
from hanse.core.roles import GUEST, PartyId
from hanse.core.times import now

EVENTS_PER_ANSWER = 500

OPEN_JOBS = 32
"""How many jobs of one guest a host has open at once: each is kept with its pipeline."""


def open_job(session: Session, job: Job, parties: dict[PartyId, OrganisationId], check: PipelineCheck) -> None:
    """Add a proposed job with its participants and its tasks, in an order in which they can run."""
    open_row(session, job)
    for party, organisation in parties.items():
        session.add(Participant(job=job.id, party=party, organisation=organisation, accepted=party == job.me))
    for position, planned in enumerate(check.tasks):
        open_row(
            session,
            Task(
                job=job.id,
                name=TaskName(planned.name),
                position=position,
                component=planned.component,
                version=planned.version,
                apply=planned.apply,
                parties=planned.parties,
                after=tuple(TaskName(name) for name in planned.after),
                state="waiting",
            ),
        )
    session.flush()


def get_job(session: Session, job: JobId) -> Job:
    """Return a job. Raises `job.unknown`."""
    found = session.get(Job, job)
    if found is None:
        raise _unknown(job)
    return found


def _unknown(job: JobId) -> HanseError:
    return fault("job.unknown", f"this node has no job {job}", "`hanse job list` shows the jobs it has")


def see_job(session: Session, caller: Caller, job: JobId) -> Job:
    """Return a job that the caller may see. Raises `job.unknown` as if there were none."""
    query = select(Job).where(Job.id == job)
    found = session.scalar(visible(query, caller, Permission.JOBS_READ, owner=Job.owner, project=Job.project))
    if found is None:
        raise _unknown(job)
    return found


def touch_job(session: Session, caller: Caller, job: JobId) -> Job:
    """Return a job that the caller may change. Raises `job.unknown`, `access.denied`."""
    found = see_job(session, caller, job)
    caller.demand(Permission.JOBS_RUN, owner=found.owner, project=found.project)
    return found


def list_jobs(session: Session, caller: Caller = LOCAL, wanted: Wanted = EVERY) -> list[Job]:
    """Return the jobs that the caller may see and that `wanted` describes, newest first. Raises `job.unknown`."""
    query = visible(select(Job), caller, Permission.JOBS_READ, owner=Job.owner, project=Job.project)
    query = wanted.narrow(query, caller)
    if wanted.after is not None:
        last = get_job(session, wanted.after)
        older = and_(Job.created_at == last.created_at, Job.id > last.id)
        query = query.where(or_(Job.created_at < last.created_at, older))
    return list(session.scalars(query.order_by(Job.created_at.desc(), Job.id).limit(wanted.limit)))


def list_open_jobs(session: Session) -> list[Job]:
    """Return the jobs that have not ended."""
    return list(session.scalars(select(Job).where(Job.state.in_(("proposed", "running")))))


def is_being_answered(session: Session, job: JobId) -> bool:
    """Say whether a proposed job may be decided in a moment: a party that can be reached has not answered yet."""
    silent = [row for row in participants_of(session, job) if not row.accepted]
    ready = not silent and not get_job(session, job).waiting
    return get_job(session, job).state == "proposed" and (ready or any(row.away_since is None for row in silent))


def demand_room(session: Session, guest: OrganisationId) -> None:
    """Raise `job.too_many` when another organisation has as many jobs open here as one may have."""
    query = select(func.count()).where(Job.guest == guest, Job.me != GUEST, Job.state.in_(("proposed", "running")))
    if (session.scalar(query) or 0) >= OPEN_JOBS:
        raise fault("job.too_many", f"{OPEN_JOBS} jobs of {guest} are open here")


def tasks_of(session: Session, job: JobId) -> list[Task]:
    """Return the tasks of a job in the order of its plan."""
    return list(session.scalars(select(Task).where(Task.job == job).order_by(Task.position)))


def get_task(session: Session, job: JobId, task: TaskName) -> Task:
    """Return a task. Raises `job.unknown_task`."""
    found = session.get(Task, (job, task))
    if found is None:
        raise fault("job.unknown_task", f"job {job} has no task {task}")
    return found


def attempts_of(session: Session, job: JobId, task: TaskName, number: int | None = None) -> list[Attempt]:
    """Return the attempts of a task (or one number of it) that this node knows of, oldest first."""
    query = select(Attempt).where(Attempt.job == job, Attempt.task == task).order_by(Attempt.number, Attempt.party)
    return list(session.scalars(query if number is None else query.where(Attempt.number == number)))


def participants_of(session: Session, job: JobId) -> list[Participant]:
    """Return the parties of a job."""
    return list(session.scalars(select(Participant).where(Participant.job == job).order_by(Participant.party)))


def organisations_of(session: Session, job: JobId) -> dict[PartyId, OrganisationId]:
    """Return which organisation stands behind each party."""
    return {row.party: row.organisation for row in participants_of(session, job)}


def hear(session: Session, job: JobId, guest: OrganisationId) -> Job:
    """Return a job of which its guest has just said something. Raises `job.unknown`, `job.not_yours`."""
    found = get_job(session, job)
    if found.guest != guest or found.me == GUEST:
        raise fault("job.not_yours", f"job {job} is led by another organisation")
    found.heard_at = now()
    return found


def party_of(session: Session, job: JobId, organisation: OrganisationId) -> PartyId:
    """Return which party of the job an organisation is. Raises `job.not_yours`."""
    for row in participants_of(session, job):
        if row.organisation == organisation:
            return row.party
    raise fault("job.not_yours", f"job {job} has no such party")


def blame(session: Session, job: JobId, told: Fault | None, teller: PartyId) -> Fault | None:
    """Return what a party tells of a fault; one that blames somebody outside the job has to answer for it itself."""
    if told is None or told.party is None or told.party in organisations_of(session, job):
        return told
    return Fault(told.code, teller, told.step)


def waits_for_people(session: Session, job: JobId) -> bool:
    """Say whether all that keeps a proposed job from going on is that approvers have to decide.

    The guest's own come first: as long as they have not agreed, nobody else is asked.
    """
    missing = {row.party: row.pending for row in participants_of(session, job) if not row.accepted}
    return bool(missing) and missing.get(GUEST, all(missing.values()))


def wake(job: Job) -> None:
    """Have the job stepped at once: something has changed."""
    job.due_at = ""


def ask_cancel(job: Job) -> bool:
    """Note that a party wants the job to end; return whether that is news."""
    if has_ended(job) or job.cancel_asked_at is not None:
        return False
    job.cancel_asked_at = now()
    wake(job)
    return True


def cancel_own_attempts(session: Session, job: JobId) -> list[Attempt]:
    """End this node's own attempts of a job, and return them."""
    me = get_job(session, job).me
    rows = session.scalars(select(Attempt).where(Attempt.job == job, Attempt.party == me))
    running = [row for row in rows if not has_ended(row)]
    for row in running:
        advance(session, row, "cancelled")
    return running


def start_job(session: Session, job: Job) -> None:
    """Let a proposed job run; one that runs or has ended stays as it is."""
    if job.state == "proposed":
        advance(session, job, "running")


def end_attempts(session: Session, attempts: Iterable[Attempt]) -> None:
    """Cancel the attempts that have not ended."""
    for row in attempts:
        if not has_ended(row):
            advance(session, row, "cancelled")


def end_task(session: Session, task: Task, state: TaskState, fault: Fault | None = None) -> bool:
    """Bring a task to its end from wherever it is, with its attempts; return whether that is news."""
    if has_ended(task):
        return False
    end_attempts(session, attempts_of(session, task.job, task.name))
    if task.state == "waiting" and state != "skipped":
        advance(session, task, "running")
    return advance(session, task, state, fault)


def end_job(session: Session, job: Job, state: JobState, fault: Fault | None = None) -> bool:
    """Bring a job to its end, with all that is not over yet; return whether that is news."""
    if has_ended(job):
        return False
    approvals.abandon(session, "job", job.id, f"the job is {state}")
    for task in tasks_of(session, job.id):
        if state == "succeeded":
            end_task(session, task, "succeeded")
        else:
            end_task(session, task, "skipped" if task.state == "waiting" else "cancelled")
    if job.state == "proposed" and state == "succeeded":
        advance(session, job, "running")
    job.waiting = ()
    if not advance(session, job, state, fault):
        return False
    _tell_owner(session, job)
    return True


def _tell_owner(session: Session, job: Job) -> None:
    """Tell whoever started a job here that it is over; a partner's job has no owner in this house."""
    to, link = [job.owner], f"/jobs/{job.id}"
    if job.state == "failed":
        code = "" if job.fault is None else job.fault.code
        notifications.tell(session, "job.failed", to=to, link=link, words={"name": job.name, "code": code})
    elif job.state != "cancelled":
        notifications.tell(session, "job.ended", to=to, link=link, words={"name": job.name, "state": job.state})


def kept_attempt(session: Session, job: JobId, task: TaskName, party: PartyId) -> Attempt | None:
    """Return the attempt whose outputs count: the latest one that succeeded."""
    query = (
        select(Attempt)
        .where(Attempt.job == job, Attempt.task == task, Attempt.party == party, Attempt.state == "succeeded")
        .order_by(Attempt.number.desc())
        .limit(1)
    )
    return session.scalar(query)


def keep_model(session: Session, job: Job, task: Task) -> None:
    """Register this party's part of the model that a succeeded task fitted, if it fitted one."""
    kept = kept_attempt(session, job.id, task.name, job.me)
    outputs = {} if kept is None or task.apply else kept.outputs
    artefact = next((outputs[port] for port in sorted(outputs) if outputs[port].kind == "model"), None)
    if kept is None or artefact is None or kept.reused_from is not None:
        return  # a model that was reused is registered already, under the job that fitted it
    organisations = organisations_of(session, job.id)
    register_model(
        session,
        ModelVersion(
            id=name_model(job.id, task.name),
            name=f"{job.name} / {task.name}",
            project=job.project,
            job=job.id,
            task=task.name,
            component=task.component,
            version=task.version,
            me=job.me,
            parties={party: organisations[party] for party in task.parties},
            artefact=artefact,
            metrics=metrics_of(session, job.id, task.name, job.me),
            created_at=now(),
        ),
    )


def metrics_of(session: Session, job: JobId, task: TaskName, party: PartyId) -> dict[str, float]:
    """Return the last value of each metric that a party reported in a task."""
    query = (
        select(JobEvent)
        .where(JobEvent.job == job, JobEvent.task == task, JobEvent.party == party, JobEvent.kind == "metric")
        .order_by(JobEvent.number)
    )
    return {event.data["name"]: event.data["value"] for event in session.scalars(query)}


def events_after(session: Session, job: JobId, after: int) -> list[JobEvent]:
    """Return the next events of a job, at most EVENTS_PER_ANSWER of them, in order."""
    query = select(JobEvent).where(JobEvent.job == job, JobEvent.number > after).order_by(JobEvent.number)
    return list(session.scalars(query.limit(EVENTS_PER_ANSWER)))


def stand(session: Session, job: Job) -> JobStanding:
    """Return how a job is, as other parties may know it."""
    tasks = {
        task.name: TaskStanding(task.state, task.fault and task.fault.for_peers()) for task in tasks_of(session, job.id)
    }
    return JobStanding(job.state, tasks, job.fault and job.fault.for_peers())


def follow(session: Session, job: Job, standing: JobStanding) -> None:
    """Bring a host's row of a job to where its guest says that the job is."""
    if standing.state != "proposed":
        start_job(session, job)
    for name, task in standing.tasks.items():
        if task.state not in ("waiting", "running"):
            note_task_end(session, job, name, task.state, task.fault)
    if standing.state not in ("proposed", "running"):
        end_job(session, job, standing.state, blame(session, job.id, standing.fault, GUEST))


def note_task_end(session: Session, job: Job, name: TaskName, state: TaskState, fault: Fault | None) -> None:
    """Note at a host how a task has ended, and keep the model that it fitted."""
    task = get_task(session, job.id, name)
    told = blame(session, job.id, fault, GUEST)
    if not has_ended(job) and end_task(session, task, state, told or task.fault) and state == "succeeded":
        keep_model(session, job, task)


def list_silent_jobs(session: Session, before: str) -> list[Job]:
    """Return the jobs of other guests that have not ended and of which nothing was heard since `before`."""
    query = select(Job).where(Job.state.in_(("proposed", "running")), Job.me != GUEST, Job.heard_at < before)
    return list(session.scalars(query))
