"""Templates: those of the product are sound, those of people are seen by who works in their project."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy.orm import Session

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.access.permissions import GROUPS
from hanse.control.audit import service as audit
from hanse.control.database import Base, Database
from hanse.control.projects.tables import Project
from hanse.control.templates import service
from hanse.control.templates.builtin import BUILT_IN, MATCHING
from hanse.core.faults import HanseError
from hanse.core.ids import OrganisationId, ProjectId
from hanse.core.templates import TemplateSpec, demand_sound
from hanse.core.times import now

RISK, SALES = ProjectId("project-1"), ProjectId("project-2")
ANN = Caller("user-ann", "ann", "user", GROUPS["modeller"], frozenset({RISK}))
BOB = Caller("user-bob", "bob", "user", GROUPS["modeller"], frozenset({SALES}))
AUDITOR = Caller("user-eve", "eve", "user", GROUPS["auditor"])
VALUES = {"project": "risk", "guest": "bank", "host": "telecom", "guest_data": "loans", "host_data": "lines"}


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


def own(name: str = "ours") -> TemplateSpec:
    return msgspec.structs.replace(MATCHING, name=name)


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(HanseError) as caught:
        act()
    return caught.value.fault.code


@pytest.mark.parametrize("template", BUILT_IN.values(), ids=BUILT_IN)
def test_a_template_of_the_product_is_sound_and_explained_in_both_languages(template: TemplateSpec) -> None:
    demand_sound(template)
    assert [set(blank.title) for blank in template.blanks] == [{"en", "zh"}] * len(template.blanks)
    assert set(template.title) == set(template.description or ()) == {"en", "zh"}


def test_who_works_in_the_project_sees_its_templates_after_those_of_the_product(session: Session) -> None:
    kept = service.add(session, ANN, "risk", own())
    built_in = list(BUILT_IN)
    listed = {
        caller.name: [one.id for one in service.list_templates(session, caller)] for caller in (ANN, BOB, AUDITOR)
    }
    assert listed == {"ann": [*built_in, kept.id], "bob": built_in, "eve": [*built_in, kept.id]}
    assert refusal(lambda: service.find(session, BOB, kept.id)) == "template.unknown"
    assert refusal(lambda: service.find(session, BOB, "ours")) == "template.unknown"
    assert refusal(lambda: service.remove(session, AUDITOR, kept.id)) == "access.denied"
    assert service.find(session, AUDITOR, "ours").spec == own()


def test_pages_go_on_where_the_last_one_ended(session: Session) -> None:
    for name in ("a", "b", "c"):
        service.add(session, ANN, "risk", own(name))
    whole = [one.id for one in service.list_templates(session, ANN)]
    seen: list[str] = []
    while page := service.list_templates(session, ANN, after=seen[-1] if seen else "", limit=2):
        seen += [one.id for one in page]
    assert len(whole) == len(BUILT_IN) + 3
    assert seen == whole


def test_a_name_is_taken_once_in_a_project_and_never_from_the_product(session: Session) -> None:
    service.add(session, LOCAL, "risk", own())
    service.add(session, LOCAL, "sales", own())
    assert refusal(lambda: service.add(session, LOCAL, "risk", own())) == "template.name_taken"
    assert refusal(lambda: service.add(session, LOCAL, "risk", MATCHING)) == "template.name_taken"
    assert refusal(lambda: service.find(session, LOCAL, "ours")) == "template.unknown"
    assert refusal(lambda: service.remove(session, LOCAL, "matching")) == "template.built_in"


def test_each_change_writes_exactly_one_audit_line(session: Session) -> None:
    kept = service.add(session, ANN, "risk", own())
    service.fill(session, ANN, "ours", VALUES)
    service.remove(session, ANN, "ours")
    assert [(line.action, line.subject) for line in audit.lines(session)] == [
        ("template.add", kept.id),
        ("template.remove", kept.id),
    ]
    assert refusal(lambda: service.find(session, ANN, kept.id)) == "template.unknown"
