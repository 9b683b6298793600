"""Approvals and who decides them; the policies and rules that decide what waits."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.orm import Session

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.approvals import rules
from hanse.control.approvals import service as approvals
from hanse.control.approvals.decided import Decided
from hanse.control.approvals.service import View
from hanse.control.approvals.tables import Approval, Delegation, Kind, Policy, Requirement, Rule, State, Verdict
from hanse.control.database import Database
from hanse.control.organisations import service as organisations
from hanse.control.projects import service as projects
from hanse.core.times import format_time, parse_time

router = APIRouter(tags=["approvals"])

Storage = Annotated[Database, part(Database)]
Hooks = Annotated[Decided, part(Decided)]
Reader = Annotated[Caller, needs(Permission.APPROVALS_READ)]
Ruler = Annotated[Caller, needs(Permission.RULES_MANAGE)]
Moment = Annotated[str, StringConstraints(max_length=40)]
Digest = Annotated[str, StringConstraints(min_length=1, max_length=64)]
T = TypeVar("T")


class DecisionAsked(Asked):
    """`digest` is that of the approval as it was shown: a decision on anything else is refused."""

    digest: Digest
    reason: Annotated[str, StringConstraints(max_length=1000)] = ""


class WatchAsked(Asked):
    wanted: bool = True


class DelegationAsked(Asked):
    """`to` is the id of a person; without `approval`, all that one may decide."""

    to: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    until: Moment
    approval: Annotated[str, StringConstraints(max_length=40)] = ""


class RuleAsked(Asked):
    """What may be approved without a person; a limit that is left out does not limit."""

    kind: Kind
    project: str = ""
    partner: str = ""
    components: Annotated[list[str], Field(max_length=200, default_factory=list)]
    most_disclosure: Annotated[float | None, Field(ge=0)] = None
    most_rows: Annotated[int | None, Field(ge=0, lt=1 << 62)] = None
    a_day: Annotated[int | None, Field(ge=0, lt=1 << 31)] = None
    until: Moment | None = None


class PolicyAsked(Asked):
    required: Requirement
    approvers: Annotated[int, Field(ge=1, le=9)] = 1
    remind_hours: Annotated[int, Field(ge=1, le=2160)] = 24


class VoteView(BaseModel):
    """`authority` is whose right was used: the voter's own, or that of the one who delegated it."""

    voter: str
    authority: str
    verdict: Verdict
    reason: str
    at: str


class ApprovalView(BaseModel):
    """`details`: what is decided on. Of a job: the pipeline, who learns what, datasets, disclosure, estimate."""

    id: str
    kind: Kind
    subject: str
    digest: str
    state: State
    title: str
    project: str
    organisation: str
    requester: str
    needed: int
    rule: str
    reason: str
    created_at: str
    ended_at: str | None
    details: dict[str, Any] = {}
    votes: list[VoteView] = []


class DelegationView(BaseModel):
    id: str
    giver: str
    receiver: str
    approval: str
    created_at: str
    until: str


class RuleView(BaseModel):
    id: str
    kind: Kind
    project: str
    partner: str
    components: list[str]
    most_disclosure: float | None
    most_rows: int | None
    a_day: int | None
    until: str | None
    maker: str
    created_at: str


class PolicyView(BaseModel):
    kind: Kind
    required: Requirement
    approvers: int
    remind_hours: int


@router.get("/approvals", operation_id="list_approvals")
def list_approvals(
    caller: Reader,
    database: Storage,
    view: View = "all",
    after: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ApprovalView]:
    """List approvals, newest first: to decide, one's own, decided by oneself, watched, or all that one may see."""
    with database.read() as session:
        found = approvals.list_approvals(session, caller, view, after=after, limit=limit)
        return [_view(approval) for approval in found]


@router.get("/approvals/delegations", operation_id="list_delegations")
def list_delegations(caller: Reader, database: Storage) -> list[DelegationView]:
    """List the delegations in force that one gave or received."""
    with database.read() as session:
        return [_view_delegation(found) for found in approvals.list_delegations(session, caller)]


@router.post("/approvals/delegations", status_code=201, operation_id="delegate_approvals")
def delegate_approvals(asked: DelegationAsked, caller: Reader, database: Storage) -> DelegationView:
    """Let another person decide in one's place until a time."""
    until = format_time(parse_time(asked.until))
    return _write(
        database,
        lambda session: _view_delegation(approvals.delegate(session, caller, asked.to, until, asked.approval)),
    )


@router.delete("/approvals/delegations/{delegation_id}", operation_id="end_delegation")
def end_delegation(delegation_id: str, caller: Reader, database: Storage) -> DelegationView:
    """End a delegation that one gave or received."""
    return _write(database, lambda session: _view_delegation(approvals.end_delegation(session, caller, delegation_id)))


@router.get("/approvals/{approval_id}", operation_id="get_approval")
def get_approval(approval_id: str, caller: Reader, database: Storage) -> ApprovalView:
    """Show an approval with all that its approver decides on."""
    with database.read() as session:
        return _show(session, approvals.find(session, caller, approval_id))


