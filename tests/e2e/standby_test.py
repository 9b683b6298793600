"""Two processes of a node on PostgreSQL: the one that stands by goes on where a killed one was; nothing runs twice."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from tests import servers
from tests.e2e.federation import Federation, raised, wait
from tests.e2e.jobs_test import demand_success

from hanse.control.nodes.seat import SEAT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

START_S = 60.0


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with servers.postgresql() as server:
        yield f"postgresql+psycopg://{server.user}:{server.password}@{server.host}:{server.port}/{server.database}"


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Federation]:
    with raised(tmp_path_factory.mktemp("standby"), settings={"bank": {"HANSE_DATABASE": database}}) as federation:
        yield federation


def test_who_stands_by_takes_over_a_job_whose_finished_tasks_do_not_run_again(federation: Federation) -> None:
    bank = federation.guest
    job = federation.run(federation.pipeline(trees=12, depth=3))
    federation.wait_for_progress(bank, job, "boost")
    second = bank.stand_by()
    wait(lambda: "node.standby" in bank.log, START_S, "the second process stands by")
    bank.take_over(second)
    demand_success(federation, job)
    attempts = {task.name: task.attempt for task in bank.client.job(job).tasks}
    assert {name: attempts[name] for name in ("data", "align", "split")} == {"data": 1, "align": 1, "split": 1}
    for node in federation.nodes.values():
        events = node.client.job_events(job).events
        ended = [event for event in events if event.kind == "job" and event.data.get("state") == "succeeded"]
        assert len(ended) == 1


def test_a_process_that_stands_by_ends_when_told_to(federation: Federation) -> None:
    bank = federation.guest
    before = bank.log.count("node.standby")
    second = bank.stand_by()
    wait(lambda: bank.log.count("node.standby") > before, START_S, "the second process stands by")
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) != 0
    assert bank.client.node().organisation == "bank"


def test_one_database_is_served_by_one_process_whatever_its_directory(federation: Federation, tmp_path: Path) -> None:
    bank = federation.guest
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(bank.directory, elsewhere, ignore=shutil.ignore_patterns("lock", "socket"))
    said = subprocess.run(
        bank.command("up", elsewhere), env=bank.environment, capture_output=True, timeout=START_S, check=False
    )
    assert said.returncode != 0
    assert b"node.running" in said.stdout + said.stderr
    assert bank.client.node().organisation == "bank"


def test_who_has_lost_the_seat_stops_and_says_so(federation: Federation, database: str) -> None:
    bank = federation.guest
    holders = text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = :seat")
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(holders, {"seat": SEAT})
    engine.dispose()
    assert bank.process.wait(60) != 0
    assert "node.superseded" in bank.log
    bank.start()
    assert bank.client.node().organisation == "bank"
