"""What partners' nodes say about jobs: each message to one function of the desk, each reply typed."""

from hanse.control.jobs.desk import JobDesk
from hanse.core.ids import OrganisationId
from hanse.core.job_messages import (
    Acknowledged,
    AttemptEnded,
    CancelJob,
    EndAttempt,
    JobDecided,
    JobEnded,
    JobReply,
    JobRequest,
    OrderAttempt,
    ProposeJob,
    QueryJob,
    StartJob,
    TaskEnded,
)


async def answer(desk: JobDesk, sender: OrganisationId, request: JobRequest) -> JobReply:
    """Act on a partner's request; it may come twice. Raises HanseError for what the sender may not say."""
    match request:
        case ProposeJob():
            return await desk.consider(sender, request)
        case OrderAttempt(job, task, attempt, source):
            return await desk.order(sender, job, task, attempt, source)
        case QueryJob(job):
            return await desk.stand(sender, job)
        case _:
            await _note(desk, sender, request)
            return Acknowledged()


async def _note(
    desk: JobDesk,
    sender: OrganisationId,
    request: JobDecided | StartJob | EndAttempt | AttemptEnded | TaskEnded | JobEnded | CancelJob,
) -> None:
    match request:
        case JobDecided(job):
            await desk.hear_decided(sender, job)
        case StartJob(job):
            await desk.begin(sender, job)
        case EndAttempt(job, task, attempt):
            await desk.end_attempt(sender, job, task, attempt)
        case AttemptEnded():
            await desk.hear_attempt(sender, request)
        case TaskEnded():
            await desk.end_task(sender, request)
        case JobEnded():
            await desk.end(sender, request)
        case CancelJob(job, parting):
            await desk.hear_cancel(sender, job, parting)
