"""Files of a real Hadoop become tables: a name node sends the reader on to a data node, which is judged first.

The jars are in the folder that HANSE_TEST_HADOOP names, or come by Maven, which the deep tests wait for.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import pytest

from hanse.core.faults import HanseError
from hanse.core.sources import Reader, SourceSpec, TableName
from hanse.core.specs import Limits
from hanse.runtime.readers import stores
from hanse.runtime.readers.stage import stage

pytestmark = [pytest.mark.deep, pytest.mark.timeout(400)]

HERE = Path(__file__).parent / "hadoop"
JARS = "HANSE_TEST_HADOOP"
START_S = 120.0
CONTENT = b"id,x\n" + b"".join(b"%d,%d\n" % (row, row) for row in range(200_000))


@pytest.fixture(scope="module")
def jars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if JARS in os.environ:
        return Path(os.environ[JARS])
    if not (shutil.which("java") and shutil.which("mvn")):
        pytest.skip("neither Java and Maven nor the jars of Hadoop are here")
    folder = tmp_path_factory.mktemp("hadoop")
    command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
    subprocess.run([*command, f"-DoutputDirectory={folder}"], check=True, timeout=300)
    return folder


@pytest.fixture(scope="module")
def port(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("cluster")
    command = ["java", "-Xmx512m", "-cp", f"{jars}/*", str(HERE / "Cluster.java"), str(folder)]
    log = folder / "log"
    with (
        log.open("wb") as file,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file) as process,
    ):
        assert process.stdout is not None
        end = time.monotonic() + START_S
        while not (line := process.stdout.readline()).startswith(b"port "):
            assert line, log.read_text("utf-8", "replace")[-2000:]
            assert time.monotonic() < end
        yield int(line.split()[1])
        process.kill()


def put(port: int, name: str, content: bytes, user: str = "owner") -> None:
    """Write a file as WebHDFS says: the name node names a data node, which takes the content."""
    where: tuple[str, int] = ("127.0.0.1", port)
    path = f"/webhdfs/v1/{quote(name)}?op=CREATE&overwrite=true&permission=600&user.name={user}"
    for body, status in ((None, 307), (content, 201)):
        with closing(http.client.HTTPConnection(*where, timeout=30)) as connection:
            connection.request("PUT", path, body, {"Content-Type": "application/octet-stream"})
            answer = connection.getresponse()
            assert answer.status == status, answer.read()
            if status == 307:
                place = urlsplit(answer.headers["Location"])
                assert place.hostname
                assert place.port
                where, path = (place.hostname, place.port), f"{place.path}?{place.query}"


def reader(port: int, name: str = "", *, allowed: tuple[str, ...] = ("127.0.0.0/8",), **changes: Any) -> Reader:
    spec = {"kind": "webhdfs", "host": "127.0.0.1", "port": port, "database": "/data", "user": "owner", "tls": "off"}
    table = TableName("", name) if name else None
    return Reader(msgspec.convert(spec | changes, SourceSpec), ("127.0.0.1",), table, allowed=allowed)


def refusal(wanted: Reader, folder: Path) -> str:
    with pytest.raises(HanseError) as raised:
        stage(wanted, "", folder, Limits())
    assert list(folder.iterdir()) == []
    return raised.value.fault.code


def test_files_of_hadoop_become_tables(port: int, tmp_path: Path) -> None:
    put(port, "data/people.csv", CONTENT)
    put(port, "data/人 员&+%/1.csv", b"id,x\na,1\n")
    put(port, "data/人 员&+%/deep/2.csv", b"id,x\nb,2\n")
    path = stage(reader(port, "people.csv"), "", tmp_path, Limits())
    assert path.read_bytes() == CONTENT
    path = stage(reader(port, "人 员&+%/"), "", tmp_path, Limits())
    assert path.read_bytes() == b"id,x\na,1\nb,2\n"
    with stores.opened(reader(port), "") as store:
        assert store.server()
        assert [table.name for table in store.tables(10)] == [
            "people.csv",
            "人 员&+%/",
            "人 员&+%/1.csv",
            "人 员&+%/deep/",
            "人 员&+%/deep/2.csv",
        ]


def test_a_read_goes_on_in_the_middle(port: int) -> None:
    put(port, "data/people.csv", CONTENT)
    with stores.opened(reader(port), "") as store, store.get("people.csv", 100_000, "") as body:
        assert (body.size_bytes, body.response.read()) == (len(CONTENT), CONTENT[100_000:])


def test_each_refusal_of_hadoop_has_its_reason(port: int, tmp_path: Path) -> None:
    put(port, "data/people.csv", b"id\n1\n")
    assert refusal(reader(port, "absent.csv"), tmp_path) == "source.no_table"
    assert refusal(reader(port, "absent/"), tmp_path) == "source.no_table"
    assert refusal(reader(port, "people.csv", user="stranger"), tmp_path) == "source.permission"
    assert refusal(reader(port, "people.csv", allowed=()), tmp_path) == "address.refused"
