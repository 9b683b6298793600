"""Transactions on a real file."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import String, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from hanse.control.database import Database, Record
from hanse.core.faults import HanseError
from hanse.core.schema import Column, Schema


class Own(DeclarativeBase):
    """Tables of this test alone."""


class Counter(Own):
    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[int]
    schema: Mapped[Schema | None] = mapped_column(Record(Schema))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    Own.metadata.create_all(database.engine)
    with database.write() as session:
        session.add(Counter(name="a", value=0))
    yield database
    database.close()


def add_one(database: Database) -> None:
    with database.write() as session:
        counter = session.get_one(Counter, "a")
        counter.value += 1


def add_twenty(database: Database) -> None:
    for _ in range(20):
        add_one(database)


def read_value(database: Database) -> int:
    with database.read() as session:
        return session.get_one(Counter, "a").value


def test_writers_that_read_first_wait_for_one_another_and_lose_nothing(database: Database) -> None:
    threads = [threading.Thread(target=add_twenty, args=(database,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_value(database) == 120


def test_an_exception_undoes_the_whole_transaction(database: Database) -> None:
    def fail_after_writing() -> None:
        with database.write() as session:
            session.get_one(Counter, "a").value = 9
            session.flush()
            raise LookupError

    with pytest.raises(LookupError):
        fail_after_writing()
    assert read_value(database) == 0


def test_a_reader_cannot_write(database: Database) -> None:
    def write_while_reading() -> None:
        with database.read() as session:
            session.get_one(Counter, "a").value = 9
            session.flush()

    with pytest.raises(HanseError) as caught:
        write_while_reading()
    assert caught.value.fault.code == "database.readonly"
    add_one(database)  # the connection that refused goes on to serve writers


def test_a_reader_sees_one_state_while_a_writer_commits(database: Database) -> None:
    with database.read() as session:
        assert session.get_one(Counter, "a").value == 0
        add_one(database)
        assert session.scalar(select(Counter.value)) == 0
    assert read_value(database) == 1


def test_a_structure_comes_back_as_it_went_in(database: Database) -> None:
    schema = Schema((Column("phone", "text", "id"), Column("age", "integer")))
    with database.write() as session:
        session.add(Counter(name="b", value=1, schema=schema))
    with database.read() as session:
        assert session.get_one(Counter, "b").schema == schema
        assert session.get_one(Counter, "a").schema is None


def test_objects_outlive_their_transaction(database: Database) -> None:
    with database.write() as session:
        counter = session.get_one(Counter, "a")
        counter.value = 7
    assert counter.value == 7


@pytest.mark.sqlite
def test_a_database_that_cannot_be_opened_is_told_as_such(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'absent' / 'test.db'}")
    with pytest.raises(HanseError) as caught, database.read() as session:
        session.execute(select(1))
    assert caught.value.fault.code == "database.unopened"


@pytest.mark.sqlite
def test_a_full_disk_is_told_as_such_and_nothing_of_the_transaction_is_kept(database: Database) -> None:
    def fill() -> None:
        with database.write() as session:
            session.get_one(Counter, "a").value = 1
            session.flush()
            session.connection().exec_driver_sql("PRAGMA max_page_count = 1")  # not below what is there already
            session.add_all(Counter(name=f"{i:019}", value=i) for i in range(5000))

    with pytest.raises(HanseError) as caught:
        fill()
    assert caught.value.fault.code == "database.full"
    assert read_value(database) == 0


def test_what_postgresql_says_is_told_in_the_catalogues_words() -> None:
    gone = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(HanseError) as caught, gone.read() as session:
        session.scalar(text("SELECT 1"))
    assert caught.value.fault.code == "database.away"
