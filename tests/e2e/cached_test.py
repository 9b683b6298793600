"""An intersection prepared in one job, asked in another, brought up to date in a third; attempts killed in between."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest
from tests.e2e.federation import ROWS, Federation, Node

from hanse.client import Pipeline
from hanse.client.resources import Job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def start(federation: Federation, name: str) -> tuple[Pipeline, str]:
    """Return a pipeline of bank and telecom, and the port of everybody's dataset."""
    made = Pipeline(name, project=federation.project, guest="bank", hosts=["telecom"])
    return made, made.add("data", "dataset", {"dataset": "people"})["table"]


def finish(federation: Federation, made: Pipeline) -> tuple[Job, Job]:
    """Run a job to its end and return what bank and telecom say of it."""
    job = federation.run(made)
    bank, telecom = federation.guest, federation.nodes["telecom"]
    found = federation.end(bank, job), federation.end(telecom, job)
    assert [one.state for one in found] == ["succeeded"] * 2, found
    return found


def read_ids(job: Job, task: str) -> list[str]:
    with duckdb.connect() as connection:
        path = job.task(task).outputs["table"].path
        return [row[0] for row in connection.execute("SELECT id FROM read_parquet(?)", [path]).fetchall()]


def demand_shared(jobs: tuple[Job, Job], task: str, numbers: range) -> None:
    """Both parties have the same rows in the same order, and they are these."""
    mine, theirs = (read_ids(job, task) for job in jobs)
    assert mine == theirs
    assert sorted(mine) == [f"p{number:06d}" for number in numbers]


def renew(node: Node, folder: Path, numbers: range) -> None:
    """Register the people of a later day at a host."""
    path = folder / "people.parquet"
    ids = [f"p{number:06d}" for number in numbers]
    columns = {f"{node.name}_{n}": np.zeros(len(ids)).tolist() for n in range(2)}
    with duckdb.connect() as connection:
        picks = ", ".join(f'unnest($"{name}") AS "{name}"' for name in ("id", *columns))
        connection.execute(f"CREATE TABLE people AS SELECT {picks}", {"id": ids, **columns})
        connection.execute(f"COPY people TO '{path}' (FORMAT parquet)")
    node.client.register_dataset("people", str(path), "id", None)


def test_prepared_once_asked_again_and_brought_up_to_date(federation: Federation, tmp_path: Path) -> None:
    bank, telecom = federation.guest, federation.nodes["telecom"]
    bank.break_attempts([{"party": "guest", "task": "prepared", "at": "received", "nth": 2}])
    telecom.break_attempts([{"party": "host-1", "task": "shared", "at": "message", "nth": 1}])
    try:
        made, table = start(federation, "prepare")
        prepared = made.add("prepared", "psi_cached", {"most_ids": 10_000}, table=table)
        made.predict("shared", model=prepared["model"], table=table)
        first = finish(federation, made)
    finally:
        bank.break_attempts([])
        telecom.break_attempts([])
    assert {task.name: task.attempt for task in first[0].tasks} == {"data": 1, "prepared": 2, "shared": 2}
    demand_shared(first, "shared", range(ROWS - ROWS // 10))
    model = f"model:model-{first[0].id.removeprefix('job-')}-prepared"

    made, table = start(federation, "ask again")
    made.predict("shared", model=model, table=table)
    demand_shared(finish(federation, made), "shared", range(ROWS - ROWS // 10))

    renew(telecom, tmp_path, range(100, ROWS))
    made, table = start(federation, "day two")
    prepared = made.add("prepared", "psi_cached", {"most_ids": 10_000}, table=table, previous=model)
    made.predict("shared", model=prepared["model"], table=table)
    second = finish(federation, made)
    demand_shared(second, "shared", range(100, ROWS))
    told = [event.data for event in telecom.client.events(second[1].id) if event.kind == "metric"]
    assert [data["value"] for data in told if data["name"] == "prepared_ids"] == [ROWS // 10]
