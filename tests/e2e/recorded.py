"""Run an attempt behind a recorder: `python recorded.py PLAN run task.json`, or `planner`, as the runtime would.

The attempt's own process is the runtime as it is installed; what it writes to its socket passes through
tests/network/recorder.py. When it has ended, `<PLAN's folder>-recorded` holds a file for it, beside the node's
directory and not in it (`Recording`).
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.network.recorder import Recorder

from hanse.core import frames
from hanse.core.specs import AttemptSpec


class Recording(msgspec.Struct, frozen=True):
    """What one attempt wrote to its socket, and the checkpoints that it left."""

    job: str
    task: str
    component: str
    party: str
    messages: list[tuple[str, int, bytes]]
    other: list[frames.Head]
    checkpoints: list[bytes]


def folder_of(plan: Path) -> Path:
    """Return where the recordings of the node with this plan lie."""
    return plan.parent.with_name(f"{plan.parent.name}-recorded")


def read_recordings(plan: Path) -> list[Recording]:
    """Return all recordings of the node with this plan."""
    return [msgspec.msgpack.decode(path.read_bytes(), type=Recording) for path in sorted(folder_of(plan).iterdir())]


def record(plan: Path, task: Path) -> int:
    """Run the attempt, keep its recording, and return its exit status."""
    spec = msgspec.json.decode(task.read_bytes(), type=AttemptSpec)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a short path: a socket's has at most 107 bytes
        socket, copy = Path(folder) / "socket", Path(folder) / "task.json"
        copy.write_bytes(msgspec.json.encode(msgspec.structs.replace(spec, socket=str(socket))))
        recorder = Recorder(socket, Path(spec.socket))
        status = asyncio.run(run(copy, recorder))
    checkpoints = [path.read_bytes() for path in sorted(Path(spec.checkpoints).glob("**/*")) if path.is_file()]
    found = Recording(spec.job, spec.task, spec.component, spec.party, recorder.messages, recorder.other, checkpoints)
    target = folder_of(plan) / f"{spec.job}-{spec.task}-{spec.attempt}-{spec.party}"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(msgspec.msgpack.encode(found))
    return status


async def run(task: Path, recorder: Recorder) -> int:
    async with recorder:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "hanse.runtime", "run", str(task))
        return await process.wait()


if __name__ == "__main__":
    plan, verb, *rest = sys.argv[1:]
    if verb != "run":
        os.execv(sys.executable, [sys.executable, "-m", "hanse.runtime", verb, *rest])  # noqa: S606 (our own words)
    raise SystemExit(record(Path(plan), Path(rest[0])))
