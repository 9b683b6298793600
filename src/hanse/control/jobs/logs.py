"""The logs of this party's own attempts: what their processes wrote, the end of it."""

import os
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.jobs import service
from hanse.core.faults import fault
from hanse.core.ids import JobId, TaskName

MOST_BYTES = 1 << 20
"""How much of a log is told at once."""


class LogTail(NamedTuple):
    """The last lines of an attempt's log. `left_out_bytes` came before them."""

    attempt: int
    text: str
    left_out_bytes: int


def find_log(
    session: Session, directory: Path, caller: Caller, job: JobId, task: TaskName, number: int | None
) -> tuple[int, Path]:
    """Return an own attempt of a task (the latest if not said) and where its log lies.

    A log may show values of rows: who reads it needs the permission to download results. Raises `job.unknown`,
    `access.denied`, `job.unknown_task`, `job.no_log`.
    """
    row = service.see_job(session, caller, job)
    caller.demand(Permission.RESULTS_DOWNLOAD, owner=row.owner, project=row.project)
    name = service.get_task(session, row.id, task).name
    own = [found.number for found in service.attempts_of(session, row.id, name, number) if found.party == row.me]
    if not own:
        raise fault("job.no_log", f"this party has no such attempt of {name}")
    return own[-1], directory / "log" / f"{row.id}-{name}-{own[-1]}.log"


def read_tail(attempt: int, path: Path, most_bytes: int) -> LogTail:
    """Return the end of a log, from the beginning of a line on where there is one. Raises `job.no_log`."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - most_bytes, 0))
            tail = file.read(most_bytes)
    except OSError as error:
        raise fault("job.no_log", f"{path.name}: {error.strerror}") from error
    if len(tail) < size:
        tail = tail[tail.find(b"\n") + 1 :]
    return LogTail(attempt, tail.decode("utf-8", "replace"), size - len(tail))
