"""The resident planner, which knows the components, seen from the control plane, which may not."""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
import structlog

from hanse.control.jobs.attempts import RUNTIME, kill_group, spawn
from hanse.core.faults import HanseError, fault
from hanse.core.planning import Catalogue, CheckPipeline, DescribeCatalogue, PipelineCheck, Question

PATIENCE_S = 30.0
LONGEST_PAUSE_S = 5.0

AWAY = "planner.away"
"""The gateway's code for a planner that is starting, or has just died."""

T = TypeVar("T")
log = structlog.get_logger()


class PlannerSocket(Protocol):
    """The gateway's side of the planner."""

    @property
    def socket_path(self) -> Path: ...

    def expect(self, token: str) -> None: ...

    async def ask(self, question: bytes, *, timeout_s: float = 30.0) -> bytes: ...


class Planner:
    """Keeps one planner process alive, and asks it."""

    def __init__(self, gateway: PlannerSocket, logs: Path, command: Sequence[str] = RUNTIME) -> None:
        self._gateway = gateway
        self._log = logs / "planner.log"
        self._command = [*command, "planner"]
        self._keeping: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def start(self) -> None:
        """Begin to keep the planner running."""
        self._keeping = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """End the planner."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if self._process is not None:
            kill_group(self._process.pid)
            await self._process.wait()

    async def describe(self) -> Catalogue:
        """Return the components of this installation."""
        return await self._ask(DescribeCatalogue(), Catalogue)

    async def check(self, question: CheckPipeline) -> PipelineCheck:
        """Return whether a pipeline is sound, and how it would run."""
        return await self._ask(question, PipelineCheck)

    async def _ask(self, question: Question, kind: type[T]) -> T:
        """Ask, once more when the planner dies over it. Raises `planner.*`."""
        encoded = msgspec.msgpack.encode(question)
        try:
            answer = await self._gateway.ask(encoded, timeout_s=PATIENCE_S)
        except HanseError as error:
            if error.fault.code != AWAY:
                raise
            answer = await self._gateway.ask(encoded, timeout_s=PATIENCE_S)
        try:
            return msgspec.msgpack.decode(answer, type=kind)
        except msgspec.MsgspecError as error:
            raise fault("planner.failed", f"the planner's answer makes no sense: {error}") from error

    async def _keep(self) -> None:
        pause_s = 0.2
        while True:
            token = secrets.token_hex(32)
            self._gateway.expect(token)
            variables = {"HANSE_SOCKET": str(self._gateway.socket_path), "HANSE_TOKEN": token}
            began = asyncio.get_running_loop().time()
            self._process = await spawn(self._command, self._log, variables)
            code = await self._process.wait()
            log.warning("planner.exit", code=code)
            lived_s = asyncio.get_running_loop().time() - began
            pause_s = 0.2 if lived_s > LONGEST_PAUSE_S else min(2 * pause_s, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)
