"""Versions of pipelines are made by saving and never change."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from hanse.control.database import Base, Database
from hanse.control.pipelines.service import list_pipelines, save_pipeline
from hanse.core.ids import TaskName
from hanse.core.roles import GUEST
from hanse.core.specs import PipelineSpec, TaskSpec


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    Base.metadata.create_all(database.engine)
    with database.write() as session:
        yield session
    database.close()


def spec(trees: int) -> PipelineSpec:
    return PipelineSpec("credit", "risk", {GUEST: "bank"}, {TaskName("fit"): TaskSpec("boost", {"trees": trees})})


def test_the_same_graph_saved_again_is_the_version_that_is_there(session: Session) -> None:
    assert save_pipeline(session, spec(1)).id == save_pipeline(session, spec(1)).id


def test_another_graph_of_the_name_is_the_next_version(session: Session) -> None:
    first, second = save_pipeline(session, spec(1)), save_pipeline(session, spec(2))
    assert (first.version, second.version) == (1, 2)
    assert {saved.spec.tasks[TaskName("fit")].settings["trees"] for saved in list_pipelines(session)} == {1, 2}


def test_going_back_to_an_older_graph_is_a_new_version_too(session: Session) -> None:
    versions = [save_pipeline(session, spec(trees)).version for trees in (1, 2, 1)]
    assert versions == [1, 2, 3]
