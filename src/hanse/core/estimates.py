"""What a job is expected to take before it runs, as whoever starts or approves it is told."""

import msgspec

from hanse.core.roles import PartyId


class Range(msgspec.Struct, frozen=True):
    """A figure that is not known yet: `likely`, and between which two it lies as a rule."""

    least: float = 0.0
    likely: float = 0.0
    most: float = 0.0


NONE = Range()


class TaskEstimate(msgspec.Struct, frozen=True):
    """What one task takes at one party; a task in which it has no part, only time.

    `history` says how many earlier runs on this machine have corrected the figures: with none they are the cost
    model's alone. `sums` are the exact sums that each host may be asked for. What is `reused` is not run.
    """

    task: str
    component: str
    seconds: Range = NONE
    bytes_sent: Range = NONE
    bytes_received: Range = NONE
    memory_bytes: Range = NONE
    sums: dict[PartyId, int] = {}
    history: int = 0
    takes_part: bool = True
    reused: bool = False


class Estimate(msgspec.Struct, frozen=True):
    """What a job takes at `party`: seconds along the longest chain of tasks, bytes in all, the most memory of a task.

    `history` is the least of the tasks that run here. The tables of the parties in `guessed` are not known here, and
    taken to be like this party's own. `machine` is what the history is of.
    """

    party: PartyId
    seconds: Range
    bytes_sent: Range
    bytes_received: Range
    memory_bytes: Range
    sums: dict[PartyId, int]
    tasks: tuple[TaskEstimate, ...]
    history: int
    guessed: tuple[PartyId, ...] = ()
    machine: str = ""
