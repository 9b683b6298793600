"""MySQL and what speaks its protocol, through PyMySQL: an unbuffered cursor, cells as the server's text.

One statement a call (the flag for more is never set), LOAD DATA LOCAL is off, and a server that wants the password
itself gets it over verified TLS only.
"""

import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import encoders
from pymysql.cursors import SSCursor

from hanse.core.faults import HanseError, fault
from hanse.core.schema import ColumnType
from hanse.core.sources import Reader, TableName
from hanse.runtime.readers.databases import ROWS_AT_ONCE, Rows, dial, tls_context

_F = FIELD_TYPE
TYPES: dict[ColumnType, frozenset[int]] = {
    "integer": frozenset((_F.TINY, _F.SHORT, _F.INT24, _F.LONG, _F.LONGLONG, _F.YEAR)),
    "real": frozenset((_F.FLOAT, _F.DOUBLE, _F.DECIMAL, _F.NEWDECIMAL)),
    "text": frozenset(
        (
            *(_F.VARCHAR, _F.VAR_STRING, _F.STRING, _F.ENUM, _F.SET, _F.DATE, _F.NEWDATE, _F.TIME, _F.DATETIME),
            *(_F.TIMESTAMP, _F.TINY_BLOB, _F.BLOB, _F.MEDIUM_BLOB, _F.LONG_BLOB),
        )
    ),
}
CODES = {
    1044: "source.permission",
    1045: "source.password",
    1049: "source.database",
    1142: "source.permission",
    1143: "source.permission",
    1227: "source.permission",
    1698: "source.password",
    1969: "source.timeout",
    3024: "source.timeout",
    2026: "source.tls",
}
NAMES_ONLY = frozenset({1049, 1054, 1060, 1064, 1146, 1792})
"""Errors whose words are about names and syntax; others may quote values."""


class Opened:
    """A connection to a MySQL server."""

    def __init__(self, connection: "pymysql.Connection[Any]") -> None:
        self._connection = connection

    def server(self) -> str:
        return str(self._connection.get_server_info())

    def encrypted(self) -> bool:
        return bool(self._rows("SHOW STATUS LIKE 'Ssl_cipher'")[0][1])

    def tables(self, most: int) -> list[TableName]:
        rows = self._rows(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = DATABASE() "
            f"ORDER BY 1, 2 LIMIT {most:d}"
        )
        return [TableName(schema, name) for schema, name in rows]

    def quoted(self, table: TableName) -> str:
        return ".".join("`" + part.replace("`", "``") + "`" for part in (table.schema, table.name))

    def copy(self, table: TableName, file: BinaryIO) -> list[tuple[str, ColumnType | None]]:
        """Return no columns: these servers copy to files of their own only."""
        del table, file
        return []

    def select(self, query: str) -> tuple[list[tuple[str, ColumnType | None]], Rows]:
        cursor = self._connection.cursor(SSCursor)
        cursor.execute(query)
        columns = [
            (column[0], next((kind for kind, codes in TYPES.items() if column[1] in codes), None))
            for column in cursor.description or ()
        ]
        return columns, iter(lambda: list(cursor.fetchmany(ROWS_AT_ONCE)), [])

    def _rows(self, query: str) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())


@contextmanager
def opened(reader: Reader, password: str) -> Iterator[Opened]:
    """Connect, and begin a transaction that cannot write."""
    source = reader.source
    connection = pymysql.connect(
        host=source.host,
        port=source.port,
        user=source.user,
        password=password,
        database=source.database,
        charset="utf8mb4",
        ssl=tls_context(source),
        ssl_disabled=source.tls == "off",
        local_infile=False,
        auth_plugin_map={} if source.tls == "verify" else {b"mysql_clear_password": Refusal},
        conv=encoders,  # and no decoders: cells stay the text that the server sent
        connect_timeout=max(1, round(reader.connect_s)),
        read_timeout=round(reader.statement_s) + 60,
        defer_connect=True,
    )
    reached = dial(reader)
    reached.settimeout(reader.connect_s)
    connection.connect(reached)
    try:
        _begin(connection, reader)
        yield Opened(connection)
    finally:
        connection._force_close()  # an unread cursor would otherwise be read to its end first


def _begin(connection: "pymysql.Connection[Any]", reader: Reader) -> None:
    maria = "mariadb" in str(connection.get_server_info()).lower()
    limit = (
        f"max_statement_time = {reader.statement_s:f}"
        if maria
        else f"max_execution_time = {reader.statement_s * 1000:.0f}"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION {limit}")
        cursor.execute("SET SESSION time_zone = '+00:00'")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION READ ONLY")


class Refusal:
    """The answer to a server that asks for the password itself where somebody may listen."""

    def __init__(self, connection: Any) -> None:
        del connection

    def authenticate(self, _packet: Any) -> Any:
        raise fault("source.password", "the server asks for the password itself, which needs tls verify")


def explain(error: Exception) -> HanseError | None:
    """Put an error of PyMySQL into words."""
    if isinstance(error, RuntimeError | ValueError | LookupError | struct.error | ConnectionError | TimeoutError):
        return fault("source.lost", "the server does not keep to the protocol, or went away")
    if isinstance(error, ssl.SSLError):
        return fault("source.tls", error.reason or "the server's certificate is not accepted")
    if not isinstance(error, pymysql.Error):
        return None
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    said = str(error.args[1])[:300] if number in NAMES_ONLY else f"error {number}"
    if "SSL" in str(error) or "certificate" in str(error).lower():
        return fault("source.tls", "the server's certificate is not accepted, or it speaks no TLS")
    lost = 2000 <= number < 3000 or number == 0
    return fault(CODES.get(number, "source.lost" if lost else "source.query"), said)
