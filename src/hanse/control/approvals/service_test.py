"""Approvals: bound to a digest, never one's own, by delegation, rules and policies."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.databases import open_new

from hanse.control.access.callers import LOCAL, Caller
from hanse.control.access.permissions import EVERYTHING, GROUPS
from hanse.control.approvals import rules
from hanse.control.approvals import service as approvals
from hanse.control.approvals.tables import Approval, Requirement
from hanse.control.audit.tables import AuditLine
from hanse.core.faults import HanseError
from hanse.core.ids import ProjectId
from hanse.core.times import later, now

ONE, TWO = "1" * 64, "2" * 64
ANN = Caller("user-ann", "ann", "user", EVERYTHING)
ANNS_KEY = Caller("key-1", "nightly", "key", EVERYTHING, user="user-ann")
BOB = Caller("user-bob", "bob", "user", GROUPS["approver"])
CAT = Caller("user-cat", "cat", "user", GROUPS["approver"])
DAN = Caller("user-dan", "dan", "user", GROUPS["operator"])


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = open_new(tmp_path)
    with database.write() as session:
        yield session
    database.close()


def ask(session: Session, digest: str = ONE, subject: str = "job-1", **more: Any) -> Approval:
    given = {"title": "train", "details": {"learns": "nothing"}, "organisation": "f" * 32} | more
    return approvals.request(session, "user-ann", "job", subject, digest, **given)


def ask_own(session: Session, required: Requirement = "always") -> Approval:
    rules.change_policy(session, LOCAL, "job", required, 1, 24)
    return ask(session, organisation="")


def code(error: pytest.ExceptionInfo[HanseError]) -> str:
    return error.value.fault.code


def listed(session: Session, caller: Caller, view: approvals.View) -> list[str]:
    return [found.subject for found in approvals.list_approvals(session, caller, view)]


def actions(session: Session) -> list[str]:
    return list(session.scalars(select(AuditLine.action).order_by(AuditLine.number)))


def test_asking_again_for_the_same_changes_nothing(session: Session) -> None:
    first = ask(session)
    assert ask(session).id == first.id
    assert approvals.standing(session, "job", "job-1", ONE) == "pending"
    assert approvals.standing(session, "job", "job-2", ONE) is None


@pytest.mark.parametrize("decided", [False, True])
def test_an_edit_voids_what_was_asked_or_approved(session: Session, decided: bool) -> None:
    first = ask(session)
    if decided:
        approvals.decide(session, BOB, first.id, "approve", "", ONE)
    second = ask(session, TWO)
    assert (first.state, second.state) == ("void", "pending")
    assert approvals.standing(session, "job", "job-1", ONE) == "void"
    assert approvals.standing(session, "job", "job-1", TWO) == "pending"
    back = ask(session, ONE)
    assert back.id != first.id
    assert approvals.standing(session, "job", "job-1", ONE) == "pending"


def test_a_decision_on_another_digest_than_the_one_shown_is_refused(session: Session) -> None:
    approval = ask(session)
    with pytest.raises(HanseError) as error:
        approvals.decide(session, BOB, approval.id, "approve", "", TWO)
    assert code(error) == "approval.changed"
    assert approvals.standing(session, "job", "job-1", ONE) == "pending"


def test_one_who_asks_does_not_decide_neither_by_a_key_nor_for_another(session: Session) -> None:
    approval = ask_own(session)
    approvals.delegate(session, BOB, "user-ann", later(60))
    for caller in (ANN, ANNS_KEY):
        with pytest.raises(HanseError) as error:
            approvals.decide(session, caller, approval.id, "approve", "", ONE)
        assert code(error) == "approval.own"
        assert listed(session, caller, "to-decide") == []
        assert listed(session, caller, "mine") == ["job-1"]


def test_one_who_asks_hands_nobody_the_right_to_decide_it(session: Session) -> None:
    approval = ask_own(session)
    approvals.delegate(session, ANN, "user-dan", later(60))
    assert listed(session, DAN, "to-decide") == []
    with pytest.raises(HanseError) as error:
        approvals.decide(session, DAN, approval.id, "approve", "", ONE)
    assert code(error) == "approval.unknown"
    with pytest.raises(HanseError) as error:
        approvals.delegate(session, ANN, "user-dan", later(60), approval.id)
    assert code(error) == "approval.own"


def test_a_delegate_decides_until_the_time_given(session: Session) -> None:
    first, second = ask(session), ask(session, TWO, "job-2")
    given = approvals.delegate(session, BOB, "user-dan", later(60), first.id)
    assert listed(session, DAN, "to-decide") == ["job-1"]
    approvals.decide(session, DAN, first.id, "approve", "", ONE)
    (vote,) = approvals.votes_on(session, first.id)
    assert (vote.voter, vote.authority) == ("user-dan", "user-bob")
    with pytest.raises(HanseError) as error:
        approvals.decide(session, DAN, second.id, "approve", "", TWO)
    assert code(error) == "approval.unknown"
    whole = approvals.delegate(session, CAT, "user-dan", later(60))
    assert listed(session, DAN, "to-decide") == ["job-2"]
    for delegation in (given, whole):
        approvals.end_delegation(session, DAN, delegation.id)
    assert listed(session, DAN, "to-decide") == []


def test_two_approvers_are_two_people_with_two_rights(session: Session) -> None:
    rules.change_policy(session, LOCAL, "job", "always", 2, 24)
    approval = ask(session)
    approvals.delegate(session, BOB, "user-dan", later(60))
    assert approvals.decide(session, BOB, approval.id, "approve", "", ONE).state == "pending"
    for caller in (BOB, DAN):
        with pytest.raises(HanseError) as error:
            approvals.decide(session, caller, approval.id, "approve", "", ONE)
        assert code(error) == "approval.voted"
    assert approvals.decide(session, CAT, approval.id, "approve", "", ONE).state == "approved"


def test_one_rejection_ends_it(session: Session) -> None:
    rules.change_policy(session, LOCAL, "job", "always", 3, 24)
    approval = ask(session)
    assert approvals.decide(session, BOB, approval.id, "reject", "too much", ONE).state == "rejected"
    assert approvals.standing(session, "job", "job-1", ONE) == "rejected"
    with pytest.raises(HanseError) as error:
        approvals.decide(session, CAT, approval.id, "approve", "", ONE)
    assert code(error) == "approval.ended"
    assert ask(session).state == "rejected"


def test_only_who_asked_withdraws(session: Session) -> None:
    approval = ask_own(session)
    with pytest.raises(HanseError) as error:
        approvals.withdraw(session, BOB, approval.id)
    assert code(error) == "access.denied"
    assert approvals.withdraw(session, ANNS_KEY, approval.id).state == "withdrawn"
    assert approvals.standing(session, "job", "job-1", ONE) == "withdrawn"


def test_policies_say_what_waits(session: Session) -> None:
    assert ask(session, organisation="").state == "approved"
    assert ask(session, subject="job-2").state == "pending"
    rules.change_policy(session, LOCAL, "job", "never", 1, 24)
    assert ask(session, subject="job-3").state == "approved"


def test_lists_are_of_the_caller_and_come_in_pages(session: Session) -> None:
    for number in range(5):
        ask(session, subject=f"job-{number}", project=f"project-{number % 2}")
    own = Caller("user-eva", "eva", "user", dict.fromkeys(BOB.permissions, "own"), frozenset({ProjectId("project-1")}))
    assert listed(session, BOB, "to-decide") == ["job-4", "job-3", "job-2", "job-1", "job-0"]
    assert listed(session, own, "to-decide") == ["job-3", "job-1"]
    assert listed(session, DAN, "all") == []
    page = approvals.list_approvals(session, BOB, limit=2)
    rest = approvals.list_approvals(session, BOB, after=page[-1].id, limit=9)
    assert [found.subject for found in rest] == ["job-2", "job-1", "job-0"]
    approvals.decide(session, BOB, page[0].id, "approve", "", ONE)
    approvals.watch(session, BOB, page[1].id)
    assert (listed(session, BOB, "decided"), listed(session, BOB, "watched")) == (["job-4"], ["job-3"])
    assert listed(session, BOB, "to-decide") == ["job-3", "job-2", "job-1", "job-0"]
    with pytest.raises(HanseError) as error:
        approvals.find(session, DAN, page[0].id)
    assert code(error) == "approval.unknown"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, "approved"),
        ({"project": "project-1", "partner": "f" * 32}, "approved"),
        ({"project": "project-2"}, "pending"),
        ({"partner": "e" * 32}, "pending"),
        ({"components": ["psi", "hetero_boost", "more"]}, "approved"),
        ({"components": ["psi"]}, "pending"),
        ({"most_disclosure": 0.5}, "approved"),
        ({"most_disclosure": 0.4}, "pending"),
        ({"most_rows": 1}, "pending"),
        ({"until": "2020-01-01T00:00:00.000Z"}, "pending"),
    ],
)
def test_a_rule_approves_what_stays_inside_all_its_limits(
    session: Session, limits: dict[str, Any], expected: str
) -> None:
    rule = rules.add_rule(session, LOCAL, "job", **limits)
    facts = {"components": ["hetero_boost", "psi"], "disclosure": 0.5}
    approval = ask(session, project="project-1", facts=facts)
    assert approval.state == expected
    assert approval.rule == (rule.id if expected == "approved" else "")


def test_a_rule_approves_so_many_times_a_day_and_not_what_its_maker_asks(session: Session) -> None:
    rules.add_rule(session, LOCAL, "job", a_day=2)
    assert [ask(session, subject=f"job-{n}").state for n in range(3)] == ["approved", "approved", "pending"]
    mine = rules.add_rule(session, ANN, "job")
    rules.change_policy(session, LOCAL, "job", "always", 1, 24)
    assert ask(session, subject="job-4", organisation="").state == "pending"
    assert ask(session, subject="job-5").state == "approved"
    rules.remove_rule(session, LOCAL, mine.id)
    assert ask(session, subject="job-6").state == "pending"


def test_what_waits_too_long_is_due_once_more_each_time(session: Session) -> None:
    approval = ask(session)
    assert approvals.remind(session) == []
    approval.due_at = now()
    session.flush()
    assert approvals.remind(session) == [approval]
    session.flush()
    assert approvals.remind(session) == []


def test_each_operation_leaves_one_audit_line(session: Session) -> None:
    approval = ask(session)
    approvals.watch(session, BOB, approval.id)
    approvals.watch(session, BOB, approval.id)
    approvals.decide(session, BOB, approval.id, "approve", "fine", ONE)
    rule = rules.add_rule(session, LOCAL, "job")
    rules.remove_rule(session, LOCAL, rule.id)
    assert actions(session) == ["approval.watch", "approval.approve", "rule.add", "rule.remove"]
