"""Ask for approval, decide, and read what was decided: always of exactly one digest of a subject.

This slice knows kinds, subjects and digests, and never calls back: whoever owns a subject reads how it stands.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.approvals import rules, telling
from hanse.control.approvals.tables import Approval, Delegation, Kind, State, Verdict, Vote, Watcher
from hanse.control.audit import service as audit
from hanse.core.faults import fault
from hanse.core.ids import new_id
from hanse.core.times import later, now

View = Literal["to-decide", "mine", "decided", "watched", "all"]
VIEWS: tuple[View, ...] = get_args(View)
TITLE_CHARACTERS, REASON_CHARACTERS = 200, 1000
HOUR_S = 3600.0


def request(
    session: Session,
    caller_id: str,
    kind: Kind,
    subject: str,
    digest: str,
    *,
    title: str,
    details: dict[str, Any],
    project: str = "",
    organisation: str = "",
    facts: dict[str, Any] | None = None,
) -> Approval:
    """Ask for approval of `digest` (64 characters at most) of a subject; asking again for the same changes nothing.

    `caller_id` is the person that asks (`caller.person`); `organisation` is the partner, when one asks. What was asked
    for another digest before becomes void. Approved at once where the kind's policy requires nobody or a rule matches.
    The audit line of the operation that asks is the one record of it.
    """
    policy = rules.policy_of(session, kind)
    latest = _latest(session, kind, subject)
    if latest is not None and latest.digest == digest and latest.state in ("pending", "approved", "rejected"):
        return latest
    if latest is not None and latest.state in ("pending", "approved"):
        _end(latest, "void", "it was changed")
    approval = Approval(
        id=new_id("approval"),
        kind=kind,
        subject=subject,
        digest=digest,
        state="pending",
        title=title[:TITLE_CHARACTERS],
        details=details,
        facts=facts or {},
        project=project,
        organisation=organisation,
        requester=organisation or caller_id,
        needed=policy.approvers,
        rule="",
        reason="",
        created_at=now(),
        due_at=later(policy.remind_hours * HOUR_S),
    )
    if policy.required == "never" or (policy.required == "partner" and not organisation):
        _end(approval, "approved", "no approval is required")
    elif rule := rules.match_rule(session, kind, approval.requester, project, organisation, approval.facts):
        approval.rule = rule.id
        _end(approval, "approved", f"by rule {rule.id}")
    session.add(approval)
    session.flush()
    telling.tell_asked(session, approval)
    return approval


def standing(session: Session, kind: Kind, subject: str, digest: str) -> State | None:
    """Return how a digest of a subject stands: `void` when it is not the one asked for last, None when none was."""
    latest = _latest(session, kind, subject)
    if latest is None:
        return None
    return latest.state if latest.digest == digest else "void"


def invalidate(session: Session, kind: Kind, subject: str, reason: str) -> bool:
    """Void what was asked or approved of a subject; return whether that is news. The caller's audit line tells it."""
    latest = _latest(session, kind, subject, hold=True)
    if latest is None or latest.state not in ("pending", "approved"):
        return False
    _end(latest, "void", reason)
    return True


def abandon(session: Session, kind: Kind, subject: str, reason: str) -> None:
    """Void what still waits of a subject that is over; what was decided stays as it was."""
    latest = _latest(session, kind, subject, hold=True)
    if latest is not None and latest.state == "pending":
        _end(latest, "void", reason)


def decide(session: Session, caller: Caller, approval_id: str, verdict: Verdict, reason: str, digest: str) -> Approval:
    """Vote on exactly the digest that was shown; the approval ends with one rejection or enough approvals.

    Raises `approval.unknown`, `approval.ended`, `approval.changed` (another digest), `approval.own` (whoever asks does
    not decide, neither by a key nor for somebody else), `approval.voted`, `access.denied`.
    """
    approval = _hold(session, caller, approval_id)
    if digest != approval.digest:
        raise fault("approval.changed", f"{approval_id} is of {approval.digest[:12]}…, not of {digest[:12]}…")
    _demand_pending(approval)
    authority = _authority(session, caller, approval)
    votes = votes_on(session, approval_id)
    if any(caller.person == vote.voter or authority == vote.authority for vote in votes):
        raise fault("approval.voted", f"{caller.name} (or {authority}) has voted on {approval_id}")
    session.add(
        Vote(
            approval=approval_id,
            voter=caller.person,
            authority=authority,
            verdict=verdict,
            reason=reason[:REASON_CHARACTERS],
            at=now(),
        )
    )
    if verdict == "reject":
        _end(approval, "rejected", reason)
    elif len(votes) + 1 >= approval.needed:
        _end(approval, "approved", reason)
    session.flush()
    details = {"kind": approval.kind, "of": approval.subject, "digest": digest, "state": approval.state}
    if authority != caller.person:
        details["for"] = authority
    audit.append(session, caller.id, f"approval.{verdict}", approval_id, **details)
    telling.tell_decided(session, approval, caller.person)
    return approval


