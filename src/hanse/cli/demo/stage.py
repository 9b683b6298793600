"""Nodes as processes of their own: started, found, measured, and stopped whatever happens."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

from hanse.client import AsyncClient
from hanse.client.directory import read_address
from hanse.core.faults import HanseError, fault

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.05
SAMPLE_S = 0.2
LOG_TAIL_BYTES = 2_000


class NodeProcess:
    """One organisation's node: `hanse node up` in a process group of its own, ports chosen by the system."""

    def __init__(self, organisation: str, directory: Path) -> None:
        self.organisation = organisation
        self.directory = directory
        self.log = directory / "node-up.log"
        temporary = directory / "tmp"
        temporary.mkdir(parents=True)
        command = [sys.executable, "-m", "hanse.cli", "node", "up", "--directory", str(directory)]
        command += ["--name", organisation, "--party-host", "127.0.0.1", "--party-port", "0", "--rest-port", "0"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own command, no shell)
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(temporary)},  # what a killed process leaves goes with the node
            )
        self._family = psutil.Process(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def client(self) -> AsyncClient:
        """Return a client as soon as the node answers. Raises HanseError with the end of its log when it does not."""
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while self._process.poll() is None and asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(HanseError):
                if read_address(self.directory).pid == self._process.pid:
                    return await _answering(self.directory)
            await asyncio.sleep(POLL_S)
        tail = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").strip()
        state = "ended" if self._process.poll() is not None else f"does not answer within {START_TIMEOUT_S:g} s"
        cause = f"the node of {self.organisation} {state}: {tail}"
        raise fault("demo.node", cause, "run it alone to see more: hanse node up", step="start the nodes")

    def processes(self) -> list[psutil.Process]:
        """Return the node's process and all below it that live now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [self._family, *self._family.children(recursive=True)]
        return []

    def ask_to_stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def reap(self, deadline_s: float) -> None:
        """Wait for the end; kill what is left after that, attempts included."""
        family = self.processes()
        try:
            self._process.wait(timeout=max(deadline_s, 0.0))
        except subprocess.TimeoutExpired:
            family = self.processes()
            self._process.kill()
            self._process.wait()
        _, alive = psutil.wait_procs([process for process in family if process.pid != self.pid], timeout=2.0)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def stop(nodes: Iterable[NodeProcess]) -> None:
    """Stop nodes together. Returns when none of their processes is left."""
    for node in nodes:
        node.ask_to_stop()
    for node in nodes:
        node.reap(STOP_TIMEOUT_S)


class MemoryMeter:
    """The most memory that this process and its children held together: resident bytes, shared pages each time."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._me = psutil.Process()

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            self.peak_bytes = max(self.peak_bytes, await asyncio.to_thread(self._sample))
            await asyncio.sleep(SAMPLE_S)

    def _sample(self) -> int:
        return sum(map(_resident, [self._me, *self._me.children(recursive=True)]))


def _resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return int(process.memory_info().rss)
    return 0


async def _answering(directory: Path) -> AsyncClient:
    client = AsyncClient(directory)
    try:
        await client.node()
    except BaseException:
        await client.close()
        raise
    return client
