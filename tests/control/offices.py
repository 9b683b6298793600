"""Three organisations' desks for jobs in one process, with real databases and real processes as attempts.

What is not real is between them: messages go from desk to desk as bytes, and the gateway only counts. The promises are
tested again over processes and mTLS in tests/e2e.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import msgspec
from sqlalchemy.orm import Session
from tests.databases import open_new

from hanse.api.peer.jobs import answer
from hanse.control.access.callers import LOCAL
from hanse.control.approvals import rules
from hanse.control.datasets.tables import Dataset, DatasetVersion
from hanse.control.grants.tables import Grant
from hanse.control.jobs import service
from hanse.control.jobs.desk import JobDesk, Submission
from hanse.control.jobs.partners import Correspondence
from hanse.control.jobs.queue import USUAL
from hanse.control.jobs.states import has_ended
from hanse.control.jobs.tables import Attempt, Job
from hanse.control.organisations.tables import Member
from hanse.control.outbox.courier import Courier
from hanse.control.peers import LinkState, Pinned
from hanse.control.projects.tables import Project, ProjectMember
from hanse.core.faults import HanseError, fault
from hanse.core.ids import DatasetId, GrantId, JobId, OrganisationId, ProjectId, TaskName
from hanse.core.job_messages import JobRequest
from hanse.core.planning import Catalogue, CheckPipeline, DescribeCatalogue, PipelineCheck, PlannedTask, Problem
from hanse.core.roles import GUEST, PartyId, host
from hanse.core.schema import Column, Schema
from hanse.core.specs import PipelineSpec, TaskSpec
from hanse.core.times import now

T = TypeVar("T")
PROJECT = ProjectId("project-0123456789abcdef")
PARTIES = {GUEST: "bank", host(1): "telecom", host(2): "shop"}
IDS = {name: OrganisationId(f"{number:032x}") for number, name in enumerate(PARTIES.values(), 1)}
SCHEMA = Schema((Column("id", "text", "id"), Column("a", "real"), Column("b", "real")))
ROWS = 1000
PROGRAM = Path(__file__).with_name("program.py")


def chain(**tasks: TaskSpec) -> PipelineSpec:
    """Return a pipeline in which each task comes after the one before it, fed by its output `table`."""
    names = list(tasks)
    linked = {
        TaskName(name): msgspec.structs.replace(
            task, inputs={"table": f"{names[place - 1]}.table"} if place else {}, settings=_with_table(task)
        )
        for place, (name, task) in enumerate(tasks.items())
    }
    return PipelineSpec("credit", PROJECT, dict(PARTIES), linked)


def reading(name: str = "people", columns: Sequence[str] = ()) -> TaskSpec:
    """Return a task that reads each party's own dataset."""
    return TaskSpec("dataset", {"dataset": name, "columns": list(columns)})


def behaving(deed: dict[str, str], *parties: PartyId, component: str = "step", **settings: Any) -> TaskSpec:
    """Return a task in which these parties' attempts do as told, by attempt number."""
    return TaskSpec(component, settings, {party: {"behave": deed} for party in parties})


def _with_table(task: TaskSpec) -> dict[str, Any]:
    return {"makes": {"table": "table"}, **task.settings}


class Wire:
    """Bytes from desk to desk. Who is `down` neither sends nor answers."""

    def __init__(self) -> None:
        self.desks: dict[OrganisationId, JobDesk] = {}
        self.down: set[OrganisationId] = set()
        self.said: list[tuple[OrganisationId, OrganisationId, JobRequest]] = []

    async def carry(self, sender: OrganisationId, receiver: OrganisationId, payload: bytes) -> bytes:
        if receiver not in self.desks or {sender, receiver} & self.down:
            raise fault("peer.unreachable", "the wire is cut")
        request: JobRequest = msgspec.msgpack.decode(payload, type=JobRequest)
        self.said.append((sender, receiver, request))
        try:
            return msgspec.msgpack.encode(await answer(self.desks[receiver], sender, request))
        except HanseError as error:
            raise HanseError(error.fault.for_peers()) from error


@dataclass
class Line:
    """One organisation's end of the wire, in the shape of `control.peers.Peers`."""

    wire: Wire
    me: OrganisationId

    async def call(self, organisation: OrganisationId, payload: bytes, *, timeout_s: float = 20.0) -> bytes:
        return await asyncio.wait_for(self.wire.carry(self.me, organisation, payload), timeout_s)

    def pin(self, member: Pinned) -> None: ...
    def unpin(self, organisation: OrganisationId) -> None: ...
    def link(self, organisation: OrganisationId) -> LinkState:
        there = organisation in self.wire.desks and not {self.me, organisation} & self.wire.down
        return LinkState(connected=there)


@dataclass
class Counters:
    """The gateway's side: knows which attempts are open, and answers for the planner by following the pipeline."""

    socket_path: Path
    opened: list[tuple[str, int]] = field(default_factory=list)
    problem: Problem | None = None

    def open_attempt(self, job: str, task: str, attempt: int, *_: object) -> None:
        self.opened.append((task, attempt))

    def close_attempt(self, job: str, task: str, attempt: int) -> Any:
        digest = SimpleNamespace(peer=GUEST, stream=0, direction="sent", sha256="ab" * 32)
        return SimpleNamespace(bytes_sent={GUEST: 10}, bytes_received={GUEST: 20}, digests=(digest,))

    def count_attempt(self, job: str, task: str, attempt: int) -> tuple[dict[PartyId, int], dict[PartyId, int]]:
        return {host(1): 7}, {host(1): 9}

    def expect(self, token: str) -> None: ...

    async def ask(self, question: bytes, *, timeout_s: float = 30.0) -> bytes:
        match msgspec.msgpack.decode(question, type=DescribeCatalogue | CheckPipeline):
            case DescribeCatalogue():
                return msgspec.msgpack.encode(Catalogue(()))
            case CheckPipeline(pipeline, party):
                problems = () if self.problem is None else (self.problem,)
                return msgspec.msgpack.encode(PipelineCheck(problems, () if problems else _plan(pipeline, party)))
            case other:
                raise AssertionError(other)


