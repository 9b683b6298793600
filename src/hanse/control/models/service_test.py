"""Model versions: one name everywhere, never changed, used by the organisations that made them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from hanse.control.access.callers import LOCAL
from hanse.control.database import Base, Database
from hanse.control.models.service import (
    demand_same_sides,
    get_model,
    list_models,
    name_model,
    read_manifest,
    register_model,
)
from hanse.control.models.tables import ModelVersion
from hanse.core.faults import HanseError
from hanse.core.ids import JobId, ModelVersionId, OrganisationId, ProjectId, TaskName
from hanse.core.roles import GUEST, PartyId, host
from hanse.core.specs import Artefact

JOB, FIT = JobId("job-0123456789abcdef"), TaskName("fit")
BANK, TELECOM = OrganisationId("a" * 32), OrganisationId("b" * 32)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        yield session
    database.close()


def make(name: str = "credit / fit", path: str = "nowhere") -> ModelVersion:
    return ModelVersion(
        id=name_model(JOB, FIT),
        name=name,
        project=ProjectId("p"),
        job=JOB,
        task=FIT,
        component="hetero_boost",
        version="1.0.0",
        me=GUEST,
        parties={GUEST: BANK, host(1): TELECOM},
        artefact=Artefact("model", path, "0" * 64),
        metrics={"auc": 0.75},
        created_at="2026-11-23T12:38:00.125Z",
    )


def test_every_party_gives_a_model_the_same_name_without_asking() -> None:
    assert name_model(JOB, FIT) == "model-0123456789abcdef-fit"


def test_a_version_that_is_there_is_not_changed(session: Session) -> None:
    register_model(session, make())
    register_model(session, make(name="another"))
    (found,) = list_models(session, LOCAL)
    assert found.name == "credit / fit"


def test_a_model_that_is_not_here_is_said_to_be_unknown(session: Session) -> None:
    with pytest.raises(HanseError) as caught:
        get_model(session, ModelVersionId("model-x"))
    assert caught.value.fault.code == "model.unknown"


@pytest.mark.parametrize("parties", [{GUEST: BANK}, {GUEST: TELECOM, host(1): BANK}])
def test_a_model_is_used_by_the_organisations_that_made_it(parties: dict[PartyId, OrganisationId]) -> None:
    with pytest.raises(HanseError) as caught:
        demand_same_sides(make(), parties)
    assert caught.value.fault.code == "model.other_parties"


def test_more_parties_than_the_model_has_do_no_harm() -> None:
    demand_same_sides(make(), {GUEST: BANK, host(1): TELECOM, host(2): OrganisationId("c" * 32)})


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"component": 1}'])
def test_a_manifest_that_cannot_be_read_is_damage(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(HanseError) as caught:
        read_manifest(make(path=str(tmp_path)))
    assert caught.value.fault.code == "artefact.damaged"
