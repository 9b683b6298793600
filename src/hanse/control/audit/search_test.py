from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.databases import open_new

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import search
from hanse.control.audit import service as audit
from hanse.control.audit.search import Wanted
from hanse.control.database import Database
from hanse.core.ids import ProjectId


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_new(tmp_path)
    with database.write() as session:
        audit.append(session, "user-1", "grant.give", "grant-1", project="project-1", name="话单")
        audit.append(session, "user-2", "grant.give", "grant-2", project="project-2")
        audit.append(session, "user-1", "member.confirm", "ab" * 16)
    yield database
    database.close()


def numbers(database: Database, wanted: Wanted, caller: Caller = LOCAL, after: int = 0, limit: int = 9) -> list[int]:
    with database.read() as session:
        return [line.number for line in search.find(session, caller, wanted, after=after, limit=limit)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), [3, 2, 1]),
        (Wanted(actor="user-1"), [3, 1]),
        (Wanted(action="grant.give", project="project-2"), [2]),
        (Wanted(partner="ab" * 16), [3]),
        (Wanted(text="话单"), [1]),
        (Wanted(text="GRANT-"), [2, 1]),
        (Wanted(text="%"), []),
        (Wanted(since="2999-01-01T00:00:00.000Z"), []),
    ],
)
def test_records_are_found_by_what_they_say(database: Database, wanted: Wanted, found: list[int]) -> None:
    assert numbers(database, wanted) == found


def test_pages_go_on_where_the_last_one_ended(database: Database) -> None:
    assert numbers(database, Wanted(), limit=2) == [3, 2]
    assert numbers(database, Wanted(), after=2) == [1]


def test_with_scope_own_one_sees_what_one_did_and_what_is_of_ones_projects(database: Database) -> None:
    own = frozenset({ProjectId("project-1")})
    mine = Caller("user-2", "b", "user", {Permission.AUDIT_READ: "own"}, own)
    assert numbers(database, Wanted(), mine) == [2, 1]
    assert numbers(database, Wanted(), Caller("user-1", "a", "user", {})) == []


def test_a_change_behind_the_nodes_back_is_named(database: Database) -> None:
    assert search.verify(database)[0::2] == (3, None)
    with database.write() as session:
        session.execute(text("UPDATE audit_lines SET subject = 'grant-9' WHERE number = 2"))
    assert search.verify(database).broken == 2


def test_a_missing_end_is_named(database: Database) -> None:
    with database.write() as session:
        session.execute(text("DELETE FROM audit_lines WHERE number = 3"))
    assert search.verify(database)[2:] == (3, "the chain ends before record 3")
