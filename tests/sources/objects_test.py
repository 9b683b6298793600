"""Objects of a real S3 store become tables: one as it is, all below a name together; and what is wrong is said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from tests.servers import Server, authority, free_port, put_object

from hanse.core.faults import Fault, HanseError
from hanse.core.sources import Reader, SourceSpec, TableName
from hanse.core.specs import Limits
from hanse.runtime.readers import s3 as protocol
from hanse.runtime.readers import stores
from hanse.runtime.readers.stage import stage

SECRET = "lion"


def reader(server: Server, name: str = "", **changes: Any) -> Reader:
    spec: dict[str, Any] = {"kind": "s3", "host": server.host, "port": server.port, "database": "shop"}
    spec |= {"user": "reader", "tls": "off"} | changes
    table = TableName("", name) if name else None
    return Reader(msgspec.convert(spec, SourceSpec), ("127.0.0.1",), table)


def read(wanted: Reader, folder: Path, secret: str = SECRET) -> Path:
    return stage(wanted, secret, folder, Limits())


def refusal(wanted: Reader, folder: Path, secret: str = SECRET) -> Fault:
    with pytest.raises(HanseError) as raised:
        read(wanted, folder, secret)
    assert secret not in str(raised.value)
    assert list(folder.iterdir()) == []
    return raised.value.fault


def parquet(folder: Path, query: str) -> bytes:
    path = folder / "made.parquet"
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    content = path.read_bytes()
    path.unlink()
    return content


def test_an_object_comes_as_it_is(s3: Server, tmp_path: Path) -> None:
    content = b"id,x\n" + b"".join(b"%d,%d\n" % (row, row) for row in range(400_000))
    for name in ("people.csv", "a folder/人员 +&=%?.csv"):
        put_object(s3.folder, f"shop/{name}", content)
        path = read(reader(s3, name), tmp_path)
        assert path.read_bytes() == content
        path.unlink()


def test_objects_below_a_name_are_one_table(s3: Server, tmp_path: Path) -> None:
    for name, content in {
        "lines/1.csv": b"\xef\xbb\xbfid,x\r\na,1\r\nb,2",
        "lines/2/deep.csv": b"id,x\nc,3\n",
        "lines/3.csv": b"id,x\n",
        "lines/_SUCCESS": b"no table",
        "lines.csv": b"id,x\nz,9\n",
    }.items():
        put_object(s3.folder, f"shop/{name}", content)
    path = read(reader(s3, "lines/"), tmp_path)
    assert path.read_bytes() == b"id,x\na,1\r\nb,2\nc,3\n"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    path.unlink()
    put_object(s3.folder, "shop/lines/4.csv", b"id,y\nd,4\n")
    assert refusal(reader(s3, "lines/"), tmp_path).code == "source.objects"


def test_parquet_objects_below_a_name_are_one_table(s3: Server, tmp_path: Path) -> None:
    for part in range(3):
        put_object(s3.folder, f"shop/parts/{part}", parquet(tmp_path, f"SELECT 'id{part}' AS id, {part}::BIGINT AS x"))
    path = read(reader(s3, "parts/"), tmp_path)
    rows = duckdb.connect().execute(f"SELECT id, x FROM read_parquet('{path}') ORDER BY 1").fetchall()
    assert rows == [("id0", 0), ("id1", 1), ("id2", 2)]
    path.unlink()
    put_object(s3.folder, "shop/parts/3", parquet(tmp_path, "SELECT 'id3' AS id, 'text' AS x"))
    assert refusal(reader(s3, "parts/"), tmp_path).code == "source.objects"
    put_object(s3.folder, "shop/parts/3", b"PAR1 and no more")
    assert refusal(reader(s3, "parts/"), tmp_path).code == "source.objects"


def test_a_store_lists_what_can_be_read(s3: Server) -> None:
    for name in ("list/a.csv", "list/b/c.parquet", "list/picture.png"):
        put_object(s3.folder, f"shop/{name}", b"content")
    with stores.opened(reader(s3), SECRET) as store:
        found = [table.name for table in store.tables(1000)]
        assert "SeaweedFS" in store.server()
        assert len(store.tables(2)) == 2
    assert [name for name in found if name.startswith("list/")] == [
        "list/",
        "list/a.csv",
        "list/b/",
        "list/b/c.parquet",
    ]


def test_more_objects_than_a_page_are_all_seen(s3: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"many/{number}.csv" for number in range(7)]
    for name in names:
        put_object(s3.folder, f"shop/{name}", b"id\n1\n")
    monkeypatch.setattr(protocol, "PAGE", 3)
    with stores.opened(reader(s3), SECRET) as store:
        assert store.below("many/", 100) == names
        assert store.below("many/", 4) == names[:4]


def test_each_refusal_of_a_store_has_its_reason(s3: Server, tmp_path: Path) -> None:
    put_object(s3.folder, "shop/people.csv", b"id\n1\n")
    assert refusal(reader(s3, "people.csv"), tmp_path, "wrong").code == "source.password"
    assert refusal(reader(s3, "people.csv", user="nobody"), tmp_path).code == "source.password"
    assert refusal(reader(s3, "people.csv", user="stranger"), tmp_path, "bear").code == "source.permission"
    assert refusal(reader(s3, "people.csv", user=""), tmp_path).code == "source.permission"
    assert refusal(reader(s3, "absent.csv"), tmp_path).code == "source.no_table"
    assert refusal(reader(s3, "absent/"), tmp_path).code == "source.no_table"
    assert refusal(reader(s3, "people.csv", user="owner", database="absent"), tmp_path, "tiger").code in (
        "source.database",
        "source.no_table",
    )
    assert refusal(reader(s3, "people.csv", port=free_port()), tmp_path).code == "source.refused"
    assert refusal(reader(s3), tmp_path).code == "source.query"


def test_a_store_is_known_by_its_certificate(s3: Server, tmp_path: Path) -> None:
    put_object(s3.folder, "shop/people.csv", b"id\n1\n")
    port = int((s3.folder / "tls").read_text("utf-8"))
    for tls, ca in (("verify", s3.ca), ("require", "")):
        wanted = reader(s3, "people.csv", host="localhost", port=port, tls=tls, ca=ca)
        read(wanted, tmp_path).unlink()
        with stores.opened(wanted, SECRET) as store:
            assert store.encrypted()
    other = tmp_path / "other"
    other.mkdir()
    stranger, folder = authority(other), tmp_path / "folder"
    folder.mkdir()
    for host, ca in (("localhost", stranger), ("localhost", ""), ("other.example", s3.ca)):
        wanted = reader(s3, "people.csv", host=host, port=port, tls="verify", ca=ca)
        assert refusal(wanted, folder).code == "source.tls"


SIGNED = SourceSpec("s3", "examplebucket.s3.amazonaws.com", 443, "", "AKIAIOSFODNN7EXAMPLE")
EXAMPLES = {  # Amazon S3 API reference, "Authenticating Requests: examples of signature calculations"
    "lifecycle=": "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    "max-keys=2&prefix=J": "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
}


@pytest.mark.parametrize("asked", EXAMPLES)
def test_requests_are_signed_as_the_protocol_says(asked: str) -> None:
    secret, moment = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", datetime(2013, 5, 24, tzinfo=UTC)
    named = protocol.signature(Reader(SIGNED, ()), secret, "/", asked, moment)
    assert named["authorization"].endswith(EXAMPLES[asked])


@contextmanager
def serving(act: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[int, list[Any]]]:
    """Yield a port where GET requests are answered by `act`, and the paths and ranges that were asked for."""
    asked: list[Any] = []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Range"]))
            act(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


CONTENT = b"id,x\n" + b"1,2\n" * 100_000


def half(tags: Iterator[str]) -> Callable[[BaseHTTPRequestHandler], None]:
    """Break the line in the middle of the first answer, and go on where the next question begins."""

    def act(request: BaseHTTPRequestHandler) -> None:
        start = int((request.headers["Range"] or "bytes=0-")[6:-1])
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(CONTENT) - start))
        request.send_header("ETag", next(tags))
        request.end_headers()
        request.wfile.write(CONTENT[start:] if start else CONTENT[: len(CONTENT) // 2])
        request.close_connection = True

    return act


def test_a_line_that_breaks_is_taken_up_where_it_broke(s3: Server, tmp_path: Path) -> None:
    with serving(half(iter(("one", "one")))) as (port, asked):
        path = read(reader(s3, "people.csv", port=port), tmp_path)
    assert path.read_bytes() == CONTENT
    assert [where for _, where in asked] == [None, f"bytes={len(CONTENT) // 2}-"]


def test_content_that_changes_in_between_is_not_put_together(s3: Server, tmp_path: Path) -> None:
    with serving(half(iter(("one", "two")))) as (port, _):
        assert refusal(reader(s3, "people.csv", port=port), tmp_path).code == "source.objects"


def test_a_store_leads_to_no_other_place(s3: Server, tmp_path: Path) -> None:
    visits: list[Any] = []
    with serving(lambda request: visits.append(request.path)) as (target, _):

        def lead(request: BaseHTTPRequestHandler) -> None:
            request.send_response(307)
            request.send_header("Location", f"http://127.0.0.1:{target}/latest/meta-data/")
            request.send_header("Content-Length", "0")
            request.end_headers()

        with serving(lead) as (port, _):
            assert refusal(reader(s3, "people.csv", port=port), tmp_path).code == "source.database"
    assert visits == []


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><ListBucketResult>&c;</ListBucketResult>'
)


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"<a>", BOMB, b"<a/>" * 3_000_000])
def test_an_answer_of_another_protocol_ends_in_words(
    s3: Server, tmp_path: Path, junk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with suppress(OSError):
            request.wfile.write(junk)

    monkeypatch.setattr(stores, "PAUSE_S", 0.0)
    with serving(act) as (port, _):
        assert refusal(reader(s3, "below/", port=port), tmp_path).code == "source.lost"
        assert refusal(reader(s3, "people.csv", port=port), tmp_path).code == "source.lost"


def hadoop(port: int, name: str = "people.csv") -> Reader:
    spec = SourceSpec("webhdfs", "127.0.0.1", port, "/data", "owner", "off")
    return Reader(spec, ("127.0.0.1",), TableName("", name), allowed=("127.0.0.0/8",))


STATUS = b'{"FileStatus": {"type": "FILE", "length": 5, "modificationTime": 1}}'
LEADS = {  # where a name node says that a file is → what becomes of it
    "http://169.254.169.254/webhdfs/v1/data/people.csv": "address.refused",
    "http://[::ffff:10.0.0.1]:80/webhdfs/v1/data/people.csv": "address.refused",
    "https://127.0.0.1:1/webhdfs/v1/data/people.csv": "source.lost",
    "http://127.0.0.1:1/latest/meta-data/": "source.lost",
    "file:///etc/passwd": "source.lost",
    "http://127.0.0.1:99999/webhdfs/v1/": "source.lost",
    "": "source.lost",
}


@pytest.mark.parametrize("lead", LEADS)
def test_a_name_node_leads_to_no_place_that_is_not_allowed(
    tmp_path: Path, lead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(request: BaseHTTPRequestHandler) -> None:
        asks_status = "op=GETFILESTATUS" in request.path
        request.send_response(200 if asks_status else 307)
        if not asks_status:
            request.send_header("Location", lead)
        request.send_header("Content-Length", str(len(STATUS) if asks_status else 0))
        request.end_headers()
        request.wfile.write(STATUS if asks_status else b"")

    monkeypatch.setattr(stores, "PAUSE_S", 0.0)
    with serving(act) as (port, asked):
        assert refusal(hadoop(port), tmp_path).code == LEADS[lead]
    assert all(path.startswith("/webhdfs/v1/data/people.csv?") for path, _ in asked)


NAMES = b'{"FileStatuses": {"FileStatus": [{"type": "FILE", "pathSuffix": "../../etc/passwd"}]}}'


@pytest.mark.parametrize("junk", [b"", b"[]", b"{}", b'{"FileStatuses": {"FileStatus": [1]}}', NAMES, b"[" * 100_000])
def test_an_answer_that_is_not_of_hadoop_ends_in_words(
    tmp_path: Path, junk: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(junk)))
        request.end_headers()
        request.wfile.write(junk)

    monkeypatch.setattr(stores, "PAUSE_S", 0.0)
    with serving(act) as (port, _):
        for name in ("people.csv", "below/"):
            assert refusal(hadoop(port, name), tmp_path).code == "source.lost"


def test_a_password_goes_to_the_gateway_and_no_further(tmp_path: Path) -> None:
    """What a data node would hear: no user's password."""
    heard: list[Any] = []

    def listen(request: BaseHTTPRequestHandler) -> None:
        heard.append(request.headers["Authorization"])
        request.send_response(200)
        request.send_header("Content-Length", "5")
        request.end_headers()
        request.wfile.write(b"id\n1\n")

    with serving(listen) as (target, _):

        def lead(request: BaseHTTPRequestHandler) -> None:
            asks_status = "op=GETFILESTATUS" in request.path
            request.send_response(200 if asks_status else 307)
            request.send_header("Location", f"http://127.0.0.1:{target}/webhdfs/v1/data/people.csv?op=OPEN")
            request.send_header("Content-Length", str(len(STATUS) if asks_status else 0))
            request.end_headers()
            request.wfile.write(STATUS if asks_status else b"")

        with serving(lead) as (port, _):
            path = stage(hadoop(port), "tiger", tmp_path, Limits())
    assert path.read_bytes() == b"id\n1\n"
    assert heard == [None]
