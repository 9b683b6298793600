"""The node's database: transactions that cannot surprise, and column types that every dialect has.

On SQLite a deferred transaction that reads and then writes fails at once when another has written in between. So
whoever writes says so before (`BEGIN IMMEDIATE`, one at a time, others wait), and a reader cannot write at all.
PostgreSQL, for several processes of one node, keeps the same promises: a writer takes the node's one advisory lock for
as long as its transaction lasts, a reader sees one state. Transactions are milliseconds long, so that one writer at a
time is enough for a node, and nothing that counts or checks before it writes can be raced.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, Dialect, Engine, Integer, MetaData, Text, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from hanse.core.faults import HanseError, fault

WAIT_MS = 30_000
"""How long a writer waits for the one before it. Transactions are milliseconds long; this is for a stalled disk."""

OLDEST_SQLITE = (3, 35)
OLDEST_POSTGRESQL = 130000

WRITER = int.from_bytes(b"hanse")
"""The advisory lock of whoever writes; it is the database's own, so that each node has one."""

DEAD_S = 15
"""A process whose machine has gone silent loses its connections, and the lock with them, after about this long."""

Number = BigInteger().with_variant(Integer, "sqlite")
"""A primary key that counts up by itself (SQLite counts only in a column declared INTEGER)."""


class Base(DeclarativeBase):
    """Mother of all tables; constraints get names, so that a later migration can name them on every dialect."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Record(TypeDecorator[Any]):
    """A msgspec value (`Record(Schema)`, `Record(dict[str, int])`) kept as JSON text and checked when read."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 (SQLAlchemy's signature)
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        return None if value is None else msgspec.json.decode(value, type=self.kind)


class Database:
    """One node's database. `with database.write() as session` commits at the end, or rolls back on an exception.

    Objects stay readable after the end of their transaction. From a coroutine, use it in a thread.
    """

    def __init__(self, url: str) -> None:
        self.engine = _open(url)
        self._writers = sessionmaker(self.engine.execution_options(writes=True), expire_on_commit=False)
        self._readers = sessionmaker(self.engine.execution_options(writes=False), expire_on_commit=False)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Begin a transaction that may write; it waits its turn. Raises `database.*` when the disk will not have it."""
        with _in_words(), self._writers.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Begin a transaction that sees one state throughout and cannot write."""
        with _in_words(), self._readers() as session:
            yield session

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _open(url: str) -> Engine:
    address = make_url(url)
    if address.drivername in ("postgresql", "postgres"):
        address = address.set(drivername="postgresql+psycopg")
    kept = 56 if address.drivername == "sqlite" else 8  # a file's connections cost nothing while nobody uses them
    engine = create_engine(
        address, pool_size=kept, max_overflow=64 - kept, pool_pre_ping=address.drivername != "sqlite"
    )
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _prepare_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
    if engine.dialect.name == "sqlite":
        version = engine.dialect.dbapi.sqlite_version_info  # type: ignore[union-attr]  # sqlite3 is always there
        if version < OLDEST_SQLITE:
            raise fault("database.too_old", f"SQLite {'.'.join(map(str, version))} is older than 3.35")
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself; `_begin_sqlite` does
    for pragma in (f"busy_timeout = {WAIT_MS}", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", True)
    if connection.info.get("writes") is not writes:
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        connection.info["writes"] = writes
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(connection: Any, _: Any) -> None:
    if connection.info.server_version < OLDEST_POSTGRESQL:
        raise fault("database.too_old", f"PostgreSQL {connection.info.server_version // 10000} is older than 13")
    settings = {
        "lock_timeout": WAIT_MS,
        "idle_in_transaction_session_timeout": WAIT_MS,
        "tcp_keepalives_idle": DEAD_S // 3,
        "tcp_keepalives_interval": DEAD_S // 3,
        "tcp_keepalives_count": 2,
    }
    for name, value in settings.items():
        connection.execute(f"SET SESSION {name} = {value}")
    connection.commit()


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", True):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


_WORDS = {
    "database is locked": ("database.busy", "another transaction holds the database for over 30 s"),
    "disk is full": ("database.full", "there is no room left on the disk"),
    "attempt to write a readonly database": ("database.readonly", "the database may not be written"),
    "unable to open database file": ("database.unopened", "the database file cannot be opened"),
    "disk I/O error": ("database.broken", "the disk reports an error"),
    "file is not a database": ("database.broken", "the file is not a database"),
    "database disk image is malformed": ("database.broken", "the file is damaged"),
    "password authentication failed": ("database.refused", "the server does not take this password"),
}
"""What SQLite says, and PostgreSQL before a connection is made."""

_STATES = {
    "55P03": ("database.busy", "another transaction holds the database for over 30 s"),
    "53300": ("database.busy", "the server has no connection left"),
    "53100": ("database.full", "there is no room left on the server's disk"),
    "25006": ("database.readonly", "the server takes no writes"),
    "28P01": ("database.refused", "the server does not take this password"),
    "28000": ("database.refused", "the server does not let this user in"),
    "3D000": ("database.refused", "the server has no such database"),
    "42501": ("database.refused", "the user may not do this"),
    "58030": ("database.broken", "the server's disk reports an error"),
    "XX001": ("database.broken", "the server's data is damaged"),
}
"""What PostgreSQL says, by SQLSTATE (its documentation, appendix A)."""


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise explain(error) from error


def explain(error: DBAPIError) -> HanseError | DBAPIError:
    """Return the database's complaint in the catalogue's words, or as it is when the catalogue has none for it."""
    said, state = str(error.orig), getattr(error.orig, "sqlstate", None)
    if state in _STATES:
        return fault(*_STATES[state])
    if known := next((words for words in _WORDS if words in said), None):
        return fault(*_WORDS[known])
    if error.connection_invalidated or _is_away(error, state):
        return fault("database.away", f"the connection to the server is lost: {said.splitlines()[0][:200]}")
    return error


def _is_away(error: DBAPIError, state: str | None) -> bool:
    """Say whether the server is gone or going: no state at all, connection exceptions (08), or its end (57P)."""
    if not type(error.orig).__module__.startswith("psycopg"):
        return False
    lost = state is None and type(error.orig).__name__ == "OperationalError"
    return lost or str(state).startswith(("08", "57P"))
