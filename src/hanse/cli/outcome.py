"""How a job ended, as an error where it did not end well."""

from hanse.client.refusal import Refusal
from hanse.client.resources import Job
from hanse.core.faults import Fault, HanseError, fault

REJECTED = 422


def demand_success(job: Job) -> None:
    """Raise the fault of a job that did not succeed, naming its first failed task when the job has none."""
    if job.state == "succeeded":
        return
    if job.problems:
        raise Refusal(REJECTED, Fault("job.rejected", step=job.name), problems=job.problems)
    failure = job.fault or next((task.fault for task in job.tasks if task.fault is not None), None)
    if failure is None:
        raise fault("job.ended", f"the job is {job.state}", f"hanse job show {job.id}", step=job.name)
    raise HanseError(failure.fault())
