"""Open a database for reading: pinned address, read-only transaction, a statement's time limited, faults in words.

Drivers are imported when they are needed: they are extras. What a driver says goes no further than a fault's code and
the server's words about syntax and names, since other messages quote values.
"""

import importlib
import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO, Protocol

from hanse.core.faults import HanseError, fault
from hanse.core.schema import ColumnType
from hanse.core.sources import KINDS, Reader, SourceSpec, TableName

ROWS_AT_ONCE = 5000
FORBIDDEN = re.compile(
    r"\b(OUTFILE|DUMPFILE|LOAD_FILE|LO_EXPORT|LO_IMPORT|LO_GET|DBLINK\w*|PG_FILE\w*|PG_READ\w*|PG_LS\w*)\b|\bU&[\"']",
    re.IGNORECASE,
)
"""Words by which a SELECT touches files of its server or opens another session, in a transaction that cannot write.

They are refused wherever they stand, also in comments and literals: telling those apart as every server does is how
such filters are got round. A spelling by code points (U&) could hide them.
"""
Rows = Iterator[Sequence[Sequence[Any]]]


class Opened(Protocol):
    """An open database, in a transaction that cannot write."""

    def server(self) -> str: ...

    def encrypted(self) -> bool: ...

    def tables(self, most: int) -> list[TableName]: ...

    def quoted(self, table: TableName) -> str: ...

    def select(self, query: str) -> tuple[list[tuple[str, ColumnType | None]], Rows]: ...

    def copy(self, table: TableName, file: BinaryIO) -> list[tuple[str, ColumnType | None]]: ...


class Driver(Protocol):
    """A module of a family: `opened` connects, `explain` puts an error of its driver into words."""

    def opened(self, reader: Reader, password: str) -> AbstractContextManager[Opened]: ...

    def explain(self, error: Exception) -> HanseError | None: ...


@contextmanager
def opened(reader: Reader, password: str) -> Iterator[Opened]:
    """Connect to the source of `reader`; every error inside comes out as a fault `source.*`."""
    kind = KINDS[reader.source.kind]
    try:
        importlib.import_module(kind.module)
    except ImportError as error:
        remedy = f"pip install 'hanse[{kind.extra}]'" if kind.extra else "install hanse again"
        raise fault("source.driver", f"the driver {kind.module} is not installed", remedy) from error
    driver: Driver = importlib.import_module(f"hanse.runtime.readers.{kind.family}")
    try:
        with driver.opened(reader, password) as database:
            yield database
    except HanseError:
        raise
    except Exception as error:
        said = driver.explain(error)
        if said is None:
            raise
        raise said from None  # the driver's own words may quote values


def dial(reader: Reader) -> socket.socket:
    """Return a connection to the first of the pinned addresses that answers. Raises `source.refused|timeout`."""
    problem: HanseError | None = None
    where = f"{reader.source.host}:{reader.source.port}"
    end = time.monotonic() + reader.connect_s
    for address in reader.addresses:
        try:
            return socket.create_connection((address, reader.source.port), max(end - time.monotonic(), 0.1))
        except TimeoutError:
            problem = fault("source.timeout", f"{where} ({address}) does not answer within {reader.connect_s:g} s")
        except OSError as error:
            problem = fault("source.refused", f"{where} ({address}): {error.strerror or 'no connection'}")
    raise problem or fault("address.unknown", f"{where} has no address")


def tls_context(source: SourceSpec) -> ssl.SSLContext | None:
    """Return how a line to a source is encrypted; None: it is not."""
    if source.tls == "off":
        return None
    context = ssl.create_default_context(cadata=source.ca or None)
    if source.tls == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def query_of(database: Opened, reader: Reader) -> str:
    """Return the SELECT that reads what is wanted; a table's name comes from the server's catalogue."""
    if reader.table is None:
        if found := FORBIDDEN.search(reader.query):
            raise fault("source.query", f"a query may not say {found[0]}", "make a view of it in the database")
        return f"SELECT * FROM (\n{reader.query}\n) AS wanted"
    if reader.table not in database.tables(1_000_000):
        name = f"{reader.table.schema}.{reader.table.name}"
        raise fault(
            "source.no_table", f"{reader.source.database} has no table {name!r} that {reader.source.user!r} sees"
        )
    return f"SELECT * FROM {database.quoted(reader.table)}"
