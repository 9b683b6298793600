"""The production shapes of what a role's program is given: channel, entropy, attempt."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from hanse.core.events import Event, Metric, Note, Progress
from hanse.core.faults import fault
from hanse.core.roles import PartyId
from hanse.protocols.channel import Channel
from hanse.runtime import log
from hanse.runtime.post import Post
from hanse.runtime.storage import Checkpoints, Mark


@dataclass(frozen=True)
class SocketChannel:
    """Messages to and from the other parties, through this node's gateway."""

    post: Post
    stream: int = 0

    async def send(self, peer: PartyId, payload: bytes) -> None:
        await self.post.send(peer, self.stream, payload)

    async def recv(self, peer: PartyId, most_bytes: int | None = None) -> bytes:
        return await self.post.recv(peer, self.stream, most_bytes)

    def fork(self, stream: int) -> Channel:
        return SocketChannel(self.post, stream)


@dataclass(frozen=True)
class NoChannel:
    """The channel of a task that only one party has: there is nobody to talk to."""

    async def send(self, peer: PartyId, payload: bytes) -> None:
        del payload
        raise fault("peer.unknown", f"{peer} takes no part in this task")

    async def recv(self, peer: PartyId, most_bytes: int | None = None) -> bytes:
        del most_bytes
        raise fault("peer.unknown", f"{peer} takes no part in this task")

    def fork(self, stream: int) -> Channel:
        del stream
        return self


class SystemEntropy:
    """Randomness of the operating system."""

    def seed(self) -> bytes:
        """Return 32 fresh bytes, to be used once."""
        return secrets.token_bytes(32)


class NodeAttempt:
    """What surrounds the role's program: its node, by the socket, and its checkpoints, on disk."""

    def __init__(self, post: Post | None, checkpoints: Checkpoints, start: Mark | None, kept: Path) -> None:
        self.kept = kept
        self._post = post
        self._checkpoints = checkpoints
        state = checkpoints.read(start) if start else None
        self._saved = None if start is None or state is None else (start[0], state)

    def report(self, event: Event) -> None:
        match event:
            case Progress(done, total, note):
                log.info("progress", done=done, total=total, note=note)
            case Metric(name, value, step):
                log.info("metric", name=name, value=value, step=step)
            case Note(text):
                log.info("note", text=text)
        if self._post is not None:
            self._post.report(event)

    async def spend(self, queries: int, most: int | None = None) -> None:
        if self._post is None:
            raise fault("disclosure.uncounted", "without a gateway no query can be counted", "run it through a node")
        await self._post.spend(queries, most)

    def save(self, number: int, state: bytes) -> None:
        self._checkpoints.save(number, state)
        log.info("checkpoint", number=number, size_bytes=len(state))

    def saved(self) -> tuple[int, bytes] | None:
        return self._saved

    @property
    def scratch(self) -> Path:
        return self._checkpoints.scratch
