"""Schedules, and what became of each time at which one was due."""

from typing import Annotated, Literal

import msgspec
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Record
from hanse.control.schedules.timing import Trigger
from hanse.core.faults import Fault
from hanse.core.ids import JobId, PipelineId, ProjectId
from hanse.core.specs import PipelineSpec

Missed = Literal["skip", "once", "all"]
Overlap = Literal["skip", "queue", "cancel"]
State = Literal["active", "paused"]
RunState = Literal["due", "started", "skipped", "refused"]


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is run and how: a saved pipeline (a version of it, the latest if not said) or a graph of its own.

    `missed` says what happens to times at which no process ran: none is made up for, the last one, or up to
    `most_missed`. `overlap` says what happens while the job before runs: nothing, wait for it, or cancel it.
    """

    pipeline: PipelineId | None = None
    version: int | None = None
    spec: PipelineSpec | None = None
    missed: Missed = "once"
    most_missed: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    overlap: Overlap = "skip"
    priority: int = 5
    time_limit_s: int = 0
    task_time_limit_s: int = 0


class Schedule(Base):
    """`due_at` is the next time, empty when none is known: its own are used up, or it waits for a dataset's version.

    `seen` is the latest version of the dataset for which runs were noted. `reason` says why the node has paused it.
    """

    __tablename__ = "schedules"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    project: Mapped[ProjectId] = mapped_column(String(40), index=True)
    owner: Mapped[str] = mapped_column(String(40), index=True)
    trigger: Mapped[Trigger] = mapped_column(Record(Trigger))
    plan: Mapped[Plan] = mapped_column(Record(Plan))
    state: Mapped[State] = mapped_column(String(16))
    reason: Mapped[Fault | None] = mapped_column(Record(Fault))
    due_at: Mapped[str] = mapped_column(String(24), index=True)
    dataset: Mapped[str | None] = mapped_column(String(32))
    seen: Mapped[int]
    created_at: Mapped[str] = mapped_column(String(24))


class ScheduleRun(Base):
    """One due time of one schedule, there once however many node processes look. `job` is named before it is started:

    whoever takes over from a process that died sees whether it was. `lease_*` say which process starts it until when.
    """

    __tablename__ = "schedule_runs"

    schedule: Mapped[str] = mapped_column(ForeignKey("schedules.id"), primary_key=True)
    due_at: Mapped[str] = mapped_column(String(24), primary_key=True)
    job: Mapped[JobId] = mapped_column(String(32))
    state: Mapped[RunState] = mapped_column(String(16), index=True)
    reason: Mapped[Fault | None] = mapped_column(Record(Fault))
    noted_at: Mapped[str] = mapped_column(String(24))
    lease_owner: Mapped[str | None] = mapped_column(String(40))
    lease_until: Mapped[str] = mapped_column(String(24))
