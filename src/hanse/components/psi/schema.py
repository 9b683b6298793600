"""Which columns an intersection leaves: each party's own, and at the guest those that a host adds."""

from hanse.components.psi.columns import free_name
from hanse.core.roles import GUEST, PartyId
from hanse.core.schema import ColumnType, KnownColumn, KnownTable
from hanse.sdk.ingest import RESERVED
from hanse.sdk.schemas import Flow, Tables


def schema(flow: Flow) -> Tables:
    """Rows are chosen; a single host's `payload` comes behind the guest's columns."""
    tables = flow.same("table", "table")
    if GUEST in tables and len(flow.hosts) == 1:
        tables[GUEST] = {"table": _with_payload(flow, tables[GUEST]["table"], flow.hosts[0])}
    return tables


def _with_payload(flow: Flow, table: KnownTable, host: PartyId) -> KnownTable:
    settings = flow.settings.get(host)
    if settings is None:
        return KnownTable(table.columns, open=True)
    taken = {RESERVED, *(name.lower() for name in table.names)}
    types = flow.table("table", host).features
    added = []
    for name in settings.payload:
        if table.open:  # a name that is taken gets the host behind, and not all names are known
            break
        column = KnownColumn(free_name(name, host, taken), _as_sent(types.get(name)), "feature", host)
        taken.add(column.name.lower())
        added.append(column)
    return table.plus(added)


def _as_sent(kind: ColumnType | None) -> ColumnType | None:
    """Whole numbers come as reals when some are missing or beyond 2^53: that the rows will show."""
    return kind if kind == "real" else None
