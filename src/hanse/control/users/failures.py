"""Failed logins, counted by name and by address: whoever goes on failing waits, longer each time.

An attempt is counted before its password is looked at and taken back when it succeeds, so that many at once gain
nothing. Names are counted whether they exist or not.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from hanse.control.users.tables import Failure
from hanse.core.faults import Fault, Waits
from hanse.core.times import format_time, parse_time

FREE = {"name": 5, "address": 30}
"""Failures in a row that cost no waiting."""

FIRST_S, MOST_S = 15, 900
FORGOTTEN = timedelta(hours=12)
"""Counts older than this are begun anew."""


def count(session: Session, subjects: dict[str, str], at: datetime) -> None:
    """Count an attempt of each subject (`{"name": …, "address": …}`). Raises `login.wait` while one has to wait.

    Whoever is turned away is not counted: knocking on a locked door locks it no longer.
    """
    rows = {kind: _row(session, kind, subject) for kind, subject in sorted(subjects.items())}
    left = max((parse_time(row.until) - at for row in rows.values()), default=timedelta())
    if left > timedelta():
        seconds = int(left.total_seconds()) + 1
        raise Waits(Fault("login.wait", cause=f"too many failures; {seconds} s are left to wait"), seconds)
    for kind, row in rows.items():
        row.count = 1 + (row.count if at - parse_time(row.at) < FORGOTTEN else 0)
        row.at = format_time(at)
        over = row.count - FREE[kind]
        row.until = format_time(at + timedelta(seconds=min(MOST_S, FIRST_S << min(over, 10)) if over >= 0 else 0))


def take_back(session: Session, subjects: dict[str, str]) -> None:
    """Uncount an attempt that was no guess: the password was right, and the second factor was not said yet."""
    for kind, subject in subjects.items():
        row = _row(session, kind, subject)
        row.count = max(0, row.count - 1)
        row.until = row.at


def forget(session: Session, kind: str, subject: str) -> None:
    """Begin anew: a login has succeeded, or an administrator says so."""
    row = _row(session, kind, subject)
    row.count, row.until = 0, row.at


def waits_until(session: Session, name: str, at: datetime) -> str | None:
    """Return until when a name has to wait, None if it need not."""
    row = session.get(Failure, f"name:{name}")
    return row.until if row is not None and row.until > format_time(at) else None


def _row(session: Session, kind: str, subject: str) -> Failure:
    key = f"{kind}:{subject}"[:120]
    row = session.get(Failure, key, with_for_update=True)
    if row is None:
        row = Failure(subject=key, count=0, at="1970-01-01T00:00:00.000Z", until="1970-01-01T00:00:00.000Z")
        session.add(row)
    return row
