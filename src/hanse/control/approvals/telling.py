"""Tell people of approvals: who has to decide, and who waits for what is decided."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.access.permissions import Permission
from hanse.control.approvals.tables import Approval, Delegation, Vote, Watcher
from hanse.control.notifications import readers
from hanse.control.notifications import service as notifications
from hanse.control.notifications.kinds import Kind
from hanse.core.times import now


def tell_asked(session: Session, approval: Approval, kind: Kind = "approval.requested") -> None:
    """Tell everybody who may decide a pending approval and has not: by right, or for somebody else."""
    if approval.state != "pending":
        return
    handed = select(Delegation.receiver).where(
        Delegation.giver != approval.requester, Delegation.approval.in_(("", approval.id)), Delegation.until > now()
    )
    able = readers.holders(session, Permission.APPROVALS_DECIDE, approval.project) | set(session.scalars(handed))
    voted = session.scalars(select(Vote.voter).where(Vote.approval == approval.id))
    but = {approval.requester, *voted}
    words = {"title": approval.title, "kind": approval.kind}
    notifications.tell(session, kind, to=able, but=but, link=_link(approval), words=words)


def tell_decided(session: Session, approval: Approval, decider: str) -> None:
    """Tell who asked and who watches how an approval has ended, but not whoever ended it."""
    if approval.state == "pending":
        return
    watching = session.scalars(select(Watcher.person).where(Watcher.approval == approval.id))
    words = {"title": approval.title, "state": approval.state, "reason": approval.reason}
    people = {approval.requester, *watching}
    notifications.tell(session, "approval.decided", to=people, but={decider}, link=_link(approval), words=words)


def _link(approval: Approval) -> str:
    return f"/approvals/{approval.id}"
