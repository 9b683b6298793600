"""Where this node runs its own attempts: orders become processes, their ends become rows."""

import asyncio
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import structlog

from hanse.control.database import Database
from hanse.control.jobs import samples, service, shares
from hanse.control.jobs.attempts import RUNTIME, AttemptKey, Attempts, Child, kill_orphan
from hanse.control.jobs.recorder import Recorder
from hanse.control.jobs.shares import Premises, Share, Traffic
from hanse.core import threads
from hanse.core.faults import HanseError, fault
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.job_messages import AttemptStanding
from hanse.core.roles import PartyId
from hanse.core.specs import AttemptResult, AttemptSpec

log = structlog.get_logger()


class Digest(Protocol):
    """The SHA-256 of what went one way on one stream."""

    @property
    def peer(self) -> PartyId: ...
    @property
    def stream(self) -> int: ...
    @property
    def direction(self) -> str: ...
    @property
    def sha256(self) -> str: ...


class Meter(Protocol):
    """What an attempt exchanged, as the gateway counted it."""

    @property
    def bytes_sent(self) -> dict[PartyId, int]: ...
    @property
    def bytes_received(self) -> dict[PartyId, int]: ...
    @property
    def digests(self) -> Sequence[Digest]: ...


Counts = tuple[dict[PartyId, int], dict[PartyId, int]]
"""Bytes sent and received, by peer."""


class AttemptSocket(Protocol):
    """The gateway's side of attempts."""

    def open_attempt(
        self,
        job: JobId,
        task: TaskName,
        attempt: int,
        party: PartyId,
        parties: dict[PartyId, OrganisationId],
        token: str,
    ) -> None: ...

    def close_attempt(self, job: JobId, task: TaskName, attempt: int) -> Meter: ...

    def count_attempt(self, job: JobId, task: TaskName, attempt: int) -> Counts: ...


class Workshop:
    """The attempts of this node process. `changed` is called after each end, with the job."""

    def __init__(
        self,
        database: Database,
        gateway: AttemptSocket,
        recorder: Recorder,
        premises: Premises,
        logs: Path,
        changed: Callable[[JobId], None],
        command: Sequence[str] = RUNTIME,
    ) -> None:
        self._database = database
        self._gateway = gateway
        self._recorder = recorder
        self._premises = premises
        self._changed = changed
        self._attempts = Attempts(logs, self._conclude, command)
        self._closing = False

    async def recover(self) -> None:
        """Say that this process lives, and give up what dead ones left: lost attempts, whose processes are killed."""
        for child in await threads.run(self._lose_orphans):
            kill_orphan(child)

    async def close(self) -> None:
        """Kill all attempts. Their rows stay as they are: the next node process finds them lost."""
        self._closing = True
        await self._attempts.close()

    async def order(self, job: JobId, task: TaskName, number: int, source: JobId | None = None) -> AttemptStanding:
        """Run this party's n-th attempt of a task, once; return how it is. Raises `job.unknown`, `job.not_yours`.

        With `source` it is not run: it has what that job made, or is lost.
        """
        token = secrets.token_hex(32)
        share = await threads.run(self._order, job, task, number, token, source)
        await self.settle()
        if share.spec is None:
            return share.standing
        return await self._start(share.spec)

    async def settle(self) -> None:
        """End the processes whose rows say that they are over."""
        keys = self._attempts.keys()
        if keys:
            await self._stop(await threads.run(self._list_idle, keys))

    async def sample(self) -> None:
        """Note what the running attempts use now."""
        pids = self._attempts.pids()
        if pids:
            await threads.run(self._note_samples, {key: (pid, self._gateway.count_attempt(*key)) for key, pid in pids})

    def is_at(self, job: JobId) -> bool:
        """Say whether a process of this job still runs here, if only to be stopped."""
        return any(key.job == job for key in frozenset(self._attempts.keys()))

    async def tidy(self, job: JobId) -> None:
        """Remove what the attempts of a job left on the disk and nobody needs."""
        await threads.run(self._tidy, job)

    async def _start(self, spec: AttemptSpec) -> AttemptStanding:
        key = AttemptKey(spec.job, spec.task, spec.attempt)
        try:
            self._gateway.open_attempt(spec.job, spec.task, spec.attempt, spec.party, spec.parties, spec.token)
            child = await self._attempts.start(spec)
        except (OSError, HanseError) as error:
            return await self._give_up(key, error)
        if not await threads.run(self._note_start, key, child):
            await self._stop([key])
            return AttemptStanding("cancelled")
        self._changed(key.job)
        return AttemptStanding("running")

    async def _give_up(self, key: AttemptKey, error: OSError | HanseError) -> AttemptStanding:
        if isinstance(error, OSError):
            error = fault("attempt.unstartable", f"the process could not be started: {error.strerror or error}")
        self._gateway.close_attempt(*key)
        await threads.run(self._fail, key, error)
        self._changed(key.job)
        return AttemptStanding("failed", error.fault.for_peers())

    async def _conclude(self, key: AttemptKey, result: AttemptResult | None) -> None:
        meter = self._gateway.close_attempt(*key)
        digests = {f"{found.peer}/{found.stream}/{found.direction}": found.sha256 for found in meter.digests}
        traffic = Traffic(meter.bytes_sent, meter.bytes_received, digests)
        await self._recorder.flush()
        if self._closing:
            return
        await threads.run(self._write_end, key, result, traffic)
        self._changed(key.job)

    async def _stop(self, keys: Iterable[AttemptKey]) -> None:
        await asyncio.gather(*(self._attempts.stop(key) for key in keys))

    def _order(self, job: JobId, task: TaskName, number: int, token: str, source: JobId | None) -> Share:
        with self._database.write() as session:
            row = service.get_job(session, job)
            return shares.order_share(session, row, task, number, self._premises, token, source)

    def _note_samples(self, running: dict[AttemptKey, tuple[int, Counts]]) -> None:
        seen = {key: (samples.look_at(pid), counts) for key, (pid, counts) in running.items()}
        found = {key: samples.Sample(*used, *counts) for key, (used, counts) in seen.items() if used is not None}
        with self._database.write() as session:
            samples.note(session, found)

    def _note_start(self, key: AttemptKey, child: Child) -> bool:
        with self._database.write() as session:
            return shares.note_start(session, key, child)

    def _write_end(self, key: AttemptKey, result: AttemptResult | None, traffic: Traffic) -> None:
        with self._database.write() as session:
            shares.conclude(session, key, result, traffic)

    def _fail(self, key: AttemptKey, error: HanseError) -> None:
        with self._database.write() as session:
            shares.fail_share(session, key, error)

    def _list_idle(self, keys: frozenset[AttemptKey]) -> list[AttemptKey]:
        with self._database.read() as session:
            return shares.list_idle(session, keys)

    def _lose_orphans(self) -> list[Child]:
        with self._database.write() as session:
            return shares.lose_orphans(session, self._premises)

    def _tidy(self, job: JobId) -> None:
        with self._database.read() as session:
            leftovers = shares.find_leftovers(session, job, self._premises, self._attempts.keys())
        for folder in leftovers:
            shutil.rmtree(folder, ignore_errors=True)
