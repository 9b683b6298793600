"""One end of the attempts' socket: frames in and out, the bodies read from the socket into their own buffers.

A stream reader would copy every byte twice on its way in; between two attempts of two nodes that is most of the work.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

import msgspec

from hanse.core import frames

HEADS_BYTES = 32 << 10
"""How much is read at once where the next frame's head is awaited: many small frames, or the beginning of a body."""

AHEAD_BYTES = 2 * frames.PIECE_BYTES
"""What may have been read and not yet been asked for, and what may be written and not yet be on its way."""

FRAME_COST_BYTES = 256


class Line(asyncio.BufferedProtocol):
    """Frames of one connection, read and written in order. Make one with `connect`, or as a server's protocol.

    `opened` is called with the line once it is connected.
    """

    def __init__(self, opened: "Callable[[Line], None] | None" = None) -> None:
        self._opened = opened
        self._transport: asyncio.Transport | None = None
        self._heads = bytearray(HEADS_BYTES + frames.HEAD_BYTES + frames.LENGTHS_BYTES)
        self._start = self._stop = 0  # of what has come and is not yet taken, in `_heads`
        self._head: frames.Head | None = None
        self._body = bytearray()
        self._filled = 0
        self._waiting: deque[tuple[frames.Head, bytearray]] = deque()
        self.waiting_bytes = 0
        self._is_reading = True
        self._end: BaseException | None = None
        self._arrived = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    @property
    def transport(self) -> asyncio.Transport:
        """The connection below. Raises ConnectionError before there is one."""
        if self._transport is None:
            raise ConnectionError("not connected")
        return self._transport

    async def read(self) -> tuple[frames.Head, bytearray] | None:
        """Return the next frame, or None at the end. Raises ValueError for what is no frame."""
        while not self._waiting:
            if isinstance(self._end, ValueError):
                raise self._end
            if self._end is not None:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        head, body = self._waiting.popleft()
        self.waiting_bytes -= len(body) + FRAME_COST_BYTES
        if not self._is_reading and self.waiting_bytes < AHEAD_BYTES and self._end is None:
            self._is_reading = True
            self.transport.resume_reading()
        return head, body

    async def write(self, head: frames.Head, body: frames.Body = b"") -> None:
        """Send a frame and wait until the other end keeps up. Raises ConnectionError at the end."""
        self.post(head, body)
        await self._may_write.wait()
        if self._end is not None:
            raise ConnectionResetError("the line has ended")

    def post(self, head: frames.Head, body: frames.Body = b"") -> None:
        """Send a frame without waiting. Nothing happens when the line has ended."""
        if self._end is None:
            self.transport.writelines(frames.encode(head, body))

    def close(self) -> None:
        """Send what is still to be sent, and end the line."""
        if self._transport is not None:
            self._transport.close()

    # ------------------------------------------------------------------ what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=AHEAD_BYTES)
        if self._opened is not None:
            self._opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go: into the body that is under way, else to the heads."""
        del sizehint
        if self._head is not None:
            return memoryview(self._body)[self._filled :]
        return memoryview(self._heads)[self._stop : self._stop + HEADS_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        """Take what has come."""
        try:
            if self._head is not None:
                self._filled += nbytes
            else:
                self._stop += nbytes
            while self._take():
                pass
            self._settle_heads()
        except ValueError as error:
            self._finish(error)
            self.transport.abort()

    def eof_received(self) -> None:
        self._finish(EOFError("the other end has closed the line"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(exc or EOFError("the line was closed"))
        self._may_write.set()

    def pause_writing(self) -> None:
        if self._end is None:
            self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    # ------------------------------------------------------------------

    def _take(self) -> bool:
        """Take one more step on what lies there; False when it takes more bytes. Raises ValueError."""
        if self._head is not None:
            if self._filled < len(self._body):
                return False
            self._put(self._head, self._body)
            self._head, self._body = None, bytearray()
            return True
        held = self._stop - self._start
        if held < frames.LENGTHS_BYTES:
            return False
        first = self._start + frames.LENGTHS_BYTES
        head_bytes, body_bytes = frames.lengths(bytes(self._heads[self._start : first]))
        if held < frames.LENGTHS_BYTES + head_bytes:
            return False
        try:
            self._head = frames.decode(bytes(self._heads[first : first + head_bytes]))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"a head that is none: {error}") from error
        self._start = first + head_bytes
        self._body = bytearray(body_bytes)
        self._filled = min(body_bytes, self._stop - self._start)
        self._body[: self._filled] = memoryview(self._heads)[self._start : self._start + self._filled]
        self._start += self._filled
        return True

    def _settle_heads(self) -> None:
        """Move the beginning of a head to the front, so that there is room behind it."""
        if self._start:
            held = self._stop - self._start
            self._heads[:held] = self._heads[self._start : self._stop]
            self._start, self._stop = 0, held

    def _put(self, head: frames.Head, body: bytearray) -> None:
        self._waiting.append((head, body))
        self.waiting_bytes += len(body) + FRAME_COST_BYTES
        self._arrived.set()
        if self._is_reading and self.waiting_bytes >= AHEAD_BYTES:
            self._is_reading = False
            self.transport.pause_reading()

    def _finish(self, end: BaseException) -> None:
        self._end = self._end or end
        self._arrived.set()


async def connect(path: str) -> Line:
    """Connect to a Unix socket. Raises OSError."""
    _, line = await asyncio.get_running_loop().create_unix_connection(Line, path)
    return line
