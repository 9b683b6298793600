"""Which columns tables will have: what a component says of its outputs from its inputs' columns and settings alone.

A function stands beside the component that it is of, in `schema.py`. It says what holds whatever the rows are: where
only these will show a column's type, it says None, and where only they will show which columns there are, the table is
open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hanse.core.roles import PartyId, role_of
from hanse.core.schema import UNKNOWN, KnownTable

Tables = Mapping[PartyId, Mapping[str, KnownTable]]
"""What is known of tables, by party and port."""


@dataclass(frozen=True)
class Flow:
    """A task before it runs: what is known of its input tables, and the settings of each party, where they are right.

    `apply`: what was fitted is used, under the settings of the training; there are none where these are not known.
    """

    parties: tuple[PartyId, ...]
    tables: Tables
    settings: Mapping[PartyId, Any]
    apply: bool = False

    @property
    def hosts(self) -> tuple[PartyId, ...]:
        """The hosts of the task."""
        return tuple(party for party in self.parties if role_of(party) == "host")

    def table(self, port: str, party: PartyId) -> KnownTable:
        """Return what is known of a party's table at an input."""
        return self.tables.get(party, {}).get(port, UNKNOWN)

    def same(self, port: str, *outputs: str) -> dict[PartyId, dict[str, KnownTable]]:
        """Return outputs that have, at each party, the columns of its input."""
        return {party: dict.fromkeys(outputs, self.table(port, party)) for party in self.parties}
