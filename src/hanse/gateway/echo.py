"""`/v1/echo`: what a member's link check speaks to, so that no probe ever touches a session.

Only organisations that are heard now reach it, at a rate, a few at once, and with bounded bytes each way.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import aiohttp
from aiohttp import web

from hanse.core.ids import OrganisationId
from hanse.core.throttle import Throttle
from hanse.core.times import now
from hanse.gateway import wire

BODY_BYTES = 4 << 20
"""The longest body, each way."""

ECHO_FRAMES = 64
ECHO_FRAMES_BYTES = 4 << 20
ECHO_S = 20.0
AT_ONCE = 2
BURST = 60
EACH_SECOND = 0.5

_BLOCK = hashlib.shake_256(b"hanse echo").digest(1 << 16)  # nothing on the way can make it shorter

Answer = Callable[[OrganisationId, web.Request], Awaitable[web.StreamResponse]]


class Echo:
    """Answers probes. `is_heard` says whether a pinned organisation may speak now."""

    def __init__(self, release: str, is_heard: Callable[[OrganisationId], bool]) -> None:
        self._release = release
        self._is_heard = is_heard
        self._throttle = Throttle(BURST, EACH_SECOND)
        self._running: Counter[OrganisationId] = Counter()

    async def answer(self, organisation: OrganisationId, request: web.Request) -> web.StreamResponse:
        """Answer one probe, or decline it with a code alone."""
        if not self._is_heard(organisation):
            return _decline("peer.suspended", 403)
        if self._running[organisation] >= AT_ONCE or self._throttle.admit(organisation) is None:
            return _decline("echo.busy", 429)
        with self._counted(organisation):
            try:
                async with asyncio.timeout(ECHO_S):
                    return await self._answer(request)
            except TimeoutError:
                return _decline("echo.slow", 408)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return await _take_body(request)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _return_frames(request)
        asked = request.query.get("bytes", "0")
        size_bytes = int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 8 else BODY_BYTES + 1
        if size_bytes > BODY_BYTES:
            return _decline("echo.too_much", 413)
        if size_bytes:
            return await _give_body(request, size_bytes)
        return web.json_response({"release": self._release, "time": now()})

    @contextmanager
    def _counted(self, organisation: OrganisationId) -> Iterator[None]:
        self._running[organisation] += 1
        try:
            yield
        finally:
            self._running[organisation] -= 1


async def _take_body(request: web.Request) -> web.StreamResponse:
    received = 0
    async for chunk in request.content.iter_any():
        received += len(chunk)
        if received > BODY_BYTES:
            return _decline("echo.too_much", 413)
    return web.json_response({"received": received})


async def _give_body(request: web.Request, size_bytes: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.content_length = size_bytes
    await response.prepare(request)
    for start in range(0, size_bytes, len(_BLOCK)):
        await response.write(_BLOCK[: size_bytes - start])
    await response.write_eof()
    return response


async def _return_frames(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse(timeout=1.0, compress=False, max_msg_size=wire.FRAME_BYTES)
    await socket.prepare(request)
    room_bytes = ECHO_FRAMES_BYTES
    for _ in range(ECHO_FRAMES):
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY or len(message.data) > room_bytes:
            break
        room_bytes -= len(message.data)
        await socket.send_bytes(message.data)
    await socket.close()
    return socket


def _decline(code: str, status: int) -> web.Response:
    response = web.json_response({"error": {"code": code}}, status=status)
    response.force_close()
    return response
