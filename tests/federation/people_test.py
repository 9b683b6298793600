"""What somebody does with an account of its own from the command line, and how a program calls a node."""

from __future__ import annotations

import asyncio
import re
from base64 import b32decode
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from tests.federation.commands_test import code_of, run
from typer.testing import CliRunner

from hanse.cli.app import app
from hanse.client import AsyncClient, Client, Refusal
from hanse.client.login import make_key

FIRST, SECOND = "twelve green bicycles", "a ladder of seven moons"


async def hire(bank: Any, name: str, *groups: str) -> None:
    made = await bank.ask("POST", "/users", {"name": name, "groups": list(groups)})
    await run(bank, "user", "choose-password", "--code", made["code"], "--password", FIRST)


async def test_somebody_changes_its_password_and_enrols_an_authenticator(open_house: Any) -> None:
    bank = await open_house("bank")
    await hire(bank, "li", "modeller")
    assert await code_of(bank, "user", "password", "li", "--old", SECOND, "--password", SECOND) == "login.refused"
    await run(bank, "user", "password", "li", "--old", FIRST, "--password", SECOND)
    place = ("--directory", str(bank.directory))

    def enrol() -> Any:
        called = CliRunner().invoke(app, ["user", "totp", "li", "--password", SECOND, *place], input="000000\n")
        return called.exception, called.output

    refused, told = await asyncio.to_thread(enrol)
    assert isinstance(refused, Refusal)
    assert refused.fault.code == "totp.wrong"
    assert "Give this to the authenticator" in told


async def test_an_authenticator_is_asked_for_once_confirmed_and_removed_with_a_code(
    open_house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = await open_house("bank")
    await hire(bank, "li", "modeller")
    secrets: list[str] = []
    say = typer.echo

    def hear(text: Any = "", **how: Any) -> None:
        secrets.extend(re.findall("authenticator: ([A-Z2-7]+)", str(text)))
        say(text, **how)

    monkeypatch.setattr("typer.echo", hear)

    def code(step: int = 0) -> str:
        totp = TOTP(b32decode(secrets[0]), 6, SHA1(), 30)  # noqa: S303 (RFC 6238)
        return totp.generate(int(datetime.now(UTC).timestamp()) + 30 * step).decode()

    monkeypatch.setattr("typer.prompt", lambda *_, **__: code())
    told = await run(bank, "user", "totp", "li", "--password", FIRST)
    assert await code_of(bank, "user", "totp", "li", "--password", FIRST, "--remove") == "login.code"
    spare = told["recovery_codes"][0]
    await run(bank, "user", "totp", "li", "--password", FIRST, "--code", spare, "--remove")
    assert not (await run(bank, "user", "show", "li"))["totp"]


async def test_an_account_is_changed_and_works_in_projects(open_house: Any) -> None:
    bank = await open_house("bank")
    await hire(bank, "li", "modeller")
    assert (await run(bank, "user", "change", "li", "--email", "li@bank.example"))["email"] == "li@bank.example"
    await bank.ask("POST", "/projects", {"name": "credit", "members": []})
    assert await run(bank, "user", "projects", "li", "--add", "credit") == ["credit"]
    assert await run(bank, "user", "projects", "li", "--remove", "credit") == []


async def test_a_program_calls_a_node_by_its_address_with_a_key(open_house: Any) -> None:
    bank = await open_house("bank")
    await hire(bank, "scoring", "modeller")
    key = await make_key(bank.node.rest, "", "scoring", FIRST, "", "nightly")
    async with AsyncClient(bank.node.rest, key=key) as program:
        assert (await program.me()).name == "scoring/nightly"
        with pytest.raises(Refusal) as refused:
            await program.users()
        assert refused.value.fault.code == "access.denied"

    def ask() -> str:
        with Client(bank.node.rest, key=key) as plain:
            return plain.me().kind

    assert await asyncio.to_thread(ask) == "key"
