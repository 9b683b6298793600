"""What nodes say to each other about jobs: requests on the gateway's control messages, and their replies.

The guest's node leads; what it says is a fact or an order that may be said twice. Every request names its job; the
sender is the organisation of the client certificate, never a field. What is refused comes back as a fault.
"""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from hanse.core.faults import Fault
from hanse.core.ids import JobId, OrganisationId, ProjectId, TaskName
from hanse.core.planning import Problem
from hanse.core.roles import PartyId
from hanse.core.specs import MOST_TASKS, PipelineSpec
from hanse.core.words import PRINTABLE, Label, flatten

JobState = Literal["proposed", "running", "succeeded", "failed", "cancelled", "rejected"]
TaskState = Literal["waiting", "running", "succeeded", "failed", "cancelled", "skipped"]
AttemptState = Literal["ordered", "running", "succeeded", "failed", "lost", "cancelled"]

WORDS_CHARACTERS = 300

AttemptNumber = Annotated[int, msgspec.Meta(ge=1, le=1000)]
JobKey = Annotated[JobId, msgspec.Meta(pattern=r"^job-[0-9a-f]{16}$")]
TaskKey = Annotated[TaskName, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")]


class Telling(msgspec.Struct, frozen=True):
    """A message with a fault, which says party, step and code: what a sender forgets to leave out does not arrive."""

    def __post_init__(self) -> None:
        fault: Fault | None = getattr(self, "fault", None)
        if fault is None:
            return
        told = fault.for_peers()
        words = f"{told.code} {told.party} {told.step}"
        if len(words) > WORDS_CHARACTERS or not words.isprintable():
            raise ValueError("a fault in words that cannot be shown")
        msgspec.structs.force_setattr(self, "fault", told)


class ProposeJob(msgspec.Struct, frozen=True, tag=True):
    """guest → every party: will you take part? Reply: `Decision`.

    `parties` says which organisation stands behind each party of `pipeline`, `versions` which version of each component
    the guest has, `release` its release of Hanse. `project` is the project's id, the same at all of its members.
    `reuse` names, by task, the earlier job of this guest whose results it would rather have than run the task again.
    """

    job: JobKey
    project: ProjectId
    pipeline: PipelineSpec
    parties: dict[PartyId, OrganisationId]
    versions: dict[str, str]
    release: Label
    reuse: Annotated[dict[TaskKey, JobKey], msgspec.Meta(max_length=MOST_TASKS)] = {}


class JobDecided(msgspec.Struct, frozen=True, tag=True):
    """party → guest: my approvers have decided about this job, ask again. Reply: `Acknowledged`."""

    job: JobKey


class StartJob(msgspec.Struct, frozen=True, tag=True):
    """guest → host: every party has accepted. Reply: `Acknowledged`."""

    job: JobKey


class OrderAttempt(msgspec.Struct, frozen=True, tag=True):
    """guest → host: run your share of this task, for the n-th time; ends every earlier one. Reply: `AttemptStanding`.

    Said again, it starts nothing and tells how that attempt is. With `reuse`: take your part of what that job made, if
    it is there and made of the same; else the attempt is `lost`, and the next one runs.
    """

    job: JobKey
    task: TaskKey
    attempt: AttemptNumber
    reuse: JobKey | None = None


class EndAttempt(msgspec.Struct, frozen=True, tag=True):
    """guest → host: this attempt number is over at all parties; stop yours if it runs. Reply: `Acknowledged`."""

    job: JobKey
    task: TaskKey
    attempt: AttemptNumber


class AttemptEnded(Telling, frozen=True, tag=True):
    """host → guest: my attempt has ended; `fault` as peers may know it. Reply: `Acknowledged`."""

    job: JobKey
    task: TaskKey
    attempt: AttemptNumber
    party: PartyId
    state: AttemptState
    fault: Fault | None = None


class TaskEnded(Telling, frozen=True, tag=True):
    """guest → host: the task has ended at all parties. Reply: `Acknowledged`."""

    job: JobKey
    task: TaskKey
    state: TaskState
    fault: Fault | None = None


class JobEnded(Telling, frozen=True, tag=True):
    """guest → host: the job has ended, at all parties alike. Reply: `Acknowledged`."""

    job: JobKey
    state: JobState
    fault: Fault | None = None


class CancelJob(Telling, frozen=True, tag=True):
    """host → guest: I no longer take part; end the job for everybody. Reply: `Acknowledged`.

    `fault`, when there is one, names the party with which the sender works no longer: the job then has failed.
    """

    job: JobKey
    fault: Fault | None = None


class QueryJob(msgspec.Struct, frozen=True, tag=True):
    """host → guest: I have not heard of this job for a while; how is it? Reply: `JobStanding`."""

    job: JobKey


PROBLEM_CHARACTERS = 1000
Words = Annotated[str, msgspec.Meta(max_length=PROBLEM_CHARACTERS, pattern=PRINTABLE)]


class JobProblem(msgspec.Struct, frozen=True):
    """One reason why a party cannot take part: at which of its tasks, in words that its owner may tell others.

    What follows `remedy` came later: a node of an earlier release neither says it nor minds it. `pointer` is the place
    in the pipeline (RFC 6901), `suggestion` what is likely meant there; it stays at home, with whoever knows the names.
    """

    party: PartyId
    task: Annotated[str, msgspec.Meta(max_length=48, pattern=PRINTABLE)]
    message: Words
    remedy: Words = ""
    pointer: Words = ""
    code: Annotated[str, msgspec.Meta(max_length=64, pattern=PRINTABLE)] = ""
    message_zh: Words = ""
    remedy_zh: Words = ""
    suggestion: Words = ""

    def for_peers(self) -> "JobProblem":
        """Return what other organisations may know: what is wrong, and not which names there are here."""
        return msgspec.structs.replace(self, suggestion="")


def report_problem(party: PartyId, problem: Problem) -> JobProblem:
    """Return a problem as a party's, its words cut so that they fit into a message."""
    words = msgspec.structs.asdict(problem)
    task, code = words.pop("task")[:48], words.pop("code")[:64]
    shown = {name: flatten(text[:PROBLEM_CHARACTERS]) for name, text in words.items()}
    return JobProblem(party, flatten(task), code=flatten(code), **shown)


def read_out(problems: Iterable[JobProblem]) -> str:
    """Return problems as one sentence; what several parties or tasks say in the same words is said once."""
    said: dict[str, list[str]] = {}
    for problem in problems:
        said.setdefault(problem.message, []).append(f"{problem.party}, {problem.task or 'pipeline'}")
    return "; ".join(f"{' and '.join(dict.fromkeys(places))}: {message}" for message, places in said.items())


class Decision(msgspec.Struct, frozen=True, tag=True):
    """The answer to a proposal: accepted when there are no problems, unless a person still has to decide.

    `reused`: whose earlier results this party has, too.
    """

    problems: Annotated[tuple[JobProblem, ...], msgspec.Meta(max_length=256)] = ()
    pending: bool = False
    reused: Annotated[tuple[TaskKey, ...], msgspec.Meta(max_length=MOST_TASKS)] = ()


class AttemptStanding(Telling, frozen=True, tag=True):
    """How this node's own attempt is."""

    state: AttemptState
    fault: Fault | None = None


class TaskStanding(Telling, frozen=True):
    state: TaskState
    fault: Fault | None = None


class JobStanding(Telling, frozen=True, tag=True):
    """How a job is, as its guest's node knows it."""

    state: JobState
    tasks: dict[TaskName, TaskStanding]
    fault: Fault | None = None


class Acknowledged(msgspec.Struct, frozen=True, tag=True):
    """Noted, durably."""


JobRequest = (
    ProposeJob
    | JobDecided
    | StartJob
    | OrderAttempt
    | EndAttempt
    | AttemptEnded
    | TaskEnded
    | JobEnded
    | CancelJob
    | QueryJob
)
JobReply = Decision | AttemptStanding | JobStanding | Acknowledged
