"""The states of jobs, tasks and attempts: one table of transitions, and `advance`, the only writer of a state."""

from typing import Any, Final

import msgspec
from sqlalchemy.orm import Session

from hanse.control.jobs.tables import Attempt, Job, JobEvent, Task
from hanse.core.faults import Fault
from hanse.core.ids import JobId
from hanse.core.times import now

Kind = type[Job] | type[Task] | type[Attempt]

TRANSITIONS: Final[dict[Kind, dict[str, tuple[str, ...]]]] = {
    Job: {
        "proposed": ("running", "rejected", "failed", "cancelled"),
        "running": ("succeeded", "failed", "cancelled"),
    },
    Task: {
        "waiting": ("running", "skipped"),
        "running": ("succeeded", "failed", "cancelled"),
    },
    Attempt: {
        "ordered": ("running", "failed", "lost", "cancelled"),
        "running": ("succeeded", "failed", "lost", "cancelled"),
    },
}
FIRST: Final[dict[Kind, str]] = {Job: "proposed", Task: "waiting", Attempt: "ordered"}


class WrongTransition(Exception):
    """A state was to be written that the table does not allow: a mistake of the caller, never of a user."""


def is_final(kind: Kind, state: str) -> bool:
    """Say whether nothing follows `state`."""
    return state not in TRANSITIONS[kind]


def has_ended(row: Job | Task | Attempt) -> bool:
    """Say whether nothing will happen to `row` any more."""
    return is_final(type(row), row.state)


def advance(session: Session, row: Job | Task | Attempt, state: str, fault: Fault | None = None) -> bool:
    """Move `row` to `state` and append the event; return whether anything changed.

    Saying a state again changes nothing, so that a message may arrive twice. Raises WrongTransition for what the table
    does not have.
    """
    kind = type(row)
    if row.state == state:
        return False
    if state not in TRANSITIONS[kind].get(row.state, ()):
        raise WrongTransition(f"{kind.__name__.lower()} {_subject(row)} cannot go from {row.state} to {state}")
    row.state = state  # type: ignore[assignment]  # the table holds no other strings
    moment = now()
    if state == "running":
        row.started_at = moment
    if is_final(kind, state):
        row.ended_at = moment
        row.fault = fault
    _tell(session, row)
    return True


def open_row(session: Session, row: Job | Task | Attempt) -> None:
    """Add a new row, in its first state, and append the event."""
    session.add(row)
    session.flush()
    _tell(session, row)


def append_event(
    session: Session, job: JobId, kind: str, data: dict[str, Any], *, task: str = "", party: str = ""
) -> None:
    """Append an event under the job's next number."""
    row = session.get_one(Job, job)
    session.flush()
    session.refresh(row, ["last_event"], with_for_update=True)  # another process may append to the same job
    row.last_event += 1
    session.add(JobEvent(job=job, number=row.last_event, at=now(), task=task, party=party, kind=kind, data=data))


def draw_states() -> str:
    """Return the state diagrams as Mermaid, for the documentation."""
    return "\n".join(_draw(kind) for kind in TRANSITIONS)


def _draw(kind: Kind) -> str:
    lines = [f"### {kind.__name__}", "", "```mermaid", "stateDiagram-v2", f"    [*] --> {FIRST[kind]}"]
    steps = TRANSITIONS[kind]
    lines += [f"    {before} --> {after}" for before, afters in steps.items() for after in afters]
    last = dict.fromkeys(after for afters in steps.values() for after in afters if after not in steps)
    lines += [f"    {state} --> [*]" for state in last]
    return "\n".join([*lines, "```", ""])


def _subject(row: Job | Task | Attempt) -> str:
    match row:
        case Job():
            return row.id
        case Task():
            return f"{row.name} of {row.job}"
        case Attempt():
            return f"{row.number} of {row.task} of {row.job} at {row.party}"


def _tell(session: Session, row: Job | Task | Attempt) -> None:
    data: dict[str, Any] = {"state": row.state}
    if row.fault is not None:
        data["fault"] = msgspec.to_builtins(row.fault)
    match row:
        case Job():
            append_event(session, row.id, "job", data)
        case Task():
            append_event(session, row.job, "task", data, task=row.name)
        case Attempt():
            data["attempt"] = row.number
            append_event(session, row.job, "attempt", data, task=row.task, party=row.party)
