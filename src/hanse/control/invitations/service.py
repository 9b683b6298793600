"""Issue invitations and check those who come with one."""

import secrets
from typing import Literal, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.audit import service as audit
from hanse.control.invitations.codes import SECRET_BYTES, Code, write_code
from hanse.control.invitations.seals import is_sealed
from hanse.control.invitations.tables import Invitation
from hanse.control.nodes.certificates import Certificate, organisation_id
from hanse.core.faults import HanseError, fault
from hanse.core.federation_messages import JoinRequest
from hanse.core.ids import OrganisationId
from hanse.core.times import later, now

VALID_S = 24 * 3600.0
LONGEST_S = 7 * VALID_S
MOST_OPEN = 64


State = Literal["open", "joined", "used", "expired", "withdrawn"]
"""`joined`: somebody has come with it and waits to be confirmed."""


class Issued(NamedTuple):
    """An invitation as its sender sees it, this once."""

    code: str
    fingerprint: str
    expires_at: str


class NotInvited(Exception):
    """The joiner may not come in; the reason is for our own audit lines, never for the joiner."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def invite(session: Session, caller: Caller, own: Certificate, address: str, valid_s: float = VALID_S) -> Issued:
    """Make an invitation: one use, 24 hours, a secret that is not stored anywhere once it is used up.

    Raises `invitation.too_many` and, for more than a week, `invitation.lifetime`.
    """
    if not 0 < valid_s <= LONGEST_S:
        raise fault("invitation.lifetime", f"an invitation is valid for at most {LONGEST_S / 3600:g} hours")
    if sum(stand(one) == "open" for one in list_invitations(session)) >= MOST_OPEN:
        raise fault("invitation.too_many", f"{MOST_OPEN} invitations are open")
    code = Code(address, organisation_id(own), secrets.token_bytes(SECRET_BYTES))
    expires_at = later(valid_s)
    session.add(Invitation(id=code.invitation, secret=code.secret, created_at=now(), expires_at=expires_at))
    audit.append(session, caller.id, "invitation.issue", code.invitation, expires_at=expires_at)
    return Issued(write_code(code), code.fingerprint, expires_at)


def redeem(session: Session, own: Certificate, request: JoinRequest, joiner: OrganisationId) -> bytes:
    """Return the secret of a valid invitation, which from now on is `joiner`'s alone. Raises NotInvited.

    The same joiner may come again until it is confirmed: its connection may have died before our answer came.
    """
    invitation = session.get(Invitation, request.invitation)
    if invitation is None:
        raise NotInvited("no such invitation")
    if invitation.secret is None or invitation.used_by not in (None, joiner):
        raise NotInvited("the invitation is used up")
    if invitation.expires_at <= now():
        raise NotInvited("the invitation has expired")
    if not is_sealed(invitation.secret, own, request):
        raise NotInvited("the seal is not made with the invitation's secret")
    invitation.used_by = joiner
    return invitation.secret


def stand(invitation: Invitation) -> State:
    """Say how an invitation stands."""
    if invitation.secret is None:
        return "used" if invitation.used_by else "withdrawn"
    if invitation.used_by:
        return "joined"
    return "open" if invitation.expires_at > now() else "expired"


def list_invitations(session: Session, limit: int = 1000) -> list[Invitation]:
    """Return the invitations, newest first."""
    return list(session.scalars(select(Invitation).order_by(Invitation.created_at.desc(), Invitation.id).limit(limit)))


def withdraw(session: Session, caller: Caller, invitation_id: str) -> Invitation:
    """Make an invitation worthless that nobody has come with. Raises `invitation.unknown`, `invitation.used`."""
    invitation = session.get(Invitation, invitation_id)
    if invitation is None:
        raise fault("invitation.unknown", f"no invitation has the number {invitation_id!r}")
    if invitation.used_by is not None:
        raise fault("invitation.used", "an organisation has come with it: confirm or revoke that one")
    if invitation.secret is not None:
        invitation.secret = None
        audit.append(session, caller.id, "invitation.withdraw", invitation.id)
    return invitation


def close(session: Session, joiner: OrganisationId) -> None:
    """Forget the secrets of a confirmed joiner's invitations, and of those that are over."""
    over = (Invitation.used_by == joiner) | (Invitation.expires_at <= now())
    session.execute(update(Invitation).where(over).values(secret=None))


def refuse() -> HanseError:
    """Return what every joiner hears that may not come in: the same words for every reason."""
    return fault("pairing.refused", "the invitation is not valid")
