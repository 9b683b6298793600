"""The party port: one aiohttp application behind mutual TLS 1.3.

Without a client certificate a connection reaches `/v1/pair` and nothing else; with one, it speaks as the organisation
whose pinned root signed it.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from hanse.core.faults import HanseError
from hanse.core.ids import OrganisationId
from hanse.gateway import doorstep, wire
from hanse.gateway.certificates import Roots
from hanse.gateway.doorstep import STRANGER, Doorstep
from hanse.gateway.echo import Answer
from hanse.gateway.shapes import NodeSide

PAIR_BYTES = 64 << 10
PAIRINGS = 8
CLOSE_S = 2.0

Accept = Callable[[OrganisationId, web.WebSocketResponse], Awaitable[None]]
Refuse = Callable[[str, str], None]
Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]

_organisation: web.RequestKey[OrganisationId] = web.RequestKey("organisation", str)  # type: ignore[arg-type]


class PartyPort:
    """Listens for other organisations' nodes."""

    def __init__(
        self, context: ssl.SSLContext, roots: Roots, node: NodeSide, accept: Accept, refuse: Refuse, echo: Answer
    ) -> None:
        self._roots = roots
        self._node = node
        self._accept = accept
        self._refuse = refuse
        self._echo = echo
        self._pairings = asyncio.Semaphore(PAIRINGS)
        self._doorstep = Doorstep(context, roots, refuse)
        app = web.Application(middlewares=[self._identify], client_max_size=PAIR_BYTES)
        app.router.add_get("/v1/pair", self._introduce)
        app.router.add_post("/v1/pair", self._pair)
        app.router.add_get("/v1/ws", self._open_session)
        app.router.add_get("/v1/echo", self._return, allow_head=False)
        app.router.add_post("/v1/echo", self._return)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S, keepalive_timeout=30.0)

    async def start(self, host: str, port: int) -> int:
        """Begin to listen and return the port, which the system chooses for 0."""
        await self._runner.setup()
        if self._runner.server is None:
            raise RuntimeError("the application was not set up")
        return await self._doorstep.listen(host, port, self._runner.server)

    async def stop(self) -> None:
        """Stop listening and close every connection, as far as any of it had begun."""
        await self._doorstep.close()
        await self._runner.cleanup()

    @web.middleware
    async def _identify(self, request: web.Request, handler: Respond) -> web.StreamResponse:
        """Let a request through when its client certificate allows it, or when it asks to be paired."""
        self._doorstep.note_request(request.protocol)
        tls = request.transport.get_extra_info("ssl_object") if request.transport else None
        leaf = tls.getpeercert(binary_form=True) if tls else None
        organisation = self._roots.organisation_of(leaf)
        if organisation is not None:
            request[_organisation] = organisation
        elif request.path != "/v1/pair":
            shown = "a certificate that no pinned root signed" if leaf else "no client certificate"
            self._refuse(STRANGER, f"asks for {request.method} {request.path[:64]} from {request.remote} with {shown}")
            return _decline("peer.unknown", 403)
        response = await handler(request)
        if organisation is None:
            response.force_close()
        return response

    async def _open_session(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(timeout=CLOSE_S, compress=False, max_msg_size=wire.FRAME_BYTES)
        await socket.prepare(request)
        await self._accept(request[_organisation], socket)
        return socket

    async def _return(self, request: web.Request) -> web.StreamResponse:
        return await self._echo(request[_organisation], request)

    async def _introduce(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(self._node.introduction())

    async def _pair(self, request: web.Request) -> web.StreamResponse:
        if self._pairings.locked():
            return _decline("pair.busy", 429)
        async with self._pairings:
            try:
                async with asyncio.timeout(doorstep.REQUEST_S):
                    document = msgspec.json.decode(await request.read(), type=dict[str, Any])
                    return web.json_response(await self._node.pair(document))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TimeoutError):
                self._refuse(STRANGER, f"posts to /v1/pair from {request.remote} what is no JSON object")
                return _decline("pair.unreadable", 400)
            except HanseError as error:
                self._refuse(STRANGER, f"is not paired from {request.remote}: {error.fault.code}")
                return _decline(error.fault.code, 400)


def _decline(code: str, status: int) -> web.Response:
    """Answer with a code alone, on a connection that ends here."""
    response = web.json_response({"error": {"code": code}}, status=status)
    response.force_close()
    return response
