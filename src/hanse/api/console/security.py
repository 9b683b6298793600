"""Who may call: whoever holds the administrator's token, from this machine, addressing it as this machine.

A web page that a browser on this machine shows may reach 127.0.0.1 under a name of its own (DNS rebinding); the Host
header gives it away. There is no CORS, so that no page may read an answer.
"""

import hmac
import secrets
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hanse.api.console.errors import answer_fault, mistake
from hanse.control.access.callers import LOCAL
from hanse.core.faults import Fault

log = structlog.get_logger("hanse.api")

HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
BODY_BYTES = 8 << 20
POLICY_VIOLATION = 1008
"""How a WebSocket is refused (RFC 6455, 7.4.1): there is none here, and its handshake carries no checked token."""


class Guard:
    """The outermost layer: checks host, token and size, numbers requests, and lets no traceback out."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":  # the server's own, at start and end
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        if scope["type"] != "http":
            return
        scope["correlation"] = correlation = secrets.token_hex(8)
        answer = _Answer(send, correlation)
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            headers = {"WWW-Authenticate": "Bearer"} if refusal.code == "request.token" else {}
            await answer_fault(refusal, correlation, headers)(scope, receive, answer)
            return
        scope["caller"] = LOCAL
        try:
            await self._app(scope, _capped(receive), answer)
        except Exception:  # the last layer: whatever it is, it is logged here and told without its inside
            log.exception("request.failed", correlation=correlation, path=scope["path"])
            if not answer.started:
                await answer_fault(mistake(correlation), correlation)(scope, receive, answer)

    def _refusal(self, headers: Headers) -> Fault | None:
        host = headers.get("host", "")
        if host.rpartition(":")[0] not in HOSTS and host not in HOSTS:
            return Fault("request.host", cause=f"the request is for {host[:80]!r}")
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = hmac.compare_digest(token.strip().encode(), self._token)
        if scheme.lower() != "bearer" or not given:
            return Fault("request.token", cause="the token is missing or wrong")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > BODY_BYTES:
            return Fault("request.too_large", cause=f"the body is above {BODY_BYTES >> 20} MiB")
        return None


class _Answer:
    """`send` that adds the headers of every answer and remembers whether one has begun."""

    def __init__(self, send: Send, correlation: str) -> None:
        self._send = send
        self._correlation = correlation
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._correlation
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Cache-Control"] = "no-store"
        await self._send(message)


def _capped(receive: Receive) -> Receive:
    """`receive` that stops reading a body without a length at the cap."""
    taken = 0

    async def take() -> Any:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= BODY_BYTES else {"type": "http.disconnect"}

    return take
