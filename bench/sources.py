"""How fast a node reads tables of databases and objects of stores into snapshots, and what memory it takes.

    python bench/sources.py [--quick]        one case a line, as JSON

Real servers are started here, on loopback: PostgreSQL, MariaDB and a store of the S3 protocol (SeaweedFS). What is
measured is the process that a node starts for it, from its start to the checked snapshot: rows of an id, five whole
numbers, two real ones and two words, in two sizes, since the memory must not follow the rows. The server's own work on
the same two cores is in `seconds`; `cpu_s` is the process's own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import msgspec
import psycopg
import pymysql

from hanse.core.sources import KINDS, Reader, SourceKind, SourceSpec, TableName
from hanse.core.specs import IngestSpec, Limits

if TYPE_CHECKING:
    from tests import servers
else:  # the tests are no package, and other packages install a folder of that name
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import servers

ROWS = 2_000_000
SELECT = (
    "SELECT format('{:011d}', i) AS id, i AS n0, i * 7 % 1000003 AS n1, i % 97 AS n2, i % 2 AS n3, -i AS n4, "
    "i / 7 AS r0, sqrt(i) AS r1, 'word ' || i % 1000 AS t0, 'district ' || i % 31 AS t1 FROM range({rows}) t(i)"
)
COLUMNS = (
    "id varchar(20), n0 bigint, n1 bigint, n2 bigint, n3 bigint, n4 bigint, r0 double precision, "
    "r1 double precision, t0 varchar(40), t1 varchar(40)"
)
MEMORY_BYTES = 1 << 30


def write(path: Path, rows: int) -> Path:
    """Write the table to a CSV or Parquet file."""
    query = SELECT.replace("{rows}", str(rows))
    duckdb.connect().execute(f"COPY ({query}) TO '{path}'")
    return path


def fill_postgresql(server: servers.Server, table: str, file: Path) -> None:
    """Copy a CSV file into a table of PostgreSQL."""
    with psycopg.connect(
        host=server.host, port=server.port, user=server.user, password=server.password, dbname=server.database
    ) as connection:
        connection.execute(f"CREATE TABLE {table} ({COLUMNS})".encode())
        with (
            connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT csv, HEADER)".encode()) as copy,
            file.open("rb") as lines,
        ):
            while piece := lines.read(1 << 20):
                copy.write(piece)


def fill_mysql(server: servers.Server, table: str, file: Path) -> None:
    """Load a CSV file into a table of MariaDB, which reads it itself."""
    file.chmod(0o644)
    with (
        pymysql.connect(
            host=server.host, port=server.port, user=server.user, password=server.password, database=server.database
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"CREATE TABLE {table} ({COLUMNS})")
        cursor.execute(f"LOAD DATA INFILE '{file}' INTO TABLE {table} FIELDS TERMINATED BY ',' IGNORE 1 LINES")
        connection.commit()


def measure(case: str, wanted: Reader, password: str, rows: int) -> None:
    """Ingest what a reader names, in a process as a node's, and print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        spec = IngestSpec(case, "id", folder, limits=Limits(memory_bytes=MEMORY_BYTES), reader=wanted)
        order = Path(folder, "ingest.json")
        order.write_bytes(msgspec.json.encode(spec))
        begin = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "hanse.runtime", "ingest", str(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        process.stdin.write(password.encode())
        process.stdin.close()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        result = json.loads(Path(folder, "result.json").read_bytes())
        assert result["outputs"]["table"]["rows"] == rows, result
    said = {"case": case, "rows": rows, "seconds": round(seconds, 2), "rows_per_s": round(rows / seconds)}
    print(
        json.dumps(
            said | {"cpu_s": round(used.ru_utime + used.ru_stime, 2), "peak_rss_mb": round(used.ru_maxrss / 1024)}
        ),
        flush=True,
    )


def reader(kind: SourceKind, server: servers.Server, table: TableName) -> Reader:
    """Return the order to read a table as the server's owner."""
    assert kind in KINDS
    spec = SourceSpec(kind, server.host, server.port, server.database, server.user, "off")
    return Reader(spec, (server.host,), table)


def sizes(quick: bool) -> Iterator[int]:
    """Yield the numbers of rows."""
    most = ROWS // 50 if quick else ROWS
    yield from (most // 10, most)


def databases(quick: bool, folder: Path) -> None:
    """Measure the databases, one server after the other."""
    kinds: dict[SourceKind, tuple[Callable[..., object], str]] = {
        "postgresql": (fill_postgresql, "public"),
        "mariadb": (fill_mysql, "shop"),
    }
    for kind, (fill, schema) in kinds.items():
        if kind == "mariadb" and not servers.has_mysql():
            continue
        with servers.postgresql() if kind == "postgresql" else servers.mysql() as server:
            for rows in sizes(quick):
                file = write(folder / "table.csv", rows)
                fill(server, f"t{rows}", file)
                file.unlink()
                measure(f"sources/{kind}", reader(kind, server, TableName(schema, f"t{rows}")), server.password, rows)


def objects(quick: bool, folder: Path) -> None:
    """Measure an object of each format."""
    with servers.s3() as server:
        for suffix in ("csv", "parquet"):
            for rows in sizes(quick):
                name = f"{rows}.{suffix}"
                content = write(folder / name, rows)
                servers.put_object(server.folder, f"shop/{name}", content.read_bytes())
                content.unlink()
                measure(f"sources/s3/{suffix}", reader("s3", server, TableName("", name)), server.password, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of the rows")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # MariaDB reads a file here as another user
        databases(arguments.quick, folder)
        if servers.has_s3():
            objects(arguments.quick, folder)


if __name__ == "__main__":
    main()
