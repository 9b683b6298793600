"""The queue of profiles: one at a time, taken over from the dead, ended when it takes too long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.databases import open_new

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.datasets.registration import Registration
from hanse.control.datasets.tables import Dataset
from hanse.control.notifications.tables import Notification
from hanse.control.profiles import service
from hanse.control.profiles.profiler import FOLDER, Profiler
from hanse.control.profiles.tables import DatasetProfile
from hanse.control.users.tables import User
from hanse.core.faults import HanseError
from hanse.core.times import format_time, now, parse_time


class Node:
    """A directory, a database and one dataset."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database = open_new(directory)
        self.registration = Registration(directory, self.database)

    async def register(self, name: str = "people", rows: int = 20) -> None:
        path = self.directory / "people.csv"
        path.write_text("id,age\n" + "".join(f"{n},{n}\n" for n in range(rows)))
        await self.registration.register(name, str(path), "id")

    def profiler(self, *, automatic: bool = False, most_s: float = 60.0) -> Profiler:
        return Profiler(self.directory, self.database, automatic=automatic, most_s=most_s)

    def ask(self, name: str = "people") -> None:
        with self.database.write() as session:
            service.ask(session, LOCAL, name)

    def states(self) -> dict[tuple[int, int], str]:
        with self.database.read() as session:
            return {(row.version, row.older): row.state for row in session.scalars(select(DatasetProfile))}

    def audited(self) -> list[str]:
        with self.database.read() as session:
            return [line.action for line in audit.lines(session) if line.action.startswith("profile.")]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path)
    await node.register()
    yield node
    node.database.close()


async def test_what_waits_already_is_not_asked_for_twice_and_runs_once(node: Node) -> None:
    profiler = node.profiler()
    assert not await profiler.step()
    node.ask()
    node.ask()
    assert await profiler.step()
    assert not await profiler.step()
    assert node.states() == {(1, 0): "ready"}
    assert node.audited() == ["profile.ask", "profile.measure"]
    assert list((node.directory / FOLDER).iterdir()) == []


async def test_a_run_that_a_dead_process_left_is_taken_over_and_a_living_one_is_not(node: Node) -> None:
    node.ask()
    with node.database.write() as session:
        assert service.claim(session) is not None
    assert not await node.profiler().step(), "somebody runs it"
    with node.database.write() as session:
        row = session.scalars(select(DatasetProfile)).one()
        row.alive_at = format_time(parse_time(now()) - timedelta(seconds=service.SILENT_S + 1))
    assert await node.profiler().step()
    assert node.states() == {(1, 0): "ready"}


async def test_a_run_that_takes_too_long_is_ended_and_says_so(node: Node) -> None:
    node.ask()
    profiler = node.profiler(most_s=0.0)
    assert await profiler.step()
    assert node.states() == {(1, 0): "failed"}
    with node.database.read() as session:
        problem = service.find(session, LOCAL, "people").fault
    assert problem is not None
    assert (problem.code, "took more than" in problem.cause) == ("profile.failed", True)
    assert not profiler._running


async def test_a_node_that_stops_puts_what_it_ran_back(node: Node) -> None:
    node.ask()
    profiler = node.profiler()
    running = asyncio.create_task(profiler.step())
    while not profiler._running:
        await asyncio.to_thread(node.states)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert node.states() == {(1, 0): "waiting"}
    assert not profiler._running
    assert await profiler.step()
    assert node.states() == {(1, 0): "ready"}


async def test_newest_versions_are_measured_by_themselves_once(node: Node) -> None:
    profiler = node.profiler(automatic=True)
    await node.register(rows=30)
    while await profiler.step():
        pass
    assert node.states() == {(2, 0): "ready", (2, 1): "ready"}, "the version before was never the newest here"
    assert node.audited() == ["profile.measure", "profile.compare"]


async def test_figures_are_shown_to_those_who_see_the_dataset(node: Node) -> None:
    node.ask()
    await node.profiler().step()
    ann = Caller("user-ann", "ann", "user", {Permission.DATASETS_READ: "own", Permission.DATASETS_MANAGE: "own"})
    auditor = Caller("user-bob", "bob", "user", {Permission.DATASETS_READ: "all"})
    with node.database.write() as session:
        figures = service.find(session, auditor, "people").figures
        assert figures is not None
        assert figures.rows == 20
        with pytest.raises(HanseError, match=r"dataset\.unknown"):
            service.find(session, ann, "people")
        with pytest.raises(HanseError, match=r"dataset\.unknown"):
            service.ask(session, ann, "people")
        with pytest.raises(HanseError, match=r"access\.denied"):
            service.ask(session, auditor, "people")
        with pytest.raises(HanseError, match=r"profile\.none"):
            service.find(session, auditor, "people", 7)


async def test_the_owner_hears_of_drift_and_of_runs_that_fail(node: Node) -> None:
    with node.database.write() as session:
        session.add(
            User(id="user-ann", name="ann", email="", state="active", must_change=False, totp_step=0, created_at=now())
        )
        session.scalars(select(Dataset)).one().owner = "user-ann"
    await node.register(rows=900)
    profiler = node.profiler(automatic=True)
    while await profiler.step():
        pass
    (node.directory / "data").rename(node.directory / "elsewhere")
    node.ask()
    await profiler.step()
    with node.database.read() as session:
        told = [(row.kind, row.words) for row in session.scalars(select(Notification).order_by(Notification.number))]
    assert told == [
        ("dataset.drifted", {"dataset": "people", "version": "2", "older": "1", "columns": "age"}),
        ("profile.failed", {"dataset": "people", "version": "2", "code": "profile.failed"}),
    ]
