"""Who may call: the holder of the token file on this machine, a session's cookie, or an access key.

A web page that a browser shows may reach the node under a name of its own (DNS rebinding); the Host header gives it
away. There is no CORS, so that no page may read an answer; a cookie alone changes nothing, because a request that
changes something carries a second word that no other page knows (ASVS 5.0, 3.5.1).
"""

import asyncio
import hmac
import ipaddress
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeVar

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hanse.api.console.errors import answer_error, answer_fault, mistake
from hanse.control.access.callers import LOCAL
from hanse.control.admission.gate import Admission, Gate
from hanse.control.audit.origin import Door, Origin, coming_from
from hanse.control.keys.service import PREFIX
from hanse.control.sessions.service import anti_forgery
from hanse.core.faults import Fault, HanseError, fault

log = structlog.get_logger("hanse.api")

T = TypeVar("T")

HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
BODY_BYTES = 8 << 20
POLICY_VIOLATION = 1008
"""How a WebSocket is refused (RFC 6455, 7.4.1): there is none here, and its handshake carries no checked token."""

COOKIE, FORGERY_HEADER = "__Host-hanse", "X-Hanse-CSRF"
READING = frozenset({"GET", "HEAD", "OPTIONS"})

PUBLIC = frozenset(
    {
        ("GET", "/v1/health"),
        ("POST", "/v1/session"),
        ("POST", "/v1/setup"),
        ("GET", "/v1/sign-in"),
        ("GET", "/v1/sign-in/begin"),
        ("GET", "/v1/sign-in/end"),
        ("POST", "/v1/password"),
    }
)
"""What a stranger may call: is the node there, and the ways in, each with a proof and a limit of its own."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
API_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""What a browser may do with an answer that somebody opens as if it were a page: nothing (ASVS 5.0, 3.2.1)."""

HTTPS_ONLY = "max-age=31536000; includeSubDomains"


class Guard:
    """The outermost layer: checks host, size and who calls, numbers requests, and lets no traceback out.

    Without a `gate` only the token is known. `names` are the hosts under which the node is addressed beside this
    machine's own.
    """

    def __init__(self, app: ASGIApp, token: str, gate: Gate | None = None, names: Iterable[str] = ()) -> None:
        self._app = app
        self._token = token.encode()
        self._gate = gate
        self._names = HOSTS | {name.lower() for name in names}
        self._porter = ThreadPoolExecutor(1, "gate")  # more would only take the interpreter from one another

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":  # the server's own, at start and end
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        if scope["type"] != "http":
            return
        scope["correlation"] = correlation = secrets.token_hex(8)
        address = str((scope.get("client") or ("", 0))[0])
        answer = _Answer(send, correlation, scope)
        try:
            with coming_from(_origin_of(None, address, correlation)):
                admission = await self._admit(scope, address)
        except HanseError as refusal:
            await answer_error(refusal, correlation)(scope, receive, answer)
            return
        scope["admission"] = admission
        scope["caller"] = None if admission is None else admission.caller
        try:
            with coming_from(_origin_of(admission, address, correlation)):
                await self._app(scope, _capped(receive), answer)
        except Exception:  # the last layer: whatever it is, it is logged here and told without its inside
            log.exception("request.failed", correlation=correlation, path=scope["path"])
            if not answer.started:
                await answer_fault(mistake(correlation), correlation)(scope, receive, answer)

    async def _admit(self, scope: Scope, address: str) -> Admission | None:
        """Return who calls, None for a stranger at a public door. Raises for everybody else."""
        headers = Headers(scope=scope)
        self._demand_host(headers.get("host", ""))
        _demand_size(headers.get("content-length", "0"))
        public = (scope["method"], scope["path"]) in PUBLIC
        try:
            admission = await self._recognise(scope["method"], headers, address)
        except HanseError as refusal:
            if public and refusal.fault.code != "key.rate":
                return None
            if self._gate is not None and refusal.fault.code != "key.rate":
                await asyncio.to_thread(self._gate.note_refusal, address, refusal.fault.code)
            raise
        if admission is None and not public:
            raise fault("request.token", "no token, session or key was sent, or it is wrong or over")
        return admission

    async def _recognise(self, verb: str, headers: Headers, address: str) -> Admission | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await self._by_bearer(token.strip(), address)
        cookie = _read_cookie(headers.get("cookie", ""))
        if cookie is None or self._gate is None or scheme:
            return None
        if verb not in READING and not _equal(headers.get(FORGERY_HEADER, ""), anti_forgery(cookie)):
            raise fault("request.forged", f"the header {FORGERY_HEADER} is missing or wrong")
        return await self._ask(self._gate.by_session, cookie)

    async def _by_bearer(self, token: str, address: str) -> Admission | None:
        if self._gate is not None and token.startswith(PREFIX):
            return await self._ask(self._gate.by_key, token, address)
        if not hmac.compare_digest(token.encode(), self._token):
            raise fault("request.token", "the token is wrong")
        if not _is_here(address):
            raise fault("request.token", "the node's token is good on the node's own machine only")
        return Admission(LOCAL)

    async def _ask(self, look: Callable[..., T], *given: str) -> T:
        """Look something up at the gate, one request after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._porter, look, *given)

    def _demand_host(self, host: str) -> None:
        name = host.lower()
        if name.rpartition(":")[0] not in self._names and name not in self._names:
            raise fault("request.host", f"the request is for {host[:80]!r}")


def _origin_of(admission: Admission | None, address: str, correlation: str) -> Origin:
    """Return from where a request comes, as audit records tell it."""
    if admission is None:
        return Origin("stranger", "", address, correlation)
    caller = admission.caller
    door: Door = "session" if caller.kind == "user" else caller.kind
    via = admission.session or (caller.id if caller.kind == "key" else "")
    return Origin(door, via, address, correlation, caller.person)


def _demand_size(length: str) -> None:
    if not length.isdecimal() or int(length) > BODY_BYTES:
        raise HanseError(Fault("request.too_large", cause=f"the body is above {BODY_BYTES >> 20} MiB"))


def _read_cookie(header: str) -> str | None:
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return None if found is None else found.value


def _equal(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def _is_here(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


class _Answer:
    """`send` that adds the headers of every answer and remembers whether one has begun."""

    def __init__(self, send: Send, correlation: str, scope: Scope) -> None:
        self._send = send
        self._headers = HEADERS | {"X-Request-Id": correlation}
        if scope["path"].startswith("/v1/"):
            self._headers["Content-Security-Policy"] = API_POLICY
        if scope.get("scheme") == "https":
            self._headers["Strict-Transport-Security"] = HTTPS_ONLY
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers[name] = value
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
