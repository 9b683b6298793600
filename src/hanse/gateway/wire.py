"""What two gateways say to each other on one session: frames of a number, a typed head and a raw body.

A frame is one binary WebSocket message: `u64 number, u32 head length` (little-endian), the head (msgpack, one of the
structs below), the body. Numbered frames (from 1, no gaps) are kept by the sender until they are acknowledged and are
sent again on the next connection; `Hello`, `Ack`, `Ping` and `Pong` carry number 0 and belong to one connection.
Who sends and who receives is the connection's certificate, never a field.
"""

import struct

import msgspec

from hanse.core.faults import Fault
from hanse.core.frames import HEAD_BYTES, PIECE_BYTES, Body
from hanse.core.ids import JobId, NodeId, OrganisationId, TaskName
from hanse.core.job_messages import Telling
from hanse.core.roles import PartyId
from hanse.gateway.shapes import AttemptKey

VERSION = 1
WINDOW_BYTES = 8 << 20
"""How much of one attempt may be under way from one party before the receiving attempt has taken it."""


class Hello(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """First frame of a connection, both ways: who I am, and how far I have heard you.

    `epoch` names this side's memory of the session (new after a restart); `knows` is the epoch of yours that
    `received`, the number of the last frame that I took, belongs to (0: none).
    """

    version: int
    organisation: OrganisationId
    node: NodeId
    release: str
    epoch: int
    knows: int
    received: int


class Ack(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """I have taken every frame up to this number."""

    received: int


class Ping(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Are you there? `at_ns` is the sender's own clock and comes back."""

    at_ns: int


class Pong(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The answer to `Ping`."""

    at_ns: int


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which attempt a frame belongs to, and between which of its parties it travels."""

    job: JobId
    task: TaskName
    attempt: int
    sender: PartyId
    receiver: PartyId

    @property
    def key(self) -> AttemptKey:
        return AttemptKey(self.job, self.task, self.attempt)

    def back(self) -> "Route":
        """Return the way back."""
        return Route(self.job, self.task, self.attempt, self.receiver, self.sender)


class Piece(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A piece of a message; its bytes are the body. `offset` counts the bytes of the stream before it.

    The final piece carries the running digest of the stream (`hanse.gateway.transcript`), so that both sides are known
    to have seen the same messages.
    """

    route: Route
    stream: int
    offset: int
    final: bool
    digest: bytes = b""


class Taken(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The receiving attempt has taken `size_bytes` more: so much may be sent again. Travels against the pieces."""

    route: Route
    size_bytes: int


class Finished(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The sending attempt has ended well; this is the last frame of its side."""

    route: Route


class Refused(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Your frames on this route are not taken here: the attempt cannot go on. The reason stays at home."""

    route: Route


class Call(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A control message, for the node itself; its bytes are the body."""

    id: int


class Reply(Telling, frozen=True, tag=True, forbid_unknown_fields=True):
    """The reply to `Call`, in the body, or a fault as peers may know it."""

    id: int
    fault: Fault | None = None


Head = Hello | Ack | Ping | Pong | Piece | Taken | Finished | Refused | Call | Reply
Numbered = Piece | Taken | Finished | Refused | Call | Reply

_prefix = struct.Struct("<QI")
_decoder: msgspec.msgpack.Decoder[Head] = msgspec.msgpack.Decoder(Head)
FRAME_BYTES = _prefix.size + HEAD_BYTES + PIECE_BYTES
"""Cap on one frame."""


def encode(number: int, head: Head, body: Body = b"") -> bytes:
    """Return one frame."""
    raw = msgspec.msgpack.encode(head)
    return b"".join((_prefix.pack(number, len(raw)), raw, body))


def decode(frame: bytes) -> tuple[int, Head, memoryview]:
    """Return (number, head, body), the body where it lies in `frame`.

    Raises ValueError in words for anything that is no frame.
    """
    if not _prefix.size <= len(frame) <= FRAME_BYTES:
        raise ValueError(f"a frame of {len(frame)} bytes")
    number, head_bytes = _prefix.unpack_from(frame)
    start = _prefix.size + head_bytes
    if head_bytes > HEAD_BYTES or start > len(frame) or len(frame) - start > PIECE_BYTES:
        raise ValueError(f"a frame whose head says {head_bytes} bytes of {len(frame)}")
    try:
        head = _decoder.decode(memoryview(frame)[_prefix.size : start])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"a head that is none: {error}") from error
    if isinstance(head, Hello | Ack | Ping | Pong) != (number == 0):
        raise ValueError(f"{type(head).__name__} with number {number}")
    return number, head, memoryview(frame)[start:]


def cost(body: Body) -> int:
    """Return what a frame counts against a window: its body, and something for its head."""
    return len(body) + 256
