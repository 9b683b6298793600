"""Invitations, joining, and the members."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.database import Database
from hanse.control.nodes.certificates import show
from hanse.control.organisations import service as organisations
from hanse.control.organisations.membership import Membership
from hanse.control.organisations.tables import Member
from hanse.control.outbox.courier import Courier
from hanse.control.peers import LinkState
from hanse.core.ids import OrganisationId

router = APIRouter(tags=["members"])

Joining = Annotated[Membership, part(Membership)]


class InvitationView(BaseModel):
    """`code` is shown this once; `fingerprint` is this organisation's, to be read out over another channel."""

    code: str
    fingerprint: str
    expires_at: str


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
    """`pending`: this side has to confirm. `awaiting`: the other side has to."""

    organisation: str
    organisation_id: str
    state: Literal["pending", "awaiting", "active", "suspended"]
    pair_fingerprint: str
    address: str
    connected: bool
    latency_ms: float | None
    version: str
    last_seen: str


class JoinView(BaseModel):
    member: MemberView


@router.post("/invitations", status_code=201, operation_id="issue_invitation")
async def issue_invitation(membership: Joining) -> InvitationView:
    """Invite an organisation: a code for one use within 24 hours."""
    issued = await membership.invite()
    return InvitationView(code=issued.code, fingerprint=show(issued.fingerprint), expires_at=issued.expires_at)


@router.post("/joins/inspect", operation_id="inspect_invitation")
async def inspect_invitation(asked: CodeAsked, membership: Joining) -> InspectionView:
    """Say whom an invitation comes from, and the fingerprint to compare, before anything is agreed."""
    invited = await membership.inspect(asked.code)
    return InspectionView(
        organisation=invited.name,
        fingerprint=show(invited.fingerprint),
        pair_fingerprint=show(invited.pair_fingerprint),
    )


@router.post("/joins", status_code=201, operation_id="join")
async def join(asked: JoinAsked, membership: Joining) -> JoinView:
    """Accept an invitation. The member is `awaiting` until the inviter's administrator has confirmed."""
    member = await membership.join(asked.code, asked.fingerprint)
    return JoinView(member=_view(member, membership.peers.link(member.organisation)))


@router.get("/members", operation_id="list_members")
def list_members(database: Annotated[Database, part(Database)], membership: Joining) -> list[MemberView]:
    """List the other organisations, and how each is reached now."""
    with database.read() as session:
        members = organisations.list_members(session)
    return [_view(member, membership.peers.link(member.organisation)) for member in members]


@router.post("/members/{organisation_id}/confirm", operation_id="confirm_member")
async def confirm_member(
    organisation_id: str,
    asked: FingerprintAsked,
    membership: Joining,
    courier: Annotated[Courier, part(Courier)],
) -> MemberView:
    """Make a joiner a member, having compared the fingerprint of the pair."""
    member = await membership.confirm(OrganisationId(organisation_id), asked.fingerprint)
    courier.wake()
    return _view(member, membership.peers.link(member.organisation))


@router.post("/members/{organisation_id}/suspend", operation_id="suspend_member")
async def suspend_member(organisation_id: str, membership: Joining) -> MemberView:
    """Stop listening to a member, running jobs included."""
    member = await membership.suspend(OrganisationId(organisation_id))
    return _view(member, membership.peers.link(member.organisation))


@router.post("/members/{organisation_id}/resume", operation_id="resume_member")
async def resume_member(organisation_id: str, membership: Joining) -> MemberView:
    """Listen to a suspended member again."""
    member = await membership.resume(OrganisationId(organisation_id))
    return _view(member, membership.peers.link(member.organisation))


def _view(member: Member, link: LinkState) -> MemberView:
    return MemberView(
        organisation=member.name,
        organisation_id=member.organisation,
        state=member.state,
        pair_fingerprint=show(member.pair_fingerprint),
        address=member.address,
        connected=link.connected,
        latency_ms=link.latency_ms,
        version=link.version,
        last_seen=link.last_seen,
    )
