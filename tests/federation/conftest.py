"""Nodes of several organisations in this process: real directories, real TLS, real REST ports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hanse.cli.node import Running, opened
from hanse.cli.premises import claimed
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.settings import load_settings


@dataclass
class House:
    """One organisation's node, spoken to as its administrator does."""

    directory: Path
    node: Running
    client: httpx2.AsyncClient

    @property
    def id(self) -> str:
        return self.node.identity.organisation

    async def ask(self, verb: str, path: str, body: Any = None) -> Any:
        """Return the JSON of an answer that is well."""
        answer = await self.client.request(verb, f"/v1{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def fail(self, verb: str, path: str, body: Any = None) -> dict[str, Any]:
        """Return the error of an answer that is not."""
        answer = await self.client.request(verb, f"/v1{path}", json=body)
        assert answer.is_error, answer.text
        error: dict[str, Any] = answer.json()["error"]
        return {**error, "status": answer.status_code}

    async def pair(self, joiner: House) -> None:
        """Invite another house, as two administrators would, and wait until both are active."""
        code = (await self.ask("POST", "/invitations", {}))["code"]
        fingerprint = (await joiner.ask("POST", "/joins/inspect", {"code": code}))["pair_fingerprint"]
        await joiner.ask("POST", "/joins", {"code": code, "fingerprint": fingerprint})
        await self.ask("POST", f"/members/{joiner.id}/confirm", {"fingerprint": fingerprint})
        while await joiner.state_of(self) != "active":
            pass

    async def state_of(self, other: House) -> str:
        """Return how another house stands here."""
        members = await self.ask("GET", "/members")
        return next((m["state"] for m in members if m["organisation_id"] == other.id), "absent")

    def database(self) -> Database:
        return Database(f"sqlite:///{self.directory / 'hanse.db'}")

    def audited(self, action: str) -> list[tuple[str, dict[str, Any]]]:
        """Return (actor, details) of the audit lines of an action."""
        database = self.database()
        try:
            with database.read() as session:
                return [(line.actor, line.details) for line in audit.lines(session) if line.action == action]
        finally:
            database.close()


OpenHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def open_house(tmp_path: Path) -> AsyncIterator[OpenHouse]:
    """Return a function that starts the node of an organisation; all end with the test."""
    async with AsyncExitStack() as stack:

        async def open_one(name: str, folder: str = "", **more: Any) -> House:
            directory = tmp_path / (folder or name)
            ports = {"rest_port": 0, "party_port": 0, "party_host": "127.0.0.1"}
            given = {"organisation": name, "profile_datasets": False, **ports, **more}
            settings = load_settings(directory, given, environment={})
            stack.enter_context(claimed(directory))
            node = await stack.enter_async_context(opened(settings))
            headers = {"Authorization": f"Bearer {(directory / 'token').read_text()}"}
            client = httpx2.AsyncClient(base_url=node.rest, headers=headers, timeout=30.0)
            return House(directory, node, await stack.enter_async_context(client))

        yield open_one


@pytest.fixture
def until() -> Callable[[Callable[[], Awaitable[Any]], Any], Awaitable[None]]:
    """Return a function that looks until it sees what is wanted; the test's time limit is the limit."""

    async def look_until(look: Callable[[], Awaitable[Any]], wanted: Any) -> None:
        while await look() != wanted:
            pass

    return look_until
