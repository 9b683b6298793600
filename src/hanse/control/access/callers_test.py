"""Callers: what `own` and `all` reach, object by object and in lists."""

import pytest
from sqlalchemy import String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from hanse.control.access.callers import LOCAL, Caller, visible
from hanse.control.access.permissions import GROUPS, Permission
from hanse.core.faults import HanseError
from hanse.core.ids import ProjectId

READ, RUN = Permission.JOBS_READ, Permission.JOBS_RUN
ANN = Caller("user-ann", "ann", "user", {READ: "own"}, frozenset({ProjectId("project-1")}))
KEY = Caller("key-1", "nightly", "key", {READ: "own"}, user="user-ann")


class Root(DeclarativeBase):
    pass


class Thing(Root):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(40))
    project: Mapped[str] = mapped_column(String(40))


def listed(caller: Caller) -> list[int]:
    engine = create_engine("sqlite://")
    Root.metadata.create_all(engine)
    with Session(engine) as session:
        rows = [("user-ann", "project-9"), ("user-bob", "project-1"), ("user-bob", "project-9")]
        session.add_all(Thing(id=number, owner=owner, project=project) for number, (owner, project) in enumerate(rows))
        session.flush()
        query = visible(select(Thing), caller, READ, owner=Thing.owner, project=Thing.project)
        return [thing.id for thing in session.scalars(query.order_by(Thing.id))]


def test_own_reaches_what_one_made_and_what_belongs_to_ones_projects() -> None:
    assert ANN.may(READ)
    assert ANN.may(READ, owner="user-ann")
    assert ANN.may(READ, owner="user-bob", project="project-1")
    assert not ANN.may(READ, owner="user-bob", project="project-9")
    assert listed(ANN) == [0, 1]


def test_a_key_stands_for_its_user() -> None:
    assert KEY.may(READ, owner="user-ann")
    assert listed(KEY) == [0]


def test_what_is_not_permitted_is_denied_and_lists_are_empty() -> None:
    stranger = Caller("user-eve", "eve", "user", {})
    with pytest.raises(HanseError) as raised:
        ANN.demand(RUN)
    assert raised.value.fault.code == "access.denied"
    assert listed(stranger) == []


def test_the_holder_of_the_token_may_everything() -> None:
    assert all(LOCAL.may(permission, owner="user-bob", project="project-9") for permission in Permission)
    assert listed(LOCAL) == [0, 1, 2]


def test_only_administrators_manage_users_and_no_group_both_asks_and_decides() -> None:
    assert [name for name, given in GROUPS.items() if Permission.USERS_MANAGE in given] == ["administrator"]
    both = {name for name, given in GROUPS.items() if {RUN, Permission.APPROVALS_DECIDE} <= set(given)}
    assert both == {"administrator"}
