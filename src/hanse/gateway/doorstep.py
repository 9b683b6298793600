"""The party port's connections from their first byte to their last: how many there are, of whom, and for how long.

A connection counts for the address that it comes from until the TLS handshake has shown an organisation, and then for
that organisation.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import cast

import structlog
from aiohttp import web

from hanse.core.ids import OrganisationId
from hanse.gateway.certificates import Roots

HANDSHAKE_S = 10.0
REQUEST_S = 10.0
"""A connection that has not sent its first request by then is cut, and so is a pairing that takes longer."""

STRANGERS = 64
STRANGERS_OF_ADDRESS = 16
CONNECTIONS_OF_ORGANISATION = 16
STRANGER = "stranger"
BACKLOG = 100
ACCEPT_AGAIN_S = 0.5

log = structlog.get_logger("hanse.gateway")


class Guest(asyncio.Protocol):
    """Stands between TLS and the application's protocol, to know when a connection begins and ends."""

    def __init__(
        self,
        inner: web.RequestHandler,
        address: str,
        shaken: Callable[["Guest", asyncio.Transport], bool],
        left: Callable[["Guest"], None],
    ) -> None:
        self.inner = inner
        self.address = address
        self.organisation: OrganisationId | None = None
        self.has_asked = False
        self.timers: list[asyncio.TimerHandle] = []
        self._shaken = shaken
        self._left = left
        self._has_entered = False

    def leave(self) -> None:
        """Count no longer."""
        for timer in self.timers:
            timer.cancel()
        self._left(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls = cast(asyncio.Transport, transport)
        if self._shaken(self, tls):
            self._has_entered = True
            self.inner.connection_made(tls)
        else:
            tls.abort()

    def data_received(self, data: bytes) -> None:
        if self._has_entered:
            self.inner.data_received(data)

    def eof_received(self) -> None:
        if self._has_entered:
            self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.leave()
        if self._has_entered:
            self.inner.connection_lost(exc)


class Doorstep:
    """Listens, and lets connections in as far as there is room."""

    def __init__(self, context: ssl.SSLContext, roots: Roots, refuse: Callable[[str, str], None]) -> None:
        self._context = context
        self._roots = roots
        self._refuse = refuse
        self._listeners: list[socket.socket] = []
        self._guests: dict[web.RequestHandler, Guest] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int, inner: Callable[[], web.RequestHandler]) -> int:
        """Begin to listen and return the port, which the system chooses for 0. Raises OSError."""
        loop = asyncio.get_running_loop()
        flags = socket.AI_PASSIVE
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=flags)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
            listener.setblocking(False)
            self._listeners.append(listener)
        for listener in self._listeners:
            self._spawn(self._accept(listener, inner))
        return int(self._listeners[0].getsockname()[1])

    def note_request(self, inner: web.RequestHandler) -> None:
        """A connection has sent a whole request."""
        if inner in self._guests:
            self._guests[inner].has_asked = True

    async def close(self) -> None:
        """Stop listening, and end the handshakes that are under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def _accept(self, listener: socket.socket, inner: Callable[[], web.RequestHandler]) -> None:
        while True:
            try:
                connection, name = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as error:  # the peer has gone already, or this process has no descriptor left
                log.warning("port.not_accepted", reason=str(error))
                await asyncio.sleep(ACCEPT_AGAIN_S)
            else:
                self._receive(connection, str(name[0]), inner)

    def _receive(self, connection: socket.socket, address: str, inner: Callable[[], web.RequestHandler]) -> None:
        """Let a new connection begin its handshake, or cut it: there are too many without an identity."""
        strangers = [guest.address for guest in self._guests.values() if guest.organisation is None]
        if len(strangers) >= STRANGERS or strangers.count(address) >= STRANGERS_OF_ADDRESS:
            connection.close()
            told = f"{strangers.count(address)} of {len(strangers)} connections without an identity are open"
            self._refuse(STRANGER, f"connects from {address}, from where {told}")
            return
        guest = Guest(inner(), address, self._identify, self._forget)
        self._guests[guest.inner] = guest
        self._spawn(self._greet(guest, connection))

    async def _greet(self, guest: Guest, connection: socket.socket) -> None:
        has_begun = False
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: guest, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_S
            )
            has_begun = True
        except OSError as error:
            log.debug("handshake.failed", address=guest.address, reason=str(error) or type(error).__name__)
        finally:
            if not has_begun:
                guest.leave()

    def _identify(self, guest: Guest, tls: asyncio.Transport) -> bool:
        """Count the connection for its organisation, if it has shown one. Return False for one too many."""
        organisation = self._roots.organisation_of(tls.get_extra_info("ssl_object").getpeercert(binary_form=True))
        others = sum(other.organisation == organisation for other in self._guests.values())
        if organisation is not None and others >= CONNECTIONS_OF_ORGANISATION:
            self._refuse(organisation, f"opens more than {CONNECTIONS_OF_ORGANISATION} connections at once")
            return False
        guest.organisation = organisation
        later = asyncio.get_running_loop().call_later
        guest.timers = [
            later(REQUEST_S, self._cut_if, tls, lambda: not guest.has_asked),
            later(2 * REQUEST_S, self._cut_if, tls, lambda: guest.organisation is None),
        ]
        return True

    def _cut_if(self, tls: asyncio.Transport, holds: Callable[[], bool]) -> None:
        if holds():
            tls.abort()

    def _forget(self, guest: Guest) -> None:
        self._guests.pop(guest.inner, None)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
