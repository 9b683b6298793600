"""Two organisations that have pinned each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.gateway.house import FAST, GUEST, HOST, JOB, House, open_house
from tests.network.proxy import wait_until


@pytest.fixture
async def bank(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """The bank; a test that wants another timing parametrizes it indirectly."""
    house = await open_house(tmp_path, "bank", getattr(request, "param", FAST))
    yield house
    await house.gateway.stop()


@pytest.fixture
async def telecom(tmp_path: Path) -> AsyncIterator[House]:
    house = await open_house(tmp_path, "telecom")
    yield house
    await house.gateway.stop()


@pytest.fixture
def parties(bank: House, telecom: House) -> dict:
    """The bank is the guest, the telecom operator its host; both know the job."""
    bank.side.members.add((telecom.id, JOB))
    telecom.side.members.add((bank.id, JOB))
    return {GUEST: bank.id, HOST: telecom.id}


@pytest.fixture
async def linked(bank: House, telecom: House, parties: dict) -> dict:
    """The parties, with a session between them that the bank dialled."""
    telecom.gateway.pin(bank.peer())
    bank.gateway.pin(telecom.peer(f"127.0.0.1:{telecom.port}"))
    await wait_until(lambda: bank.is_linked_to(telecom) and telecom.is_linked_to(bank))
    return parties
