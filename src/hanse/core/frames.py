"""Frames of the attempts' socket: how the processes of one node speak (Unix socket, never the network).

A frame is `u32 head length, u32 body length` (little-endian), the head (msgpack, one of the structs below) and the
body (raw bytes of a message piece; empty for all but `Data`). A process opens with `Attach`.
"""

import struct

import msgspec

from hanse.core.events import Event
from hanse.core.faults import Fault
from hanse.core.roles import PartyId

PIECE_BYTES = 1 << 20
"""A message travels in pieces of at most this size, so that no transfer holds the loop or a proxy's buffer."""

HEAD_BYTES = 1 << 16

Body = bytes | bytearray | memoryview
"""The bytes of a piece, wherever they lie. Whoever is handed one changes nothing in it."""


class Attach(msgspec.Struct, frozen=True, tag=True):
    """process → gateway: who I am; the token was in my `task.json` (or my environment, for the planner)."""

    token: str


class Data(msgspec.Struct, frozen=True, tag=True):
    """process ⇄ gateway: one piece of a message to (or from) `peer` on a numbered stream; `final` ends the message."""

    peer: PartyId
    stream: int
    final: bool


class Report(msgspec.Struct, frozen=True, tag=True):
    """process → gateway: progress, a metric or a note, for this party's own eyes."""

    event: Event


class Spend(msgspec.Struct, frozen=True, tag=True):
    """process → gateway: `count` more queries are about to be answered; wait for `Spent` before answering.

    With `most`, no more than that many may then have been answered in all, by whatever job.
    """

    id: int
    count: int
    most: int | None = None


class Spent(msgspec.Struct, frozen=True, tag=True):
    """gateway → process: the count is on disk, or `fault` says why it must not be."""

    id: int
    fault: Fault | None = None


class Gone(msgspec.Struct, frozen=True, tag=True):
    """gateway → process: a peer's attempt has ended; nothing more will come from it. `fault` if it ended badly."""

    peer: PartyId
    fault: Fault | None = None


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """gateway → process: stop now."""


class Leave(msgspec.Struct, frozen=True, tag=True):
    """process → gateway: I have said all; the gateway says it back when it has read all. `well` tells the peers."""

    well: bool


class Ask(msgspec.Struct, frozen=True, tag=True):
    """gateway → planner: a question of `hanse.core.planning`, encoded in the bodies up to the `final` one."""

    id: int
    final: bool = True


class Answer(msgspec.Struct, frozen=True, tag=True):
    """planner → gateway: the answer to `Ask`, encoded in the bodies up to the `final` one, or a fault."""

    id: int
    fault: Fault | None = None
    final: bool = True


Head = Attach | Data | Report | Spend | Spent | Gone | Cancel | Leave | Ask | Answer

_lengths = struct.Struct("<II")
_decoder: msgspec.msgpack.Decoder[Head] = msgspec.msgpack.Decoder(Head)
LENGTHS_BYTES = _lengths.size


def encode(head: Head, body: Body = b"") -> list[Body]:
    """Return the buffers of one frame, ready for `writelines`."""
    raw = msgspec.msgpack.encode(head)
    return [_lengths.pack(len(raw), len(body)), raw, body]


def pieces(payload: bytes) -> list[tuple[bytes, bool]]:
    """Return the pieces of a payload in order, each with whether it is the final one; an empty payload has one."""
    starts = range(0, max(len(payload), 1), PIECE_BYTES)
    return [(payload[start : start + PIECE_BYTES], start == starts[-1]) for start in starts]


def lengths(raw: bytes) -> tuple[int, int]:
    """Return (head length, body length) of a frame. Raises ValueError when one is above its cap."""
    head, body = _lengths.unpack(raw)
    if head > HEAD_BYTES or body > PIECE_BYTES:
        raise ValueError(f"a frame of {head} + {body} bytes is above the cap of {HEAD_BYTES} + {PIECE_BYTES}")
    return head, body


def decode(raw: bytes) -> Head:
    """Return the head of a frame. Raises msgspec.ValidationError or msgspec.DecodeError."""
    return _decoder.decode(raw)
