"""This process's line to its gateway: frames out and in, messages put together, peers watched.

The loop never stops reading, so that no peer waits for another. What one peer may have sent and not yet been read is
bounded: its sender waits (`Consumed`), and one that does not wait is at fault.
"""

import asyncio
import json
import os
import select
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from itertools import count

from hanse.core import frames
from hanse.core.events import Event, Progress
from hanse.core.faults import Fault, HanseError
from hanse.core.lines import Line, connect
from hanse.core.roles import PartyId
from hanse.core.specs import Limits
from hanse.protocols.channel import PeerLost, ProtocolError
from hanse.protocols.messages import Message, decode, kind_of

CONTROL_STREAM = (1 << 31) - 1
"""The stream on which the runtimes of the parties speak, below the components' own."""

UNREAD_BYTES = 256 << 20
CONSUMED_BYTES = 32 << 20
ALIVE_S = 5.0
ORPHANED = 3
"""Exit status of a process whose node has gone."""


class Alive(Message, frozen=True):
    """any party → all others: I have got further."""

    done: int
    total: int


class Waits(Message, frozen=True):
    """any party → all others: I have been waiting for a party for a while; if this goes on, it is the one to name."""

    peer: str


class Consumed(Message, frozen=True):
    """receiver → sender: I have read so many bytes more of your messages; that much may follow."""

    size_bytes: int


NOTICES: dict[str, type[Alive | Waits | Consumed]] = {kind.__name__: kind for kind in (Alive, Waits, Consumed)}


class _Stream:
    """What has come from one peer on one stream."""

    def __init__(self) -> None:
        self.messages: deque[bytes] = deque()
        self.size_bytes = 0
        self.most_bytes: int | None = None
        self._pieces: list[bytearray] = []

    def add(self, piece: bytearray) -> None:
        """Take one more piece of the message that is under way."""
        self._pieces.append(piece)
        self.size_bytes += len(piece)

    def end(self) -> bytes:
        """Return the message whose last piece has come."""
        pieces, self._pieces, self.size_bytes = self._pieces, [], 0
        return b"".join(pieces)


