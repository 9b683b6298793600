"""Migrations on real files."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from hanse.control.database import Base, Database
from hanse.control.jobs import approving
from hanse.control.jobs.tables import Job
from hanse.control.migrations import upgrade
from hanse.control.tables import METADATA, TABLES
from hanse.core.faults import HanseError
from hanse.core.roles import GUEST
from hanse.core.specs import PipelineSpec


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'hanse.db'}")
    yield database
    database.close()


def test_the_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_every_table_of_the_control_plane_is_listed() -> None:
    assert {mapper.class_ for mapper in Base.registry.mappers} == set(TABLES)


def test_a_second_start_changes_nothing(database: Database) -> None:
    upgrade(database)
    before = _revision(database)
    upgrade(database)
    assert before == _revision(database) is not None


def test_a_database_of_a_newer_release_is_left_alone(database: Database) -> None:
    upgrade(database)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(HanseError) as caught:
        upgrade(database)
    assert caught.value.fault.code == "database.newer"
    assert _revision(database) == "9999"


@pytest.mark.sqlite
def test_a_file_that_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "hanse.db").write_text("this is not a database, and it is long enough to have a header" * 4)
    broken = Database(f"sqlite:///{tmp_path / 'hanse.db'}")
    with pytest.raises(HanseError) as caught:
        upgrade(broken)
    assert caught.value.fault.code == "database.broken"


def _revision(database: Database) -> str | None:
    with database.read() as session:
        found: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def test_a_job_that_was_under_way_before_approvals_counts_as_approved(database: Database) -> None:
    upgrade(database, "0005")
    spec = PipelineSpec("fit", "risk", {GUEST: "bank"}, {}, "one")
    with database.write() as session:
        session.execute(text(_JOB), {"spec": msgspec.json.encode(spec).decode()})
        for party in ("guest", "host"):
            session.execute(text(_PARTICIPANT), {"party": party, "organisation": party[0] * 32})
    upgrade(database)
    with database.write() as session:
        job = session.get_one(Job, "job-1")
        assert approving.state_of(session, job) == "approved"
        job.spec = msgspec.structs.replace(spec, description="another")
        assert approving.state_of(session, job) == "void"


_JOB = (
    "INSERT INTO jobs (id, name, project, guest, me, state, spec, versions, created_at, problems, learns, due_at, "
    "lease_until, heard_at, last_event) VALUES ('job-1', 'fit', 'project-1', 'gggggggggggggggggggggggggggggggg', "
    "'host', 'running', :spec, '{\"psi\": \"1.0\"}', '2026-01-01T00:00:00.000Z', '[]', '{}', '', '', '', 0)"
)
_PARTICIPANT = (
    "INSERT INTO job_participants (job, party, organisation, accepted) VALUES ('job-1', :party, :organisation, true)"
)
