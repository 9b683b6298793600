"""Three offices, open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.control.house import house
from tests.control.offices import Office, Wire

__all__ = ["Trio", "house", "trio"]


class Trio(NamedTuple):
    bank: Office
    telecom: Office
    shop: Office

    @property
    def wire(self) -> Wire:
        return self.bank.wire


@pytest.fixture
async def trio(tmp_path: Path) -> AsyncIterator[Trio]:
    wire = Wire()
    offices = Trio(*(Office(name, tmp_path / name, wire) for name in ("bank", "telecom", "shop")))
    for office in offices:
        await office.open()
    yield offices
    for office in offices:
        await office.close()
        office.database.close()
