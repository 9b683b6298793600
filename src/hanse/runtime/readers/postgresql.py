"""PostgreSQL and what speaks its protocol, through psycopg: a named cursor keeps the rows on the server.

The cursor is declared by the extended protocol, which takes one statement and no more. A table of PostgreSQL comes by
COPY, several times as fast: the statement is made of names of the catalogue alone.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import psycopg
from psycopg import sql
from psycopg.types.string import TextLoader

from hanse.core.faults import HanseError, fault
from hanse.core.schema import ColumnType
from hanse.core.sources import Reader, TableName, Tls
from hanse.runtime.readers.databases import ROWS_AT_ONCE, Rows, dial

SSL_MODES: dict[Tls, str] = {"verify": "verify-full", "require": "require", "off": "disable"}

TYPES: dict[ColumnType, frozenset[str]] = {
    "integer": frozenset("bool int2 int4 int8 oid".split()),
    "real": frozenset("float4 float8 numeric".split()),
    "text": frozenset(
        "text varchar bpchar char name uuid date time timetz timestamp timestamptz interval inet cidr macaddr".split()
    ),
}
BOOLEAN = 16
AS_SENT = "numeric uuid date time timetz timestamp timestamptz interval inet cidr macaddr".split()
"""Types whose values stay the server's text, in its ISO forms."""
CODES = {
    "28": "source.password",
    "3D000": "source.database",
    "42501": "source.permission",
    "25006": "source.query",
    "0A": "source.query",
    "42": "source.query",
    "57014": "source.timeout",
}
WORDS = {  # while connecting libpq gives no code
    "certificate": "source.tls",
    "ssl": "source.tls",
    "password": "source.password",
    "authentication": "source.password",
    "pg_hba": "source.password",
    "role": "source.password",
    "does not exist": "source.database",
    "timeout": "source.timeout",
}


class Opened:
    """A connection to a PostgreSQL server."""

    def __init__(self, connection: psycopg.Connection[Any], *, copies: bool) -> None:
        self._connection = connection
        self._copies = copies
        for name in AS_SENT:
            connection.adapters.register_loader(name, TextLoader)

    def server(self) -> str:
        row = self._connection.execute("SHOW server_version").fetchone()
        return str(row[0]) if row else ""

    def encrypted(self) -> bool:
        return bool(self._connection.pgconn.ssl_in_use)

    def tables(self, most: int) -> list[TableName]:
        rows = self._connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2 LIMIT %s",
            (most,),
        ).fetchall()
        return [TableName(schema, name) for schema, name in rows]

    def quoted(self, table: TableName) -> str:
        return sql.Identifier(table.schema, table.name).as_string(self._connection)

    def select(self, query: str) -> tuple[list[tuple[str, ColumnType | None]], Rows]:
        cursor = self._connection.cursor(name="hanse")
        cursor.execute(query.encode())
        columns = [(column.name, self._type(column.type_code)) for column in cursor.description or ()]
        return columns, iter(lambda: cursor.fetchmany(ROWS_AT_ONCE), [])

    def copy(self, table: TableName, file: BinaryIO) -> list[tuple[str, ColumnType | None]]:
        """Write the rows of a table to a file as CSV, if this server copies, and return its columns; else none."""
        if not self._copies:
            return []
        rows = sql.Identifier(table.schema, table.name)
        with self._connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(rows))
            described = cursor.description or ()
            columns = [(column.name, self._type(column.type_code)) for column in described]
            if len(columns) == 1:  # a missing cell alone would be an empty line
                return []
            if all(kind for _, kind in columns):
                picks = sql.SQL(", ").join(
                    sql.SQL("{}::int" if column.type_code == BOOLEAN else "{}").format(sql.Identifier(column.name))
                    for column in described
                )
                said = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv)").format(picks, rows)
                with cursor.copy(said) as copy:
                    file.writelines(copy)
        return columns

    def _type(self, code: int) -> ColumnType | None:
        info = self._connection.adapters.types.get(code)
        name = info.name if info and code == info.oid else ""
        return next((kind for kind, names in TYPES.items() if name in names), None)


@contextmanager
def opened(reader: Reader, password: str) -> Iterator[Opened]:
    """Connect, and begin a transaction that cannot write."""
    source = reader.source
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]  # libpq would take a host, a service or options from there
    with dial(reader) as reached, tempfile.NamedTemporaryFile("w", suffix=".pem") as authority:
        address = reached.getpeername()[0]
        reached.close()
        authority.write(source.ca)
        authority.flush()
        connection: psycopg.Connection[Any] = psycopg.connect(
            host=source.host,
            hostaddr=address,
            port=source.port,
            dbname=source.database if "=" not in source.database and "://" not in source.database else "",
            user=source.user,
            password=password,
            sslmode=SSL_MODES[source.tls],
            sslrootcert=authority.name if source.ca else "system" if source.tls == "verify" else "",
            gssencmode="disable",
            passfile=os.devnull,
            connect_timeout=max(2, round(reader.connect_s)),
            client_encoding="UTF8",
            application_name="hanse",
            options=f"-c statement_timeout={round(reader.statement_s * 1000)} -c timezone=UTC -c datestyle=ISO",
        )
        with connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield Opened(connection, copies=source.kind == "postgresql")
            connection.rollback()


def explain(error: Exception) -> HanseError | None:
    """Put an error of psycopg into words."""
    if not isinstance(error, psycopg.Error):
        return None
    state = error.sqlstate or ""
    code = next((code for start, code in CODES.items() if state.startswith(start)), "")
    if code:
        shown = (
            (error.diag.message_primary or "") if state.startswith(("42", "25", "3D", "0A")) else f"SQLSTATE {state}"
        )
        return fault(code, shown)
    said = str(error).lower()
    if not state:
        code = next((code for word, code in WORDS.items() if word in said), "source.lost")
        return fault(code, str(error).splitlines()[-1][:300])
    return fault("source.lost", f"the server reports SQLSTATE {state}")
