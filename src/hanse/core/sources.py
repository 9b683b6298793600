"""Databases and stores that tables are read from: the kinds, what the node keeps of one, the orders to its reader.

An order goes to `python -m hanse.runtime source` (or `ingest`) over standard input, because it holds a password.
"""

from typing import Annotated, Literal, NamedTuple

import msgspec

Family = Literal["postgresql", "mysql", "dameng", "s3", "webhdfs"]
SourceKind = Literal[
    "postgresql",
    "opengauss",
    "gaussdb",
    "kingbase",
    "mysql",
    "mariadb",
    "oceanbase",
    "tidb",
    "goldendb",
    "dameng",
    "s3",
    "webhdfs",
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

    @property
    def is_store(self) -> bool:
        """Whether it holds objects (files under names) and no tables; its reader needs no driver."""
        return self.family in ("s3", "webhdfs")


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
    "s3": Kind("s3", "", "", 443, tested=True),
    "webhdfs": Kind("webhdfs", "", "", 9870, tested=True),
}

Host = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?$", max_length=253)]
Word = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=128)]
Key = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=1024)]


class SourceSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where a source is and who we are there; the password is kept apart. `ca` is PEM, empty: the system's.

    Of an S3 store, `database` is the bucket (empty: the host's name begins with it), `user` the access key's id, the
    password its secret, `region` what it signs for. Of WebHDFS, `database` is the folder below which objects are read.
    """

    kind: SourceKind
    host: Host
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    database: Word
    user: Word
    tls: Tls = "verify"
    ca: Annotated[str, msgspec.Meta(max_length=1 << 18)] = ""
    region: Word = ""


class TableName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table or view, as the server's catalogue calls it; of a store an object, or all below a name with `/`."""

    schema: Word
    name: Key


class Reader(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an ingest reads instead of a file: a table, or the rows of one SELECT. It names no password.

    `addresses` are those that the host's name had when the control plane judged them: only they are dialled. Where the
    protocol leads to other hosts (WebHDFS), they are judged by `allowed`, what the setting `outbound_allow` says.
    """

    source: SourceSpec
    addresses: tuple[str, ...]
    table: TableName | None = None
    query: Annotated[str, msgspec.Meta(max_length=1 << 16)] = ""
    connect_s: float = 10.0
    statement_s: float = 3600.0
    allowed: tuple[str, ...] = ()


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
