"""Invitations, joining, and the members."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.invitations import service as invitations
from hanse.control.invitations.tables import Invitation
from hanse.control.nodes.certificates import show
from hanse.control.organisations import service as organisations
from hanse.control.organisations.membership import Membership
from hanse.control.organisations.tables import Member
from hanse.control.outbox.courier import Courier
from hanse.control.peers import LinkState
from hanse.core.ids import OrganisationId

router = APIRouter(tags=["members"])

READ = needs(Permission.MEMBERS_READ)
Manager = Annotated[Caller, needs(Permission.MEMBERS_MANAGE)]
Storage = Annotated[Database, part(Database)]

Joining = Annotated[Membership, part(Membership)]


class InvitationView(BaseModel):
    """`code` is shown this once; `fingerprint` is this organisation's, to be read out over another channel."""

    code: str
    fingerprint: str
    expires_at: str


class InvitationAsked(Asked):
    valid_hours: float = Field(default=24.0, gt=0, le=168, examples=[24.0])


class InvitationStateView(BaseModel):
    """An invitation without its secret. `joined`: somebody came with it and waits to be confirmed."""

    id: str
    state: Literal["open", "joined", "used", "expired", "withdrawn"]
    created_at: str
    expires_at: str
    used_by: str | None


class ReasonAsked(Asked):
    reason: str = Field(default="", max_length=200, examples=["The contract has ended."])


class RevocationView(BaseModel):
    """A root that is trusted no longer."""

    organisation: str
    organisation_id: str
    reason: str
    revoked_by: str
    revoked_at: str


class CodeAsked(Asked):
    code: str


class JoinAsked(Asked):
    """`fingerprint` is the pair's, as both administrators see it."""

    code: str
    fingerprint: str


class InspectionView(BaseModel):
    organisation: str
    fingerprint: str
    pair_fingerprint: str


class FingerprintAsked(Asked):
    fingerprint: str


class MemberView(BaseModel):
    """`pending`: this side has to confirm. `awaiting`: the other side has to.

    `release`, `region`, `contact` and `pool` are what it says of itself. Times are UTC, empty when there is none.
    """

    organisation: str
    organisation_id: str
    state: Literal["pending", "awaiting", "active", "suspended", "revoked"]
    pair_fingerprint: str
    address: str
    connected: bool
    latency_ms: float | None
    version: str
    last_seen: str
    latency_median_ms: float | None
    connected_since: str
    certificate_until: str
    region: str
    contact: str
    pool: str
    paired_at: str


class JoinView(BaseModel):
    member: MemberView


@router.post("/invitations", status_code=201, operation_id="issue_invitation")
async def issue_invitation(
    caller: Manager, membership: Joining, asked: InvitationAsked | None = None
) -> InvitationView:
    """Invite an organisation: a code for one use, within 24 hours if nothing else is said."""
    valid_hours = (asked or InvitationAsked()).valid_hours
    issued = await membership.invite(caller, valid_hours * 3600)
    return InvitationView(code=issued.code, fingerprint=show(issued.fingerprint), expires_at=issued.expires_at)


@router.get("/invitations", operation_id="list_invitations", dependencies=[needs(Permission.MEMBERS_MANAGE)])
def list_invitations(
    database: Storage, limit: Annotated[int, Query(ge=1, le=1000)] = 1000
) -> list[InvitationStateView]:
    """List the invitations of this organisation, newest first."""
    with database.read() as session:
        return [_view_invitation(one) for one in invitations.list_invitations(session, limit)]


@router.delete("/invitations/{invitation_id}", operation_id="withdraw_invitation")
def withdraw_invitation(caller: Manager, invitation_id: str, database: Storage) -> InvitationStateView:
    """Make an invitation worthless that nobody has come with."""
    with database.write() as session:
        return _view_invitation(invitations.withdraw(session, caller, invitation_id))


