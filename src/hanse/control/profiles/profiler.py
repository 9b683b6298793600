"""Runs what waits in the queue, one at a time, each in a process of its own that gives way to jobs."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import structlog

from hanse.control.database import Database
from hanse.control.datasets.service import Snapshot
from hanse.control.profiles import service
from hanse.control.profiles.service import Outcome
from hanse.control.profiles.tables import DatasetProfile
from hanse.control.settings import environment_of_child
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.ids import new_id
from hanse.core.profiles import Drawn, Drift, Figures, ProfileSpec, Wanted
from hanse.core.specs import Artefact, AttemptResult, Limits

FOLDER, ORDER, RESULT, FIGURES = "profiles", "profile.json", "result.json", "figures.json"
LOOK_S = 2.0
BEAT_S = 5.0
MOST_S = 6 * 3600.0
"""A run that takes longer is ended, so that those behind it get their turn."""

LOG_TAIL_BYTES = 2000

log = structlog.get_logger("hanse.control.profiles")


@dataclass
class Profiler:
    """Measures versions, compares them and draws figures for partners. `automatic`: every new version is measured."""

    directory: Path
    database: Database
    limits: Limits = field(default_factory=Limits)
    automatic: bool = True
    most_s: float = MOST_S
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _running: set[asyncio.subprocess.Process] = field(default_factory=set)
    _drawing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def wake(self) -> None:
        """Look at the queue at once."""
        self._woken.set()

    async def run(self) -> None:
        """Run what waits, until cancelled."""
        shutil.rmtree(self.directory / FOLDER, ignore_errors=True)  # what a crash has left
        while True:
            self._woken.clear()
            try:
                while await self.step():
                    pass
            except HanseError as error:
                log.error("profiles.step", fault=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_S)

    async def step(self) -> bool:
        """Run one thing that waits; return whether there was one."""
        row = await asyncio.to_thread(self._claim)
        if row is None:
            return False
        running = asyncio.create_task(self._perform(row))
        try:
            while not (await asyncio.wait({running}, timeout=BEAT_S))[0]:
                if not await asyncio.to_thread(self._beat, row):
                    running.cancel()
            outcome = await running
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                await asyncio.to_thread(self._let_go, row)
                raise
            return True  # nobody wants it any more
        await asyncio.to_thread(self._settle, row, outcome)
        return True

    async def draw(self, snapshot: Snapshot, wanted: Sequence[Wanted]) -> tuple[Drawn, ...]:
        """Return figures of a version with fresh noise. Raises `profile.*`."""
        async with self._drawing:
            found, _ = await self._child(_order(self, "draw", snapshot, wanted=tuple(wanted)), tuple[Drawn, ...])
        if tuple(one.wanted for one in found) != tuple(wanted):
            raise fault("profile.failed", "other figures were drawn than were wanted")
        return tuple(found)

    async def stop(self) -> None:
        """End the processes that run."""
        for process in list(self._running):
            await _end(process)

    def _claim(self) -> DatasetProfile | None:
        with self.database.read() as session:
            behind = self.automatic and service.is_behind(session)
            if not behind and not service.has_work(session):
                return None
        with self.database.write() as session:
            if behind:
                service.catch_up(session)
                session.flush()
            return service.claim(session)

    def _beat(self, row: DatasetProfile) -> bool:
        with self.database.write() as session:
            return service.beat(session, row)

    def _let_go(self, row: DatasetProfile) -> None:
        with self.database.write() as session:
            service.let_go(session, row)

    def _settle(self, row: DatasetProfile, outcome: Outcome) -> None:
        with self.database.write() as session:
            service.settle(session, row, outcome)

    async def _perform(self, row: DatasetProfile) -> Outcome:
        try:
            snapshot, older = await asyncio.to_thread(self._snapshots, row)
            async with asyncio.timeout(self.most_s):
                if older is None:
                    figures, ran = await self._child(_order(self, "measure", snapshot), Figures)
                    return Outcome(figures, None, None, ran.seconds, ran.peak_memory_bytes)
                drift, ran = await self._child(_order(self, "compare", snapshot, older), Drift)
                return Outcome(None, drift, None, ran.seconds, ran.peak_memory_bytes)
        except TimeoutError:
            return Outcome(fault=Fault("profile.failed", cause=f"it took more than {self.most_s / 3600:g} h"))
        except HanseError as error:
            return Outcome(fault=error.fault)
        except Exception as error:  # a full disk, an answer that cannot be read: this run fails and no other
            log.exception("profile.failed", dataset=row.dataset, version=row.version)
            return Outcome(fault=Fault("profile.failed", cause=f"{type(error).__name__}: see the node's log"))

    def _snapshots(self, row: DatasetProfile) -> tuple[Snapshot, Snapshot | None]:
        with self.database.read() as session:
            return service.snapshots_of(session, row)

    async def _child(self, spec: ProfileSpec, kind: Any) -> tuple[Any, AttemptResult]:
        """Run a process to its end and return what it found, in a folder that is gone afterwards."""
        folder = Path(spec.directory)
        try:
            await asyncio.to_thread(_lay_out, folder, spec)
            with (folder / "log").open("wb") as file:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "hanse.runtime", "profile", str(folder / ORDER)),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    env=environment_of_child(folder),
                    start_new_session=True,
                )
            self._running.add(process)
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await _end(process)
                raise
            finally:
                self._running.discard(process)
            return await asyncio.to_thread(_outcome, folder, code, kind)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _order(
    profiler: Profiler, work: Any, snapshot: Snapshot, older: Snapshot | None = None, wanted: tuple[Wanted, ...] = ()
) -> ProfileSpec:
    return ProfileSpec(
        work,
        _artefact(profiler.directory, snapshot),
        str(profiler.directory / FOLDER / new_id("profile")),
        None if older is None else _artefact(profiler.directory, older),
        wanted,
        profiler.limits,
    )


def _artefact(directory: Path, snapshot: Snapshot) -> Artefact:
    version = snapshot.version
    return Artefact("table", str(directory / version.path), version.sha256, version.rows, version.schema)


def _lay_out(folder: Path, spec: ProfileSpec) -> None:
    folder.mkdir(parents=True)
    (folder / ORDER).write_bytes(msgspec.json.encode(spec))


def _outcome(folder: Path, code: int, kind: Any) -> tuple[Any, AttemptResult]:
    result = _read_result(folder / RESULT)
    if result is not None and result.fault is not None:
        raise HanseError(result.fault)
    if result is None or code != 0:
        said = (folder / "log").read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").splitlines()
        raise fault("profile.failed", f"the process ended with {code}: {said[-1] if said else 'it said nothing'}")
    return msgspec.json.decode((folder / FIGURES).read_bytes(), type=kind), result


def _read_result(path: Path) -> AttemptResult | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=AttemptResult)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
