"""How long tasks and jobs still take, from what they were expected to take and how far they are: pure functions."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Pace(NamedTuple):
    """How a task goes: `elapsed_s` since it began (None: it has not), `done` of `total` steps, what was `expected_s`.

    `total` 0: it has not said how far it is. `expected_s` None: nobody knows.
    """

    over: bool
    after: tuple[str, ...]
    elapsed_s: float | None = None
    done: int = 0
    total: int = 0
    expected_s: float | None = None


def seconds_left(pace: Pace) -> float | None:
    """Return the seconds that a task still takes once it runs, None where that is unknown.

    Its own steps say most. Without them the expectation does, until it has been exceeded.
    """
    if pace.over:
        return 0.0
    if pace.elapsed_s is None:
        return pace.expected_s
    if 0 < pace.done <= pace.total:
        return pace.elapsed_s * (pace.total - pace.done) / pace.done
    if pace.expected_s is None or pace.elapsed_s >= pace.expected_s:
        return None
    return pace.expected_s - pace.elapsed_s


def longest_left(paces: Mapping[str, Pace], order: Iterable[str]) -> float | None:
    """Return the seconds along the longest chain of tasks, None when those of any task are unknown.

    `order` has every task after those that it waits for.
    """
    ends: dict[str, float] = {}
    for name in order:
        left = seconds_left(paces[name])
        if left is None:
            return None
        ends[name] = left + max((ends.get(before, 0.0) for before in paces[name].after), default=0.0)
    return max(ends.values(), default=0.0)
