"""Policies by kind, and rules that approve by themselves what stays inside their limits."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.approvals.tables import Approval, Kind, Policy, Requirement, Rule
from hanse.control.audit import service as audit
from hanse.core.faults import fault
from hanse.core.ids import new_id
from hanse.core.times import later, now

DAY_S = 86_400.0
MOST_APPROVERS = 9


def policy_of(session: Session, kind: Kind) -> Policy:
    """Return the policy of a kind and hold it: requests of one kind are counted against rules one after the other."""
    return session.get_one(Policy, kind, with_for_update=True)


def list_policies(session: Session) -> list[Policy]:
    """Return the policy of every kind."""
    return list(session.scalars(select(Policy).order_by(Policy.kind)))


def change_policy(
    session: Session, caller: Caller, kind: Kind, required: Requirement, approvers: int, remind_hours: int
) -> Policy:
    """Say how a kind is decided from now on; what waits already keeps the number it was asked with."""
    caller.demand(Permission.RULES_MANAGE)
    if not 1 <= approvers <= MOST_APPROVERS or not 1 <= remind_hours <= 24 * 90:
        raise fault("rule.limits", f"approvers 1 to {MOST_APPROVERS}, reminders after 1 to {24 * 90} hours")
    policy = policy_of(session, kind)
    policy.required, policy.approvers, policy.remind_hours = required, approvers, remind_hours
    details = {"required": required, "approvers": approvers, "remind_hours": remind_hours}
    audit.append(session, caller.id, "policy.change", kind, **details)
    return policy


def add_rule(
    session: Session,
    caller: Caller,
    kind: Kind,
    *,
    project: str = "",
    partner: str = "",
    components: Iterable[str] = (),
    most_disclosure: float | None = None,
    most_rows: int | None = None,
    a_day: int | None = None,
    until: str | None = None,
) -> Rule:
    """Approve from now on what stays inside these limits, unless the maker of the rule asks for it."""
    caller.demand(Permission.RULES_MANAGE)
    limits = {"most_disclosure": most_disclosure, "most_rows": most_rows, "a_day": a_day}
    if wrong := [name for name, value in limits.items() if value is not None and value < 0]:
        raise fault("rule.limits", f"{', '.join(wrong)} below 0")
    rule = Rule(
        id=new_id("rule"),
        kind=kind,
        project=project,
        partner=partner,
        components=tuple(sorted(set(components))),
        until=until,
        maker=caller.person,
        created_at=now(),
        **limits,
    )
    session.add(rule)
    session.flush()
    told: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
    told |= {"project": project, "partner": partner, "components": rule.components, "until": until}
    audit.append(session, caller.id, "rule.add", rule.id, kind=kind, **told)
    return rule


def remove_rule(session: Session, caller: Caller, rule_id: str) -> Rule:
    """Let a rule approve nothing more; what it has approved stays so. Raises `rule.unknown`."""
    caller.demand(Permission.RULES_MANAGE)
    rule = session.get(Rule, rule_id, with_for_update=True)
    if rule is None:
        raise fault("rule.unknown", f"there is no rule {rule_id}")
    if rule.removed_at is None:
        rule.removed_at = now()
        audit.append(session, caller.id, "rule.remove", rule.id, kind=rule.kind)
    return rule


def list_rules(session: Session) -> list[Rule]:
    """Return the rules that are in force, oldest first."""
    return list(session.scalars(select(Rule).where(Rule.removed_at.is_(None)).order_by(Rule.created_at, Rule.id)))


def match_rule(
    session: Session, kind: Kind, requester: str, project: str, partner: str, facts: dict[str, Any]
) -> Rule | None:
    """Return a rule that approves this. Call it holding the kind's policy, so that nobody counts at the same time."""
    query = select(Rule).where(
        Rule.kind == kind,
        Rule.removed_at.is_(None),
        Rule.maker != requester,
        Rule.project.in_(("", project)),
        Rule.partner.in_(("", partner)),
        Rule.until.is_(None) | (Rule.until > now()),
    )
    rules = session.scalars(query.order_by(Rule.created_at, Rule.id))
    return next((rule for rule in rules if _stays_inside(rule, facts) and _has_room(session, rule)), None)


def _stays_inside(rule: Rule, facts: dict[str, Any]) -> bool:
    """A limit on something that the request does not tell of is not kept."""
    components = not rule.components or ("components" in facts and set(facts["components"]) <= set(rule.components))
    limits = (("disclosure", rule.most_disclosure), ("rows", rule.most_rows))
    return components and all(most is None or facts.get(name, most + 1) <= most for name, most in limits)


def _has_room(session: Session, rule: Rule) -> bool:
    if rule.a_day is None:
        return True
    query = select(func.count()).where(Approval.rule == rule.id, Approval.created_at > later(-DAY_S))
    return (session.scalar(query) or 0) < rule.a_day
