"""Judge what a probe found: what is well, what is worth a warning, and what keeps the nodes from working together."""

from typing import Literal, NamedTuple

from hanse.control.doctor.words import WORDS
from hanse.core.links import Reading

State = Literal["ok", "warn", "bad"]
STATES: tuple[State, ...] = ("ok", "warn", "bad")


class Finding(NamedTuple):
    """A reading with its verdict; `cause` and `remedy` (en, zh) are empty when all is well."""

    name: str
    state: State
    value: float | str | None
    unit: str
    code: str
    detail: str
    cause: dict[str, str]
    remedy: dict[str, str]


class Bound(NamedTuple):
    """From where on a value is worth a warning, and from where on it is bad. With `falling`, low values are bad."""

    code: str
    warn: float
    bad: float
    falling: bool = False

    def state(self, value: float) -> State:
        sign = -1 if self.falling else 1
        return STATES[(sign * value > sign * self.warn) + (sign * value > sign * self.bad)]


BOUNDS = {
    "tcp": Bound("latency.high", 150.0, 1000.0),
    "latency_p50": Bound("latency.high", 150.0, 1000.0),
    "latency_p95": Bound("latency.high", 300.0, 2000.0),
    "bandwidth_up": Bound("bandwidth.low", 10.0, 1.0, falling=True),
    "bandwidth_down": Bound("bandwidth.low", 10.0, 1.0, falling=True),
    "clock": Bound("clock.skewed", 5.0, 300.0),
    "certificate": Bound("certificate.ending", 30.0, 3.0, falling=True),
}
"""ms, Mbit/s, seconds either way, days. Certificates are dated back by a day, jobs' moments are compared to seconds."""

MILD = frozenset({"address.none", "echo.absent", "echo.busy"})
"""Troubles of the check and not of the link."""


def judge(reading: Reading, release: str) -> Finding:
    """Return the verdict on a reading; `release` is this node's own."""
    code, state = _classify(reading, release)
    words = WORDS.get(code)
    return Finding(
        reading.name,
        state,
        reading.value,
        reading.unit,
        code,
        reading.detail,
        words.cause if words else {},
        words.remedy if words else {},
    )


def worst(findings: list[Finding]) -> State:
    """Return the gravest state of all."""
    return max((finding.state for finding in findings), key=STATES.index, default="ok")


def _classify(reading: Reading, release: str) -> tuple[str, State]:
    if reading.trouble:
        return reading.trouble, "warn" if reading.trouble in MILD else "bad"
    if reading.name == "release":
        return ("", "ok") if reading.value == release else ("release.differs", "warn")
    bound = BOUNDS.get(reading.name)
    if bound is None or not isinstance(reading.value, float | int):
        return "", "ok"
    state = bound.state(abs(reading.value) if reading.name == "clock" else reading.value)
    return ("", state) if state == "ok" else (bound.code, state)
