"""Frames that were sent and not yet acknowledged, kept so that a new connection can say them again."""

from hanse.core.frames import Body
from hanse.gateway.wire import Head, cost, encode

REPLAY_BYTES = 16 << 20
REPLAY_FRAMES = 8192


class Replay:
    """Numbers frames from 1 and keeps each until its acknowledgement."""

    def __init__(self) -> None:
        self.sent = 0
        self.acknowledged = 0
        self._frames: dict[int, tuple[Head, Body]] = {}
        self._size_bytes = 0

    @property
    def is_full(self) -> bool:
        """True when message pieces must wait; the few frames that keep the session alive may still be added."""
        return self._size_bytes >= REPLAY_BYTES or len(self._frames) >= REPLAY_FRAMES

    @property
    def is_overrun(self) -> bool:
        """True when nothing may be added any more, control frames neither, before the peer has acknowledged some."""
        return self._size_bytes >= 2 * REPLAY_BYTES or len(self._frames) >= 2 * REPLAY_FRAMES

    def add(self, head: Head, body: Body) -> None:
        """Give the next number to a frame and keep it."""
        self.sent += 1
        self._frames[self.sent] = (head, body)
        self._size_bytes += cost(body)

    def frame(self, number: int) -> bytes:
        """Return the encoded frame of a number that is kept."""
        head, body = self._frames[number]
        return encode(number, head, body)

    def acknowledge(self, received: int) -> None:
        """Forget every frame up to `received`. Raises ValueError for a number that was never sent."""
        if received > self.sent:
            raise ValueError(f"acknowledges frame {received} of {self.sent}")
        for number in range(self.acknowledged + 1, received + 1):
            _, body = self._frames.pop(number)
            self._size_bytes -= cost(body)
        self.acknowledged = max(self.acknowledged, received)

    def resume(self, received: int) -> None:
        """Prepare to go on after frame `received`. Raises ValueError when that is not possible."""
        if received < self.acknowledged:
            raise ValueError(f"has forgotten frames {received + 1} to {self.acknowledged}, which it had acknowledged")
        self.acknowledge(received)
