"""Look at the way to a party port, from the name to the largest frame, and say what was found at each step.

A step that is in the way of all later ones ends the probe. What is dialled are the addresses that were looked up first.
"""

import asyncio
import ssl
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import aiohttp
import msgspec
from cryptography import x509

from hanse.core.addresses import read_allowed, resolve_allowed
from hanse.core.faults import HanseError
from hanse.core.links import Reading, tell
from hanse.core.resolver import Judged
from hanse.core.times import parse_time
from hanse.gateway import wire
from hanse.gateway.certificates import dial_context, is_signed_by
from hanse.gateway.pairing import introduce
from hanse.gateway.shapes import Identity

STEP_S = 5.0
TRANSFER_S = 10.0
CONNECTS = 3
ROUND_TRIPS = 20
BODIES_BYTES = (64 << 10, 1 << 20, 4 << 20)
FRAME_BYTES = wire.FRAME_BYTES - 1  # aiohttp takes messages below its limit
ANYWHERE = read_allowed(("0.0.0.0/0", "::/0"))
"""Partners may stand anywhere, in the same house too; the clouds' metadata addresses are no partners."""

_BREAKS = (aiohttp.ClientError, OSError, TimeoutError)


class Target(NamedTuple):
    """Where to look: `root_pem` is what must have signed the certificate there, empty for a stranger."""

    address: str
    root_pem: str = ""


class _Blocked(Exception):
    """The step before is in the way of all later ones; it has been noted."""


async def probe(me: Identity, target: Target) -> list[Reading]:
    """Return what is found on the way to a party port. Never raises for what the other side does."""
    look = _Look(me, target)
    with suppress(_Blocked):
        await look.run()
    return look.readings