class _PeerState:
    """What is known of one peer."""

    def __init__(self) -> None:
        self.streams: defaultdict[int, _Stream] = defaultdict(_Stream)
        self.changed = asyncio.Event()
        self.end: HanseError | None = None
        self.has_left = False
        self.sign_at = time.monotonic()
        self.waits_for: PartyId | None = None
        self.unread_bytes = 0
        self.consumed_bytes = 0
        self.outstanding_bytes = 0
        self.locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Post:
    """Sends and receives for one attempt. Make it with `Post.open`; `close` says goodbye."""

    def __init__(self, line: Line, peers: list[PartyId], limits: Limits) -> None:
        self._line = line
        self._limits = limits
        self._peers = {peer: _PeerState() for peer in peers}
        self._spends: dict[int, asyncio.Future[None]] = {}
        self._ids = count(1)
        self._left = asyncio.Event()
        self._is_leaving = threading.Event()
        self._told_at = 0.0
        self._notices: set[asyncio.Task[None]] = set()
        self._cancel: Callable[[], object] = lambda: None
        self._reading = asyncio.create_task(self._read())
        self._reading.add_done_callback(self._end_of_reading)

    @classmethod
    async def open(cls, path: str, token: str, peers: list[PartyId], limits: Limits) -> "Post":
        """Connect to the gateway's socket and attach. Raises OSError."""
        line = await connect(path)
        post = cls(line, peers, limits)
        await line.write(frames.Attach(token))
        threading.Thread(target=post._watch_for_end, name="end of the socket", daemon=True).start()
        return post

    def on_cancel(self, cancel: Callable[[], object]) -> None:
        """Call this when the node wants the attempt to stop."""
        self._cancel = cancel

    async def close(self, *, well: bool) -> None:
        """Have the gateway read all that was sent, and tell the peers when this side has ended well."""
        self._is_leaving.set()
        await self._line.write(frames.Leave(well))
        await self._left.wait()
        for task in (self._reading, *self._notices):
            task.cancel()
        await asyncio.gather(self._reading, *self._notices, return_exceptions=True)
        self._line.close()

    # ------------------------------------------------------------------ messages

    async def send(self, peer: PartyId, stream: int, payload: bytes) -> None:
        """Send one message. Raises PeerLost, or HanseError("peer.stalled") when the peer does not read."""
        state = self._peers[peer]
        async with state.locks[stream]:
            await self._wait(peer, lambda: state.outstanding_bytes < UNREAD_BYTES or state.has_left, "reads no more")
            if state.end is not None:
                raise state.end
            if state.has_left:
                return  # it ended well and needs nothing more
            state.outstanding_bytes += len(payload)
            await self._send_pieces(peer, stream, payload)

    async def recv(self, peer: PartyId, stream: int, most_bytes: int | None = None) -> bytes:
        """Return the next message of a stream. Raises PeerLost, ProtocolError, or HanseError("peer.stalled").

        While it is awaited, a message of more than `most_bytes` is refused before it is whole.
        """
        state = self._peers[peer]
        line = state.streams[stream]
        line.most_bytes = most_bytes
        self._check_size(peer, line)
        try:
            await self._wait(peer, lambda: bool(line.messages), "sends nothing", last=lambda: state.has_left)
        finally:
            line.most_bytes = None
        payload = line.messages.popleft()
        state.unread_bytes -= len(payload)
        state.consumed_bytes += len(payload)
        if state.consumed_bytes >= CONSUMED_BYTES:
            consumed, state.consumed_bytes = state.consumed_bytes, 0
            await self._send_pieces(peer, CONTROL_STREAM, Consumed(consumed).encode())
        return payload

    def report(self, event: Event) -> None:
        """Tell the node, and now and then the peers, how far this party is."""
        self._line.post(frames.Report(event))
        if isinstance(event, Progress) and time.monotonic() - self._told_at >= ALIVE_S:
            self._told_at = time.monotonic()
            self._notify(Alive(event.done, event.total))

    async def spend(self, queries: int, most: int | None = None) -> None:
        """Have the node count queries durably, `most` in all. Raises HanseError when they must not be answered."""
        spend_id = next(self._ids)
        spent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._spends[spend_id] = spent
        try:
            await self._line.write(frames.Spend(spend_id, queries, most))
            await spent
        finally:
            del self._spends[spend_id]

    async def _send_pieces(self, peer: PartyId, stream: int, payload: bytes) -> None:
        view = memoryview(payload)
        for start in range(0, max(len(view), 1), frames.PIECE_BYTES):
            body = view[start : start + frames.PIECE_BYTES]
            await self._line.write(frames.Data(peer, stream, start + len(body) == len(view)), body)

    def _notify(self, notice: Message) -> None:
        """Send a notice to all peers, without waiting; while one is still going out, another is not needed."""
        if not self._notices:
            task = asyncio.create_task(self._notify_all(notice.encode()))
            self._notices.add(task)
            task.add_done_callback(self._notices.discard)

    async def _notify_all(self, payload: bytes) -> None:
        for peer, state in self._peers.items():
            if state.end is None and not state.has_left:
                await self._send_pieces(peer, CONTROL_STREAM, payload)

    # ------------------------------------------------------------------ waiting, with the step's deadline

    async def _wait(
        self,
        peer: PartyId,
        holds: Callable[[], bool],
        complaint: str,
        *,
        last: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait until something holds of a peer. It may take as long as the peer gives signs of getting on."""
        state = self._peers[peer]
        since = time.monotonic()
        has_told = False
        while not holds():
            if state.end is not None:
                raise state.end
            if last():
                raise PeerLost(peer)
            quiet_s = time.monotonic() - max(since, state.sign_at)
            if quiet_s >= self._limits.step_s:
                raise self._stalled(peer, complaint)
            if not has_told and quiet_s >= self._limits.step_s / 2:
                has_told = True
                self._notify(Waits(peer))
            next_s = self._limits.step_s / 2 if quiet_s < self._limits.step_s / 2 else self._limits.step_s
            try:
                async with asyncio.timeout(next_s - quiet_s):
                    await state.changed.wait()
            except TimeoutError:
                continue

    def _stalled(self, peer: PartyId, complaint: str) -> HanseError:
        """Name the party that holds the task up: the peer, or the one that the peer itself waits for."""
        beyond = self._peers[peer].waits_for
        guilty = beyond if beyond in self._peers else peer
        chain = f"{peer} {complaint} and waits for {guilty}" if guilty != peer else f"{peer} {complaint}"
        return HanseError(
            Fault(
                "peer.stalled",
                guilty,
                cause=f"{chain}; no progress for {self._limits.step_s:g} s",
                remedy=f"ask {guilty} to look at its log, then run the job again",
            )
        )

    # ------------------------------------------------------------------ what comes in

    async def _read(self) -> None:
        while (frame := await self._line.read()) is not None:
            self._take(*frame)

    def _take(self, head: frames.Head, body: bytearray) -> None:
        match head:
            case frames.Data(peer, stream, final):
                self._take_piece(peer, stream, final, body)
            case frames.Gone(peer, None):
                self._peers[peer].has_left = True
                self._peers[peer].wake()
            case frames.Gone(peer, fault):
                self._end_peer(peer, PeerLost(peer, fault))
            case frames.Spent(spend_id, None) if spend_id in self._spends:
                self._spends[spend_id].set_result(None)
            case frames.Spent(spend_id, Fault() as fault) if spend_id in self._spends:
                self._spends[spend_id].set_exception(HanseError(fault))
            case frames.Cancel():
                self._cancel()
            case frames.Leave():
                self._left.set()
            case _:
                pass

    def _take_piece(self, peer: PartyId, stream: int, final: bool, body: bytearray) -> None:
        state = self._peers[peer]
        if state.end is not None:
            return
        line = state.streams[stream]
        line.add(body)
        state.unread_bytes += len(body)
        if stream != CONTROL_STREAM:
            state.sign_at = time.monotonic()
            state.waits_for = None
        self._check_size(peer, line)
        if state.end is not None:
            return
        if state.unread_bytes > UNREAD_BYTES + 2 * self._limits.message_bytes:
            self._end_peer(peer, ProtocolError(peer, f"sent {state.unread_bytes} bytes that nobody has asked for"))
        elif final:
            payload = line.end()
            if stream == CONTROL_STREAM and kind_of(payload) in NOTICES:
                state.unread_bytes -= len(payload)
                self._take_notice(peer, state, payload)
            else:
                line.messages.append(payload)
        state.wake()

    def _check_size(self, peer: PartyId, line: _Stream) -> None:
        """End a peer whose message under way is larger than any may be, or than the one awaited on this stream."""
        most_bytes = self._limits.message_bytes
        if line.most_bytes is not None and not line.messages:
            most_bytes = min(most_bytes, line.most_bytes)
        if line.size_bytes > most_bytes:
            self._end_peer(peer, ProtocolError(peer, f"sent a message above {most_bytes} bytes"))

    def _take_notice(self, peer: PartyId, state: _PeerState, payload: bytes) -> None:
        try:
            match decode(payload, NOTICES[kind_of(payload)]):
                case Alive():
                    state.sign_at = time.monotonic()
                    state.waits_for = None
                case Waits(other):
                    state.waits_for = PartyId(other)
                case Consumed(size_bytes):
                    state.outstanding_bytes = max(0, state.outstanding_bytes - max(0, size_bytes))
        except ValueError as error:
            self._end_peer(peer, ProtocolError(peer, f"sent {error}"))

    def _end_peer(self, peer: PartyId, end: HanseError) -> None:
        state = self._peers[peer]
        state.end = state.end or end
        state.streams.clear()
        state.wake()

    # ------------------------------------------------------------------ the node's end is ours

    def _watch_for_end(self) -> None:
        """Look at the socket from a thread of its own: the loop may be in the middle of a long computation."""
        end = select.poll()
        end.register(self._line.transport.get_extra_info("socket").fileno(), select.POLLRDHUP | select.POLLHUP)
        end.poll()
        if not self._is_leaving.is_set():
            _exit("the node has closed the socket")

    def _end_of_reading(self, reading: asyncio.Task[None]) -> None:
        if self._is_leaving.is_set() or reading.cancelled():
            self._left.set()
        else:
            _exit(f"the line to the node has ended: {reading.exception() or 'closed'}")


def _exit(reason: str) -> None:
    """End this process at once: nobody waits for its result any more."""
    sys.stderr.write(json.dumps({"level": "error", "event": "attempt.orphaned", "reason": reason}) + "\n")
    sys.stderr.flush()
    os._exit(ORPHANED)
