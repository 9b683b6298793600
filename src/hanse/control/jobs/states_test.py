"""The transition table is all there is: what it has works, what it lacks does not."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hanse.control.database import Base, Database
from hanse.control.jobs.states import (
    FIRST,
    TRANSITIONS,
    Kind,
    WrongTransition,
    advance,
    draw_states,
    has_ended,
    is_final,
    open_row,
)
from hanse.control.jobs.tables import Attempt, Job, JobEvent, Task
from hanse.core.faults import Fault
from hanse.core.ids import JobId, OrganisationId, ProjectId, TaskName
from hanse.core.job_messages import AttemptState, JobState, TaskState
from hanse.core.roles import GUEST
from hanse.core.specs import PipelineSpec

JOB = JobId("job-0123456789abcdef")
WORDS = {Job: JobState, Task: TaskState, Attempt: AttemptState}


def states_of(kind: Kind) -> tuple[str, ...]:
    return get_args(WORDS[kind])


PAIRS = [(kind, before, after) for kind in TRANSITIONS for before, after in product(states_of(kind), repeat=2)]


def new_job() -> Job:
    spec = PipelineSpec("credit", "risk", {GUEST: "bank"}, {})
    me = OrganisationId("a" * 32)
    return Job(
        id=JOB,
        name="credit",
        project=ProjectId("p"),
        state="proposed",
        me=GUEST,
        guest=me,
        spec=spec,
        versions={},
        learns={},
        created_at="2026",
        heard_at="2026",
        last_event=0,
    )


def new_row(kind: Kind) -> Job | Task | Attempt:
    fit = TaskName("fit")
    rows: dict[Kind, Job | Task | Attempt] = {
        Job: new_job(),
        Task: Task(
            job=JOB,
            name=fit,
            position=0,
            component="x",
            version="1",
            parties=(GUEST,),
            after=(),
            state="waiting",
        ),
        Attempt: Attempt(job=JOB, task=fit, number=1, party=GUEST, state="ordered", ordered_at="2026"),
    }
    return rows[kind]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        open_row(session, new_job())
        yield session
    database.close()


def place_row(session: Session, kind: Kind, state: str) -> Job | Task | Attempt:
    row = session.get_one(Job, JOB) if kind is Job else new_row(kind)
    if kind is not Job:
        open_row(session, row)
    row.state = state  # type: ignore[assignment]  # put there by hand, to try every pair
    session.flush()
    return row


def count_events(session: Session) -> int:
    session.flush()
    return session.scalar(select(func.count()).select_from(JobEvent)) or 0


@pytest.mark.parametrize(("kind", "before", "after"), PAIRS)
def test_a_state_follows_another_only_as_the_table_says(session: Session, kind: Kind, before: str, after: str) -> None:
    row = place_row(session, kind, before)
    events = count_events(session)
    if before == after:
        assert advance(session, row, after) is False
        assert count_events(session) == events
    elif after in TRANSITIONS[kind].get(before, ()):
        assert advance(session, row, after) is True
        assert (row.state, count_events(session)) == (after, events + 1)
    else:
        with pytest.raises(WrongTransition):
            advance(session, row, after)
        assert (row.state, count_events(session)) == (before, events)


@pytest.mark.parametrize("kind", list(TRANSITIONS))
def test_the_table_has_every_state_that_messages_can_name(kind: Kind) -> None:
    steps = TRANSITIONS[kind]
    assert {FIRST[kind], *(after for afters in steps.values() for after in afters)} == set(states_of(kind))


def test_the_last_state_keeps_the_fault_and_the_moment(session: Session) -> None:
    job, why = session.get_one(Job, JOB), Fault("job.rejected", GUEST, "proposal", "no")
    advance(session, job, "rejected", why)
    assert has_ended(job)
    assert (job.fault, job.started_at) == (why, None)
    assert job.ended_at is not None
    event = session.scalars(select(JobEvent).order_by(JobEvent.number.desc())).first()
    assert event is not None
    assert event.data == {"state": "rejected", "fault": {**event.data["fault"], "code": "job.rejected", "cause": "no"}}


def test_the_event_and_the_state_are_one_transaction(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        open_row(session, new_job())

    def start_and_fail() -> None:
        with database.write() as session:
            advance(session, session.get_one(Job, JOB), "running")
            session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        start_and_fail()
    with database.read() as session:
        assert session.get_one(Job, JOB).state == "proposed"
        assert [event.number for event in session.scalars(select(JobEvent))] == [1]
    database.close()


def test_the_diagram_shows_every_state_and_every_step() -> None:
    drawn = draw_states()
    for kind, steps in TRANSITIONS.items():
        assert f"[*] --> {FIRST[kind]}" in drawn
        for before, afters in steps.items():
            assert all(f"{before} --> {after}" in drawn for after in afters)
        assert all(f"{state} --> [*]" in drawn for state in states_of(kind) if is_final(kind, state))