def withdraw(session: Session, caller: Caller, approval_id: str) -> Approval:
    """Take one's own request back. Raises `approval.unknown`, `approval.ended`, `access.denied`."""
    approval = _hold(session, caller, approval_id)
    if approval.requester != caller.person:
        raise fault("access.denied", f"{approval_id} was asked for by somebody else")
    _demand_pending(approval)
    _end(approval, "withdrawn", "")
    audit.append(session, caller.id, "approval.withdraw", approval_id, kind=approval.kind, of=approval.subject)
    return approval


def delegate(session: Session, caller: Caller, receiver: str, until: str, approval_id: str = "") -> Delegation:
    """Let another person decide in one's place: one approval, or all (who decides for all projects only).

    Raises `approval.delegation` for oneself, the one who asks, or a time that has passed; `access.denied`.
    """
    if approval_id:
        approval = _hold(session, caller, approval_id)
        _demand_pending(approval)
        _demand_right(caller, approval)
        if receiver == approval.requester:
            raise fault("approval.delegation", f"{receiver} asks for {approval_id}")
    elif caller.scope(Permission.APPROVALS_DECIDE) != "all":
        raise fault("access.denied", f"{caller.name} does not decide for all projects: name one approval")
    if receiver == caller.person or until <= now():
        raise fault("approval.delegation", "to somebody else, until a time that comes")
    delegation = Delegation(
        id=new_id("delegation"),
        giver=caller.person,
        receiver=receiver,
        approval=approval_id,
        created_at=now(),
        until=until,
    )
    session.add(delegation)
    session.flush()
    audit.append(session, caller.id, "approval.delegate", approval_id or "all", to=receiver, until=until)
    return delegation


def end_delegation(session: Session, caller: Caller, delegation_id: str) -> Delegation:
    """End a delegation that one gave or received. Raises `approval.delegation`."""
    found = session.get(Delegation, delegation_id, with_for_update=True)
    if found is None or caller.person not in (found.giver, found.receiver):
        raise fault("approval.no_delegation", f"{caller.name} has no delegation {delegation_id}")
    if found.until > now():
        found.until = now()
        audit.append(session, caller.id, "approval.end_delegation", delegation_id, to=found.receiver)
    return found


def end_delegations_of(session: Session, person: str) -> None:
    """End what a person delegated that may no longer decide: who changes its permissions calls this, and tells it."""
    for found in session.scalars(select(Delegation).where(Delegation.giver == person, Delegation.until > now())):
        found.until = now()


def list_delegations(session: Session, caller: Caller) -> list[Delegation]:
    """Return the delegations in force that the caller gave or received."""
    mine = or_(Delegation.giver == caller.person, Delegation.receiver == caller.person)
    query = select(Delegation).where(mine, Delegation.until > now())
    return list(session.scalars(query.order_by(Delegation.created_at, Delegation.id)))


def watch(session: Session, caller: Caller, approval_id: str, wanted: bool = True) -> Approval:
    """Hear from now on what becomes of an approval, or no more. Raises `approval.unknown`."""
    approval = find(session, caller, approval_id)
    row = session.get(Watcher, (approval_id, caller.person))
    if wanted and row is None:
        session.add(Watcher(approval=approval_id, person=caller.person))
    elif not wanted and row is not None:
        session.delete(row)
    else:
        return approval
    audit.append(session, caller.id, "approval.watch" if wanted else "approval.unwatch", approval_id)
    return approval


def remind(session: Session) -> list[Approval]:
    """Tell the approvers of what has waited too long once more; return it, with the time when it is due again."""
    query = select(Approval).where(Approval.state == "pending", Approval.due_at <= now()).limit(100)
    due = list(session.scalars(query.order_by(Approval.due_at, Approval.number).with_for_update(skip_locked=True)))
    hours = {policy.kind: policy.remind_hours for policy in rules.list_policies(session)}
    for approval in due:
        approval.due_at = later(hours[approval.kind] * HOUR_S)
        telling.tell_asked(session, approval, "approval.reminder")
    return due


def find(session: Session, caller: Caller, approval_id: str) -> Approval:
    """Return an approval that the caller may see. Raises `approval.unknown`."""
    found = session.scalar(select(Approval).where(Approval.id == approval_id, _seen(caller)))
    if found is None:
        raise fault("approval.unknown", f"there is no approval {approval_id}")
    return found


