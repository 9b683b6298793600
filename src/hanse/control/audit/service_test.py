from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.databases import open_new

from hanse.control.audit import chain
from hanse.control.audit import service as audit
from hanse.control.audit.chain import START, Link
from hanse.control.audit.origin import Origin, coming_from
from hanse.control.audit.tables import AuditLine
from hanse.control.database import Database
from hanse.control.migrations import upgrade


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_new(tmp_path)
    yield database
    database.close()


def test_records_are_numbered_and_can_be_neither_changed_nor_removed(database: Database) -> None:
    with database.write() as session:
        audit.append(session, audit.ADMINISTRATOR, "dataset.register", "people", rows=3)
        audit.append(session, audit.NODE, "node.start", "bank")
    with database.read() as session:
        first, second = audit.lines(session)
        assert (first.number, first.action, first.details, first.result) == (1, "dataset.register", {"rows": 3}, "done")
        assert [line.number for line in audit.lines(session, after=1)] == [second.number]
    with pytest.raises(RuntimeError), database.write() as session:
        session.get_one(AuditLine, 1).actor = "somebody else"
    with pytest.raises(RuntimeError), database.write() as session:
        session.delete(session.get_one(AuditLine, 1))


def test_a_record_says_from_where_something_was_asked_for(database: Database) -> None:
    with coming_from(Origin("key", "key-1", "192.0.2.7", "c0ffee", "user-1")), database.write() as session:
        by_key = audit.append(session, "key-1", "job.start", "job-1", project="project-1")
        of_itself = audit.append(session, audit.NODE, "job.end", "job-1")
    with database.write() as session:
        inside = audit.append(session, audit.NODE, "member.confirmed", "ab" * 16)
    said = (by_key.person, by_key.door, by_key.via, by_key.address, by_key.correlation, by_key.project)
    assert said == ("user-1", "key", "key-1", "192.0.2.7", "c0ffee", "project-1")
    assert of_itself.person == audit.NODE
    assert (inside.door, inside.partner) == ("node", "ab" * 16)


def test_what_is_rolled_back_leaves_no_record_and_no_gap(database: Database) -> None:
    def fail() -> None:
        with database.write() as session:
            audit.append(session, audit.NODE, "a", "b")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.write() as session:
        assert audit.append(session, audit.NODE, "a", "b").number == 1


def test_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    def write(worker: int) -> None:
        for step in range(5):
            with database.write() as session:
                audit.append(session, f"user-{worker}", "thing.change", f"thing-{step}", step=step)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    with database.read() as session:
        records = [audit.fields_of(line) for line in audit.lines(session)]
        assert chain.follow(records, Link(0, START)) == (40, Link(40, records[-1]["hash"]), None, "")


def test_records_of_before_the_chain_are_linked_when_the_database_is_brought_to_this_release(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    upgrade(database, "0023")
    write = "INSERT INTO audit_lines (number, at, actor, action, subject, details) VALUES (:n, :at, 'x', 'a', 's', :d)"
    with database.write() as session:
        for number in (1, 2, 5):  # a transaction that was rolled back has taken numbers on PostgreSQL
            session.execute(text(write), {"n": number, "at": "2026-01-01T00:00:00.000Z", "d": '{"名": 1}'})
    upgrade(database)
    with database.write() as session:
        assert audit.append(session, audit.NODE, "node.start", "bank").number == 4
        records = [audit.fields_of(line) for line in audit.lines(session)]
    assert chain.follow(records, Link(0, START)).broken is None
    assert [record["number"] for record in records] == [1, 2, 3, 4]
    database.close()
