"""Pairing and membership: what the administrator does, and what the other side does at `/v1/pair`.

The joiner dials the address of the invitation. Whoever answers shows a certificate; it must be signed by the root whose
fingerprint the invitation carries, or the joiner says nothing. Then the joiner posts its own root under a seal made
with the invitation's secret. Both administrators see one fingerprint over both roots; the joiner's gives it when
joining, the inviter's when confirming, and only then is anybody pinned for more than waiting.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import msgspec
from cryptography import x509
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.invitations import service as invitations
from hanse.control.invitations.codes import Code, read_code
from hanse.control.invitations.seals import is_answered, seal_reply, seal_request
from hanse.control.invitations.service import Issued, NotInvited
from hanse.control.nodes.certificates import (
    check_node,
    demand_signed,
    key_from_pem,
    organisation_id,
    organisation_name,
    pair_fingerprint,
    read_chain,
    read_leaf,
    read_root,
    sign,
    to_pem,
)
from hanse.control.nodes.identity import Identity
from hanse.control.notifications import service as notifications
from hanse.control.organisations import service as organisations
from hanse.control.organisations.tables import Member
from hanse.control.outbox import service as outbox
from hanse.control.peers import Doorbell, Peers, Pinned
from hanse.core import threads
from hanse.core.faults import HanseError, fault
from hanse.core.federation_messages import Introduction, JoinReply, JoinRequest, MemberConfirmed, Ping, Pong, Profile
from hanse.core.ids import JobId, OrganisationId
from hanse.core.throttle import Throttle

ASK_AGAIN_S = 2.0
"""How often a joiner asks an inviter that has not confirmed yet."""

REFUSED = "pairing.refused"

PROFILE_S = 60.0
"""How often a connected member is asked what it says of itself."""

PART_S = 3.0
"""How long a member that is suspended or revoked is told that its jobs have ended."""

STRANGER = "stranger"
REASON_CHARACTERS = 1000

T = TypeVar("T")


class Invited(NamedTuple):
    """Whom an invitation comes from, checked against the certificate that answered at its address."""

    name: str
    fingerprint: str
    pair_fingerprint: str
    root: x509.Certificate


def _end_none(_session: Session, _organisation: OrganisationId, _code: str) -> list[JobId]:
    return []


async def _tell_nobody(_: Sequence[JobId]) -> None:
    """Before the node has a desk for jobs."""


@dataclass
class Membership:
    """This organisation's doings with others. `address` is where partners dial this node, `release` its own.

    `profile` is what it says of itself, `end_jobs` ends the jobs with a
    member and `parted` their processes, and sends what tells of it.
    """

    database: Database
    identity: Identity
    peers: Peers
    doorbell: Doorbell
    release: str
    address: str = ""
    profile: Profile = field(default_factory=Profile)
    end_jobs: Callable[[Session, OrganisationId, str], list[JobId]] = _end_none
    parted: Callable[[Sequence[JobId]], Awaitable[None]] = _tell_nobody
    _pinned: set[OrganisationId] = field(default_factory=set)
    _audited: Throttle = field(default_factory=Throttle)

    # ------------------------------------------------------------------ the administrator's side
    async def invite(self, caller: Caller, valid_s: float = invitations.VALID_S) -> Issued:
        """Make an invitation."""
        return await self._write(
            lambda session: invitations.invite(session, caller, self.identity.root, self.address, valid_s)
        )

    async def inspect(self, text: str) -> Invited:
        """Say whom an invitation comes from, without telling that side anything."""
        return await self._visit(read_code(text))

    async def join(self, caller: Caller, text: str, fingerprint: str) -> Member:
        """Accept an invitation, the administrator having compared the fingerprint of the pair."""
        code = read_code(text)
        inviter = await self._visit(code)
        organisations.demand_fingerprint(inviter.pair_fingerprint, fingerprint)
        request = self._request(code, inviter)
        said = await self.doorbell.join(code.address, to_pem(inviter.root), msgspec.to_builtins(request))
        try:
            reply = msgspec.convert(said, JoinReply)
        except msgspec.ValidationError as error:
            raise fault("pairing.answer", f"{inviter.name} answered something else: {error}") from error
        if not is_answered(code.secret, request, reply):
            raise fault("pairing.answer", f"{inviter.name}'s answer is not made with the invitation's secret")
        member = await self._write(lambda session: self._note_inviter(session, caller, inviter, code))
        await self.pin_all()
        return member

    async def confirm(self, caller: Caller, organisation: OrganisationId, fingerprint: str) -> Member:
        """Make a joiner a member, the administrator having compared the fingerprint of the pair."""

        def confirm(session: Session) -> Member:
            member = organisations.confirm(session, caller, organisation, fingerprint)
            invitations.close(session, organisation)
            outbox.write(session, organisation, MemberConfirmed())
            return member

        return await self._change(confirm)

    async def suspend(self, caller: Caller, organisation: OrganisationId) -> Member:
        """Stop listening to a member. Its jobs with us end at all of their parties, then its session is closed."""
        return await self._part(
            organisation,
            "member.suspended",
            lambda session, jobs: organisations.suspend(session, caller, organisation, jobs),
        )

    async def resume(self, caller: Caller, organisation: OrganisationId) -> Member:
        """Listen to a suspended member again."""
        return await self._change(lambda session: organisations.resume(session, caller, organisation))

    async def revoke(self, caller: Caller, organisation: OrganisationId, reason: str) -> Member:
        """Trust a member no longer: as `suspend`, its root is unpinned, and what lay here for it is dropped."""
        member = await self._part(
            organisation,
            "member.revoked",
            lambda session, jobs: organisations.revoke(session, caller, organisation, reason, jobs),
        )
        await self._write(lambda session: _forget(session, organisation))
        return member

    async def _part(
        self, organisation: OrganisationId, code: str, change: Callable[[Session, list[JobId]], Member]
    ) -> Member:
        """End the jobs with a member and tell it so, for PART_S at most, before the link is cut.

        From the transaction on, the member is answered nothing.
        """

        def write(session: Session) -> tuple[Member, list[JobId]]:
            jobs = self.end_jobs(session, organisation, code)
            return change(session, jobs), jobs

        member, jobs = await self._write(write)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(PART_S):
                    await self.parted(jobs)
        finally:
            await self.pin_all()
        return member

    # ------------------------------------------------------------------ the other side
    def introduction(self) -> dict[str, Any]:
        """Answer GET /v1/pair."""
        own = Introduction(self.identity.name, self.identity.root_pem, self.release)
        return dict(msgspec.to_builtins(own))

    async def answer_pair(self, said: dict[str, Any]) -> dict[str, Any]:
        """Answer POST /v1/pair. Whoever may not join hears the same, `pairing.refused`; the reason is audited."""
        try:
            request = msgspec.convert(said, JoinRequest)
            root = _checked_root(request)
        except (msgspec.ValidationError, HanseError) as error:
            cause = error.fault.cause if isinstance(error, HanseError) else str(error)
            await self._audit_refusal(STRANGER, cause)
            raise invitations.refuse() from error
        joiner = organisation_id(root)

        def note(session: Session) -> tuple[Member, bytes]:
            secret = invitations.redeem(session, self.identity.root, request, joiner)
            fresh = organisations.is_new(session, joiner)
            member = organisations.admit(session, self.identity.root, root, request.address, "pending")
            if fresh:
                audit.append(session, joiner, "member.joined", joiner, name=member.name, address=member.address)
                tell_joined(session, member)
            return member, secret

        try:
            member, secret = await self._write(note)
        except NotInvited as error:
            await self._audit_refusal(joiner, error.reason)
            raise invitations.refuse() from error
        state = "active" if member.state == "active" else "pending"
        reply = JoinReply(state, seal_reply(secret, request, state))  # type: ignore[arg-type]  # one of the two
        return dict(msgspec.to_builtins(reply))

    async def record_confirmation(self, organisation: OrganisationId) -> Member:
        """Note that an inviter has confirmed us."""
        return await self._change(lambda session: organisations.record_confirmation(session, organisation))

    # ------------------------------------------------------------------ the node's life
    async def pin_all(self) -> None:
        """Tell the party port whom to trust: all whom our administrator has confirmed and not revoked."""
        trusted = {m.organisation: m for m in await threads.run(self._members) if m.state not in ("pending", "revoked")}
        for organisation in self._pinned - trusted.keys():
            self.peers.unpin(organisation)
        for member in trusted.values():
            suspended = member.state == "suspended"
            self.peers.pin(Pinned(member.organisation, member.name, member.root_pem, member.address, suspended))
        self._pinned = set(trusted)

    async def keep_in_touch(self) -> None:
        """Ask inviters whether they have confirmed us, and connected members what they say of themselves.

        Until cancelled: an inviter's message to us may never have come.
        """
        due: dict[OrganisationId, float] = {}
        while True:
            with suppress(HanseError):  # not there, or not yet: it is asked again
                for member in await threads.run(self._members):
                    if member.state == "awaiting":
                        await self._ask(member.organisation)
                    elif self._is_due(member, due):
                        due[member.organisation] = time.monotonic() + PROFILE_S
                        await self._ask(member.organisation)
            await asyncio.sleep(ASK_AGAIN_S)

    def _is_due(self, member: Member, due: dict[OrganisationId, float]) -> bool:
        is_up = member.state == "active" and self.peers.link(member.organisation).connected
        return is_up and due.get(member.organisation, 0.0) <= time.monotonic()

    async def _ask(self, organisation: OrganisationId) -> None:
        """Ping a member: its answer says that we are a member of it, and what it says of itself."""
        with suppress(HanseError):
            raw = await self.peers.call(organisation, msgspec.msgpack.encode(Ping()), timeout_s=ASK_AGAIN_S)
            try:
                said = msgspec.msgpack.decode(raw, type=Pong)
            except msgspec.DecodeError as error:
                await self._audit_refusal(organisation, f"answers a ping with something else: {error}")
                return
            await self.record_confirmation(organisation)
            profile = msgspec.structs.replace(said.profile, release=said.release)
            if await self._write(lambda session: organisations.note_profile(session, organisation, profile)):
                await self.pin_all()

    # ------------------------------------------------------------------ steps
    async def _visit(self, code: Code) -> Invited:
        root = await self.meet(code.address, OrganisationId(code.fingerprint))
        if code.fingerprint == self.identity.organisation:
            raise fault("member.self", "the invitation is this organisation's own")
        pair = pair_fingerprint(self.identity.root, root)
        return Invited(organisation_name(root), code.fingerprint, pair, root)

    async def meet(self, address: str, organisation: OrganisationId) -> x509.Certificate:
        """Return the root of who answers at an address, believed only for the certificate that it came with.

        Raises `peer.unreachable`, and `pairing.stranger` for another organisation than this.
        """
        answerer = await self.doorbell.introduction(address)
        try:
            said = msgspec.convert(answerer.introduction, Introduction)
            root = read_root(said.root)
            if organisation_id(root) != organisation:
                raise fault("certificate.refused", "its root has another fingerprint than was said")
            check_node(read_leaf(answerer.leaf), root)
        except msgspec.ValidationError as error:
            raise fault("pairing.stranger", f"what answers at {address} is no node: {error}") from error
        except HanseError as error:
            raise fault("pairing.stranger", f"{address}: {error.fault.cause}") from error
        return root

    def _request(self, code: Code, inviter: Invited) -> JoinRequest:
        own = self.identity
        bare = JoinRequest(code.invitation, own.root_pem, own.chain_pem, self.address, "", "")
        seal = seal_request(code.secret, inviter.root, bare)
        key = key_from_pem(own.key_path.read_bytes())
        return msgspec.structs.replace(bare, seal=seal, signature=sign(key, _signed(seal)).hex())

    def _note_inviter(self, session: Session, caller: Caller, inviter: Invited, code: Code) -> Member:
        member = organisations.admit(session, self.identity.root, inviter.root, code.address, "awaiting")
        audit.append(session, caller.id, "member.join", member.organisation, name=member.name)
        return member

    def _members(self) -> list[Member]:
        with self.database.read() as session:
            return organisations.list_members(session)

    async def _change(self, change: Callable[[Session], Member]) -> Member:
        member = await self._write(change)
        await self.pin_all()
        return member

    async def _write(self, step: Callable[[Session], T]) -> T:
        def write() -> T:
            with self.database.write() as session:
                return step(session)

        return await threads.run(write)

    async def _audit_refusal(self, who: str, reason: str) -> None:
        """Write an audit line, at a rate: anybody who reaches the party port can cause one, in any name."""
        left_out = self._audited.admit(STRANGER)
        if left_out is not None:
            details = {"reason": reason[:REASON_CHARACTERS], "left_out": left_out}
            await self._write(lambda session: audit.refuse(session, who, "pairing.refuse", who, REFUSED, **details))


def tell_joined(session: Session, member: Member) -> None:
    """Tell those who may confirm it."""
    link = f"/members/{member.organisation}"
    notifications.tell(session, "member.pending", to=Permission.MEMBERS_MANAGE, link=link, words={"name": member.name})


def _forget(session: Session, organisation: OrganisationId) -> None:
    invitations.close(session, organisation)
    outbox.drop(session, organisation)


def _checked_root(request: JoinRequest) -> x509.Certificate:
    """Return the joiner's root, once it is known to have signed the certificate that the joiner will show."""
    root = read_root(request.root)
    chain = read_chain(request.chain)
    if len(chain) != 2 or chain[1] != root:
        raise fault("certificate.refused", "the chain is not the node's certificate and then the root")
    check_node(chain[0], root)
    demand_signed(chain[0], _signed(request.seal), bytes.fromhex(request.signature))
    return root


def _signed(seal: str) -> bytes:
    return f"hanse join 1 {seal}".encode()
