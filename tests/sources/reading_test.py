"""Tables of real servers become datasets, and nothing that a source's settings say opens a hole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import psycopg
import pymysql
import pytest
from tests.servers import Server, free_port

from hanse.core.faults import Fault, HanseError
from hanse.core.sources import Answer, Order, Reader, SourceSpec, TableName
from hanse.core.specs import AttemptResult, IngestSpec, Limits
from hanse.runtime.readers.databases import opened
from hanse.runtime.readers.stage import stage

PASSWORD = "tiger"
OUTFILE = "/var/lib/hanse-outfile"
KINDS = ("postgresql", "mariadb")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue("postgresql" if kind == "postgresql" else "mysql")
    return found


def run(kind: str, server: Server, *statements: str) -> list[Any]:
    """Run statements as the servers' owner; return the rows of the last."""
    if kind == "postgresql":
        with psycopg.connect(
            host=server.host, port=server.port, user=server.user, password=server.password, dbname=server.database
        ) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []
    with (
        pymysql.connect(
            host=server.host, port=server.port, user=server.user, password=server.password, database=server.database
        ) as plain,
        plain.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        plain.commit()
        return list(cursor.fetchall())


def reader(kind: str, server: Server, **changes: Any) -> Reader:
    names = {"host", "port", "database", "user", "tls", "ca"} & set(changes)
    spec: dict[str, Any] = {"kind": kind, "host": server.host, "port": server.port, "database": server.database}
    spec |= {"user": server.user, "tls": "off"} | {name: changes.pop(name) for name in names}
    return Reader(msgspec.convert(spec, SourceSpec), (server.host,), **changes)


def rows_of(path: Path) -> list[Any]:
    return duckdb.sql(f"SELECT * FROM read_parquet('{path}') ORDER BY 1").fetchall()


@contextmanager
def table(kind: str, server: Server, name: str, columns: str, *rows: str) -> Iterator[TableName]:
    quoted = f'"{name}"' if kind == "postgresql" else f"`{name}`"
    values = [f"INSERT INTO {quoted} VALUES {row}" for row in rows]
    run(kind, server, f"DROP TABLE IF EXISTS {quoted}", f"CREATE TABLE {quoted} ({columns})", *values)
    try:
        yield TableName("public" if kind == "postgresql" else server.database, name)
    finally:
        run(kind, server, f"DROP TABLE IF EXISTS {quoted}")


def test_a_table_is_read_with_its_types_and_its_missing_values(kind: str, server: Server, tmp_path: Path) -> None:
    columns = "id varchar(20), n bigint, r numeric(12,3), t varchar(50), b boolean, d date, ts timestamp NULL"
    rows = (
        "('0012', -9007199254740993, 1.25, 'a,\"b\"\n二', true, '2024-02-29', '2024-02-29 13:01:02')",
        "('0013', NULL, NULL, NULL, false, NULL, NULL)",
    )
    with table(kind, server, "People; DROP", columns, *rows) as name:
        path = stage(reader(kind, server, table=name), "tiger", tmp_path, Limits())
    first, second = rows_of(path)
    assert first == ("0012", -9007199254740993, 1.25, 'a,"b"\n二', 1, "2024-02-29", "2024-02-29 13:01:02")
    assert second == ("0013", None, None, None, 0, None, None)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_database_becomes_a_snapshot_in_a_process_that_never_writes_the_password(
    kind: str, server: Server, tmp_path: Path
) -> None:
    with table(kind, server, "loans", "id varchar(20), x integer", "('b', 2)", "('a', 1)") as name:
        spec = IngestSpec("loans", "id", str(tmp_path), limits=Limits(), reader=reader(kind, server, table=name))
        order = tmp_path / "ingest.json"
        order.write_bytes(msgspec.json.encode(spec))
        ended = subprocess.run(
            [sys.executable, "-m", "hanse.runtime", "ingest", str(order)],
            input=server.password.encode(),
            capture_output=True,
            check=False,
        )
    result = msgspec.json.decode((tmp_path / "result.json").read_bytes(), type=AttemptResult)
    assert result.state == "succeeded", ended.stderr.decode()
    assert result.outputs["table"].rows == 2
    written = ended.stdout + ended.stderr + b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert b"tiger" not in written


def test_trying_a_source_says_what_answers_and_lists_tables(kind: str, server: Server) -> None:
    with table(kind, server, "loans", "id varchar(20)") as name:
        order = Order(reader(kind, server), server.password)
        ended = subprocess.run(
            [sys.executable, "-m", "hanse.runtime", "source"],
            input=msgspec.json.encode(order),
            capture_output=True,
            check=True,
        )
    answer = msgspec.json.decode(ended.stdout, type=Answer)
    assert answer.server
    assert name in answer.tables


def refusal(wanted: Reader, password: str = PASSWORD) -> Fault:
    with pytest.raises(HanseError) as raised, opened(wanted, password) as database:
        database.server()
    assert password not in str(raised.value)
    return raised.value.fault


def test_each_failure_to_connect_has_its_reason(kind: str, server: Server) -> None:
    assert refusal(reader(kind, server), "wrong-password").code == "source.password"
    assert refusal(reader(kind, server, port=free_port())).code == "source.refused"
    assert refusal(reader(kind, server, database="absent")).code in ("source.database", "source.permission")
    assert refusal(reader(kind, server, tls="require")).code == "source.tls"
    assert refusal(reader(kind, server, tls="verify")).code == "source.tls"


def staged_refusal(wanted: Reader, folder: Path) -> Fault:
    with pytest.raises(HanseError) as raised:
        stage(wanted, "tiger", folder, Limits())
    assert list(folder.iterdir()) == []
    return raised.value.fault


BREAKOUTS = (
    "SELECT 1 AS x; DROP TABLE victim",
    "SELECT 1 AS x) AS q; DROP TABLE victim; --",
    "SELECT 1 AS x) AS q; DROP TABLE victim; -- \n",
    "SELECT 1 AS x) AS q; DROP TABLE victim; /*",
    "DROP TABLE victim",
    "DELETE FROM victim",
    "SELECT 1 AS x; COMMIT; DROP TABLE victim",
    "WITH gone AS (DELETE FROM victim RETURNING *) SELECT * FROM gone",
)


@pytest.mark.parametrize("query", BREAKOUTS)
def test_a_query_that_would_change_something_changes_nothing(
    kind: str, server: Server, tmp_path: Path, query: str
) -> None:
    with table(kind, server, "victim", "id varchar(20)", "('kept')"):
        assert staged_refusal(reader(kind, server, query=query), tmp_path).code == "source.query"
        assert [tuple(row) for row in run(kind, server, "SELECT id FROM victim")] == [("kept",)]


def test_a_query_writes_no_file_on_the_server(mysql: Server, tmp_path: Path) -> None:
    for tail in ("", f") AS q INTO OUTFILE '{OUTFILE}' /*", f") AS q INTO OUTFILE '{OUTFILE}' #"):
        query = f"SELECT 1 AS x {tail}" if tail else f"SELECT 1 INTO OUTFILE '{OUTFILE}'"
        assert staged_refusal(reader("mariadb", mysql, query=query), tmp_path).code == "source.query"
    assert not Path(OUTFILE).exists()


def test_a_table_that_the_catalogue_does_not_have_is_not_asked_for(kind: str, server: Server, tmp_path: Path) -> None:
    for name in ('x" ; DROP TABLE victim; --', "x` ; DROP TABLE victim; -- ", "absent"):
        assert staged_refusal(reader(kind, server, table=TableName("public", name)), tmp_path).code == "source.no_table"


def test_a_query_that_takes_too_long_is_ended(kind: str, server: Server, tmp_path: Path) -> None:
    pause = "pg_sleep(20)::text" if kind == "postgresql" else "sleep(20)"
    wanted = reader(kind, server, query=f"SELECT {pause} AS x", statement_s=0.2)
    if kind == "postgresql":
        assert staged_refusal(wanted, tmp_path).code == "source.timeout"
    else:
        assert staged_refusal(wanted, tmp_path).code in ("source.timeout", "source.query")


@pytest.mark.parametrize("host", ["/run", "a b", "a=b", "-oops", "", "h,other", "h?sslmode=disable", "u@h"])
def test_a_host_that_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"kind": "mysql", "host": host, "port": 1, "database": "d", "user": "u"}, SourceSpec)


@pytest.mark.parametrize(
    "database", ["postgres host=/tmp", "postgresql://x/y?sslmode=disable", "service=x", "dbname=postgres options=-cx=1"]
)
def test_a_databases_name_brings_no_options(postgresql: Server, database: str) -> None:
    assert refusal(reader("postgresql", postgresql, database=database)).code == "source.database"


def test_a_column_of_bytes_is_refused_by_its_name(kind: str, server: Server, tmp_path: Path) -> None:
    sort = "bytea" if kind == "postgresql" else "varbinary(9)"
    with table(kind, server, "raw", f"id varchar(9), photo {sort}", "('a', 'xyz')") as name:
        assert staged_refusal(reader(kind, server, table=name), tmp_path).code == "source.column_type"
