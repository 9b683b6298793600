"""A node as a process: it starts, says where it is, refuses a second one, and leaves nothing when it stops."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from hanse.cli import premises
from hanse.cli.node import serve
from hanse.cli.premises import claimed
from hanse.client import AsyncClient
from hanse.client.login import Login, keep_login, make_key, read_login, see_certificate
from hanse.core.faults import HanseError

PORTS = ("--party-host", "127.0.0.1", "--party-port", "0", "--rest-port", "0")


@asynccontextmanager
async def started(directory: Path, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start `hanse node up`; kill what the test has left of it."""
    command = (sys.executable, "-m", "hanse.cli", "node", "up", "--directory", str(directory), *PORTS, *more)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


async def up(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Return what the node says when it is up; fail with all that it said when it ends instead."""
    said = ""
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode():
        said += line
        if '"node.up"' in line:
            return dict(json.loads(line))
    raise AssertionError(said)


async def ask(directory: Path, path: str) -> Any:
    """Return what the node answers to whoever has read its directory."""
    address = json.loads((directory / "node.json").read_text())
    headers = {"Authorization": f"Bearer {(directory / 'token').read_text()}"}
    async with httpx2.AsyncClient(base_url=address["rest"], headers=headers, timeout=30.0) as client:
        return (await client.get(path)).json()


async def test_a_node_says_where_it_is_and_leaves_nothing_when_it_is_told_to_stop(tmp_path: Path) -> None:
    directory = tmp_path / "bank"
    async with started(directory, "--name", "bank") as process:
        said = await up(process)
        address = json.loads((directory / "node.json").read_text())
        assert address == {"rest": said["rest"], "party": said["party"], "pid": process.pid}
        node = await ask(directory, "/v1/node")
        assert (node["organisation"], node["party_address"]) == ("bank", said["party"])
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        await process.communicate()
        assert process.returncode == 0
        assert psutil.wait_procs(family, timeout=10.0)[1] == []
        assert not (directory / "node.json").exists()
        assert {path.stat().st_mode & 0o077 for path in directory.rglob("*")} == {0}


async def test_a_second_node_of_a_directory_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async with started(tmp_path, "--name", "bank") as first:
        await up(first)
        async with started(tmp_path) as second:
            _, said = await second.communicate()
            assert second.returncode == 1
            assert b"node.running" in said
            assert str(first.pid).encode() in said
        assert (await ask(tmp_path, "/v1/node"))["organisation"] == "bank"


async def test_the_first_administrator_logs_in_from_elsewhere_over_a_certificate_that_was_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    directory = tmp_path / "bank"
    async with started(directory, "--name", "bank", "--rest-host", "0.0.0.0") as process:  # noqa: S104
        url = (await up(process))["rest"]
        assert url.startswith("https://")
        code = (directory / "setup-link").read_text().strip().rpartition("#")[2]
        async with AsyncClient(directory) as local:  # its certificate is in node.json
            await local.set_up(code, "li", "twelve green bicycles")
            assert [user.name for user in await local.users()] == ["li"]
        seen = await see_certificate(url)
        text = await make_key(url, seen, "li", "twelve green bicycles", "", "laptop")
        assert keep_login(Login(url, text, seen)).stat().st_mode & 0o777 == 0o600
        async with AsyncClient(tmp_path / "elsewhere", read_login()) as far:
            assert (await far.me()).name == "li/laptop"
            assert (await far.node()).organisation == "bank"
        async with AsyncClient(url, key=text, fingerprint=seen) as program:
            assert (await program.me()).name == "li/laptop"
        async with AsyncClient(tmp_path / "elsewhere", Login(url, text, "00" * 32)) as deceived:
            with pytest.raises(HanseError) as error:
                await deceived.me()
            assert error.value.fault.code == "node.down"


async def test_a_killed_node_starts_again_as_the_same_organisation(tmp_path: Path) -> None:
    async with started(tmp_path, "--name", "bank") as first:
        await up(first)
        before = await ask(tmp_path, "/v1/node")
        first.kill()
        await first.communicate()
    async with started(tmp_path) as second:  # its name is in node.toml, the lock fell with the process
        await up(second)
        after = await ask(tmp_path, "/v1/node")
        assert after["organisation_id"] == before["organisation_id"]


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.mark.parametrize("which", ["rest_port", "party_port"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, taken: int, which: str) -> None:
    given = {"organisation": "bank", "party_host": "127.0.0.1", "party_port": 0, "rest_port": 0, which: taken}
    with pytest.raises(HanseError) as error:
        serve(tmp_path, given)
    assert error.value.fault.code == "node.port_taken"
    assert str(taken) in error.value.fault.cause
    assert not (tmp_path / "node.json").exists()


def test_a_place_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HanseError) as error:
        serve(tmp_path / "file", {"organisation": "bank"})
    assert error.value.fault.code == "node.directory"


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    full = premises.explain(tmp_path, OSError(28, "No space left on device"))
    assert full.fault.code == "database.full"


def test_a_directory_is_claimed_by_one_and_free_afterwards(tmp_path: Path) -> None:
    with claimed(tmp_path / "bank"):
        with pytest.raises(HanseError) as error, claimed(tmp_path / "bank"):
            pass
        assert error.value.fault.code == "node.running"
    with claimed(tmp_path / "bank"):
        assert (tmp_path / "bank" / "lock").read_text() == str(os.getpid())
