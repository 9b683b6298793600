"""A node's interface over a database of its own, with people in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from tests.databases import open_new

from hanse.api.console.app import create_app
from hanse.control.admission.gate import Gate
from hanse.control.audit.tables import AuditLine
from hanse.control.nodes.identity import load_identity
from hanse.control.oidc.signing_in import SignIns
from hanse.control.users import groups
from hanse.core.addresses import read_allowed

TOKEN = "the-token-of-the-file"
GOOD = "twelve green bicycles"
OTHER = "a ladder of seven moons"


@dataclass
class Clock:
    """The time of the node, which stands still until the test moves it."""

    now: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


@dataclass
class House:
    """A node's interface over a database of its own."""

    app: Any
    gate: Gate
    clock: Clock

    def browser(self, address: str = "127.0.0.1") -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=self.app, client=(address, 1234))
        return httpx2.AsyncClient(transport=transport, base_url="https://127.0.0.1:8480")

    def local(self) -> httpx2.AsyncClient:
        browser = self.browser()
        browser.headers["Authorization"] = f"Bearer {TOKEN}"
        return browser

    async def hire(self, name: str, *group_names: str) -> str:
        """Make a user with the password GOOD; return its id."""
        async with self.local() as local:
            made = await local.post("/v1/users", json={"name": name, "groups": list(group_names)})
            assert made.status_code == 201, made.text
            chosen = await local.post("/v1/password", json={"code": made.json()["code"], "password": GOOD})
            assert chosen.status_code == 204, chosen.text
            return str(made.json()["user"]["id"])

    @asynccontextmanager
    async def enter(self, name: str, password: str = GOOD) -> AsyncIterator[httpx2.AsyncClient]:
        """Open a browser that has logged in."""
        async with self.browser() as browser:
            answer = await browser.post("/v1/session", json={"name": name, "password": password})
            assert answer.status_code == 200, answer.text
            browser.headers["X-Hanse-CSRF"] = answer.json()["csrf"]
            yield browser

    def lines(self, action: str) -> list[AuditLine]:
        with self.gate.database.read() as session:
            return list(session.scalars(select(AuditLine).where(AuditLine.action == action)))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    database = open_new(tmp_path)
    identity = load_identity(tmp_path, "bank")
    with database.write() as session:
        groups.plant(session)
    clock = Clock()
    gate = Gate(database, tmp_path, clock=clock)
    yield House(create_app((database, gate, identity, SignIns(gate, read_allowed(["localhost"]))), TOKEN), gate, clock)
    database.close()


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]