def _plan(spec: PipelineSpec, party: PartyId) -> tuple[PlannedTask, ...]:
    return tuple(
        PlannedTask(
            name,
            task.component,
            "1.0.0",
            tuple(task.settings.get("only", spec.parties)),
            tuple(dict.fromkeys(reference.partition(".")[0] for reference in task.inputs.values())),
            {},
            queries=0 if party == GUEST else task.settings.get("queries", 0),
            redraws=bool(task.settings.get("redraws")),
        )
        for name, task in spec.tasks.items()
    )


class Office:
    """One organisation: its directory, its database, its desk. `open` again after `close` is a restarted node."""

    def __init__(self, name: str, directory: Path, wire: Wire) -> None:
        self.name, self.me, self.directory, self.wire = name, IDS[name], directory, wire
        self.rules = USUAL
        directory.mkdir()
        self.database = open_new(directory)
        self.write(self._furnish)
        self.gateway = Counters(directory / "socket")

    async def open(self) -> None:
        line = Line(self.wire, self.me)
        self.courier = Courier(self.database, line)
        self.desk = JobDesk(
            self.database,
            self.gateway,
            Correspondence(line),
            self.me,
            self.directory,
            command=[sys.executable, str(PROGRAM)],
            posted=self.courier.wake,
            rules=self.rules,
        )
        self.wire.desks[self.me] = self.desk
        self._carrying = asyncio.create_task(self.courier.run())
        await self.desk.start()

    async def close(self) -> None:
        self.wire.desks.pop(self.me, None)
        await self.desk.close()
        self._carrying.cancel()
        await asyncio.gather(self._carrying, return_exceptions=True)

    def read(self, look: Callable[[Session], T]) -> T:
        with self.database.read() as session:
            return look(session)

    def write(self, change: Callable[[Session], T]) -> T:
        with self.database.write() as session:
            return change(session)

    async def submit(self, spec: PipelineSpec) -> Submission:
        return await self.desk.submit(LOCAL, spec)

    async def run(self, spec: PipelineSpec) -> JobId:
        submission = await self.submit(spec)
        assert submission.problems == ()
        assert submission.job is not None
        return submission.job.id

    async def wait(self, job: JobId, when: Callable[[Session], object]) -> None:
        """Wait, event by event, until `when` holds in the database."""
        after = 0
        async with asyncio.timeout(60):
            while not self.read(when):
                with suppress(HanseError):
                    events = await self.desk.events(LOCAL, job, after, 1.0)
                    after = events[-1].number if events else after
                await asyncio.sleep(0)

    async def end(self, job: JobId) -> Job:
        await self.wait(job, lambda session: (row := session.get(Job, job)) is not None and has_ended(row))
        return self.read(lambda session: service.get_job(session, job))

    def tasks(self, job: JobId) -> dict[str, str]:
        return self.read(lambda session: {task.name: task.state for task in service.tasks_of(session, job)})

    def attempts(self, job: JobId, task: str) -> dict[int, str]:
        """Return the states of this party's own attempts of a task."""
        me = next(party for party, name in PARTIES.items() if name == self.name)
        rows = self.read(lambda session: service.attempts_of(session, job, TaskName(task)))
        return {row.number: row.state for row in rows if row.party == me}

    def is_running(self, job: JobId, task: str, number: int) -> Callable[[Session], object]:
        me = next(party for party, name in PARTIES.items() if name == self.name)

        def look(session: Session) -> bool:
            row = session.get(Attempt, (job, TaskName(task), number, me))
            return row is not None and row.state == "running"

        return look

    def revoke(self) -> None:
        def change(session: Session) -> None:
            session.get_one(Grant, self.grant).revoked_at = now()

        self.write(change)

    def grant_again(self) -> None:
        def change(session: Session) -> None:
            session.get_one(Grant, self.grant).revoked_at = None

        self.write(change)

    @property
    def grant(self) -> GrantId:
        return GrantId(f"grant-{self.me[-16:]}")

    def _furnish(self, session: Session) -> None:
        self._know_others(session)
        rules.add_rule(session, LOCAL, "job", project=PROJECT)
        dataset = DatasetId(f"dataset-{self.me[-16:]}")
        session.add(Dataset(id=dataset, name="people", version=1, created_at=now()))
        session.flush()
        session.add(
            DatasetVersion(
                dataset=dataset,
                number=1,
                path="data/people.parquet",
                sha256="0" * 64,
                rows=ROWS,
                schema=SCHEMA,
                source="people.csv",
                created_at=now(),
            )
        )
        session.add(
            Grant(
                id=self.grant,
                dataset=dataset,
                project=PROJECT,
                columns=("a",),
                disclosure_limit=0.1,
                created_at=now(),
            )
        )

    def _know_others(self, session: Session) -> None:
        session.add(Project(id=PROJECT, name="risk", owner=IDS["bank"], created_at=now()))
        session.flush()
        for name, organisation in IDS.items():
            place = ProjectMember(project=PROJECT, organisation=organisation, name=name, state="accepted", agreed=1)
            session.add(place)
            if organisation != self.me:
                session.add(
                    Member(
                        organisation=organisation,
                        name=name,
                        root_pem="",
                        address="",
                        state="active",
                        pair_fingerprint="0" * 32,
                        paired_at=now(),
                    )
                )
