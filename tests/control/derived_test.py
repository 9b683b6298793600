"""Derived datasets at three desks: saved by each party, read again without aligning, refused when a source goes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from sqlalchemy.orm import Session
from tests.control.conftest import Trio
from tests.control.offices import SCHEMA, Office, behaving, chain, reading

from hanse.control.access.callers import LOCAL
from hanse.control.datasets.tables import Dataset, DatasetVersion
from hanse.control.derived import reading as readings
from hanse.control.derived import service as derived
from hanse.control.grants import enforcement
from hanse.control.grants.tables import Grant
from hanse.control.jobs import deriving, service
from hanse.core.clauses import Clauses
from hanse.core.faults import HanseError
from hanse.core.ids import JobId, TaskName
from hanse.core.specs import DERIVED
from hanse.core.times import now

ALIGN = TaskName("align")


async def align(trio: Trio) -> JobId:
    job = await trio.bank.run(chain(data=reading(), align=behaving({})))
    for office in trio:
        assert (await office.end(job)).state == "succeeded"
        office.write(lambda session, office=office: _describe(session, office, job))  # type: ignore[misc]
    return job


def _describe(session: Session, office: Office, job: JobId) -> None:
    """Give the output the schema that a real component writes: the program of these tests knows none."""
    row = service.kept_attempt(session, job, ALIGN, service.get_job(session, job).me)
    assert row is not None
    row.outputs = {port: replace(found, schema=SCHEMA) for port, found in row.outputs.items()}


def save(office: Office, job: JobId, name: str = "aligned") -> str:
    """Save the office's part; return the reference that pipelines name."""

    def write(session: Session) -> str:
        return DERIVED + deriving.save(session, LOCAL, office.directory, name, job, ALIGN).digest

    return office.write(write)


def state(office: Office) -> str:
    def look(session: Session) -> str:
        return readings.stand(session, office.directory, derived.find(session, "aligned"), now()).state

    return office.read(look)


async def test_each_party_saves_its_part_and_a_later_job_reads_them_without_aligning(trio: Trio) -> None:
    job = await align(trio)
    (reference,) = {save(office, job) for office in trio}
    (again,) = {save(office, job, "twice") for office in trio}
    assert again == reference, "the same output is kept once"
    later = await trio.bank.run(chain(data=reading(reference), fit=behaving({})))
    for office in trio:
        assert (await office.end(later)).state == "succeeded"
        task = (office.directory / "jobs" / later / "data" / "1" / "inputs.json").read_text()
        assert f"{office.directory}/derived/derived-" in task
        assert '"columns": ["id", "a"]' in task, "the grant of the source still says which columns"
        assert office.read(lambda s, office=office: enforcement.used(s, office.grant)) == 2  # type: ignore[misc]


async def test_a_party_without_its_part_says_so_at_the_proposal(trio: Trio) -> None:
    job = await align(trio)
    reference = save(trio.bank, job)
    save(trio.shop, job)
    (problem,) = (await trio.bank.submit(chain(data=reading(reference)))).problems
    assert problem.party == "host-1"
    assert "no part of derived:" in problem.message


async def test_the_clauses_of_the_sources_govern_what_was_made_of_them(trio: Trio) -> None:
    job = await align(trio)
    (reference,) = {save(office, job) for office in trio}

    def restrict(session: Session) -> None:
        session.get_one(Grant, trio.telecom.grant).clauses = Clauses(components=("psi",))

    trio.telecom.write(restrict)
    (problem,) = (await trio.bank.submit(chain(data=reading(reference), fit=behaving({})))).problems
    assert "does not allow step" in problem.message


async def test_a_grant_that_goes_takes_what_was_made_under_it_with_it_for_good(trio: Trio) -> None:
    job = await align(trio)
    (reference,) = {save(office, job) for office in trio}
    assert state(trio.telecom) == "valid"
    trio.telecom.revoke()
    assert state(trio.telecom) == "invalid"

    def give_again(session: Session) -> None:
        old = session.get_one(Grant, trio.telecom.grant)
        new = Grant(id="grant-again", dataset=old.dataset, project=old.project, disclosure_limit=0.1, created_at=now())
        session.add(new)

    trio.telecom.write(give_again)
    (problem,) = (await trio.bank.submit(chain(data=reading(reference)))).problems
    assert "was made under is gone" in problem.message


@pytest.mark.parametrize(("policy", "usable"), [("stale", True), ("invalid", False)])
async def test_a_newer_version_of_a_source_makes_it_what_was_said_when_it_was_saved(
    trio: Trio, policy: str, usable: bool
) -> None:
    job = await align(trio)
    (reference,) = {save(office, job) for office in trio}

    def refresh(session: Session) -> None:
        derived.find(session, "aligned").on_refresh = policy  # type: ignore[assignment]
        dataset = session.query(Dataset).one()
        old = session.get_one(DatasetVersion, (dataset.id, 1))
        names = ("dataset", "path", "rows", "schema", "source", "created_at")
        session.add(DatasetVersion(number=2, sha256="1" * 64, **{name: getattr(old, name) for name in names}))
        dataset.version = 2

    trio.telecom.write(refresh)
    assert state(trio.telecom) == policy
    problems = (await trio.bank.submit(chain(data=reading(reference)))).problems
    assert [p.party for p in problems] == ([] if usable else ["host-1"])


async def test_an_output_that_no_dataset_reached_is_not_saved(trio: Trio) -> None:
    job = await trio.bank.run(chain(align=behaving({})))
    await trio.bank.end(job)
    _ = trio.bank.write(lambda session: _describe(session, trio.bank, job))
    with pytest.raises(HanseError) as caught:
        save(trio.bank, job)
    assert caught.value.fault.code == "derived.source"
