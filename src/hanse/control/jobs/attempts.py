"""Attempts as child processes: started, watched, reaped, killed with everything they started. The node never forks."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import psutil
import structlog

from hanse.control.settings import environment_of_child
from hanse.core.ids import JobId, TaskName
from hanse.core.specs import AttemptResult, AttemptSpec

RUNTIME: Final = (sys.executable, "-m", "hanse.runtime")
"""What runs the data plane; `run task.json` or `planner` follows. A test may say something else."""

RESULT_BYTES = 8 << 20

log = structlog.get_logger()


class AttemptKey(NamedTuple):
    """Which try of which task of which job."""

    job: JobId
    task: TaskName
    number: int


class Child(NamedTuple):
    """A process, named so that its number cannot be taken for another one's: when it started is part of the name."""

    pid: int
    started: float


Ended = Callable[[AttemptKey, AttemptResult | None], Awaitable[None]]
"""Called once for each attempt, after its process and all it started are gone; None: it left no result."""


class Attempts:
    """The running attempts of this node process."""

    def __init__(self, logs: Path, ended: Ended, command: Sequence[str] = RUNTIME) -> None:
        self._logs = logs
        self._ended = ended
        self._command = tuple(command)
        self._processes: dict[AttemptKey, asyncio.subprocess.Process] = {}
        self._watches: dict[AttemptKey, asyncio.Task[None]] = {}

    def keys(self) -> frozenset[AttemptKey]:
        """Return the attempts that run, or whose end is still being noted."""
        return frozenset(self._watches)

    def pids(self) -> list[tuple[AttemptKey, int]]:
        """Return the processes that run."""
        return [(key, process.pid) for key, process in self._processes.items()]

    async def start(self, spec: AttemptSpec) -> Child:
        """Start the process of `spec` in its directory. Raises OSError when the machine will not have it."""
        key = AttemptKey(spec.job, spec.task, spec.attempt)
        path = Path(spec.directory) / "task.json"
        await asyncio.to_thread(write_task, path, spec)
        process = await spawn(
            [*self._command, "run", str(path)],
            self._logs / f"{spec.job}-{spec.task}-{spec.attempt}.log",
            {
                "RAYON_NUM_THREADS": str(spec.limits.threads),
                "OMP_NUM_THREADS": str(spec.limits.threads),
                "TMPDIR": spec.directory,
            },
        )
        self._processes[key] = process
        self._watches[key] = asyncio.create_task(self._watch(key, process, Path(spec.directory)))
        return Child(process.pid, started_at(process.pid))

    async def stop(self, key: AttemptKey) -> None:
        """Kill an attempt if it runs; return when it is gone and its end is noted."""
        process, watch = self._processes.get(key), self._watches.get(key)
        if process is not None:
            kill_group(process.pid)
        if watch is not None:
            await asyncio.shield(watch)

    async def close(self) -> None:
        """Kill all attempts."""
        await asyncio.gather(*(self.stop(key) for key in self.keys()))

    async def _watch(self, key: AttemptKey, process: asyncio.subprocess.Process, directory: Path) -> None:
        code = await process.wait()
        kill_group(process.pid)
        self._processes.pop(key, None)
        result = await asyncio.to_thread(read_result, directory / "result.json")
        log.info("attempt.exit", job=key.job, task=key.task, attempt=key.number, code=code, left_result=bool(result))
        try:
            await self._ended(key, result)
        finally:
            self._watches.pop(key, None)


async def spawn(command: Sequence[str], output: Path, variables: dict[str, str]) -> asyncio.subprocess.Process:
    """Start a process in a session of its own, its output added to a file that only this user reads."""
    environment = environment_of_child(output.parent) | variables
    output.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)


def write_task(path: Path, spec: AttemptSpec) -> None:
    """Write `task.json` for this user's eyes only: it holds the token of the attempt."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(spec))


def read_result(path: Path) -> AttemptResult | None:
    """Return what an attempt has left, or None when it left nothing that can be read."""
    try:
        if path.stat().st_size > RESULT_BYTES:
            return None
        return msgspec.json.decode(path.read_bytes(), type=AttemptResult)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def kill_group(pid: int) -> None:
    """Kill a process that leads its own session, and whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def started_at(pid: int) -> float:
    """Return when a process started, in seconds of the machine's own clock; 0 when it is already gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def kill_orphan(child: Child) -> None:
    """Kill a process that an earlier node process left behind, if it is still that very process."""
    if child.started and started_at(child.pid) == child.started:
        kill_group(child.pid)