class _Look:
    """One probe under way."""

    def __init__(self, me: Identity, target: Target) -> None:
        self.readings: list[Reading] = []
        self._me = me
        self._target = target
        host, _, port = target.address.rpartition(":")
        self._host = host.strip("[]")
        self._port = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
        self._found: list[str] = []
        self._rates: dict[str, float] = {}

    async def run(self) -> None:
        await self._look_up()
        await self._connect()
        leaf = await self._shake()
        self._judge_certificate(leaf)
        if not self._target.root_pem:
            await self._meet()
            return
        async with self._client() as client:
            await self._greet(client)
            await self._count_round_trips(client)
            await self._transfer("up", client)
            await self._transfer("down", client)
            await self._send_frame(client)

    def _note(self, name: str, value: float | str | None = None, unit: str = "", detail: object = "") -> None:
        self.readings.append(Reading(name, value, unit, detail=tell(detail)))

    def _trouble(
        self, name: str, trouble: str, detail: object = "", value: float | None = None, unit: str = ""
    ) -> None:
        self.readings.append(Reading(name, value, unit, trouble, tell(detail)))

    def _block(self, name: str, trouble: str, detail: object = "") -> _Blocked:
        self._trouble(name, trouble, detail)
        return _Blocked()

    # ------------------------------------------------------------------ up to the certificate

    async def _look_up(self) -> None:
        if not self._host or not 0 < self._port < 1 << 16:
            raise self._block("dns", "address.unreadable", self._target.address)
        try:
            async with asyncio.timeout(STEP_S):
                self._found = await asyncio.to_thread(resolve_allowed, self._host, self._port, ANYWHERE)
        except HanseError as error:
            raise self._block("dns", error.fault.code, self._host) from error
        except TimeoutError as error:
            raise self._block("dns", "address.unknown", self._host) from error
        self._note("dns", ", ".join(self._found))

    async def _connect(self) -> None:
        """Time the connection; addresses that do not answer go behind those that do."""
        times: list[float] = []
        problem = ("tcp.silent", "")
        for address in list(self._found):
            try:
                times = [await self._time_connection(address) for _ in range(CONNECTS)]
                self._found.sort(key=lambda one: one != address)
                break
            except TimeoutError:
                problem = ("tcp.silent", address)
            except ConnectionRefusedError:
                problem = ("tcp.refused", address)
            except OSError as error:
                problem = ("tcp.unreachable", f"{address}: {error.strerror or error}")
        if not times:
            raise self._block("tcp", *problem)
        self._note("tcp", _ms(statistics.median(times)), "ms")

    async def _time_connection(self, address: str) -> float:
        began = time.perf_counter()
        async with asyncio.timeout(STEP_S):
            _, writer = await asyncio.open_connection(address, self._port)
        took_s = time.perf_counter() - began
        writer.transport.abort()
        return took_s

    async def _shake(self) -> bytes:
        """Return the certificate that is shown there, to whomever."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # it is judged right after: what is there must be seen to be told
        try:
            async with asyncio.timeout(STEP_S):
                _, writer = await asyncio.open_connection(
                    self._found[0], self._port, ssl=context, server_hostname=self._host
                )
        except (OSError, TimeoutError, ValueError) as error:
            spoken = await self._hear_plainly()
            if spoken:
                raise self._block("tls", "tls.plain_http", spoken) from error
            raise self._block("tls", "tls.failed", str(error) or type(error).__name__) from error
        tls = writer.get_extra_info("ssl_object")
        leaf, spoken_version = tls.getpeercert(binary_form=True), str(tls.version())
        writer.transport.abort()
        if not leaf:
            raise self._block("tls", "tls.failed", "no certificate")
        if spoken_version != "TLSv1.3":
            raise self._block("tls", "tls.version", spoken_version)
        self._note("tls", spoken_version)
        return bytes(leaf)

    async def _hear_plainly(self) -> str:
        """Return the first line that a server of plain HTTP says here, or nothing."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(STEP_S):
                reader, writer = await asyncio.open_connection(self._found[0], self._port)
                try:
                    writer.write(b"HEAD / HTTP/1.1\r\nHost: hanse.invalid\r\nConnection: close\r\n\r\n")
                    said = await reader.read(256)
                finally:
                    writer.transport.abort()
                if said.startswith(b"HTTP/"):
                    return said.partition(b"\r\n")[0].decode("ascii", "replace")
        return ""

    def _judge_certificate(self, der: bytes) -> None:
        try:
            leaf = x509.load_der_x509_certificate(der)
            is_theirs = not self._target.root_pem or is_signed_by(der, self._target.root_pem)
            issuer = leaf.issuer.rfc4514_string()
        except ValueError as error:
            raise self._block("certificate", "certificate.foreign", error) from error
        if not is_theirs:
            raise self._block("certificate", "certificate.foreign", issuer)
        left = leaf.not_valid_after_utc - datetime.now(UTC)
        if left.total_seconds() <= 0 or leaf.not_valid_before_utc > datetime.now(UTC):
            raise self._block(
                "certificate", "certificate.expired", f"{leaf.not_valid_before_utc:%F} – {leaf.not_valid_after_utc:%F}"
            )
        self._note("certificate", left.days, "days", issuer)

    async def _meet(self) -> None:
        """Ask a stranger who it is, as a joiner would."""
        try:
            said, _ = await introduce(self._target.address)
        except HanseError as error:
            raise self._block("node", "node.absent", error.fault.cause) from error
        self._note("node", tell(said.get("name", "")), detail=said.get("release", ""))

    # ------------------------------------------------------------------ what members' nodes say to each other

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.TCPConnector(
            ssl=dial_context(self._me, self._target.root_pem), resolver=Judged(self._found), limit=2
        )
        base = f"https://{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"
        limit = aiohttp.ClientTimeout(total=TRANSFER_S)
        async with aiohttp.ClientSession(base, connector=connector, timeout=limit, auto_decompress=False) as client:
            yield client

    async def _greet(self, client: aiohttp.ClientSession) -> None:
        """Ask for the release and the time there."""
        before = datetime.now(UTC)
        try:
            async with client.get("/v1/echo", allow_redirects=False) as reply:
                status, raw = reply.status, await reply.content.read(4096)
        except _BREAKS as error:
            raise self._block("echo", "echo.cut", str(error) or type(error).__name__) from error
        if status != 200:
            raise self._block("echo", _DECLINED.get(status, "echo.answer"), f"HTTP {status}")
        after = datetime.now(UTC)
        try:
            said = msgspec.json.decode(raw, type=dict[str, str])
            skew = parse_time(said["time"]) - (before + (after - before) / 2)
            release = said["release"]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, HanseError) as error:
            raise self._block("echo", "echo.answer", error) from error
        self._note("echo", _ms((after - before).total_seconds()), "ms")
        self._note("clock", round(skew.total_seconds(), 3), "s")
        self._note("release", tell(release))

    async def _count_round_trips(self, client: aiohttp.ClientSession) -> None:
        times = []

        async def ask(there: aiohttp.ClientWebSocketResponse) -> None:
            for number in range(ROUND_TRIPS):
                began = time.perf_counter()
                await _exchange(there, number.to_bytes(8, "little"))
                times.append(time.perf_counter() - began)

        if await self._upgraded(client, "upgrade", "upgrade.refused", ask):
            self._note("upgrade", "websocket")
        if times:
            ordered = sorted(times)
            for name, share in (("latency_p50", 0.5), ("latency_p95", 0.95), ("latency_max", 1.0)):
                self._note(name, _ms(ordered[min(len(ordered) - 1, int(share * len(ordered)))]), "ms")

    async def _send_frame(self, client: aiohttp.ClientSession) -> None:
        """Send a frame of the size of a session's largest. That a slow link needs longer than the limit is no fault."""
        passed_bytes = min(self._rates.values(), default=float("inf")) * TRANSFER_S
        if passed_bytes < 2 * FRAME_BYTES:  # there and back: it cannot come through in time
            return
        is_slow = not self._rates or passed_bytes < 4 * FRAME_BYTES

        async def speak(there: aiohttp.ClientWebSocketResponse) -> None:
            await _exchange(there, bytes(FRAME_BYTES))

        if await self._upgraded(client, "frame", "frame.cut", speak, forgives_time=is_slow):
            self._note("frame", FRAME_BYTES, "bytes")

    async def _upgraded(
        self,
        client: aiohttp.ClientSession,
        name: str,
        trouble: str,
        speak: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]],
        *,
        forgives_time: bool = False,
    ) -> bool:
        """Speak over a WebSocket; return whether that went well, having noted it if not."""
        try:
            async with (
                asyncio.timeout(TRANSFER_S),
                client.ws_connect(
                    "/v1/echo", max_msg_size=wire.FRAME_BYTES, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)
                ) as there,
            ):
                await speak(there)
        except (*_BREAKS, ValueError) as error:
            if not (forgives_time and isinstance(error, TimeoutError)):
                self._trouble(name, trouble, str(error) or type(error).__name__)
            return False
        return True

    async def _transfer(self, way: str, client: aiohttp.ClientSession) -> None:
        """Send or fetch ever longer bodies, as long as the next one should come through in time."""
        passed_bytes, rate = 0, float("inf")
        for size_bytes in BODIES_BYTES:
            if size_bytes / rate > TRANSFER_S / 2:
                break
            began = time.perf_counter()
            try:
                is_whole = await (_send(client, size_bytes) if way == "up" else _fetch(client, size_bytes))
            except _BREAKS as error:
                self._trouble(f"body_{way}", "body.cut", str(error) or type(error).__name__, passed_bytes, "bytes")
                break
            if not is_whole:
                self._trouble(f"body_{way}", "body.cut", f"{size_bytes} bytes", passed_bytes, "bytes")
                break
            rate = size_bytes / (time.perf_counter() - began)
            passed_bytes = size_bytes
        else:
            self._note(f"body_{way}", passed_bytes, "bytes")
        if passed_bytes:
            self._rates[way] = rate
            self._note(f"bandwidth_{way}", round(rate * 8e-6, 2), "Mbit/s")


_DECLINED = {403: "echo.refused", 404: "echo.absent", 407: "echo.proxy", 429: "echo.busy"}


async def _exchange(there: aiohttp.ClientWebSocketResponse, content: bytes) -> None:
    await there.send_bytes(content)
    said = await there.receive()
    if said.type is not aiohttp.WSMsgType.BINARY or said.data != content:
        raise ValueError(f"what comes back is not what was sent: {said.type.name} {there.close_code or ''}")


async def _send(client: aiohttp.ClientSession, size_bytes: int) -> bool:
    async with client.post("/v1/echo", data=bytes(size_bytes), allow_redirects=False) as reply:
        raw: Any = await reply.content.read(4096)
        return reply.status == 200 and raw == b'{"received": %d}' % size_bytes


async def _fetch(client: aiohttp.ClientSession, size_bytes: int) -> bool:
    received = 0
    async with client.get("/v1/echo", params={"bytes": size_bytes}, allow_redirects=False) as reply:
        async for chunk in reply.content.iter_any():
            received += len(chunk)
        return reply.status == 200 and received == size_bytes


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 2)
