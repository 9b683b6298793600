"""Moments, as text that sorts: UTC with milliseconds, `2026-11-23T12:38:00.125Z`, always 24 characters."""

from datetime import UTC, datetime, timedelta

from hanse.core.faults import fault


def now() -> str:
    """Return this moment."""
    return format_time(datetime.now(UTC))


def later(seconds: float) -> str:
    """Return the moment `seconds` from now."""
    return format_time(datetime.now(UTC) + timedelta(seconds=seconds))


def format_time(moment: datetime) -> str:
    """Return an aware datetime as text. Two of these compare as their moments do."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """Return the aware datetime of `text`: ISO 8601 with an offset, or a day, which lasts to its end in UTC.

    Raises `time.unreadable` for anything else; a time without an offset means a different moment in every house.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and len(text) == len("2026-11-23"):
        return moment.replace(tzinfo=UTC) + timedelta(days=1) - timedelta(milliseconds=1)
    if moment is None or moment.tzinfo is None:
        raise fault(
            "time.unreadable", f"{text!r} is no time with an offset", "write 2026-12-31 or 2026-12-31T18:00:00Z"
        )
    return moment
