"""The node's certificate while the node runs: shown, asked for, installed, and renewed before it ends.

A new certificate holds for connections that begin from then on; sessions that are open go on. The files change in the
event loop, where the party port reads them, so that nobody sees a certificate with another one's key.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from hanse.control.access.callers import NODE, Caller
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.nodes.certificates import NODE_RENEW, read_chain, to_pem
from hanse.control.nodes.identity import ASKED, Fresh, Identity, ask, prepare, root_key_of
from hanse.control.nodes.requests import sign_request
from hanse.core import threads
from hanse.core.faults import HanseError
from hanse.core.times import format_time

LOOK_S = 3600.0

log = structlog.get_logger("hanse.node")


class Papers(NamedTuple):
    """The certificate in use. `has_root_key`: the node renews it itself. `is_asked`: a request is under way."""

    since: str
    until: str
    serial: str
    has_root_key: bool
    is_asked: bool


class Renewal:
    """Changes the node's certificate. `taken` is called after each change, in the event loop."""

    def __init__(self, database: Database, identity: Identity, taken: Callable[[], None]) -> None:
        self._database = database
        self._identity = identity
        self._taken = taken
        self._turn = asyncio.Lock()

    def papers(self) -> Papers:
        """Say what certificate the node shows."""
        leaf = read_chain(self._identity.chain_pem)[0]
        return Papers(
            since=format_time(leaf.not_valid_before_utc),
            until=format_time(leaf.not_valid_after_utc),
            serial=f"{leaf.serial_number:x}",
            has_root_key=self._identity.has_root_key,
            is_asked=(self._identity.keys / ASKED).exists(),
        )

    async def ask(self, caller: Caller) -> str:
        """Return a request (PEM) for the next certificate; asked again, the same one until it is installed."""
        async with self._turn:
            request = await threads.run(ask, self._identity.keys)
            await self._note(caller, "certificate.request")
            return request

    async def install(self, caller: Caller, pem: str) -> Papers:
        """Use the certificate that the organisation's authority made of a request. Raises `certificate.refused`."""
        async with self._turn:
            return await self._take(caller, await threads.run(prepare, self._identity.keys, pem), "certificate.install")

    async def renew(self, caller: Caller) -> Papers:
        """Sign a new certificate with a new key. Raises `certificate.root_elsewhere`."""
        async with self._turn:
            return await self._take(caller, await threads.run(self._sign), "certificate.renew")

    async def run(self) -> None:
        """Renew the certificate in good time, where the root's key is here; until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.renew_due(datetime.now(UTC))

    async def renew_due(self, moment: datetime) -> None:
        """Renew the certificate if it ends soon after a moment; a failure is told in the log and tried again."""
        leaf = read_chain(self._identity.chain_pem)[0]
        if self._identity.has_root_key and leaf.not_valid_after_utc - moment < NODE_RENEW:
            try:
                await self.renew(NODE)
            except (HanseError, OSError) as error:
                log.error("certificate.not_renewed", reason=str(error))

    def _sign(self) -> Fresh:
        identity = self._identity
        root_key = root_key_of(identity.keys)
        leaf = sign_request(ask(identity.keys), identity.root, root_key)
        return prepare(identity.keys, to_pem(leaf))

    async def _take(self, caller: Caller, fresh: Fresh, action: str) -> Papers:
        await self._note(caller, action, until=format_time(fresh.leaf.not_valid_after_utc))
        fresh.take()
        self._taken()
        return self.papers()

    async def _note(self, caller: Caller, action: str, **details: str) -> None:
        def write() -> None:
            with self._database.write() as session:
                audit.append(session, caller.id, action, self._identity.node, **details)

        await threads.run(write)