@router.post("/joins/inspect", operation_id="inspect_invitation", dependencies=[needs(Permission.MEMBERS_MANAGE)])
async def inspect_invitation(asked: CodeAsked, membership: Joining) -> InspectionView:
    """Say whom an invitation comes from, and the fingerprint to compare, before anything is agreed."""
    invited = await membership.inspect(asked.code)
    return InspectionView(
        organisation=invited.name,
        fingerprint=show(invited.fingerprint),
        pair_fingerprint=show(invited.pair_fingerprint),
    )


@router.post("/joins", status_code=201, operation_id="join")
async def join(caller: Manager, asked: JoinAsked, membership: Joining) -> JoinView:
    """Accept an invitation. The member is `awaiting` until the inviter's administrator has confirmed."""
    member = await membership.join(caller, asked.code, asked.fingerprint)
    return JoinView(member=_view(member, membership.peers.link(member.organisation)))


@router.get("/members", operation_id="list_members", dependencies=[READ])
def list_members(database: Storage, membership: Joining) -> list[MemberView]:
    """List the other organisations, and how each is reached now."""
    with database.read() as session:
        members = organisations.list_members(session)
    return [_view(member, membership.peers.link(member.organisation)) for member in members]


@router.post("/members/{organisation_id}/confirm", operation_id="confirm_member")
async def confirm_member(
    caller: Manager,
    organisation_id: str,
    asked: FingerprintAsked,
    membership: Joining,
    courier: Annotated[Courier, part(Courier)],
) -> MemberView:
    """Make a joiner a member, having compared the fingerprint of the pair."""
    member = await membership.confirm(caller, OrganisationId(organisation_id), asked.fingerprint)
    courier.wake()
    return _view(member, membership.peers.link(member.organisation))


@router.post("/members/{organisation_id}/suspend", operation_id="suspend_member")
async def suspend_member(caller: Manager, organisation_id: str, membership: Joining) -> MemberView:
    """Stop listening to a member. Jobs with it end at all of their parties."""
    member = await membership.suspend(caller, OrganisationId(organisation_id))
    return _view(member, membership.peers.link(member.organisation))


@router.post("/members/{organisation_id}/resume", operation_id="resume_member")
async def resume_member(caller: Manager, organisation_id: str, membership: Joining) -> MemberView:
    """Listen to a suspended member again."""
    member = await membership.resume(caller, OrganisationId(organisation_id))
    return _view(member, membership.peers.link(member.organisation))


@router.post("/members/{organisation_id}/revoke", operation_id="revoke_member")
async def revoke_member(
    caller: Manager, organisation_id: str, membership: Joining, asked: ReasonAsked | None = None
) -> MemberView:
    """Trust a member no longer, for good. Jobs with it end; only a new pairing lets it in again."""
    reason = (asked or ReasonAsked()).reason
    member = await membership.revoke(caller, OrganisationId(organisation_id), reason)
    return _view(member, membership.peers.link(member.organisation))


@router.get("/revocations", operation_id="list_revocations", dependencies=[READ])
def list_revocations(database: Storage) -> list[RevocationView]:
    """List whom this organisation has revoked, newest first; paired anew or not."""
    with database.read() as session:
        return [
            RevocationView(
                organisation=one.name,
                organisation_id=one.organisation,
                reason=one.reason,
                revoked_by=one.revoked_by,
                revoked_at=one.revoked_at,
            )
            for one in organisations.list_revocations(session)
        ]


def _view_invitation(invitation: Invitation) -> InvitationStateView:
    return InvitationStateView(
        id=invitation.id,
        state=invitations.stand(invitation),
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
        used_by=invitation.used_by,
    )


def _view(member: Member, link: LinkState) -> MemberView:
    return MemberView(
        organisation=member.name,
        organisation_id=member.organisation,
        state=member.state,
        pair_fingerprint=show(member.pair_fingerprint),
        address=member.address,
        connected=link.connected,
        latency_ms=link.latency_ms,
        version=link.version or member.release,
        last_seen=link.last_seen,
        latency_median_ms=link.latency_median_ms,
        connected_since=link.connected_since,
        certificate_until=link.certificate_until,
        region=member.region,
        contact=member.contact,
        pool=member.pool,
        paired_at=member.paired_at,
    )
