"""Dameng through dmPython's DB-API. Untested: no server was at hand."""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import dmPython

from hanse.core.faults import HanseError, fault
from hanse.core.schema import ColumnType
from hanse.core.sources import Reader, TableName
from hanse.runtime.readers.databases import ROWS_AT_ONCE, Rows, dial

TYPES: dict[ColumnType, tuple[str, ...]] = {
    "integer": ("NUMBER", "BIGINT", "BOOLEAN", "BIT"),
    "real": ("DECIMAL", "DOUBLE", "REAL"),
    "text": ("STRING", "FIXED_STRING", "CLOB", "LONG_STRING", "DATE", "TIME", "TIMESTAMP"),
}


class Opened:
    """A connection to a Dameng server."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def server(self) -> str:
        return str(self._connection.server_version)

    def encrypted(self) -> bool:
        return False

    def tables(self, most: int) -> list[TableName]:
        cursor = self._connection.cursor()
        cursor.execute("SELECT OWNER, TABLE_NAME FROM ALL_TABLES ORDER BY 1, 2")
        return [TableName(owner, name) for owner, name in cursor.fetchmany(most)]

    def quoted(self, table: TableName) -> str:
        return ".".join('"' + part.replace('"', '""') + '"' for part in (table.schema, table.name))

    def copy(self, table: TableName, file: BinaryIO) -> list[tuple[str, ColumnType | None]]:
        """Return no columns: these servers copy to files of their own only."""
        del table, file
        return []

    def select(self, query: str) -> tuple[list[tuple[str, ColumnType | None]], Rows]:
        cursor = self._connection.cursor()
        cursor.execute(query)
        columns = [(str(column[0]), _type(column[1])) for column in cursor.description]
        return columns, iter(lambda: list(cursor.fetchmany(ROWS_AT_ONCE)), [])


def _type(code: Any) -> ColumnType | None:
    return next((kind for kind, names in TYPES.items() if any(code == getattr(dmPython, n, None) for n in names)), None)


@contextmanager
def opened(reader: Reader, password: str) -> Iterator[Opened]:
    """Connect, and begin a transaction that cannot write; the driver has no verified TLS that could be asked for."""
    source = reader.source
    if source.tls != "off":
        raise fault("source.tls", "this driver does not check a server's certificate", "say tls off, on a private line")
    with dial(reader) as reached:
        address = str(ipaddress.ip_address(reached.getpeername()[0]))
    connection = dmPython.connect(user=source.user, password=password, server=address, port=source.port)
    try:
        connection.cursor().execute("SET TRANSACTION READ ONLY")
        yield Opened(connection)
    finally:
        connection.close()


def explain(error: Exception) -> HanseError | None:
    """Put an error of dmPython into words."""
    return (
        fault("source.lost", "the server or the driver reports an error") if isinstance(error, dmPython.Error) else None
    )
