"""Deliver letters: in order for each organisation, again and again while it cannot be reached."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.outbox import service as outbox
from hanse.control.outbox.tables import Letter
from hanse.control.peers import Peers
from hanse.core.faults import Fault, HanseError
from hanse.core.ids import OrganisationId
from hanse.core.times import later

log = structlog.get_logger("hanse.control.outbox")

AGAIN_S = 2.0
"""How long after a failed delivery the next is tried."""

TRY_S = 10.0
AWAY = frozenset({"peer.unreachable", "peer.busy", "member.unknown", "member.state", "database.busy"})
"""What is heard of a partner that will be there later or has not confirmed us yet; anything else is its answer."""

FAILING = frozenset({"peer.failed", "node.failed"})
GIVE_UP_S = 3600.0
"""A partner that fails over a letter gets it again for this long; then the letters behind it get their turn."""

T = TypeVar("T")


class Courier:
    """Delivers what lies in the outbox. `run` does it for the node's life, `settle` waits for one round."""

    def __init__(self, database: Database, peers: Peers) -> None:
        self._database = database
        self._peers = peers
        self._rounds: dict[OrganisationId, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled."""
        try:
            while True:
                try:
                    await self._start_rounds()
                except HanseError as error:
                    log.warning("letters.unread", code=error.fault.code, cause=error.fault.cause)
                with suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_S):
                        await self._woken.wait()
                self._woken.clear()
        finally:
            for task in self._rounds.values():
                task.cancel()

    def wake(self) -> None:
        """Say that there is a new letter."""
        self._woken.set()

    async def after(self, step: Callable[[], T]) -> T:
        """Run a transaction in a thread and try to deliver what it wrote before returning its result."""
        result = await asyncio.to_thread(step)
        await self.settle()
        return result

    async def settle(self, timeout_s: float = 5.0) -> None:
        """Try every letter that lies here now; return when done, or after `timeout_s` with the rest under way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._finish_rounds()
                await self._start_rounds()
                await self._finish_rounds()

    async def _start_rounds(self) -> None:
        for organisation in await asyncio.to_thread(self._addressees):
            running = self._rounds.get(organisation)
            if running is None or running.done():
                self._rounds[organisation] = asyncio.create_task(self._deliver_all(organisation))

    async def _finish_rounds(self) -> None:
        running = [task for task in self._rounds.values() if not task.done()]
        if running:
            await asyncio.wait(running)

    async def _deliver_all(self, organisation: OrganisationId) -> None:
        while (letter := await asyncio.to_thread(self._oldest, organisation)) is not None:
            refusal: Fault | None = None
            try:
                await self._peers.call(organisation, letter.message, timeout_s=TRY_S)
            except HanseError as error:
                if _is_tried_again(letter, error.fault.code):
                    return
                refusal = error.fault
                log.warning("letter.refused", organisation=organisation, code=refusal.code)
            await asyncio.to_thread(self._put_away, letter, refusal)

    def _addressees(self) -> list[OrganisationId]:
        with self._database.read() as session:
            return outbox.addressees(session)

    def _oldest(self, organisation: OrganisationId) -> Letter | None:
        with self._database.read() as session:
            return outbox.oldest(session, organisation)

    def _put_away(self, letter: Letter, refusal: Fault | None) -> None:
        with self._database.write() as session:
            outbox.put_away(session, letter.number)
            if refusal is not None:
                who = letter.organisation
                audit.refuse(session, who, "letter.refused", str(letter.number), refusal.code, code=refusal.code)


def _is_tried_again(letter: Letter, code: str) -> bool:
    return code in AWAY or (code in FAILING and letter.written_at > later(-GIVE_UP_S))
