"""What the gateway and the control plane want of each other: neither imports the other, so they meet here."""

import asyncio
import secrets
from typing import Any

import structlog

from hanse.api.peer.dispatch import Dispatch
from hanse.control.audit import service as audit
from hanse.control.audit.origin import Origin, coming_from
from hanse.control.database import Database
from hanse.control.jobs.desk import JobDesk
from hanse.control.organisations.membership import Membership
from hanse.control.peers import Answerer, LinkState, Pinned
from hanse.core.events import Event
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.roles import PartyId
from hanse.gateway.gateway import Gateway
from hanse.gateway.pairing import introduce, post_pairing
from hanse.gateway.shapes import PinnedPeer

log = structlog.get_logger("hanse.node")


class GatewayPeers:
    """The gateway as the control plane's `Peers`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def pin(self, member: Pinned) -> None:
        self._gateway.pin(PinnedPeer(*member))

    def unpin(self, organisation: OrganisationId) -> None:
        self._gateway.unpin(organisation)

    async def call(self, organisation: OrganisationId, payload: bytes, *, timeout_s: float = 20.0) -> bytes:
        return await self._gateway.call(organisation, payload, timeout_s=timeout_s)

    def link(self, organisation: OrganisationId) -> LinkState:
        links = (link for link in self._gateway.links() if link.organisation == organisation)
        found = next(links, None)
        if found is None:
            return LinkState()
        return LinkState(
            found.connected,
            found.latency_ms,
            found.version,
            found.last_seen,
            found.latency_median_ms,
            found.connected_since,
            found.certificate_until,
        )


class PairingDoorbell:
    """The joiner's side of `/v1/pair` as the control plane's `Doorbell`."""

    async def introduction(self, address: str) -> Answerer:
        return Answerer(*await introduce(address))

    async def join(self, address: str, root_pem: str, request: dict[str, Any]) -> dict[str, Any]:
        return await post_pairing(address, request, root_pem)


class ControlSide:
    """The control plane as the gateway's `NodeSide`. `open` is called before the gateway starts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writing: set[asyncio.Task[None]] = set()

    def open(self, membership: Membership, desk: JobDesk, dispatch: Dispatch) -> None:
        self._membership = membership
        self._desk = desk
        self._dispatch = dispatch

    async def close(self) -> None:
        """Wait until the last audit lines are written."""
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def answer(self, organisation: OrganisationId, payload: bytes) -> bytes:
        with coming_from(Origin("partner", organisation, correlation=secrets.token_hex(8), person=organisation)):
            return await self._dispatch.answer(organisation, payload)

    def takes_part(self, organisation: OrganisationId, job: JobId) -> bool:
        return self._desk.takes_part(organisation, job)

    async def spend(self, job: JobId, task: TaskName, attempt: int, count: int, most: int | None) -> Fault | None:
        return await self._desk.spend(job, task, attempt, count, most)

    def report(self, job: JobId, task: TaskName, attempt: int, party: PartyId, event: Event) -> None:
        self._desk.report(job, task, attempt, party, event)

    def refused(self, organisation: str, reason: str) -> None:
        log.warning("peer.refused", organisation=organisation, reason=reason)
        task = asyncio.create_task(asyncio.to_thread(self._note_refusal, organisation, reason))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def pair(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return await self._membership.answer_pair(request)
        except HanseError:
            raise
        except Exception as error:  # a stranger's request must not bring down more than itself
            log.exception("pairing.failed")
            raise fault("node.failed", "the request could not be answered") from error

    def introduction(self) -> dict[str, Any]:
        return self._membership.introduction()

    def _note_refusal(self, organisation: str, reason: str) -> None:
        try:
            with self._database.write() as session:
                audit.refuse(session, organisation, "peer.refuse", organisation, "peer.refused", reason=reason)
        except HanseError as error:
            log.error("audit.unwritten", organisation=organisation, reason=reason, code=error.fault.code)
