"""What an attempt tells its own node while it runs."""

import msgspec


class Progress(msgspec.Struct, frozen=True, tag=True):
    """`done` of `total` steps are done; `note` says what a step is."""

    done: int
    total: int
    note: str = ""


class Metric(msgspec.Struct, frozen=True, tag=True):
    """A number by step, to be drawn as a curve."""

    name: str
    value: float
    step: int = 0


class Note(msgspec.Struct, frozen=True, tag=True):
    """A line of this party's own log."""

    text: str


Event = Progress | Metric | Note
