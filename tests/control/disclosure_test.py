"""What a dataset tells one guest is counted before it is told, over all jobs, and has an end."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select
from tests.control.conftest import Trio
from tests.control.offices import IDS, PARTIES, ROWS, behaving, chain, reading

from hanse.control.access.callers import LOCAL
from hanse.control.datasets.tables import Dataset
from hanse.control.jobs.shares import Premises
from hanse.control.jobs.spending import ceiling
from hanse.control.jobs.tables import Spending
from hanse.core.ids import DatasetId, JobId, TaskName
from hanse.core.specs import AttemptSpec, Limits, PipelineSpec

FIT = TaskName("fit")
MOST = ceiling(ROWS, 0.1)


async def start(trio: Trio) -> JobId:
    job = await trio.bank.run(chain(data=reading(), fit=behaving({"always": "hang"}, *PARTIES)))
    await trio.telecom.wait(job, trio.telecom.is_running(job, "fit", 1))
    return job


def count(trio: Trio) -> dict[str, int]:
    rows = trio.telecom.read(lambda session: list(session.query(Spending)))
    return {row.guest: row.used for row in rows}


@pytest.mark.parametrize("rows", [100, 569, 30_000])
def test_no_binning_can_answer_more_than_the_ceiling(rows: int) -> None:
    limit = 0.1
    best = max(k * math.log(rows / k) for k in range(1, rows))
    assert ceiling(rows, limit) <= limit * rows / math.e
    assert (ceiling(rows, limit) + 1) / best > limit


async def test_queries_are_counted_for_the_dataset_and_the_guest(trio: Trio) -> None:
    job = await start(trio)
    assert await trio.telecom.desk.spend(job, FIT, 1, 7) is None
    assert await trio.telecom.desk.spend(job, FIT, 1, 5) is None
    assert count(trio) == {IDS["bank"]: 12}
    await trio.bank.desk.cancel(LOCAL, job)
    await trio.telecom.end(job)
    again = await start(trio)
    assert await trio.telecom.desk.spend(again, FIT, 1, 1) is None
    assert count(trio) == {IDS["bank"]: 13}
    (shown,) = (await trio.telecom.desk.view(LOCAL, again)).disclosure
    assert (await trio.bank.desk.view(LOCAL, again)).disclosure == ()
    assert (shown.dataset, shown.guest, shown.used, shown.ceiling) == ("people", "bank", 13, MOST)


async def test_a_query_too_many_is_refused_and_not_counted(trio: Trio) -> None:
    job = await start(trio)
    assert await trio.telecom.desk.spend(job, FIT, 1, MOST) is None
    refusal = await trio.telecom.desk.spend(job, FIT, 1, 1)
    assert refusal is not None
    assert (refusal.code, refusal.party, refusal.step) == ("disclosure.limit", "host-1", "fit")
    assert count(trio) == {IDS["bank"]: MOST}


async def test_jobs_at_the_same_time_share_what_the_smallest_row_allows(trio: Trio) -> None:
    first, second = await start(trio), await start(trio)
    assert await trio.telecom.desk.spend(first, FIT, 1, 2, 3) is None
    refusal = await trio.telecom.desk.spend(second, FIT, 1, 2, 3)
    assert refusal is not None
    assert refusal.code == "disclosure.limit"
    assert await trio.telecom.desk.spend(second, FIT, 1, 1, 3) is None
    assert count(trio) == {IDS["bank"]: 3}


async def test_an_attempt_is_told_what_was_used_before_it(trio: Trio) -> None:
    job = await start(trio)
    await trio.telecom.desk.spend(job, FIT, 1, 9)
    await trio.bank.desk.cancel(LOCAL, job)
    await trio.telecom.end(job)
    again = await start(trio)
    task = (trio.telecom.directory / "jobs" / again / "fit" / "1" / "task.json").read_text()
    assert '"disclosure":{"used":9,"limit":0.1}' in task.replace(" ", "")


async def test_a_job_that_plans_more_than_a_dataset_may_tell_is_refused_before_anything_runs(trio: Trio) -> None:
    job = await start(trio)
    assert await trio.telecom.desk.spend(job, FIT, 1, 7) is None
    fitting = chain(data=reading(), fit=behaving({}, queries=MOST - 7), alone=behaving({}))
    assert (await trio.bank.submit(fitting)).problems == ()
    twice = chain(data=reading(), fit=behaving({}, queries=5), more=behaving({}, queries=MOST - 11))
    (problem,) = (await trio.bank.submit(twice)).problems
    assert (problem.party, problem.task) == ("host-1", "more")
    assert f"{MOST - 6} exact sums of 'people' are planned, 7 were told before" in problem.message
    assert f"1000 rows and limit 0.1 allow {MOST}" in problem.message
    assert "fewer or shallower trees" in problem.remedy
    unread = chain(fit=behaving({}, queries=10 * MOST))
    assert (await trio.bank.submit(unread)).problems == ()


async def test_what_a_component_keeps_is_found_by_the_same_guests_next_job_on_the_same_dataset(trio: Trio) -> None:
    async def kept_of(spec: PipelineSpec) -> tuple[str, dict[str, str]]:
        job = await trio.bank.run(spec)
        await trio.telecom.wait(job, trio.telecom.is_running(job, "fit", 1))
        task = (trio.telecom.directory / "jobs" / job / "fit" / "1" / "task.json").read_text()
        await trio.bank.desk.cancel(LOCAL, job)
        await trio.telecom.end(job)
        told = msgspec.json.decode(task, type=AttemptSpec)
        return told.kept, told.kept_by_port

    fit = behaving({"always": "hang"}, *PARTIES)
    first, second, bare = [
        await kept_of(spec) for spec in (chain(data=reading(), fit=fit), chain(data=reading(), fit=fit), chain(fit=fit))
    ]
    (dataset,) = trio.telecom.read(lambda session: list(session.scalars(select(Dataset.id))))
    folder = str(trio.telecom.directory / "kept" / dataset / IDS["bank"] / fit.component)
    assert first == second == (folder, {"table": folder})
    assert bare == ("", {}), "nothing outlives the task where no dataset stands behind it"


def test_folders_of_many_datasets_have_names_that_fit(tmp_path: Path) -> None:
    premises = Premises("node", tmp_path, tmp_path / "socket", Limits())
    names = [DatasetId(f"dataset-{number:016x}") for number in range(500)]
    folders = {premises.kept(names[:some], IDS["bank"], "psi") for some in (1, 2, 100, 499, 500)}
    assert len(folders) == 5
    assert max(len(part) for folder in folders for part in folder.parts) < 256
    assert premises.kept(names[::-1], IDS["bank"], "psi") == premises.kept(names, IDS["bank"], "psi")


async def test_nothing_is_told_for_an_attempt_that_is_over_or_reads_no_dataset(trio: Trio) -> None:
    job = await start(trio)
    over = await trio.telecom.desk.spend(job, FIT, 2, 1)
    assert over is not None
    assert over.code == "attempt.over"
    await trio.bank.desk.cancel(LOCAL, job)
    await trio.telecom.end(job)
    bare = await trio.bank.run(chain(fit=behaving({"always": "hang"}, *PARTIES)))
    await trio.telecom.wait(bare, trio.telecom.is_running(bare, "fit", 1))
    refusal = await trio.telecom.desk.spend(bare, FIT, 1, 1)
    assert refusal is not None
    assert refusal.code == "disclosure.limit"
    assert count(trio) == {}


async def test_nothing_is_told_once_the_grant_is_taken_back(trio: Trio) -> None:
    job = await start(trio)
    trio.telecom.revoke()
    refusal = await trio.telecom.desk.spend(job, FIT, 1, 1)
    assert refusal is not None
    assert refusal.code == "grant.missing"
