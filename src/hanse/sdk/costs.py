"""Cost models: what a component says it takes, as a function of sizes and settings alone.

A model stands beside the component that it is of, counts operations and bytes as its protocol page does, and knows the
rates of one ordinary core; what a node has measured corrects it (`hanse.control.estimates`). It is asked before any row
is read, so every size is the largest that the table can have: an intersection counts as the smallest of its tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hanse.core.costs import Cost, Size
from hanse.core.roles import PartyId, Role, role_of


@dataclass(frozen=True)
class Work:
    """A task to be judged from the side of `me`: sizes of the inputs by party and port, settings by party.

    `threads` is how many one attempt may use; `apply` whether what was fitted is used.
    """

    me: PartyId
    parties: tuple[PartyId, ...]
    sizes: Mapping[PartyId, Mapping[str, Size]]
    settings: Mapping[PartyId, Any]
    threads: int = 1
    apply: bool = False
    others: tuple[PartyId, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "others", tuple(party for party in self.parties if party != self.me))

    @property
    def role(self) -> Role:
        """The role of the party that asks."""
        return role_of(self.me)

    @property
    def guest(self) -> PartyId:
        """The guest, which every task of several parties has."""
        return next((party for party in self.parties if role_of(party) == "guest"), self.parties[0])

    @property
    def hosts(self) -> tuple[PartyId, ...]:
        """The hosts of the task."""
        return tuple(party for party in self.parties if role_of(party) == "host")

    @property
    def asked(self) -> tuple[PartyId, ...]:
        """The hosts with which this side speaks: all of them for a guest, itself for a host."""
        return self.hosts if self.role == "guest" else (self.me,)

    def size(self, port: str, party: PartyId | None = None) -> Size:
        """Return how large an input is, of this side if no party is named; nothing where it has none."""
        return self.sizes.get(party or self.me, {}).get(port, Size(0))


class Costs(NamedTuple):
    """What the task takes at the side that asks, and how large its outputs are, by party and port."""

    cost: Cost
    gives: Mapping[PartyId, Mapping[str, Size]] = {}


def exchanged(work: Work, up: float, down: float, **cost: Any) -> Cost:
    """Return a cost in which guest sends its hosts `up` bytes and they send `down`, as this side sees it."""
    sent, received = (up, down) if work.role == "guest" else (down, up)
    return Cost(bytes_sent=round(sent), bytes_received=round(received), **cost)
