"""Jobs that are deleted at one node: what goes, what remains, what is refused."""

from __future__ import annotations

import pytest
from tests.control.conftest import Trio
from tests.control.offices import Office, behaving, chain
from tests.control.queue_test import OPERATOR, STRANGER

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.audit import service as audit
from hanse.control.jobs.tables import Attempt, Job, JobEvent, Participant, Task
from hanse.control.models.tables import ModelVersion
from hanse.control.removals import jobs as removal
from hanse.core.faults import HanseError
from hanse.core.ids import JobId, ModelVersionId, TaskName
from hanse.core.roles import GUEST
from hanse.core.specs import Artefact
from hanse.core.times import now


def refused(office: Office, caller: Caller, job: JobId, digest: str = "") -> str:
    with pytest.raises(HanseError) as told:
        office.write(lambda session: removal.remove(session, caller, job, digest, office.desk.is_at))
    return told.value.fault.code


def rows_of(office: Office, job: JobId) -> list[int]:
    """Return how many rows of a job there are, by table."""

    def count(table: type[Attempt | JobEvent | Participant | Task]) -> int:
        return office.read(lambda session: session.query(table).filter(table.job == job).count())

    return [count(table) for table in (Attempt, JobEvent, Participant, Task)]


async def cancelled(office: Office) -> JobId:
    job = await office.run(chain(only=behaving({"always": "hang"}, GUEST)))
    await office.wait(job, office.is_running(job, "only", 1))
    assert refused(office, LOCAL, job) == "job.open"
    await office.desk.cancel(LOCAL, job)
    await office.end(job)
    await office.wait(job, lambda _: not office.desk.is_at(job))
    return job


def register(office: Office, job: JobId) -> ModelVersion:
    """Register a model of a job, with a file among its results."""
    path = office.desk.directory / "jobs" / job / "only" / "kept" / "model"
    path.mkdir(parents=True, exist_ok=True)
    (path / "part").write_bytes(b"model")
    row = ModelVersion(
        id=ModelVersionId(f"{job}:only"),
        name="only",
        project="project",
        job=job,
        task=TaskName("only"),
        component="step",
        version="1",
        me=GUEST,
        parties={},
        artefact=Artefact("model", str(path), "0" * 64),
        metrics={},
        created_at=now(),
    )
    office.write(lambda session: session.add(row))
    return row


async def test_a_removed_job_is_gone_here_and_stays_at_its_partners_and_its_models_remain(trio: Trio) -> None:
    bank = trio.bank
    job = await cancelled(bank)
    before = bank.read(lambda session: removal.foresee(session, LOCAL, job))
    model = register(bank, job)
    assert [refused(bank, who, job) for who in (OPERATOR, STRANGER)] == ["access.denied", "job.unknown"]
    assert refused(bank, LOCAL, job, before.digest) == "job.consequences"
    seen = bank.read(lambda session: removal.foresee(session, LOCAL, job))
    assert (seen.tasks, seen.models, seen.derived) == (("only",), (model.id,), ())
    assert min(rows_of(bank, job)) > 0

    gone = bank.write(lambda session: removal.remove(session, LOCAL, job, seen.digest, bank.desk.is_at))
    removal.clear(bank.database, bank.desk.directory, gone)

    assert (gone, rows_of(bank, job)) == (seen, [0, 0, 0, 0])
    assert bank.read(lambda session: session.get(Job, job)) is None
    assert bank.read(lambda session: session.get(ModelVersion, model.id)) is not None
    left = [path for path in (bank.desk.directory / "jobs" / job).rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in left] == [b"model"]
    assert not list((bank.desk.directory / "log").glob(f"{job}-*"))
    assert [line.action for line in bank.read(audit.lines)].count("job.remove") == 1
    assert (await trio.telecom.end(job)).state == "cancelled"
    assert refused(bank, LOCAL, job, seen.digest) == "job.unknown"


async def test_retention_removes_what_ended_long_ago_and_nothing_else(trio: Trio) -> None:
    bank = trio.bank
    old, young = await cancelled(bank), await cancelled(bank)

    def age(session: object) -> None:
        session.get_one(Job, old).ended_at = "2020-01-01T00:00:00.000Z"  # type: ignore[attr-defined]

    bank.write(age)
    keeping = removal.Retention(bank.database, bank.desk.directory, days=30, is_at=bank.desk.is_at)
    assert [keeping.sweep(), keeping.sweep()] == [1, 0]
    assert bank.read(lambda session: (session.get(Job, old) is None, session.get(Job, young) is None)) == (True, False)
    assert not (bank.desk.directory / "jobs" / old).exists()
    (line,) = [line for line in bank.read(audit.lines) if line.action == "job.remove"]
    assert (line.actor, line.subject) == ("node", old)
