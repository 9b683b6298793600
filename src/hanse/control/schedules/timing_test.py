"""When schedules are due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from hanse.control.schedules.timing import Calendar, Cron, demand_sound, last_due, next_due
from hanse.core.faults import HanseError


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_cron_is_due_by_the_clock_of_its_zone() -> None:
    assert next_due(Cron("0 6 * * *", "Asia/Shanghai"), utc("2026-11-23T21:59")) == utc("2026-11-23T22:00")
    assert next_due(Cron("0 6 * * *", "Asia/Shanghai"), utc("2026-11-23T22:00")) == utc("2026-11-24T22:00")


def test_a_fixed_time_comes_once_on_the_days_on_which_clocks_change() -> None:
    nightly = Cron("30 2 * * *", "Europe/Berlin")
    spring = last_due(nightly, utc("2026-03-28T12:00"), utc("2026-03-29T12:00"), 10)
    autumn = last_due(nightly, utc("2026-10-24T12:00"), utc("2026-10-25T12:00"), 10)
    assert len(spring) == len(autumn) == 1
    assert spring[0].date() == date(2026, 3, 29)


def test_days_that_are_left_out_are_those_of_the_zone() -> None:
    cron = Cron("0 6 * * *", "Asia/Shanghai", (date(2026, 10, 1),))
    assert next_due(cron, utc("2026-09-29T23:00")) == utc("2026-10-01T22:00")


def test_a_calendar_is_due_on_its_days_in_their_order_and_then_no_more() -> None:
    days = Calendar((date(2026, 12, 24), date(2026, 12, 1), date(2026, 12, 2)), "06:30", without=(date(2026, 12, 2),))
    first = next_due(days, utc("2026-11-01T00:00"))
    assert first == utc("2026-12-01T06:30")
    assert next_due(days, first) == utc("2026-12-24T06:30")
    assert next_due(days, utc("2026-12-24T06:30")) is None


def test_the_missed_times_are_those_between_two_moments_newest_first() -> None:
    hourly = Cron("0 * * * *")
    found = last_due(hourly, utc("2026-11-23T01:00"), utc("2026-11-23T04:00"), 10)
    assert found == [utc(f"2026-11-23T0{hour}:00") for hour in (4, 3, 2, 1)]
    assert last_due(hourly, utc("2020-01-01T00:00"), utc("2026-11-23T04:00"), 2) == found[:2]


def test_missed_times_and_next_times_agree() -> None:
    cron = Cron("*/7 3-5 * * MON,THU", "America/New_York", (date(2026, 11, 26),))
    since, until = utc("2026-10-28T00:00"), utc("2026-12-01T00:00")
    forward, moment = [], next_due(cron, since - timedelta(seconds=1))
    while moment is not None and moment <= until:
        forward.append(moment)
        moment = next_due(cron, moment)
    assert last_due(cron, since, until, 10_000) == forward[::-1]
    assert len(forward) > 100


@pytest.mark.parametrize(
    "timed",
    [
        Cron("0 6 * *"),
        Cron("0 0 6 * * *"),
        Cron("61 6 * * *"),
        Cron("0 0 30 2 *"),
        Cron("0 6 * * *", "Mars/Phobos"),
        Cron("0 6 * * *", "../../etc/passwd"),
        Calendar((date(2020, 1, 1),)),
    ],
)
def test_what_cannot_be_read_or_is_never_due_is_refused(timed: Cron | Calendar) -> None:
    with pytest.raises(HanseError) as refused:
        demand_sound(timed, utc("2026-11-23T00:00"))
    assert refused.value.fault.code == "schedule.invalid"
