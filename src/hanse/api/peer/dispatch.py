"""Answer a member's request: decode it, see that its sender may speak, call the service, reply.

The sender is who the session's certificate says. A request that is not understood, or a sender that is not active, is
refused and audited; the peer hears the code alone.
"""

from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from sqlalchemy.orm import Session

from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.grants import applications
from hanse.control.grants import service as grants
from hanse.control.jobs import parting
from hanse.control.nodes.identity import Identity
from hanse.control.organisations import service as organisations
from hanse.control.organisations.membership import Membership
from hanse.control.outbox.courier import Courier
from hanse.control.profiles import sharing
from hanse.control.projects import service as projects
from hanse.control.registry import following, keeping
from hanse.core import threads
from hanse.core.faults import HanseError, fault
from hanse.core.federation_messages import (
    ApplicationAnswered,
    ApplicationMade,
    ApplicationWithdrawn,
    CardPublished,
    CardWithdrawn,
    FederationReply,
    FederationRequest,
    FiguresShared,
    FiguresWithdrawn,
    GrantOffered,
    GrantRevoked,
    MemberConfirmed,
    Ping,
    Pong,
    ProjectAccepted,
    ProjectLeft,
    ProjectOffered,
)
from hanse.core.ids import JobId, OrganisationId
from hanse.core.job_messages import Acknowledged, JobReply, JobRequest
from hanse.core.registry_messages import (
    EntryPublished,
    EntryWithdrawn,
    PairingForwarded,
    PairingProposed,
    RegisterAsked,
    RegisterPage,
)
from hanse.core.throttle import Throttle

CAUSE_CHARACTERS = 1000
THREADS = 4
"""For the answers to all members together: the threads that this node's own people wait for are others."""

log = structlog.get_logger("hanse.api.peer")

AnswerJob = Callable[[OrganisationId, JobRequest], Awaitable[JobReply]]

_decoder: msgspec.msgpack.Decoder[FederationRequest | JobRequest] = msgspec.msgpack.Decoder(
    FederationRequest | JobRequest
)


@dataclass(frozen=True)
class Dispatch:
    """Answers members. `answer_job` takes what is about jobs."""

    database: Database
    identity: Identity
    membership: Membership
    courier: Courier
    answer_job: AnswerJob
    _audited: Throttle = field(default_factory=Throttle)
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "answers"))

    async def answer(self, organisation: OrganisationId, payload: bytes) -> bytes:
        """Return the encoded reply. Raises HanseError."""
        with threads.kept_to(self._threads):
            return await self._reply(organisation, payload)

    async def _reply(self, organisation: OrganisationId, payload: bytes) -> bytes:
        try:
            reply = await self._answer(organisation, _decode(payload))
        except HanseError as error:
            if (left_out := self._audited.admit(organisation)) is not None:
                await threads.run(self._note_refusal, organisation, error, left_out)
            raise
        except Exception as error:  # a mistake of ours, or of the sender, that no check foresaw: it ends here
            log.exception("request.failed", organisation=organisation)
            raise fault("node.failed", "the request could not be answered") from error
        return msgspec.msgpack.encode(reply)

    async def _answer(
        self, organisation: OrganisationId, request: FederationRequest | JobRequest
    ) -> FederationReply | JobReply:
        if isinstance(request, MemberConfirmed):
            await self.membership.record_confirmation(organisation)
            return Acknowledged()
        await threads.run(self._demand_active, organisation)
        if isinstance(request, Ping):
            return Pong(self.membership.release, self.membership.profile)
        if isinstance(request, RegisterAsked):
            return await threads.run(self._read_register, request)
        if isinstance(request, PairingForwarded):
            await threads.run(self._take_introduction, organisation, request)
            return Acknowledged()
        step = _STEPS.get(type(request))
        if step is None:
            return await self.answer_job(organisation, request)  # type: ignore[arg-type]  # all others are of jobs
        ended = await threads.run(self._take, step, organisation, request)
        self.courier.wake()
        if ended:
            await self.membership.parted(ended)
        return Acknowledged()

    def _demand_active(self, organisation: OrganisationId) -> None:
        with self.database.read() as session:
            organisations.demand_active(session, organisation)

    def _take(self, step: "Step", organisation: OrganisationId, request: Any) -> list[JobId]:
        with self.database.write() as session:
            return step(session, self.identity.organisation, organisation, request) or []

    def _read_register(self, asked: RegisterAsked) -> RegisterPage:
        with self.database.read() as session:
            return keeping.read_page(session, self.identity, asked)

    def _take_introduction(self, organisation: OrganisationId, said: PairingForwarded) -> None:
        with self.database.write() as session:
            following.record_forwarded(session, self.identity, organisation, said)

    def _note_refusal(self, organisation: OrganisationId, error: HanseError, left_out: int) -> None:
        with self.database.write() as session:
            details = {"code": error.fault.code, "cause": error.fault.cause[:CAUSE_CHARACTERS], "left_out": left_out}
            audit.refuse(session, organisation, "peer.refuse", organisation, error.fault.code, **details)


