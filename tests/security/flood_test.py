"""Whoever is refused again and again fills neither the disk nor the log."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.databases import open_new

from hanse.api.peer.dispatch import Dispatch
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.nodes.identity import Identity, load_identity
from hanse.control.organisations.membership import Membership
from hanse.core.faults import HanseError
from hanse.core.ids import OrganisationId

TIMES = 200
MOST = 60
"""The burst of 30, and what a slow machine lets in at one a second meanwhile."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_new(tmp_path)
    yield database
    database.close()


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return load_identity(tmp_path, "bank")


def count(database: Database, action: str) -> int:
    with database.read() as session:
        return sum(line.action == action for line in audit.lines(session))


async def test_a_stranger_at_the_pairing_port_writes_few_audit_lines(database: Database, identity: Identity) -> None:
    nobody: Any = None
    membership = Membership(database, identity, nobody, nobody, "0.1.0")
    for _ in range(TIMES):
        with pytest.raises(HanseError, match=r"pairing\.refused"):
            await membership.answer_pair({"invitation": "?" * 5000})
    assert 30 <= count(database, "pairing.refuse") < MOST


async def test_a_member_that_is_refused_writes_few_audit_lines(database: Database, identity: Identity) -> None:
    nobody: Any = None
    dispatch = Dispatch(database, identity, nobody, nobody, nobody)
    for _ in range(TIMES):
        with pytest.raises(HanseError, match=r"peer\.unreadable"):
            await dispatch.answer(OrganisationId("f" * 32), b"\xc1")
    assert 30 <= count(database, "peer.refuse") < MOST