def list_approvals(
    session: Session, caller: Caller, view: View = "all", *, after: str = "", limit: int = 100
) -> list[Approval]:
    """Return a page of approvals, newest first; `after` is the id of the last one of the page before."""
    query = select(Approval).where(_seen(caller), _IN_VIEW[view](caller))
    if after:
        last = select(Approval.number).where(Approval.id == after).scalar_subquery()
        query = query.where(Approval.number < last)
    return list(session.scalars(query.order_by(Approval.number.desc()).limit(limit)))


def votes_on(session: Session, approval_id: str) -> list[Vote]:
    """Return the votes on an approval, oldest first."""
    return list(session.scalars(select(Vote).where(Vote.approval == approval_id).order_by(Vote.at, Vote.voter)))


def watchers_of(session: Session, approval_id: str) -> list[str]:
    """Return who watches an approval."""
    query = select(Watcher.person).where(Watcher.approval == approval_id)
    return list(session.scalars(query.order_by(Watcher.person)))


def _seen(caller: Caller) -> ColumnElement[bool]:
    """What the caller asked for, may read, may decide, voted on, or was handed."""
    readable: Select[Any] = visible(
        select(Approval.number), caller, Permission.APPROVALS_READ, owner=Approval.requester, project=Approval.project
    )
    return or_(Approval.number.in_(readable), Approval.requester == caller.person, _decidable(caller), _voted(caller))


def _decidable(caller: Caller) -> ColumnElement[bool]:
    """What the caller has the right to decide, by itself or for somebody else; never what it asked for."""
    right = visible(select(Approval.number), caller, Permission.APPROVALS_DECIDE, project=Approval.project)
    handed = exists().where(
        Delegation.receiver == caller.person,
        Delegation.giver != Approval.requester,
        Delegation.approval.in_(("", Approval.id)),
        Delegation.until > now(),
    )
    return and_(Approval.requester != caller.person, or_(Approval.number.in_(right), handed))


def _voted(caller: Caller) -> ColumnElement[bool]:
    return exists().where(Vote.approval == Approval.id, Vote.voter == caller.person)


def _watched(caller: Caller) -> ColumnElement[bool]:
    return exists().where(Watcher.approval == Approval.id, Watcher.person == caller.person)


_IN_VIEW: dict[View, Callable[[Caller], ColumnElement[bool]]] = {
    "to-decide": lambda caller: and_(Approval.state == "pending", _decidable(caller), ~_voted(caller)),
    "mine": lambda caller: Approval.requester == caller.person,
    "decided": _voted,
    "watched": _watched,
    "all": lambda _: Approval.number.is_not(None),
}


def _latest(session: Session, kind: Kind, subject: str, *, hold: bool = False) -> Approval | None:
    query = select(Approval).where(Approval.kind == kind, Approval.subject == subject)
    query = query.order_by(Approval.number.desc()).limit(1)
    return session.scalar(query.with_for_update() if hold else query)


def _hold(session: Session, caller: Caller, approval_id: str) -> Approval:
    approval = find(session, caller, approval_id)
    session.refresh(approval, with_for_update=True)
    return approval


def _authority(session: Session, caller: Caller, approval: Approval) -> str:
    """Return whose right the caller uses. Raises `approval.own` or `access.denied`."""
    if caller.person == approval.requester:
        raise fault("approval.own", f"{caller.name} asked for {approval.id}")
    if caller.may(Permission.APPROVALS_DECIDE, project=approval.project):
        return caller.person
    query = select(Delegation.giver).where(
        Delegation.receiver == caller.person,
        Delegation.giver != approval.requester,
        Delegation.approval.in_(("", approval.id)),
        Delegation.until > now(),
    )
    taken = {vote.authority for vote in votes_on(session, approval.id)}
    givers = list(session.scalars(query.order_by(Delegation.created_at, Delegation.id)))
    if not givers:
        raise fault("access.denied", f"{caller.name} may not decide {approval.id}")
    return next((giver for giver in givers if giver not in taken), givers[0])


def _demand_right(caller: Caller, approval: Approval) -> None:
    if caller.person == approval.requester:
        raise fault("approval.own", f"{caller.name} asked for {approval.id}")
    caller.demand(Permission.APPROVALS_DECIDE, project=approval.project)


def _demand_pending(approval: Approval) -> None:
    if approval.state != "pending":
        raise fault("approval.ended", f"{approval.id} is {approval.state}")


def _end(approval: Approval, state: State, reason: str) -> None:
    approval.state, approval.reason, approval.ended_at = state, reason[:REASON_CHARACTERS], now()