def _decode(payload: bytes) -> FederationRequest | JobRequest:
    try:
        return _decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise fault("peer.unreadable", f"a request that this release does not know: {error}") from error


def _take_project(session: Session, me: OrganisationId, sender: OrganisationId, offer: ProjectOffered) -> list[JobId]:
    """Note the project, and tell members that have joined it since of what was granted before."""
    before = set(projects.partners(session, offer.project, me))
    gone = projects.record_offer(session, me, sender, offer)
    for partner in set(projects.partners(session, offer.project, me)) - before:
        grants.offer_all(session, offer.project, partner)
        applications.publish_all(session, me, offer.project, partner)
        sharing.share_all(session, me, offer.project, partner)
    return parting.leave_project(session, me, offer.project, gone)


def _take_acceptance(
    session: Session, me: OrganisationId, sender: OrganisationId, said: ProjectAccepted
) -> list[JobId]:
    projects.record_acceptance(session, me, sender, said)
    grants.offer_all(session, said.project, sender)
    applications.publish_all(session, me, said.project, sender)
    sharing.share_all(session, me, said.project, sender)
    return []


def _take_leaving(session: Session, me: OrganisationId, sender: OrganisationId, said: ProjectLeft) -> list[JobId]:
    gone = projects.record_leaving(session, me, sender, said)
    return parting.leave_project(session, me, said.project, gone)


def _take_grant(session: Session, _: OrganisationId, sender: OrganisationId, offer: GrantOffered) -> list[JobId]:
    grants.record_offer(session, sender, offer)
    return []


def _take_revocation(session: Session, _: OrganisationId, sender: OrganisationId, said: GrantRevoked) -> list[JobId]:
    grants.record_revocation(session, sender, said.grant)
    return []


def _take_application(session: Session, _: OrganisationId, sender: OrganisationId, said: ApplicationMade) -> None:
    applications.record_application(session, sender, said)


def _take_answer(session: Session, _: OrganisationId, sender: OrganisationId, said: ApplicationAnswered) -> None:
    applications.record_answer(session, sender, said)


def _take_withdrawal(session: Session, _: OrganisationId, sender: OrganisationId, said: ApplicationWithdrawn) -> None:
    applications.record_withdrawal(session, sender, said)


def _take_card(session: Session, _: OrganisationId, sender: OrganisationId, said: CardPublished) -> None:
    applications.record_card(session, sender, said)


def _forget_card(session: Session, _: OrganisationId, sender: OrganisationId, said: CardWithdrawn) -> None:
    applications.forget_card(session, sender, said)


def _take_figures(session: Session, _: OrganisationId, sender: OrganisationId, said: FiguresShared) -> None:
    sharing.record_shared(session, sender, said)


def _forget_figures(session: Session, _: OrganisationId, sender: OrganisationId, said: FiguresWithdrawn) -> None:
    sharing.forget_shared(session, sender, said)


Step = Callable[[Session, OrganisationId, OrganisationId, Any], list[JobId] | None]
"""Takes what a member says, and returns the jobs that ended by it."""

_STEPS: dict[type, Step] = {
    ProjectOffered: _take_project,
    ProjectAccepted: _take_acceptance,
    ProjectLeft: _take_leaving,
    GrantOffered: _take_grant,
    GrantRevoked: _take_revocation,
    ApplicationMade: _take_application,
    ApplicationAnswered: _take_answer,
    ApplicationWithdrawn: _take_withdrawal,
    CardPublished: _take_card,
    CardWithdrawn: _forget_card,
    FiguresShared: _take_figures,
    FiguresWithdrawn: _forget_figures,
    EntryPublished: keeping.record_entry,
    EntryWithdrawn: keeping.forget_entry,
    PairingProposed: keeping.forward,
}
