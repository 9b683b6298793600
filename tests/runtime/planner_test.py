"""The resident planner as a process, asked through the gateway."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE

import msgspec
import pytest
from tests.gateway.house import House

from hanse.core.faults import HanseError
from hanse.core.planning import Catalogue, DescribeCatalogue


async def start_planner(bank: House, token: str) -> asyncio.subprocess.Process:
    bank.gateway.expect(token)
    environment = {**os.environ, "HANSE_SOCKET": str(bank.gateway.socket_path), "HANSE_TOKEN": token}
    command = [sys.executable, "-m", "hanse.runtime", "planner"]
    return await asyncio.create_subprocess_exec(*command, env=environment, stderr=PIPE)


async def test_it_answers_survives_junk_and_ends_with_its_node(bank: House) -> None:
    planner = await start_planner(bank, "first")
    question = msgspec.msgpack.encode(DescribeCatalogue())
    found = msgspec.msgpack.decode(await bank.gateway.ask(question), type=Catalogue)
    assert "psi" in {card.name for card in found.components}
    with pytest.raises(HanseError, match=r"planner\.question"):
        await bank.gateway.ask(b"\xc1 junk")
    assert await bank.gateway.ask(question)
    await bank.gateway.stop()
    await planner.communicate()
    assert planner.returncode == 0
    await bank.gateway.start("127.0.0.1", 0)


async def test_one_that_was_killed_is_replaced_by_the_next(bank: House) -> None:
    question = msgspec.msgpack.encode(DescribeCatalogue())
    for token in ("first", "second"):
        planner = await start_planner(bank, token)
        assert await bank.gateway.ask(question)
        planner.kill()
        await planner.communicate()
    with pytest.raises(HanseError, match=r"planner\.away"):
        await bank.gateway.ask(question, timeout_s=0.1)