@router.post("/approvals/{approval_id}/approve", operation_id="approve_approval")
async def approve_approval(
    approval_id: str, asked: DecisionAsked, caller: Reader, database: Storage, hooks: Hooks
) -> ApprovalView:
    """Approve exactly what was shown. Nobody approves what he asked for himself."""
    return await _decide(database, hooks, caller, approval_id, "approve", asked)


@router.post("/approvals/{approval_id}/reject", operation_id="reject_approval")
async def reject_approval(
    approval_id: str, asked: DecisionAsked, caller: Reader, database: Storage, hooks: Hooks
) -> ApprovalView:
    """Reject exactly what was shown: one rejection ends it."""
    return await _decide(database, hooks, caller, approval_id, "reject", asked)


@router.post("/approvals/{approval_id}/withdraw", operation_id="withdraw_approval")
async def withdraw_approval(approval_id: str, caller: Reader, database: Storage, hooks: Hooks) -> ApprovalView:
    """Take back what one asked for."""
    ended = await asyncio.to_thread(_write, database, lambda session: approvals.withdraw(session, caller, approval_id))
    await hooks.tell(ended)
    return _view(ended)


@router.post("/approvals/{approval_id}/watch", operation_id="watch_approval")
def watch_approval(approval_id: str, asked: WatchAsked, caller: Reader, database: Storage) -> ApprovalView:
    """Hear what becomes of an approval, or no more."""
    return _write(database, lambda session: _view(approvals.watch(session, caller, approval_id, asked.wanted)))


@router.get("/rules", operation_id="list_rules")
def list_rules(_caller: Reader, database: Storage) -> list[RuleView]:
    """List the rules that approve by themselves."""
    with database.read() as session:
        return [_view_rule(rule) for rule in rules.list_rules(session)]


@router.post("/rules", status_code=201, operation_id="add_rule")
def add_rule(asked: RuleAsked, caller: Ruler, database: Storage) -> RuleView:
    """Approve from now on what stays inside these limits."""
    return _write(database, lambda session: _add_rule(session, caller, asked))


@router.delete("/rules/{rule_id}", operation_id="remove_rule")
def remove_rule(rule_id: str, caller: Ruler, database: Storage) -> RuleView:
    """Let a rule approve nothing more."""
    return _write(database, lambda session: _view_rule(rules.remove_rule(session, caller, rule_id)))


@router.get("/policies", operation_id="list_policies")
def list_policies(_caller: Reader, database: Storage) -> list[PolicyView]:
    """List how each kind is decided."""
    with database.read() as session:
        return [_view_policy(policy) for policy in rules.list_policies(session)]


@router.put("/policies/{kind}", operation_id="change_policy")
def change_policy(kind: Kind, asked: PolicyAsked, caller: Ruler, database: Storage) -> PolicyView:
    """Say when a kind waits for approval, by how many, and when approvers are told again."""
    given = (asked.required, asked.approvers, asked.remind_hours)
    return _write(database, lambda session: _view_policy(rules.change_policy(session, caller, kind, *given)))


def _write(database: Database, change: Callable[[Session], T]) -> T:
    with database.write() as session:
        return change(session)


async def _decide(
    database: Database, hooks: Decided, caller: Caller, approval_id: str, verdict: Verdict, asked: DecisionAsked
) -> ApprovalView:
    def decide(session: Session) -> tuple[Approval, ApprovalView]:
        found = approvals.decide(session, caller, approval_id, verdict, asked.reason, asked.digest)
        return found, _show(session, found)

    approval, view = await asyncio.to_thread(_write, database, decide)
    await hooks.tell(approval)
    return view


def _add_rule(session: Session, caller: Caller, asked: RuleAsked) -> RuleView:
    rule = rules.add_rule(
        session,
        caller,
        asked.kind,
        project=projects.find(session, asked.project).id if asked.project else "",
        partner=organisations.find_named(session, asked.partner).organisation if asked.partner else "",
        components=asked.components,
        most_disclosure=asked.most_disclosure,
        most_rows=asked.most_rows,
        a_day=asked.a_day,
        until=format_time(parse_time(asked.until)) if asked.until else None,
    )
    return _view_rule(rule)


def _show(session: Session, approval: Approval) -> ApprovalView:
    votes = [VoteView.model_validate(vote, from_attributes=True) for vote in approvals.votes_on(session, approval.id)]
    return _view(approval).model_copy(update={"details": approval.details, "votes": votes})


def _view(approval: Approval) -> ApprovalView:
    names = (name for name in ApprovalView.model_fields if name not in ("details", "votes"))
    return ApprovalView(**{name: getattr(approval, name) for name in names})


def _view_delegation(found: Delegation) -> DelegationView:
    return DelegationView.model_validate(found, from_attributes=True)


def _view_rule(rule: Rule) -> RuleView:
    return RuleView.model_validate(rule, from_attributes=True)


def _view_policy(policy: Policy) -> PolicyView:
    return PolicyView.model_validate(policy, from_attributes=True)
