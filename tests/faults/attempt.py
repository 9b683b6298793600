"""An attempt that a test can harm: `python tests/faults/attempt.py [options] run task.json`, in place of hanse.runtime.

    --at message|received|checkpoint --nth N    kill -9 this process before its N-th message leaves, before its N-th
                                                message is read, or right after its N-th checkpoint is kept
    --party P --task T --attempt A              only this party, task and attempt number (default: any, any, 1)
    --components FOLDER                         more components than the installed ones

The program that runs is the installed one; the fault sits between it and its surroundings.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

import hanse.components
from hanse.core.events import Event
from hanse.core.roles import PartyId
from hanse.core.specs import AttemptSpec
from hanse.protocols.channel import Attempt, Channel
from hanse.runtime import __main__ as runtime
from hanse.runtime import limits


@dataclass
class Fuse:
    """Kills this process at the n-th thing that happens."""

    at: str
    nth: int
    seen: int = 0

    def burn(self, at: str) -> None:
        self.seen += at == self.at
        if at == self.at and self.seen == self.nth:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class FusedChannel:
    inner: Channel
    burn: Callable[[str], None]

    async def send(self, peer: PartyId, payload: bytes) -> None:
        self.burn("message")
        await self.inner.send(peer, payload)

    async def recv(self, peer: PartyId, most_bytes: int | None = None) -> bytes:
        payload = await self.inner.recv(peer, most_bytes)
        self.burn("received")
        return payload

    def fork(self, stream: int) -> Channel:
        return FusedChannel(self.inner.fork(stream), self.burn)


@dataclass(frozen=True)
class FusedAttempt:
    inner: Attempt
    burn: Callable[[str], None]

    def report(self, event: Event) -> None:
        self.inner.report(event)

    async def spend(self, queries: int, most: int | None = None) -> None:
        await self.inner.spend(queries, most)

    def save(self, number: int, state: bytes) -> None:
        self.inner.save(number, state)
        self.burn("checkpoint")

    def saved(self) -> tuple[int, bytes] | None:
        return self.inner.saved()

    @property
    def scratch(self) -> Path:
        return self.inner.scratch

    @property
    def kept(self) -> Path:
        return self.inner.kept


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", default="")
    parser.add_argument("--nth", type=int, default=0)
    parser.add_argument("--party", default="")
    parser.add_argument("--task", default="")
    parser.add_argument("--attempt", type=int, default=1)
    parser.add_argument("--components", default="")
    parser.add_argument("rest", nargs="+")
    asked = parser.parse_args()
    if asked.components:
        hanse.components.__path__.append(asked.components)
    if asked.rest[0] != "run":
        return runtime.main(asked.rest)
    limits.apply(limits.read(asked.rest[1:]))
    from hanse.runtime import task  # numpy must come after the limits

    spec = msgspec.json.decode(Path(asked.rest[1]).read_bytes(), type=AttemptSpec)
    wanted = (asked.party or spec.party, asked.task or spec.task, asked.attempt)
    fuse = Fuse(asked.at if wanted == (spec.party, spec.task, spec.attempt) else "", asked.nth)

    def tap(_: PartyId, channel: Channel, attempt: Attempt) -> tuple[Channel, Attempt]:
        return FusedChannel(channel, fuse.burn), FusedAttempt(attempt, fuse.burn)

    return task.main(asked.rest[1], tap=tap)


if __name__ == "__main__":
    raise SystemExit(main())
