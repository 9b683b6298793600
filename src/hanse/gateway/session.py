"""One session per pair of organisations: connections come and go below it, nothing is lost or doubled.

Either side may dial. Each connection opens with `Hello` both ways; then what the other side has not taken is said
again, in order, and both go on. Of two connections at once the one that the smaller organisation id dialled stays.
"""

import asyncio
import itertools
import secrets
import statistics
import time
from collections import deque
from datetime import UTC, datetime
from typing import Protocol

import aiohttp
import msgspec
import structlog
from aiohttp import web
from cryptography import x509

from hanse.core.faults import Fault, HanseError, fault
from hanse.core.frames import PIECE_BYTES, Body
from hanse.core.ids import OrganisationId
from hanse.core.times import format_time
from hanse.gateway import wire
from hanse.gateway.lanes import Control, Lanes
from hanse.gateway.replay import Replay
from hanse.gateway.shapes import Identity, Link, PinnedPeer

WebSocket = aiohttp.ClientWebSocketResponse | web.WebSocketResponse
log = structlog.get_logger("hanse.gateway")

HELLO_S = 10.0
PROBE_S = 2.0
ACK_S = 0.02
ACK_BYTES = 1 << 20
PINGS = 64
LATENCIES = 64
"""How many round trips the median is taken over: some five minutes."""

ANSWERS = 8
"""How many questions of one peer are answered at once; more wait their turn, up to the caps below."""
QUESTIONS = 64
QUESTION_BYTES = 16 << 20
SECOND_CONNECTION = 4409


class Timing(msgspec.Struct, frozen=True):
    """The gateway's time-outs in seconds: a silent connection is cut after three heartbeats."""

    heartbeat_s: float = 5.0
    away_s: float = 600.0
    early_s: float = 600.0
    redial_s: float = 5.0


class Hub(Protocol):
    """What a session hands its frames to."""

    def receive(
        self, organisation: OrganisationId, head: wire.Piece | wire.Finished | wire.Refused, body: Body
    ) -> None: ...

    async def answer(self, organisation: OrganisationId, payload: bytes) -> bytes: ...

    def restarted(self, organisation: OrganisationId) -> None: ...

    def refuse(self, organisation: str, reason: str) -> None: ...

    def break_off(self, organisation: OrganisationId, reason: str) -> None: ...


class Connection:
    """One WebSocket of a session, and what was promised on it."""

    def __init__(self, socket: WebSocket, dialler: OrganisationId, *, knows: int, announced: int) -> None:
        self.socket = socket
        self.dialler = dialler
        self.knows = knows
        self.expected = announced + 1
        self.cursor = 1
        self.heard_at = time.monotonic()
        self.acknowledged_at = self.heard_at
        self.wake = asyncio.Event()
        self.pings: list[wire.Ping | wire.Pong] = [wire.Ping(time.monotonic_ns())]
        self.unacknowledged_bytes = 0
        self.must_acknowledge = False
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self._reader: asyncio.Task[None] | None = None

    async def run(self, reader: asyncio.Task[None], writer: asyncio.Task[None]) -> BaseException | None:
        """Let both directions run until one ends; end the other, and return why."""
        self._reader = reader
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for timer in self.timers.values():
                timer.cancel()
            reader.cancel()
            writer.cancel()
            ends = await asyncio.gather(reader, writer, return_exceptions=True)
        return next((end for end in ends if end is not None and not isinstance(end, asyncio.CancelledError)), None)

    def end(self) -> None:
        """Stop using this connection."""
        if self._reader is not None:
            self._reader.cancel()

    def end_unless_heard(self, since: float) -> None:
        """Stop using this connection when nothing has come over it since that moment."""
        if self.heard_at < since:
            self.end()

    def acknowledge_later(self, size_bytes: int) -> None:
        """Send an acknowledgement soon: at once when much has come, else after a moment, for several frames."""
        self.unacknowledged_bytes += size_bytes
        if self.unacknowledged_bytes >= ACK_BYTES:
            self.acknowledge_now()
        elif "ack" not in self.timers:
            self.timers["ack"] = asyncio.get_running_loop().call_later(ACK_S, self.acknowledge_now)

    def acknowledge_now(self) -> None:
        timer = self.timers.pop("ack", None)
        if timer is not None:
            timer.cancel()
        self.unacknowledged_bytes = 0
        self.must_acknowledge = True
        self.wake.set()


