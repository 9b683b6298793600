"""Saved pipelines: versions that never change, the lock of their authors, who sees which, one audit line each."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.access.permissions import GROUPS
from hanse.control.audit import service as audit
from hanse.control.database import Base, Database
from hanse.control.pipelines import service
from hanse.control.projects.tables import Project
from hanse.core.faults import HanseError
from hanse.core.ids import OrganisationId, PipelineId, ProjectId, TaskName
from hanse.core.roles import GUEST
from hanse.core.specs import PipelineSpec, TaskSpec
from hanse.core.times import now

RISK, SALES = ProjectId("project-1"), ProjectId("project-2")
ANN = Caller("user-ann", "ann", "user", GROUPS["modeller"], frozenset({RISK}))
BOB = Caller("user-bob", "bob", "user", GROUPS["modeller"], frozenset({SALES}))
AUDITOR = Caller("user-eve", "eve", "user", GROUPS["auditor"])


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        for project, name in ((RISK, "risk"), (SALES, "sales")):
            session.add(Project(id=project, name=name, owner=OrganisationId("0" * 32), created_at=now()))
        session.flush()
        yield session
    database.close()


def spec(trees: int = 1, name: str = "credit", project: str = "risk") -> PipelineSpec:
    return PipelineSpec(name, project, {GUEST: "bank"}, {TaskName("fit"): TaskSpec("boost", {"trees": trees})})


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(HanseError) as caught:
        act()
    return caught.value.fault.code


def test_versions_are_numbered_and_stay_as_they_were(session: Session) -> None:
    first = service.create(session, ANN, spec(1), "a start")
    second = service.save(session, ANN, first.pipeline.id, spec(2), 1, "more trees")
    back = service.save(session, ANN, first.pipeline.id, spec(1), 2)
    assert [row.number for row in service.list_versions(session, ANN, first.pipeline.id)] == [3, 2, 1]
    assert service.find(session, ANN, first.pipeline.id, 1).version.spec == spec(1)
    assert (second.version.author, second.version.note) == ("user-ann", "more trees")
    assert back.version.sha256 == first.version.sha256 != second.version.sha256
    (change,) = service.diff(session, ANN, first.pipeline.id, 1, 2)
    assert (change.place, change.before, change.after) == ("/tasks/fit/settings/trees", 1, 2)


def test_the_same_graph_saved_again_is_the_version_that_is_there(session: Session) -> None:
    saved = service.create(session, ANN, spec())
    assert service.save(session, ANN, saved.pipeline.id, spec(), 1).version.number == 1
    assert [line.action for line in audit.lines(session)] == ["pipeline.create"]


def test_who_did_not_see_the_latest_version_does_not_write_over_it(session: Session) -> None:
    saved = service.create(session, ANN, spec(1))
    service.save(session, LOCAL, saved.pipeline.id, spec(2), 1)
    assert refusal(lambda: service.save(session, ANN, saved.pipeline.id, spec(3), 1)) == "pipeline.changed"


def test_a_pipeline_of_another_project_does_not_exist_for_who_does_not_work_there(session: Session) -> None:
    saved = service.create(session, ANN, spec())
    assert service.list_pipelines(session, BOB) == []
    for act in (service.find, service.archive, service.list_versions, service.list_comments):
        assert refusal(lambda act=act: act(session, BOB, saved.pipeline.id)) == "pipeline.unknown"  # type: ignore[misc]
    assert refusal(lambda: service.create(session, BOB, spec(name="mine"))) == "project.unknown"
    assert refusal(lambda: service.archive(session, AUDITOR, saved.pipeline.id)) == "access.denied"
    assert service.list_pipelines(session, AUDITOR) == [saved.pipeline]


def test_lists_are_searched_and_read_page_by_page(session: Session) -> None:
    made = [service.create(session, ANN, spec(name=f"Credit {number} 100%")).pipeline.id for number in range(5)]
    pages: list[PipelineId] = []
    after = ""
    while found := service.list_pipelines(session, ANN, project="risk", search="credit", after=after, limit=2):
        pages += [row.id for row in found]
        after = found[-1].id
    assert sorted(pages) == sorted(made)
    assert len(service.list_pipelines(session, ANN, search="0%")) == 5
    assert service.list_pipelines(session, ANN, search="_") == []


def test_an_archived_pipeline_is_read_but_not_changed_and_gives_its_name_free(session: Session) -> None:
    saved = service.create(session, ANN, spec())
    assert refusal(lambda: service.create(session, ANN, spec(2))) == "pipeline.name_taken"
    service.archive(session, ANN, saved.pipeline.id)
    assert service.list_pipelines(session, ANN) == []
    assert service.list_pipelines(session, ANN, archived=True) == [saved.pipeline]
    assert service.find(session, ANN, saved.pipeline.id).version.spec == spec()
    assert refusal(lambda: service.save(session, ANN, saved.pipeline.id, spec(2), 1)) == "pipeline.archived"
    service.create(session, ANN, spec(2))
    assert refusal(lambda: service.restore(session, ANN, saved.pipeline.id)) == "pipeline.name_taken"


def test_a_copy_is_a_pipeline_of_its_own(session: Session) -> None:
    saved = service.create(session, ANN, spec(1))
    service.save(session, ANN, saved.pipeline.id, spec(2), 1)
    copied = service.copy(session, ANN, saved.pipeline.id, "autumn", 1)
    assert (copied.pipeline.version, copied.version.spec) == (1, spec(1, "autumn"))


def test_a_pipeline_does_not_change_its_project(session: Session) -> None:
    saved = service.create(session, LOCAL, spec())
    other = spec(2, project="sales")
    assert refusal(lambda: service.save(session, LOCAL, saved.pipeline.id, other, 1)) == "pipeline.project"


def test_each_change_writes_exactly_one_audit_line(session: Session) -> None:
    saved = service.create(session, ANN, spec()).pipeline.id
    service.save(session, ANN, saved, spec(2), 1)
    service.comment(session, ANN, saved, "well done", 1)
    service.copy(session, ANN, saved, "autumn")
    service.archive(session, ANN, saved)
    service.archive(session, ANN, saved)
    service.restore(session, ANN, saved)
    verbs = ["create", "save", "comment", "copy", "archive", "restore"]
    lines = audit.lines(session)
    assert [line.action for line in lines] == [f"pipeline.{verb}" for verb in verbs]
    assert {line.actor for line in lines} == {"user-ann"}
    assert [(said.version, said.text) for said in service.list_comments(session, ANN, saved)] == [(1, "well done")]
