"""Jobs, their tasks and attempts, the events that they cause, and what datasets have disclosed."""

from typing import Any

from sqlalchemy import ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number, Record
from hanse.core.faults import Fault
from hanse.core.ids import DatasetId, JobId, OrganisationId, PipelineId, ProjectId, TaskName
from hanse.core.job_messages import AttemptState, JobProblem, JobState, TaskState
from hanse.core.planning import Learns
from hanse.core.roles import PartyId
from hanse.core.specs import Artefact, PipelineSpec

NORMAL = 5
"""The priority of a job of which nobody said how urgent it is: 0 is the lowest, 9 the highest."""


class Job(Base):
    """One run of a pipeline, as this node knows it. The row of the guest's node is the one that decides.

    `me` is this node's party; `owner` is the person who started it, empty for a partner's. `lease_*` say which
    scheduler steps it until when; `heard_at` when the guest last said anything of it; `last_event` numbers its events.
    `waiting` says what it waits for. `retry_of` is the job that this one repeats. Limits are seconds, 0 none.
    `reuse` says by task whose results are taken instead of running it: at the guest all parties have them, at a host
    this one. `pipeline` and `pipeline_version` are the saved pipeline that it runs, `fragment` the part ("from boost").
    """

    __tablename__ = "jobs"

    id: Mapped[JobId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    project: Mapped[ProjectId] = mapped_column(String(40), index=True)
    state: Mapped[JobState] = mapped_column(String(16), index=True)
    me: Mapped[PartyId] = mapped_column(String(16))
    guest: Mapped[OrganisationId] = mapped_column(String(32))
    spec: Mapped[PipelineSpec] = mapped_column(Record(PipelineSpec))
    versions: Mapped[dict[str, str]] = mapped_column(Record(dict[str, str]))
    learns: Mapped[dict[str, tuple[Learns, ...]]] = mapped_column(Record(dict[str, tuple[Learns, ...]]))
    problems: Mapped[tuple[JobProblem, ...]] = mapped_column(Record(tuple[JobProblem, ...]), default=())
    owner: Mapped[str] = mapped_column(String(40), default="", server_default="", index=True)
    priority: Mapped[int] = mapped_column(default=NORMAL, server_default=str(NORMAL))
    retry_of: Mapped[JobId | None] = mapped_column(String(32))
    reuse: Mapped[dict[TaskName, JobId]] = mapped_column(Record(dict[TaskName, JobId]), default={}, server_default="{}")
    pipeline: Mapped[PipelineId | None] = mapped_column(String(40))
    pipeline_version: Mapped[int | None]
    fragment: Mapped[str] = mapped_column(String(64), default="", server_default="")
    time_limit_s: Mapped[int] = mapped_column(Number, default=0, server_default="0")
    task_time_limit_s: Mapped[int] = mapped_column(Number, default=0, server_default="0")
    waiting: Mapped[tuple[Fault, ...]] = mapped_column(Record(tuple[Fault, ...]), default=(), server_default="[]")
    archived_at: Mapped[str | None] = mapped_column(String(24))
    created_at: Mapped[str] = mapped_column(String(24), index=True)
    started_at: Mapped[str | None] = mapped_column(String(24))
    ended_at: Mapped[str | None] = mapped_column(String(24))
    cancel_asked_at: Mapped[str | None] = mapped_column(String(24))
    fault: Mapped[Fault | None] = mapped_column(Record(Fault))
    last_event: Mapped[int] = mapped_column(default=0)
    heard_at: Mapped[str] = mapped_column(String(24))
    lease_owner: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[str] = mapped_column(String(24), default="")
    due_at: Mapped[str] = mapped_column(String(24), default="")


class Participant(Base):
    """A party of a job. At the guest's node: whether it accepted, when it was asked, since when it is away.

    `pending`: its approvers have to decide, and `asked_at` lies ahead: it is not asked again before then.
    """

    __tablename__ = "job_participants"

    job: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    party: Mapped[PartyId] = mapped_column(String(16), primary_key=True)
    organisation: Mapped[OrganisationId] = mapped_column(String(32))
    accepted: Mapped[bool] = mapped_column(default=False)
    pending: Mapped[bool] = mapped_column(default=False, server_default=false())
    asked_at: Mapped[str | None] = mapped_column(String(24))
    away_since: Mapped[str | None] = mapped_column(String(24))


class Task(Base):
    """A component (or `predict`) in a job. `attempt` is the number of the latest attempt, 0 before the first."""

    __tablename__ = "tasks"

    job: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    name: Mapped[TaskName] = mapped_column(String(48), primary_key=True)
    position: Mapped[int]
    component: Mapped[str] = mapped_column(String(48))
    version: Mapped[str] = mapped_column(String(32))
    apply: Mapped[bool] = mapped_column(default=False)
    parties: Mapped[tuple[PartyId, ...]] = mapped_column(Record(tuple[PartyId, ...]))
    after: Mapped[tuple[TaskName, ...]] = mapped_column(Record(tuple[TaskName, ...]))
    state: Mapped[TaskState] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[str | None] = mapped_column(String(24))
    ended_at: Mapped[str | None] = mapped_column(String(24))
    fault: Mapped[Fault | None] = mapped_column(Record(Fault))


class Attempt(Base):
    """One party's n-th try of a task. A host knows its own; the guest's node knows everybody's state.

    `owner` names the node process whose child it is and `pid` (started at `pid_started`) the child. `datasets` are the
    names of the datasets that its inputs come from. `digests` has the SHA-256 of each stream of bytes, by
    `peer/stream/direction`. `key` is the digest of all that its outputs follow from (`reuse.digest`), empty before its
    inputs are known; `reused_from` the job that has made them, when no process ran here.
    """

    __tablename__ = "attempts"

    job: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    task: Mapped[TaskName] = mapped_column(String(48), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    party: Mapped[PartyId] = mapped_column(String(16), primary_key=True)
    state: Mapped[AttemptState] = mapped_column(String(16), index=True)
    ordered_at: Mapped[str] = mapped_column(String(24))
    asked_at: Mapped[str | None] = mapped_column(String(24))
    started_at: Mapped[str | None] = mapped_column(String(24))
    ended_at: Mapped[str | None] = mapped_column(String(24))
    owner: Mapped[str | None] = mapped_column(String(40))
    pid: Mapped[int | None]
    pid_started: Mapped[float | None]
    datasets: Mapped[tuple[str, ...]] = mapped_column(Record(tuple[str, ...]), default=())
    outputs: Mapped[dict[str, Artefact]] = mapped_column(Record(dict[str, Artefact]), default={})
    fault: Mapped[Fault | None] = mapped_column(Record(Fault))
    seconds: Mapped[float] = mapped_column(default=0.0)
    cpu_seconds: Mapped[float] = mapped_column(default=0.0)
    peak_memory_bytes: Mapped[int] = mapped_column(Number, default=0)
    bytes_sent: Mapped[dict[PartyId, int]] = mapped_column(Record(dict[PartyId, int]), default={})
    bytes_received: Mapped[dict[PartyId, int]] = mapped_column(Record(dict[PartyId, int]), default={})
    digests: Mapped[dict[str, str]] = mapped_column(Record(dict[str, str]), default={})
    key: Mapped[str] = mapped_column(String(64), default="", server_default="", index=True)
    reused_from: Mapped[JobId | None] = mapped_column(String(32))


class JobEvent(Base):
    """Something that happened in a job, numbered within it. A progress event replaces the one before of its attempt."""

    __tablename__ = "job_events"
    __table_args__ = (
        Index("ix_job_events_progress", "job", "task", "party", "kind"),
        Index("ix_job_events_kind_at", "kind", "at"),
    )

    job: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(String(24))
    task: Mapped[str] = mapped_column(String(48), default="")
    party: Mapped[str] = mapped_column(String(16), default="")
    kind: Mapped[str] = mapped_column(String(16))
    data: Mapped[dict[str, Any]] = mapped_column(Record(dict[str, Any]))


class Workplace(Base):
    """A node process that runs attempts, while it lives: it says so over and over. `place` is where it runs.

    What a process of the same place left is free as soon as the next one has claimed that place; what one of another
    place holds, only when it has been silent for too long.
    """

    __tablename__ = "workplaces"

    owner: Mapped[str] = mapped_column(String(40), primary_key=True)
    place: Mapped[str] = mapped_column(String(64))
    seen_at: Mapped[str] = mapped_column(String(24))


class Turnstile(Base):
    """One row that whoever lets a job begin holds meanwhile: several schedulers count one after the other."""

    __tablename__ = "job_turnstile"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Spending(Base):
    """How many exact sums of a dataset one guest's organisation has been told, over all jobs."""

    __tablename__ = "disclosures"

    dataset: Mapped[DatasetId] = mapped_column(String(32), primary_key=True)
    guest: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    used: Mapped[int] = mapped_column(Number, default=0)