class Session:
    """What this node and one peer have said to each other, whichever connection carries it."""

    def __init__(self, me: Identity, peer: PinnedPeer, hub: Hub, release: str, timing: Timing) -> None:
        self.me = me
        self.peer = peer
        self.lanes = Lanes(self._wake)
        self.disconnected = asyncio.Event()
        self.disconnected.set()
        self.away_since = time.monotonic()
        self._hub = hub
        self._release = release
        self._timing = timing
        self._epoch = secrets.randbits(62) + 1
        self._peer_epoch = 0
        self._peer_release = ""
        self._received = 0
        self._replay = Replay()
        self._connection: Connection | None = None
        self._is_closed = False
        self._ids = itertools.count(1)
        self._calls: dict[int, asyncio.Future[bytes]] = {}
        self._answers: set[asyncio.Task[bytes]] = set()
        self._answering = asyncio.Semaphore(ANSWERS)
        self._question_bytes = 0
        self._bytes_sent = 0
        self._bytes_received = 0
        self._latency_ms: float | None = None
        self._seen_at = 0.0
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._connected_since = ""
        self._certificate_until = ""

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    def link(self) -> Link:
        """Return how this peer is reached now."""
        seen = format_time(datetime.fromtimestamp(self._seen_at, UTC)) if self._seen_at else ""
        return Link(
            self.peer.organisation,
            self.is_connected,
            self._latency_ms if self.is_connected else None,
            self._bytes_sent,
            self._bytes_received,
            self._peer_release,
            seen,
            statistics.median(self._latencies) if self.is_connected and self._latencies else None,
            self._connected_since if self.is_connected else "",
            self._certificate_until,
        )

    async def call(self, payload: bytes, timeout_s: float) -> bytes:
        """Send a control message and return its reply. Raises HanseError: unreachable, or the peer's own fault."""
        if len(payload) > PIECE_BYTES:
            raise fault("call.too_large", f"a control message of {len(payload)} bytes; the cap is {PIECE_BYTES}")
        if self._is_closed:
            raise self._unreachable("the link to it is closed")
        call_id = next(self._ids)
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._calls[call_id] = reply
        try:
            self.lanes.push_control(wire.Call(call_id), payload)
            async with asyncio.timeout(timeout_s):
                return await reply
        except TimeoutError:
            raise self._unreachable(f"no answer within {timeout_s:g} s") from None
        except OverflowError as error:
            raise self._unreachable(str(error)) from error
        finally:
            del self._calls[call_id]
            self.lanes.withdraw_call(call_id)

    async def serve(self, socket: WebSocket, dialler: OrganisationId) -> bool:
        """Use a fresh connection until it ends. Return False when it never carried the session."""
        connection = Connection(socket, dialler, knows=self._peer_epoch, announced=self._received)
        try:
            hello = await self._greet(connection)
            self._adopt(connection, hello)
        except (ValueError, TimeoutError, ConnectionError) as error:
            log.info("connection.declined", peer=self.peer.name, reason=str(error) or type(error).__name__)
            await socket.close(code=SECOND_CONNECTION)
            return False
        try:
            end = await connection.run(
                asyncio.create_task(self._read(connection)), asyncio.create_task(self._write(connection))
            )
        finally:
            self._drop(connection)
        await self._close(connection, end)
        return True

    def send(self, head: Control) -> None:
        """Send a control frame. A peer that has let too many pile up is broken off with."""
        self._push(head)

    def close(self) -> None:
        """Close the session for good: calls fail, lanes are emptied, the connection ends, nothing more is taken."""
        self._is_closed = True
        self._forget("the link to it was closed")
        for answer in self._answers:
            answer.cancel()
        if self._connection is not None:
            self._connection.end()

    async def stop(self) -> None:
        """Close the session, and wait for the answers that were on their way."""
        self.close()
        await asyncio.gather(*self._answers, return_exceptions=True)

    async def _greet(self, connection: Connection) -> wire.Hello:
        me = self.me
        hello = wire.Hello(
            wire.VERSION,
            me.organisation,
            me.node,
            self._release,
            self._epoch,
            connection.knows,
            connection.expected - 1,
        )
        async with asyncio.timeout(HELLO_S):
            await connection.socket.send_bytes(wire.encode(0, hello))
            message = await connection.socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise ValueError("the connection was closed before a hello")
        _, head, _ = wire.decode(message.data)
        if not isinstance(head, wire.Hello) or head.organisation != self.peer.organisation or head.epoch == 0:
            self._hub.refuse(self.peer.organisation, "opens a connection with something that is no hello of its own")
            raise ValueError("no hello")
        if head.version != wire.VERSION:
            self._hub.refuse(self.peer.organisation, f"speaks version {head.version} of the wire, not {wire.VERSION}")
            raise ValueError(f"wire version {head.version}")
        return head

    def _adopt(self, connection: Connection, hello: wire.Hello) -> None:
        """Make this the connection of the session. Raises ValueError when it cannot be."""
        if self._is_closed:
            raise ValueError("the session is closed")
        old = self._connection
        smaller = min(self.me.organisation, self.peer.organisation)
        if old is not None and connection.dialler not in (old.dialler, smaller):
            self._probe(old)
            raise ValueError("there is a connection already")
        if hello.epoch != self._peer_epoch:
            self._start_over(hello)
        if connection.knows != hello.epoch:
            connection.expected = 1
        received = hello.received if hello.knows == self._epoch else 0
        self._replay.resume(received)
        connection.cursor = received + 1
        self._connection = connection
        self.disconnected.clear()
        self._connected_since = format_time(datetime.now(UTC))
        self._certificate_until = _read_until(connection.socket)
        self._peer_release = hello.release
        if old is not None:
            old.end()
        log.info("session.connected", peer=self.peer.name, dialled_by_us=connection.dialler == self.me.organisation)

    def _start_over(self, hello: wire.Hello) -> None:
        if self._peer_epoch:
            self._forget("its node was restarted")
            self._hub.restarted(self.peer.organisation)
        self._peer_epoch = hello.epoch
        self._received = 0
        self._replay = Replay()

    def _forget(self, why: str) -> None:
        self.lanes.drop_all()
        for reply in self._calls.values():
            if not reply.done():
                reply.set_exception(self._unreachable(why))

    def _drop(self, connection: Connection) -> None:
        if self._connection is connection:
            self._connection = None
            self.away_since = time.monotonic()
            self.disconnected.set()

    async def _close(self, connection: Connection, end: BaseException | None) -> None:
        if isinstance(end, ValueError):
            self._hub.refuse(self.peer.organisation, str(end))
        elif end is not None and not isinstance(end, ConnectionError | TimeoutError):
            log.error("connection.failed", peer=self.peer.name, exc_info=end)
        log.info("session.cut", peer=self.peer.name, reason=str(end or "closed"))
        await connection.socket.close()

    def _probe(self, connection: Connection) -> None:
        """The peer has dialled again: make sure that the connection we hold is alive, or let go of it soon."""
        asked_at = time.monotonic()
        connection.pings.append(wire.Ping(time.monotonic_ns()))
        connection.wake.set()
        connection.timers["probe"] = asyncio.get_running_loop().call_later(
            PROBE_S, connection.end_unless_heard, asked_at
        )

    def _beat(self, connection: Connection) -> None:
        """Ping, cut a connection that has been silent for three heartbeats, break off with a peer that only takes."""
        beat_s = self._timing.heartbeat_s
        since = time.monotonic() - 3 * beat_s
        if connection.heard_at < since:
            connection.end()
            return
        if self._replay.is_overrun and connection.acknowledged_at < since:
            self._hub.break_off(self.peer.organisation, "takes frames without end and acknowledges none")
            return
        if len(connection.pings) < PINGS:
            connection.pings.append(wire.Ping(time.monotonic_ns()))
        connection.wake.set()
        connection.timers["beat"] = asyncio.get_running_loop().call_later(beat_s, self._beat, connection)

    async def _write(self, connection: Connection) -> None:
        self._beat(connection)
        while True:
            frame = self._next_frame(connection)
            if frame is None:
                connection.wake.clear()
                await connection.wake.wait()
            else:
                self._bytes_sent += len(frame)
                await connection.socket.send_bytes(frame)

    def _next_frame(self, connection: Connection) -> bytes | None:
        if connection.pings:
            return wire.encode(0, connection.pings.pop(0))
        if connection.must_acknowledge:
            connection.must_acknowledge = False
            return wire.encode(0, wire.Ack(self._received))
        replay = self._replay
        connection.cursor = max(connection.cursor, replay.acknowledged + 1)
        if connection.cursor > replay.sent:
            if replay.is_overrun:
                return None
            following = self.lanes.pop(pieces=not replay.is_full)
            if following is None:
                return None
            replay.add(*following)
        connection.cursor += 1
        return replay.frame(connection.cursor - 1)

    async def _read(self, connection: Connection) -> None:
        async for message in connection.socket:
            if self._is_closed:
                raise ConnectionError("the session is closed")
            if message.type is not aiohttp.WSMsgType.BINARY:
                raise ValueError(f"sent what is no frame: {message.type.name} {message.data or ''}")
            connection.heard_at = time.monotonic()
            self._seen_at = time.time()
            self._bytes_received += len(message.data)
            number, head, body = wire.decode(message.data)
            if number:
                self._take(connection, number, head, body)
            else:
                self._take_unnumbered(connection, head)

    def _take_unnumbered(self, connection: Connection, head: wire.Head) -> None:
        match head:
            case wire.Ack(received):
                if received > self._replay.acknowledged:
                    connection.acknowledged_at = time.monotonic()
                self._replay.acknowledge(received)
                self._wake()
            case wire.Ping(at_ns) if len(connection.pings) < PINGS:
                connection.pings.append(wire.Pong(at_ns))
                connection.wake.set()
            case wire.Pong(at_ns):
                self._latency_ms = (time.monotonic_ns() - at_ns) / 1e6
                self._latencies.append(self._latency_ms)
            case _:
                raise ValueError(f"sent a second {type(head).__name__}")

    def _take(self, connection: Connection, number: int, head: wire.Head, body: Body) -> None:
        """Take each numbered frame once: what was said again after a cut is skipped, a replay is refused."""
        if number < connection.expected:
            self._hub.refuse(self.peer.organisation, f"replayed frame {number}")
            return
        if number > connection.expected:
            raise ValueError(f"left out frames {connection.expected} to {number - 1}")
        connection.expected += 1
        connection.acknowledge_later(wire.cost(body))
        if number <= self._received:
            return
        self._received = number
        match head:
            case wire.Call(call_id):
                self._start_answer(call_id, bytes(body))
            case wire.Reply(call_id, problem):
                self._settle(call_id, bytes(body), problem)
            case wire.Taken(route, size_bytes):
                self.lanes.grant(route.key, size_bytes)
            case wire.Piece() | wire.Finished() | wire.Refused():
                self._hub.receive(self.peer.organisation, head, body)
            case _:
                raise ValueError(f"numbered a {type(head).__name__}")

    def _settle(self, call_id: int, body: bytes, problem: Fault | None) -> None:
        reply = self._calls.get(call_id)
        if reply is None or reply.done():
            return
        if problem is None:
            reply.set_result(body)
        else:
            reply.set_exception(HanseError(problem))

    def _start_answer(self, call_id: int, body: bytes) -> None:
        size_bytes = wire.cost(body)
        if len(self._answers) >= QUESTIONS or self._question_bytes + size_bytes > QUESTION_BYTES:
            self._reply(call_id, b"", Fault("peer.busy", step="control message"))
            return
        self._question_bytes += size_bytes
        answer = asyncio.create_task(self._ask_node(body))
        self._answers.add(answer)
        answer.add_done_callback(lambda done: self._finish_answer(call_id, size_bytes, done))

    async def _ask_node(self, body: bytes) -> bytes:
        async with self._answering:
            return await self._hub.answer(self.peer.organisation, body)

    def _finish_answer(self, call_id: int, size_bytes: int, answer: asyncio.Task[bytes]) -> None:
        self._answers.discard(answer)
        self._question_bytes -= size_bytes
        if answer.cancelled() or self._is_closed:
            return
        error = answer.exception()
        if isinstance(error, HanseError):
            self._reply(call_id, b"", error.fault.for_peers())
        elif error is not None:
            log.error("answer.failed", peer=self.peer.name, exc_info=error)
            self._reply(call_id, b"", Fault("peer.failed", step="control message"))
        elif len(answer.result()) > PIECE_BYTES:
            self._reply(call_id, b"", Fault("call.too_large", step="control message"))
        else:
            self._reply(call_id, answer.result(), None)

    def _reply(self, call_id: int, body: bytes, problem: Fault | None) -> None:
        self._push(wire.Reply(call_id, problem), body)

    def _push(self, head: Control, body: Body = b"") -> None:
        if self._is_closed:
            return
        try:
            self.lanes.push_control(head, body)
        except OverflowError as error:
            self._hub.break_off(self.peer.organisation, f"makes frames for it pile up: {error}")

    def _wake(self) -> None:
        if self._connection is not None:
            self._connection.wake.set()

    def _unreachable(self, why: str) -> HanseError:
        return fault(
            "peer.unreachable",
            f"{self.peer.name}: {why}",
            "check that its node is up and that one of the two nodes can dial the other's party address",
        )


def _read_until(socket: WebSocket) -> str:
    """Return until when the certificate that the peer showed on this connection is valid."""
    tls = socket.get_extra_info("ssl_object")
    leaf = tls.getpeercert(binary_form=True) if tls is not None else None
    return format_time(x509.load_der_x509_certificate(leaf).not_valid_after_utc) if leaf else ""
