"""Databases that tables are read from: the kinds, what the node keeps of one, and the orders to its reader process.

An order goes to `python -m hanse.runtime source` (or `ingest`) over standard input, because it holds a password.
"""

from typing import Annotated, Literal, NamedTuple

import msgspec

Family = Literal["postgresql", "mysql", "dameng"]
SourceKind = Literal[
    "postgresql", "opengauss", "gaussdb", "kingbase", "mysql", "mariadb", "oceanbase", "tidb", "goldendb", "dameng"
]
Tls = Literal["verify", "require", "off"]
"""`verify`: the server's certificate and name are checked. `require`: encrypted, to whoever answers. `off`: plain."""


class Kind(NamedTuple):
    """How a kind of database is reached: its driver, the extra that installs it, whether our tests ran a server."""

    family: Family
    module: str
    extra: str
    port: int
    tested: bool = False


KINDS: dict[SourceKind, Kind] = {
    "postgresql": Kind("postgresql", "psycopg", "", 5432, tested=True),
    "opengauss": Kind("postgresql", "psycopg", "", 5432),
    "gaussdb": Kind("postgresql", "psycopg", "", 8000),
    "kingbase": Kind("postgresql", "psycopg", "", 54321),
    "mysql": Kind("mysql", "pymysql", "mysql", 3306),
    "mariadb": Kind("mysql", "pymysql", "mysql", 3306, tested=True),
    "oceanbase": Kind("mysql", "pymysql", "mysql", 2881),
    "tidb": Kind("mysql", "pymysql", "mysql", 4000),
    "goldendb": Kind("mysql", "pymysql", "mysql", 3306),
    "dameng": Kind("dameng", "dmPython", "dameng", 5236),
}

Host = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?$", max_length=253)]
Word = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=128)]


class SourceSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a database is and who we are there; the password is kept apart. `ca` is PEM, empty: the system's."""

    kind: SourceKind
    host: Host
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    database: Word
    user: Word
    tls: Tls = "verify"
    ca: Annotated[str, msgspec.Meta(max_length=1 << 18)] = ""


class TableName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table or view, as the server's catalogue calls it."""

    schema: Word
    name: Word


class Reader(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an ingest reads instead of a file: a table, or the rows of one SELECT. It names no password.

    `addresses` are those that the host's name had when the control plane judged them: only they are dialled.
    """

    source: SourceSpec
    addresses: tuple[str, ...]
    table: TableName | None = None
    query: Annotated[str, msgspec.Meta(max_length=1 << 16)] = ""
    connect_s: float = 10.0
    statement_s: float = 3600.0


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of a reader process: open the source and list its tables (`most` at most)."""

    reader: Reader
    password: str
    most: int = 1000

    def __repr__(self) -> str:
        """Say nothing of the password: a repr ends in a log."""
        return f"Order({self.reader!r}, most={self.most})"


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a source showed when it was tried: the server's version, its tables, whether the user may also write."""

    server: str = ""
    tables: tuple[TableName, ...] = ()
    encrypted: bool = False
    seconds: float = 0.0
