"""When something is due: by cron, by a calendar, or with each new version of a dataset. Pure functions over moments."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError

from hanse.core.faults import fault

MOST_DAYS = 1000

Zone = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Days = Annotated[tuple[date, ...], msgspec.Meta(max_length=MOST_DAYS)]


class Cron(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="cron", tag_field="kind", omit_defaults=True):
    """Five fields as Debian's cron reads them, in a time zone; not on the days `without`.

    Where clocks are put forward, what is due in the missing hour comes right after it; where they are put back, what
    is due at a fixed time comes once.
    """

    expression: Annotated[str, msgspec.Meta(min_length=9, max_length=200)]
    zone: Zone = "UTC"
    without: Days = ()


class Calendar(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="calendar", tag_field="kind", omit_defaults=True
):
    """These days, at this time (`HH:MM`) in a time zone; not on the days `without`."""

    dates: Annotated[tuple[date, ...], msgspec.Meta(min_length=1, max_length=MOST_DAYS)]
    at: Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "00:00"
    zone: Zone = "UTC"
    without: Days = ()


class NewVersion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="version", tag_field="kind"):
    """Each new version of a dataset of this node, by name."""

    dataset: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


Timed = Cron | Calendar
Trigger = Cron | Calendar | NewVersion


def demand_sound(timed: Timed, moment: datetime) -> None:
    """Raise `schedule.invalid` for what cannot be read, or is never due again."""
    if next_due(timed, moment) is None:
        raise fault("schedule.invalid", "it is never due from now on")


def next_due(timed: Timed, moment: datetime) -> datetime | None:
    """Return the first moment after `moment` at which this is due. Raises `schedule.invalid`."""
    return next(_walk(timed, moment), None)


def last_due(timed: Timed, since: datetime, until: datetime, most: int) -> list[datetime]:
    """Return the moments from `since` to `until`, both included, newest first, at most `most`."""
    back = _walk(timed, until + timedelta(seconds=1), back=True)
    return list(islice(takewhile(lambda moment: moment >= since, back), most))


def _walk(timed: Timed, moment: datetime, *, back: bool = False) -> Iterator[datetime]:
    """Yield the moments after `moment`, or those before it, in UTC."""
    zone = _zone(timed.zone)
    found = _walk_cron(timed, moment, zone, back) if isinstance(timed, Cron) else _walk_days(timed, moment, zone, back)
    return (due.astimezone(UTC) for due in found if due.astimezone(zone).date() not in timed.without)


def _walk_cron(cron: Cron, moment: datetime, zone: ZoneInfo, back: bool) -> Iterator[datetime]:
    if len(cron.expression.split()) != 5:
        raise fault("schedule.invalid", f"{cron.expression!r} has not five fields")
    try:
        return CronSim(cron.expression, moment.astimezone(zone), reverse=back)
    except (CronSimError, ValueError) as error:
        raise fault("schedule.invalid", f"{cron.expression!r}: {error}") from error


def _walk_days(calendar: Calendar, moment: datetime, zone: ZoneInfo, back: bool) -> Iterator[datetime]:
    hour, minute = map(int, calendar.at.split(":"))
    moments = (datetime.combine(day, time(hour, minute), zone).astimezone(UTC) for day in set(calendar.dates))
    return (due for due in sorted(moments, reverse=back) if (due < moment if back else due > moment))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise fault("schedule.invalid", f"{name!r} is no time zone", "say one such as Asia/Shanghai") from error
