"""What the running attempts of this node use right now, as its machine and its gateway count it."""

from typing import NamedTuple

import psutil
from sqlalchemy.orm import Session

from hanse.control.jobs.attempts import AttemptKey
from hanse.control.jobs.service import get_job
from hanse.control.jobs.tables import Attempt
from hanse.core.roles import PartyId


class Sample(NamedTuple):
    """Seconds of processor time so far, memory in use, bytes exchanged so far by peer."""

    cpu_seconds: float
    memory_bytes: int
    bytes_sent: dict[PartyId, int]
    bytes_received: dict[PartyId, int]


def look_at(pid: int) -> tuple[float, int] | None:
    """Return processor seconds and resident bytes of a process and all that it started; None when it has gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        times = [each.cpu_times() for each in family]
        return sum(found.user + found.system for found in times), sum(each.memory_info().rss for each in family)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def note(session: Session, found: dict[AttemptKey, Sample]) -> None:
    """Note what attempts use, of those that still run: what one took in the end its own result says."""
    for key, sample in found.items():
        row = session.get(Attempt, (*key, get_job(session, key.job).me))
        if row is None or row.state != "running":
            continue
        row.cpu_seconds, row.peak_memory_bytes = sample.cpu_seconds, max(row.peak_memory_bytes, sample.memory_bytes)
        row.bytes_sent, row.bytes_received = sample.bytes_sent, sample.bytes_received
