"""What it takes to hand a table on: it is opened, counted and written once."""

from hanse.core.costs import Cost, Size
from hanse.core.roles import PartyId
from hanse.sdk.costs import Costs, Work

CELL_S = 2e-8


def cost(work: Work) -> Costs:
    """Each party hands on its own columns: those that are named, or all."""
    tables = {party: _chosen(work, party) for party in work.parties}
    own = tables.get(work.me, Size(0))
    gives = {party: {"table": size} for party, size in tables.items()}
    return Costs(Cost(own.rows * (1 + own.columns) * CELL_S), gives)


def _chosen(work: Work, party: PartyId) -> Size:
    source = work.size("source", party)
    settings = work.settings.get(party)
    named = len(settings.columns) if settings is not None else 0
    return Size(source.rows, named or source.columns)
