"""What waits to be sent to one peer: one lane per attempt, served in turn, and control frames before them all."""

import asyncio
from collections import deque
from collections.abc import Callable

from hanse.core.frames import Body
from hanse.gateway.shapes import AttemptKey
from hanse.gateway.wire import WINDOW_BYTES, Call, Finished, Piece, Reply, Taken, cost
from hanse.gateway.wire import Refused as RefusedRoute

LANE_BYTES = 4 << 20
CONTROL_FRAMES = 4096
CONTROL_BYTES = 16 << 20
CALL_BYTES = 4 << 20
"""What our own calls may hold of that: they pile up when the peer is away, and never keep out a reply."""

Control = Call | Reply | Taken | RefusedRoute


class Lane:
    """Pieces of one attempt for one peer, and how much of them the receiving attempt may still be sent."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Piece | Finished, Body]] = deque()
        self.waiting_bytes = 0
        self.credit_bytes = WINDOW_BYTES
        self.is_leaving = False
        self.changed = asyncio.Event()

    @property
    def has_room(self) -> bool:
        return self.waiting_bytes < LANE_BYTES

    def pop(self) -> tuple[Piece | Finished, Body] | None:
        """Return the next frame that the window lets out."""
        if not self.waiting:
            return None
        head, body = self.waiting[0]
        if isinstance(head, Piece):
            if cost(body) > self.credit_bytes:
                return None
            self.credit_bytes -= cost(body)
        self.waiting.popleft()
        self.waiting_bytes -= cost(body)
        self.changed.set()
        return head, body


class Lanes:
    """All lanes to one peer. `wake` is called whenever there may be something to send."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._control: deque[tuple[Control, Body]] = deque()
        self._control_bytes = 0
        self._call_bytes = 0
        self._lanes: dict[AttemptKey, Lane] = {}

    def push_control(self, head: Control, body: Body = b"") -> None:
        """Add a frame that goes before all pieces. Raises OverflowError when the peer has let too many pile up."""
        size_bytes = cost(body)
        waiting_bytes = self._control_bytes + size_bytes
        if len(self._control) >= CONTROL_FRAMES or waiting_bytes > CONTROL_BYTES:
            raise OverflowError(
                f"{len(self._control)} control frames of {self._control_bytes} bytes wait for this peer"
            )
        if isinstance(head, Call):
            if self._call_bytes + size_bytes > CALL_BYTES:
                raise OverflowError(f"calls of {self._call_bytes} bytes wait for this peer")
            self._call_bytes += size_bytes
        self._control_bytes = waiting_bytes
        self._control.append((head, body))
        self._wake()

    def withdraw_call(self, call_id: int) -> None:
        """Forget a call that is still waiting: its caller has given up."""
        for frame in [frame for frame in self._control if isinstance(frame[0], Call) and frame[0].id == call_id]:
            self._control.remove(frame)
            self._release(*frame)

    def open(self, key: AttemptKey) -> None:
        """Start a lane."""
        self._lanes[key] = Lane()

    async def push(self, key: AttemptKey, head: Piece | Finished, body: Body) -> None:
        """Add a frame to an attempt's lane, waiting for room. Without a lane (any more) the frame is dropped."""
        lane = self._lanes.get(key)
        while lane is not None and not lane.has_room:
            lane.changed.clear()
            await lane.changed.wait()
            lane = self._lanes.get(key)
        if lane is not None:
            lane.waiting.append((head, body))
            lane.waiting_bytes += cost(body)
            self._wake()

    def grant(self, key: AttemptKey, size_bytes: int) -> None:
        """Let `size_bytes` more of an attempt out. Raises ValueError when more is given than was used."""
        lane = self._lanes.get(key)
        if lane is None:
            return
        if not 0 < size_bytes <= WINDOW_BYTES - lane.credit_bytes:
            raise ValueError(f"takes {size_bytes} bytes that were never sent")
        lane.credit_bytes += size_bytes
        self._wake()

    def leave(self, key: AttemptKey) -> None:
        """Close a lane when what waits in it has gone."""
        lane = self._lanes.get(key)
        if lane is not None:
            lane.is_leaving = True
            self._sweep(key, lane)

    def drop(self, key: AttemptKey) -> None:
        """Close a lane at once, with all that waits in it."""
        lane = self._lanes.pop(key, None)
        if lane is not None:
            lane.changed.set()

    def drop_leaving(self) -> None:
        """Close the lanes of attempts that have ended: the peer has been away for too long to need the rest."""
        for key in [key for key, lane in self._lanes.items() if lane.is_leaving]:
            self.drop(key)

    def drop_all(self) -> None:
        """Close every lane, and forget all control frames."""
        self._control.clear()
        self._control_bytes = self._call_bytes = 0
        for key in list(self._lanes):
            self.drop(key)

    def pop(self, *, pieces: bool) -> tuple[Control | Piece | Finished, Body] | None:
        """Return the next frame: control first, then (with `pieces`) one piece of each attempt in turn."""
        if self._control:
            frame = self._control.popleft()
            self._release(*frame)
            return frame
        if not pieces:
            return None
        for key, lane in list(self._lanes.items()):
            piece = lane.pop()
            if piece is not None:
                self._lanes[key] = self._lanes.pop(key)
                self._sweep(key, lane)
                return piece
        return None

    def _release(self, head: Control, body: Body) -> None:
        self._control_bytes -= cost(body)
        if isinstance(head, Call):
            self._call_bytes -= cost(body)

    def _sweep(self, key: AttemptKey, lane: Lane) -> None:
        if lane.is_leaving and not lane.waiting:
            self.drop(key)
