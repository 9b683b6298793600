"""Send what waits to leave the house, over each channel by itself, for as long as the node lives.

Several processes of a node share the table: each takes rows under a lease, so that none is sent twice unless a process
dies between sending and noting it. A failed attempt is repeated later and later, then given up and listed.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.orm import Session

from hanse.control.database import Database
from hanse.control.notifications import channels, formats, mailing, posting, readers, service
from hanse.control.notifications.kinds import Language
from hanse.control.notifications.posting import Failed, Refused
from hanse.control.notifications.tables import Channel, Delivery, DeliveryState, Secret
from hanse.core.addresses import NOTHING, Allowed
from hanse.core.faults import HanseError
from hanse.core.times import format_time

log = structlog.get_logger("hanse.control.notifications")

LOOK_S = 2.0
"""How often the table is looked at."""

LEASE_S = 120.0
"""How long what one process has taken is left to it; longer than any attempt."""

MOST_TRIES = 8
FIRST_AGAIN_S, LONGEST_AGAIN_S = 30.0, 3600.0
HOUR_S = 3600.0

Clock = Callable[[], datetime]


def utc() -> datetime:
    return datetime.now(UTC)


class Sender:
    """Sends what is due. `organisation` and `home` (the console's address) stand in what is sent.

    `hourly` are transactions of other slices that look for what is to be told, such as what ends soon.
    """

    def __init__(
        self,
        database: Database,
        directory: Path,
        organisation: str,
        *,
        home: str = "",
        allowed: Allowed = NOTHING,
        hourly: Sequence[Callable[[Session], object]] = (),
        clock: Clock = utc,
    ) -> None:
        self.database, self.directory, self.organisation = database, directory, organisation
        self.home, self.allowed, self.hourly, self.clock = home, allowed, (*hourly, service.sweep), clock
        self._rounds: dict[str, asyncio.Task[None]] = {}
        self._looked: datetime | None = None

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                try:
                    await self._look()
                    await self._start_rounds()
                except HanseError as error:
                    log.warning("notifications.unread", code=error.fault.code, cause=error.fault.cause)
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._rounds.values():
                task.cancel()

    async def settle(self) -> None:
        """Send what is due now; return when it was tried."""
        await self._start_rounds()
        if self._rounds:
            await asyncio.wait(self._rounds.values())

    async def test(self, channel: Channel, receiver: str = "") -> str:
        """Send a test, by e-mail to `receiver`; return what went wrong, empty when nothing did."""
        try:
            await self._deliver(channel, [], receiver)
        except (Failed, Refused) as error:
            return str(error)
        except HanseError as error:
            return f"{error.fault.code}: {error.fault.cause}"
        return ""

    async def _look(self) -> None:
        """Do what is done every hour, each in a transaction of its own."""
        if self._looked is not None and self.clock() - self._looked < timedelta(seconds=HOUR_S):
            return
        self._looked = self.clock()
        for step in self.hourly:
            await asyncio.to_thread(self._do, step)

    def _do(self, step: Callable[[Session], object]) -> None:
        with self.database.write() as session:
            step(session)

    async def _start_rounds(self) -> None:
        for channel in await asyncio.to_thread(self._due):
            running = self._rounds.get(channel)
            if running is None or running.done():
                self._rounds[channel] = asyncio.create_task(self._send_all(channel))

    async def _send_all(self, channel_id: str) -> None:
        with suppress(HanseError):  # the database's; the next look tries again
            while taken := await asyncio.to_thread(self._claim, channel_id):
                channel, receiver, deliveries = taken
                state, error = await self._try(channel, receiver, deliveries)
                await asyncio.to_thread(self._settle, deliveries, state, error)

    async def _try(self, channel: Channel, receiver: str, taken: Sequence[Delivery]) -> tuple[DeliveryState, str]:
        try:
            await self._deliver(channel, taken, receiver)
        except (Failed, HanseError) as error:
            said = f"{error.fault.code}: {error.fault.cause}" if isinstance(error, HanseError) else str(error)
            state: DeliveryState = "dead" if max(one.tries for one in taken) >= MOST_TRIES else "waiting"
        except Refused as error:
            said, state = str(error), "dead"
        except Exception as error:  # one channel's fault must not stop it for good, nor the others
            log.exception("notification.failed", channel=channel.id)
            said, state = type(error).__name__, "dead"
        else:
            return "sent", ""
        log.warning("notification.unsent", channel=channel.id, cause=said, state=state)
        return state, said

    async def _deliver(self, channel: Channel, taken: Sequence[Delivery], receiver: str) -> None:
        """Send these over a channel (none: a test). Raises Failed, Refused, `secrets.*`."""
        secret = await asyncio.to_thread(channels.secret_of, channel, self.directory)
        language = channel.language
        if channel.kind == "email":
            language = await asyncio.to_thread(self._language, taken, channel)
        letter = formats.letter(taken, self.organisation, self.home, language)
        if channel.kind == "email":
            await self._mail(channel, letter, secret, receiver)
            return
        moment = self.clock()
        second, settings = int(moment.timestamp()), channel.settings
        if channel.kind == "webhook":
            one = taken[0] if taken else None
            post = formats.webhook(secret, one, letter, format_time(moment), second)
        else:
            post = formats.CHATS[channel.kind](secret, letter, settings.plain, second)
        answer = await posting.send(post, channels.split_place(settings.place), self.allowed, settings.authority)
        if complaint := formats.refusal(channel.kind, answer):
            raise Failed(complaint)

    async def _mail(self, channel: Channel, letter: formats.Letter, secret: Secret, receiver: str) -> None:
        if not receiver:
            raise Refused("the receiver has no e-mail address")
        host, port = channels.split_place(channel.settings.place)
        addresses = await posting.judge(host, port, self.allowed)
        message = mailing.write(letter, channel.settings.sender, receiver)
        tls = posting.trust(channel.settings.authority)
        server = mailing.Server(channel.settings, host, port, addresses, tls)
        await asyncio.to_thread(server.send, message, secret.secret)

    def _language(self, taken: Sequence[Delivery], channel: Channel) -> Language:
        with self.database.read() as session:
            return service.language_of(session, taken[0].reader) if taken else channel.language

    def _due(self) -> list[str]:
        with self.database.read() as session:
            return channels.due(session, format_time(self.clock()))

    def _claim(self, channel_id: str) -> tuple[Channel, str, list[Delivery]] | None:
        """Take what is next over a channel, and read where it goes."""
        moment = self.clock()
        until = format_time(moment + timedelta(seconds=LEASE_S))
        with self.database.write() as session:
            taken = channels.claim(session, channel_id, format_time(moment), until)
            if not taken:
                return None
            reader = taken[0].reader
            return channels.find(session, channel_id), readers.addresses(session, [reader]).get(reader, ""), taken

    def _settle(self, taken: Sequence[Delivery], state: DeliveryState, error: str) -> None:
        tries = max(one.tries for one in taken)
        again_s = min(FIRST_AGAIN_S * 2 ** (tries - 1), LONGEST_AGAIN_S)
        with self.database.write() as session:
            due_at = format_time(self.clock() + timedelta(seconds=again_s))
            channels.settle(session, taken, state, error, due_at)
