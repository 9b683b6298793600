"""Tables of real servers become datasets, and nothing that a source's settings say opens a hole."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import psycopg
import pymysql
import pytest
from tests.servers import SSL_REQUEST, Server, authority, free_port

from hanse.core.faults import Fault, HanseError
from hanse.core.sources import Answer, Order, Reader, SourceSpec, TableName
from hanse.core.specs import AttemptResult, IngestSpec, Limits
from hanse.runtime.readers.databases import opened
from hanse.runtime.readers.stage import stage

PASSWORD = "tiger"
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
    return duckdb.connect().execute(f"SELECT * FROM read_parquet('{path}') ORDER BY 1").fetchall()


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


def test_a_query_reads_what_the_table_holds(postgresql: Server, tmp_path: Path) -> None:
    """A table comes by COPY and a query through a cursor: the same cells."""
    columns = (
        "id varchar(20), b boolean, n numeric(30,5), f double precision, d date, ts timestamptz, i interval, u uuid, "
        "c char(4), t text"
    )
    rows = (
        "('1', true, 12.50000, 0.1, '2024-02-29', '2024-02-29 13:01:02.5+08', '1 day 02:00', NULL, 'ab', E'\"\\r\\n,')",
        "('2', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '')",
        "('3', false, -0.00001, -1e300, '0001-01-01', '2024-01-01 00:00:00+00', '-3 mons', NULL, '二', E'\\.')",
    )
    with table("postgresql", postgresql, "mixed", columns, *rows) as name:
        found = []
        for wanted in ({"table": name}, {"query": "SELECT * FROM mixed"}):
            path = stage(reader("postgresql", postgresql, **wanted), "tiger", tmp_path, Limits())
            found.append(rows_of(path))
            path.unlink()
    assert found[0] == found[1]
    assert found[0][0][1:6] == (1, 12.5, 0.1, "2024-02-29", "2024-02-29 05:01:02.5+00")


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
    run("mariadb", mysql, f"SELECT 1 INTO OUTFILE '{mysql.folder}/data/control'")
    assert (mysql.folder / "data" / "control").exists(), "its user may write files, so that we can fail to keep it away"
    target = mysql.folder / "data" / "outfile"
    for tail in ("", f") AS q INTO OUTFILE '{target}' /*", f") AS q INTO OUTFILE '{target}' #"):
        query = f"SELECT 1 AS x {tail}" if tail else f"SELECT 1 INTO OUTFILE '{target}'"
        assert staged_refusal(reader("mariadb", mysql, query=query), tmp_path).code == "source.query"
    hidden = f"SELECT 1 AS x -- '\n) AS q INTO/*!*/outfile '{target}' -- '"
    assert staged_refusal(reader("mariadb", mysql, query=hidden), tmp_path).code == "source.query"
    assert not target.exists()


SERVER_FILES = (
    "SELECT pg_read_file('PG_VERSION') AS x",
    "SELECT \"pg_read_file\"('PG_VERSION') AS x",
    "SELECT U&\"pg\\005fread_file\"('PG_VERSION') AS x",
    "SELECT x FROM dblink('', 'DROP TABLE victim') AS t(x text)",
)


@pytest.mark.parametrize("query", SERVER_FILES)
def test_a_query_reads_no_file_of_the_server(postgresql: Server, tmp_path: Path, query: str) -> None:
    fault = staged_refusal(reader("postgresql", postgresql, query=query), tmp_path)
    assert "may not say" in fault.cause


def test_a_table_that_the_catalogue_does_not_have_is_not_asked_for(kind: str, server: Server, tmp_path: Path) -> None:
    for name in ('x" ; DROP TABLE victim; --', "x` ; DROP TABLE victim; -- ", "absent"):
        assert staged_refusal(reader(kind, server, table=TableName("public", name)), tmp_path).code == "source.no_table"


def test_a_query_that_takes_too_long_is_ended(kind: str, server: Server, tmp_path: Path) -> None:
    """A pause alone proves nothing: MariaDB ends SLEEP itself with 1. Rows that never end do."""
    endless = {
        "postgresql": "SELECT count(*) AS x FROM generate_series(1, 1000000000000)",
        "mariadb": "SELECT sum(a.seq * b.seq) AS x FROM seq_1_to_10000000 a, seq_1_to_10000000 b",
    }
    wanted = reader(kind, server, query=endless[kind], statement_s=0.2)
    assert staged_refusal(wanted, tmp_path).code == "source.timeout"


def test_a_server_is_known_by_its_certificate_and_its_name(kind: str, server: Server) -> None:
    for tls, ca in (("verify", server.ca), ("require", "")):
        wanted = reader(kind, server, host="localhost", tls=tls, ca=ca)
        with opened(msgspec.structs.replace(wanted, addresses=("127.0.0.1",)), PASSWORD) as database:
            assert database.encrypted()
    with opened(reader(kind, server), PASSWORD) as database:
        assert not database.encrypted(), "off is off"
    wrong = reader(kind, server, host="other.example", tls="verify", ca=server.ca)
    assert refusal(msgspec.structs.replace(wrong, addresses=("127.0.0.1",))).code == "source.tls"
    stranger = authority(Path(tempfile.mkdtemp(dir=server.folder)))
    unknown = reader(kind, server, host="localhost", tls="verify", ca=stranger)
    assert refusal(msgspec.structs.replace(unknown, addresses=("127.0.0.1",))).code == "source.tls"


@contextmanager
def listening(serve: Callable[[socket.socket], None], times: int = 1) -> Iterator[int]:
    """Yield a port where the next connections are served, in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def accept() -> None:
            for _ in range(times):
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(20)


def packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number]) + body


def greeting(capabilities: int, plugin: bytes = b"mysql_native_password") -> bytes:
    """The first packet of a server (protocol 10)."""
    low, high = (capabilities & 0xFFFF).to_bytes(2, "little"), (capabilities >> 16).to_bytes(2, "little")
    head = b"\x0a8.0.0\0" + bytes(4) + b"saltsalt\0" + low + b"\x21\x02\0" + high + bytes([21]) + bytes(10)
    return packet(0, head + b"saltsaltsalt\0" + plugin + b"\0")


PLUGINS, SECURE, PROTOCOL_41, CONNECT_WITH_DB = 1 << 19, 1 << 15, 1 << 9, 1 << 3
PLAIN = PLUGINS | SECURE | PROTOCOL_41 | CONNECT_WITH_DB


def test_a_server_without_tls_is_told_nothing(mysql: Server) -> None:
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        connection.sendall(greeting(PLAIN))
        heard.append(connection.recv(4096))

    with listening(serve) as port:
        assert refusal(reader("mysql", mysql, port=port, tls="require")).code == "source.tls"
    assert heard == [b""]


def test_a_server_that_asks_for_the_password_itself_does_not_get_it(mysql: Server) -> None:
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        connection.sendall(greeting(PLAIN))
        connection.recv(4096)
        connection.sendall(packet(2, b"\xfemysql_clear_password\0"))
        heard.append(connection.recv(4096))

    with listening(serve) as port:
        assert refusal(reader("mysql", mysql, port=port)).code == "source.password"
    assert PASSWORD.encode() not in b"".join(heard)


def test_a_server_that_asks_for_a_file_does_not_get_it(mysql: Server, tmp_path: Path) -> None:
    heard: list[bytes] = []
    (tmp_path / "secret").write_text("our own words", "utf-8")

    def serve(connection: socket.socket) -> None:
        connection.sendall(greeting(PLAIN))
        connection.recv(4096)
        connection.sendall(packet(2, b"\0\0\0\x02\0\0\0"))
        connection.recv(4096)
        connection.sendall(packet(1, b"\xfb" + str(tmp_path / "secret").encode()))
        heard.append(connection.recv(4096))

    with listening(serve) as port:
        assert refusal(reader("mysql", mysql, port=port)).code == "source.lost"
    assert b"our own words" not in b"".join(heard)


JUNK = (b"", b"\0" * 64, b"\xff" * 64, packet(0, b"\x0a8.0"), b"HTTP/1.1 400 Bad Request\r\n\r\n", b"N", b"E", b"S")


@pytest.mark.parametrize("junk", JUNK)
def test_a_server_that_speaks_something_else_ends_in_words(kind: str, server: Server, junk: bytes) -> None:
    times = 2 if kind == "postgresql" else 1  # libpq dials by itself the address that was found to answer
    with listening(lambda connection: connection.sendall(junk), times) as port:
        assert refusal(reader(kind, server, port=port, connect_s=2.0)).code.startswith("source.")


def test_postgresql_without_tls_is_told_nothing(postgresql: Server) -> None:
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        if asked := connection.recv(8):
            connection.sendall(b"N")
            heard.extend((asked, connection.recv(4096)))

    with listening(serve, 2) as port:
        assert refusal(reader("postgresql", postgresql, port=port, tls="require")).code == "source.tls"
    assert heard == [SSL_REQUEST, b""]


def test_an_order_shows_no_password(mysql: Server) -> None:
    order = Order(reader("mysql", mysql), PASSWORD)
    assert PASSWORD not in f"{order!r}{order}{[order]}"


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
