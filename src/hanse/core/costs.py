"""What a task takes: as a cost model says before it runs, and as it was measured when it had run."""

import msgspec

from hanse.core.roles import PartyId


class Size(msgspec.Struct, frozen=True):
    """How large a table is: rows, and columns beside the id. Of a model: the rows that it was made of."""

    rows: int
    columns: int = 0


class Cost(msgspec.Struct, frozen=True):
    """What one task takes at one party, by the model of its component.

    `seconds` of computing until the slowest party is done; bytes with all other parties together, and how often one
    waits for the other, which a link turns into seconds. `sums`: how many exact sums of its table each host may be
    asked for, by party.
    """

    seconds: float = 0.0
    bytes_sent: int = 0
    bytes_received: int = 0
    memory_bytes: int = 0
    round_trips: int = 0
    sums: dict[PartyId, int] = {}

    def over(self, bytes_s: float, round_trip_s: float) -> float:
        """Return the seconds over a link: computing and sending one after the other, which is an upper bound."""
        return self.seconds + (self.bytes_sent + self.bytes_received) / bytes_s + self.round_trips * round_trip_s


class Figures(msgspec.Struct, frozen=True):
    """The four figures of a task at one party that are both foreseen and measured."""

    seconds: float = 0.0
    bytes_sent: float = 0.0
    bytes_received: float = 0.0
    memory_bytes: float = 0.0


FIGURES = Figures.__struct_fields__
