"""The desk for jobs of one node: what its people ask for, what its partners say, what its attempts need.

It puts the parts together: planner, workshop, scheduler, recorder. The guest's node decides about a job; a host asks it
about jobs that have gone silent, and ends one by itself only when its own people want that and the guest is away.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import structlog
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.approvals import service as approvals
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.estimates import service as estimates
from hanse.control.estimates.service import Foreseen, Link
from hanse.control.grants.service import find_grant
from hanse.control.jobs import approving, clauses, proposals, reuse, service, shares, spending
from hanse.control.jobs.attempts import RUNTIME, AttemptKey
from hanse.control.jobs.bell import Bell
from hanse.control.jobs.decisions import AWAY_S
from hanse.control.jobs.fragments import cut
from hanse.control.jobs.parting import hear_parting
from hanse.control.jobs.planner import Planner, PlannerSocket
from hanse.control.jobs.proposals import Proposal
from hanse.control.jobs.queue import USUAL, Rules
from hanse.control.jobs.recorder import Recorder
from hanse.control.jobs.reuse import Reused, Search
from hanse.control.jobs.scheduler import Partners, Scheduler, note_attempt, note_decision
from hanse.control.jobs.shares import Premises
from hanse.control.jobs.states import advance, has_ended
from hanse.control.jobs.streams import Streams
from hanse.control.jobs.tables import NORMAL, Job, JobEvent, Participant
from hanse.control.jobs.views import JobView, view_job
from hanse.control.jobs.wishes import PLAIN, Wishes, change_priority, check_wishes, refuse_overrun
from hanse.control.jobs.workshop import AttemptSocket, Workshop
from hanse.control.outbox import service as outbox
from hanse.core import threads
from hanse.core.estimates import Estimate
from hanse.core.events import Event
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.ids import GrantId, JobId, OrganisationId, TaskName, new_id
from hanse.core.job_messages import (
    PROBLEM_CHARACTERS,
    AttemptEnded,
    AttemptStanding,
    CancelJob,
    Decision,
    JobDecided,
    JobEnded,
    JobProblem,
    JobStanding,
    ProposeJob,
    QueryJob,
    TaskEnded,
    report_problem,
)
from hanse.core.planning import Catalogue, PipelineCheck, PlannedTask
from hanse.core.problems import tell
from hanse.core.roles import GUEST, PartyId
from hanse.core.specs import Limits, PipelineSpec
from hanse.core.throttle import Throttle
from hanse.core.times import later, now

WATCH_S = 5.0
SILENT_S = 15.0
"""A host asks the guest about a job of which it has heard nothing for this long."""

LOOK_S = 2.0
"""How often whoever waits for events looks again: another process of this node may have written some."""

PROPOSAL_S = 20.0
"""How long starting a job waits for the other parties' answers before it goes on in the background."""

REJECTIONS, REJECTIONS_A_SECOND = 30, 1 / 60
"""How many rejected proposals of one guest are noted at once, and then how often; the others are only answered."""

MOST = 100
"""Problems that a partner is told at once: whoever has mended those may ask again."""

T = TypeVar("T")
log = structlog.get_logger()


class JobGateway(PlannerSocket, AttemptSocket, Protocol):
    """The gateway's side of jobs."""


class Submission(NamedTuple):
    """What became of a pipeline that was to be run: a job, or the problems that keep it from being one."""

    job: Job | None
    problems: tuple[JobProblem, ...] = ()


class Estimation(NamedTuple):
    """What a pipeline would take, or the problems that keep it from being run."""

    estimate: Estimate | None
    problems: tuple[JobProblem, ...] = ()


class Examined(NamedTuple):
    """What a party finds of a proposal: what is in its way, how it would run, what is reused, what it takes."""

    problems: tuple[JobProblem, ...] = ()
    check: PipelineCheck = PipelineCheck((), ())
    reused: Reused = {}  # noqa: RUF012 (a tuple, and nobody writes into it)
    foreseen: Foreseen | None = None


Choose = Callable[
    [Session, Path, Proposal, Sequence[PlannedTask]],
    tuple[Reused, tuple[JobProblem, ...]],
]
"""Says which results of earlier jobs to take in place of runs, and what is missing that must be there."""


class JobDesk:
    """Everything of one node process that has to do with jobs. `start` and `close` it in the node's event loop."""

    def __init__(
        self,
        database: Database,
        gateway: JobGateway,
        partners: Partners,
        me: OrganisationId,
        directory: Path,
        *,
        limits: Limits | None = None,
        rules: Rules = USUAL,
        command: Sequence[str] = RUNTIME,
        posted: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._partners = partners
        self._me = me
        self._directory = directory
        self._rules = rules
        self._posted = posted
        owner = new_id("scheduler")
        logs = directory / "log"
        self._premises = Premises(owner, directory, gateway.socket_path, limits or Limits())
        self._members: dict[JobId, frozenset[OrganisationId]] = {}
        self._rejected = Throttle(REJECTIONS, REJECTIONS_A_SECOND)
        self._background: set[asyncio.Task[None]] = set()
        self._examining: defaultdict[OrganisationId, asyncio.Lock] = defaultdict(asyncio.Lock)
        """The planner answers one question after the other: each guest has one in its queue, the rest wait here."""
        self._watching: asyncio.Task[None] | None = None
        self.bell = Bell()
        self.streams = Streams(database, self.bell)
        self.planner = Planner(gateway, logs, command)
        self._recorder = Recorder(database, self.bell)
        self._workshop = Workshop(database, gateway, self._recorder, self._premises, logs, self._changed, command)
        self._scheduler = Scheduler(
            database,
            partners,
            self._workshop.order,
            self._settle,
            self.bell,
            owner=owner,
            release=version("hanse"),
            rules=rules,
        )

    async def start(self) -> None:
        """Take up what an earlier node process left, and begin."""
        await self._workshop.recover()
        self._members = await self._read(_list_members)
        self.planner.start()
        self._recorder.start()
        self._scheduler.start()
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop: attempts are killed, rows stay as they are."""
        await self._scheduler.close()
        tasks = [task for task in (self._watching, *self._background) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._workshop.close()
        await self.planner.close()
        await self._recorder.close()

    # ------------------------------------------------------------------ what this node's people ask for

    async def submit(self, caller: Caller, spec: PipelineSpec, wishes: Wishes = PLAIN) -> Submission:
        """Make a job of a pipeline and propose it to every party. Raises what keeps it from being proposed at all.

        Waits for the answers of those parties that can be reached; the others are asked when they are.
        """
        check_wishes(caller, wishes, self._rules)
        part = cut(spec, wishes.fragment)
        proposal = await self._draft(caller, Permission.JOBS_RUN, part.spec)
        catalogue = await self.planner.describe()
        known = {card.name: card.version for card in catalogue.components}
        search = Search(caller, part, wishes.retry_of if wishes.resume else None)
        found = await self._examine(proposal, None if wishes.fresh else partial(reuse.find, search=search))
        problems = found.problems or refuse_overrun(found.foreseen, wishes, self._rules)
        if problems:
            return Submission(None, problems)
        versions = {task.component: known.get(task.component, task.version) for task in found.check.tasks}
        job = await self._write(
            lambda session: self._open(session, caller, wishes, proposal._replace(versions=versions), found)
        )
        self._scheduler.wake()
        async with self.bell.listen(job.id) as heard:
            deadline = asyncio.get_running_loop().time() + PROPOSAL_S
            while await self._read(lambda session: service.is_being_answered(session, job.id)):
                if await self._read(lambda session: service.waits_for_people(session, job.id)):
                    break
                if not await heard.within(max(deadline - asyncio.get_running_loop().time(), 0.0)):
                    break
        job = await self.get(job.id)
        return Submission(job, job.problems if job.state == "rejected" else ())

    async def retry(self, caller: Caller, job: JobId, *, resume: bool = False) -> Submission:
        """Start the pipeline of a job that ended without success once more, as a new job that is linked with it.

        With `resume` it takes what the first job has finished, where that is still there and made of the same.
        """
        found = await self._read(lambda session: service.touch_job(session, caller, job))
        if found.me != GUEST:
            raise fault("job.not_yours", f"job {job} was started by another organisation: it may start it again")
        if found.state not in ("failed", "cancelled", "rejected"):
            raise fault("job.unfinished", f"job {job} is {found.state}")
        wishes = Wishes(
            min(found.priority, NORMAL),
            found.time_limit_s,
            found.task_time_limit_s,
            job,
            fresh=not resume,
            resume=resume,
            pipeline=found.pipeline,
            pipeline_version=found.pipeline_version,
        )
        return await self.submit(caller, found.spec, wishes)

    async def set_priority(self, caller: Caller, job: JobId, priority: int) -> None:
        """Say anew how urgent a job is that has not ended. Raises `access.denied`, `job.ended`."""
        await self._write(lambda session: change_priority(session, caller, job, priority))
        self._scheduler.wake()

    async def check(self, caller: Caller, spec: PipelineSpec) -> tuple[JobProblem, ...]:
        """Return what keeps a pipeline of this node's from being proposed; nothing is kept, and no partner is asked."""
        return (await self._look_over(caller, spec)).problems

    async def foresee_tables(self, caller: Caller, spec: PipelineSpec) -> Examined:
        """Return what `check` does, with what is known of the table at each port of each task."""
        return await self._look_over(caller, spec, tells_tables=True)

    async def _look_over(self, caller: Caller, spec: PipelineSpec, *, tells_tables: bool = False) -> Examined:
        """Look at a pipeline without asking its partners. Names are told to those who may see what the project has."""
        sketch = await self._read(lambda session: proposals.sketch(session, caller, self._me, spec))
        found = await self._examine(sketch.proposal, alone=caller, known=sketch.problems, tells_tables=tells_tables)
        if caller.may(Permission.PROJECTS_READ, project=sketch.proposal.project):
            return found
        return Examined(tuple(problem.for_peers() for problem in found.problems))

    async def _draft(self, caller: Caller, permission: Permission, spec: PipelineSpec) -> Proposal:
        return await self._read(lambda session: proposals.draft(session, caller, permission, self._me, spec))

    async def estimate(self, caller: Caller, spec: PipelineSpec, wishes: Wishes = PLAIN) -> Estimation:
        """Return what a pipeline, or a part of it, would take at this node; nothing is kept, no partner is asked."""
        part = cut(spec, wishes.fragment)
        proposal = await self._draft(caller, Permission.PIPELINES_READ, part.spec)
        search = Search(caller, part)
        found = await self._examine(proposal, None if wishes.fresh else partial(reuse.find, search=search))
        return Estimation(None if found.foreseen is None else found.foreseen.estimate, found.problems)

    async def get(self, job: JobId) -> Job:
        """Return a job's row. Raises `job.unknown`."""
        return await self._read(lambda session: service.get_job(session, job))

    async def see(self, caller: Caller, job: JobId) -> Job:
        """Return a job that the caller may see. Raises `job.unknown`."""
        return await self._read(lambda session: service.see_job(session, caller, job))

    async def view(self, caller: Caller, job: JobId) -> JobView:
        """Return all that this node knows of a job. Raises `job.unknown`."""
        return await self._read(
            lambda session: view_job(session, self._directory, service.see_job(session, caller, job))
        )

    async def cancel(self, caller: Caller, job: JobId) -> None:
        """End a job at all of its parties. At a host, its own attempts end at once and the guest is told."""

        def change(session: Session) -> None:
            self._cancel(session, service.touch_job(session, caller, job).id, caller.id)

        await self._write(change)
        self._posted()
        await self._settle(job)
        self._scheduler.wake()

    async def decided(self, job: str) -> None:
        """Go on with a job about which this house's approvers have decided, or tell its guest."""

        def tell(session: Session) -> None:
            row = service.get_job(session, JobId(job))
            if row.me == GUEST:
                service.wake(row)
            else:
                outbox.write(session, row.guest, JobDecided(row.id))

        await self._write(tell)
        self._posted()
        self._scheduler.wake()

    async def events(self, caller: Caller, job: JobId, after: int, wait_s: float) -> list[JobEvent]:
        """Return the events of a job above a number, waiting up to `wait_s` for the first. Raises `job.unknown`."""
        deadline = asyncio.get_running_loop().time() + wait_s
        async with self.bell.listen(job) as heard:
            while True:
                row, found = await self._read(
                    lambda session: (service.see_job(session, caller, job), service.events_after(session, job, after))
                )
                left_s = deadline - asyncio.get_running_loop().time()
                if found or left_s <= 0 or has_ended(row):
                    return found
                await heard.within(min(left_s, LOOK_S))

    async def enforce(self) -> None:
        """End this node's attempts whose data are no longer granted as they are used."""
        for job in set(await self._write(lambda session: clauses.end_uncovered(session, self._directory))):
            await self._settle(job)
            self.bell.ring(job)
        self._scheduler.wake()

    @property
    def rules(self) -> Rules:
        """How much of the node its jobs may use."""
        return self._rules

    @property
    def directory(self) -> Path:
        """The node's own directory."""
        return self._directory

    async def forget_setups(self, grant: GrantId) -> None:
        """Drop what components keep of the dataset of a grant that has gone: a later job sets up anew."""
        dataset = (await self._read(lambda session: find_grant(session, grant))).dataset
        for path in await threads.run(clauses.list_setups, self._directory, dataset):
            path.unlink(missing_ok=True)

    async def describe(self) -> Catalogue:
        """Return the components that this node has."""
        return await self.planner.describe()

    # ------------------------------------------------------------------ what partners say

    async def consider(self, guest: OrganisationId, said: ProposeJob) -> Decision:
        """Answer a guest's proposal: accept it, or say in words what is in its way."""
        known = await self._read(lambda session: session.get(Job, said.job))
        if known is not None:
            return await self._write(lambda session: self._repeat_decision(session, guest, said))
        me = next((party for party, organisation in said.parties.items() if organisation == self._me), None)
        if me is None or me == GUEST:
            raise fault("job.not_yours", f"job {said.job} has no part for this organisation")
        proposal = Proposal(said.project, said.pipeline, said.parties, me, said.versions)
        await self._read(lambda session: proposals.demand_parties(session, self._me, guest, proposal))
        await self._read(lambda session: service.demand_room(session, guest))
        async with self._examining[guest]:
            found = await self._examine(proposal, partial(_agree, offered=said.reuse))
        problems = found.problems[:MOST]
        if not problems:
            await self._write(lambda session: self._accept(session, guest, said.job, proposal, found))
        elif (left_out := self._rejected.admit(guest)) is not None:
            await self._write(lambda session: self._reject(session, guest, said.job, proposal, problems, left_out))
        self.bell.ring(said.job)
        if problems:
            return Decision(tell_guest(problems))
        return await self._read(lambda session: approving.decision_of(session, service.get_job(session, said.job)))

    async def begin(self, guest: OrganisationId, job: JobId) -> None:
        """Note that every party has accepted."""

        def note(session: Session, row: Job) -> None:
            approving.demand(session, row)
            service.start_job(session, row)

        await self._hear(guest, job, note)

    async def order(
        self, guest: OrganisationId, job: JobId, task: TaskName, number: int, source: JobId | None = None
    ) -> AttemptStanding:
        """Run this party's attempt of a task, once, or take what the job `source` made; say how it is."""

        def check(session: Session, row: Job) -> None:
            if row.state == "proposed":  # an order that overtakes the word that all have accepted
                approving.demand(session, row)

        await self._hear(guest, job, check)
        return await self._workshop.order(job, task, number, source)

    async def end_attempt(self, guest: OrganisationId, job: JobId, task: TaskName, number: int) -> None:
        """End this party's attempt: that number is over at all parties."""
        await self._hear(guest, job, lambda session, row: shares.forget_share(session, row, task, number))

    async def end_task(self, guest: OrganisationId, said: TaskEnded) -> None:
        """Note how a task has ended."""
        await self._hear(
            guest,
            said.job,
            lambda session, row: service.note_task_end(session, row, said.task, said.state, said.fault),
        )

    async def end(self, guest: OrganisationId, said: JobEnded) -> None:
        """Note how the job has ended."""

        def note(session: Session, row: Job) -> None:
            service.end_job(session, row, said.state, service.blame(session, row.id, said.fault, GUEST))

        await self._hear(guest, said.job, note)

    async def follow(self, guest: OrganisationId, job: JobId, standing: JobStanding) -> None:
        """Bring this party's view of a job to where its guest says that it is."""
        await self._hear(guest, job, lambda session, row: service.follow(session, row, standing))

    async def hear_attempt(self, organisation: OrganisationId, said: AttemptEnded) -> None:
        """Note at the guest's node how a host's attempt has ended."""

        def note(session: Session) -> None:
            if service.party_of(session, said.job, organisation) != said.party:
                raise fault("job.not_yours", f"{said.party} of job {said.job} is another organisation")
            key = AttemptKey(said.job, said.task, said.attempt)
            if note_attempt(session, key, said.party, said.state, said.fault):
                service.wake(service.get_job(session, said.job))

        await self._write(note)
        self.bell.ring(said.job)
        self._scheduler.wake()

    async def hear_cancel(self, organisation: OrganisationId, job: JobId, parting: Fault | None = None) -> None:
        """End a job that one of its hosts no longer takes part in; `parting` says with whom it works no longer."""

        def note(session: Session) -> bool:
            teller = service.party_of(session, job, organisation)
            row = service.get_job(session, job)
            if parting is not None and row.me == GUEST and hear_parting(session, row, teller, parting):
                audit.append(session, organisation, "job.end", job, name=row.name, code=parting.code)
                return True
            self._cancel(session, job, organisation)
            return False

        if await self._write(note):
            await self.clear([job])
        self._scheduler.wake()

    def is_at(self, job: JobId) -> bool:
        """Say whether a process of this job still runs here, if only to be stopped."""
        return self._workshop.is_at(job)

    async def clear(self, jobs: Sequence[JobId]) -> None:
        """Stop the processes of jobs that were just ended in the rows, and tell whoever waits."""
        for job in jobs:
            await self._settle(job)
            self.bell.ring(job)

    async def hear_decided(self, organisation: OrganisationId, job: JobId) -> None:
        """Ask a party again whose approvers have decided."""

        def note(session: Session) -> None:
            party = service.party_of(session, job, organisation)
            session.get_one(Participant, (job, party)).asked_at = None
            service.wake(service.get_job(session, job))

        await self._write(note)
        self._scheduler.wake()

    async def stand(self, organisation: OrganisationId, job: JobId) -> JobStanding:
        """Say how a job of this guest is, to one of its parties."""

        def look(session: Session) -> JobStanding:
            service.party_of(session, job, organisation)
            return service.stand(session, service.get_job(session, job))

        return await self._read(look)

    # ------------------------------------------------------------------ what attempts need

    def takes_part(self, organisation: OrganisationId, job: JobId) -> bool:
        """Say whether an organisation is a party of a job that was open at some time of this node process."""
        return organisation in self._members.get(job, frozenset())

    async def spend(
        self, job: JobId, task: TaskName, attempt: int, count: int, most: int | None = None
    ) -> Fault | None:
        """Count queries against the disclosure limit, durably, or say why they must not be answered."""
        key = AttemptKey(job, task, attempt)
        return await self._write(lambda session: spending.spend(session, self._directory, key, count, most))

    def report(self, job: JobId, task: TaskName, attempt: int, party: PartyId, event: Event) -> None:
        """Take what one of this node's attempts reports."""
        self._recorder.report(AttemptKey(job, task, attempt), party, event)

    # ------------------------------------------------------------------ inside

    async def _examine(
        self,
        proposal: Proposal,
        choose: Choose | None = None,
        *,
        alone: Caller | None = None,
        known: Sequence[JobProblem] = (),
        tells_tables: bool = False,
    ) -> Examined:
        """Say all that is in the way of a proposal; without problems, also what `choose` takes from earlier jobs.

        `known` is what is known to be in its way. With `alone` partners are not asked, and what they offered counts.
        """
        threads = self._premises.limits.threads
        look = await self._read(lambda session: proposals.look(session, self._directory, proposal, threads, alone))
        check = await self.planner.check(msgspec.structs.replace(look.question, tells_tables=tells_tables))
        problems = proposals.read_problems(proposal.me, (*known, *look.problems), check)
        return await self._read(lambda session: self._foresee(session, proposal, check, choose, problems))

    def _foresee(
        self,
        session: Session,
        proposal: Proposal,
        check: PipelineCheck,
        choose: Choose | None,
        known: tuple[JobProblem, ...],
    ) -> Examined:
        """Hold the grants against the plan. What is reused is still a use of the data, but tells no sums again."""
        guest = proposal.parties.get(GUEST, OrganisationId(""))
        plan = spending.Plan(proposal.project, guest, proposal.me, proposal.spec, check.tasks)
        places = {problem.pointer for problem in known}
        refused = [found for found in clauses.foresee(session, self._directory, plan) if found.pointer not in places]
        if known or refused:
            return Examined((*known, *refused), check)
        nothing: tuple[Reused, tuple[JobProblem, ...]] = ({}, ())
        reused, missing = choose(session, self._directory, proposal, check.tasks) if choose else nothing
        run = tuple(task for task in check.tasks if task.name not in reused)
        if found := (*missing, *spending.foresee(session, self._directory, plan._replace(tasks=run))):
            return Examined(found, check, reused)

        def link_to(party: PartyId) -> Link:
            other = proposal.parties[party]
            return Link(estimates.rate_to(session, other), self._partners.round_trip_s(other))

        return Examined((), check, reused, estimates.foresee(session, proposal.me, check, reused, link_to))

    def _open(
        self,
        session: Session,
        caller: Caller,
        wishes: Wishes,
        proposal: Proposal,
        found: Examined,
    ) -> Job:
        check = found.check
        job = _describe_job(wishes.job or JobId(new_id("job")), self._me, proposal, check)
        job.owner, job.priority, job.retry_of = caller.person, wishes.priority, wishes.retry_of
        job.pipeline, job.pipeline_version = wishes.pipeline, wishes.pipeline_version
        job.fragment, job.reuse = str(wishes.fragment), found.reused
        job.time_limit_s = wishes.time_limit_s or self._rules.time_limit_s
        job.task_time_limit_s = wishes.task_time_limit_s or self._rules.task_time_limit_s
        service.open_job(session, job, proposal.parties, check)
        details = {} if job.retry_of is None else {"retry_of": job.retry_of}
        audit.append(session, caller.id, "job.start", job.id, name=job.name, project=job.project, **details)
        if found.foreseen is not None:
            estimates.keep(session, job.id, found.foreseen)
        approving.ask(session, self._directory, caller.person, job, check)
        note_decision(session, job.id, GUEST, approving.decision_of(session, job))
        self._members[job.id] = frozenset(proposal.parties.values())
        return job

    def _accept(
        self,
        session: Session,
        guest: OrganisationId,
        job_id: JobId,
        proposal: Proposal,
        found: Examined,
    ) -> None:
        if session.get(Job, job_id) is not None:
            return
        service.demand_room(session, guest)
        job = _describe_job(job_id, guest, proposal, found.check)
        job.reuse = found.reused
        service.open_job(session, job, proposal.parties, found.check)
        if found.foreseen is not None:
            estimates.keep(session, job.id, found.foreseen)
        approval = approving.ask(session, self._directory, guest, job, found.check)
        told = {"name": job.name, "project": job.project, "approval": approval.id, "state": approval.state}
        audit.append(session, guest, "job.accept", job.id, **told)
        self._members[job.id] = frozenset(proposal.parties.values())

    def _reject(
        self,
        session: Session,
        guest: OrganisationId,
        job_id: JobId,
        proposal: Proposal,
        problems: tuple[JobProblem, ...],
        left_out: int,
    ) -> None:
        """Note a job that will not be, without its tasks: whoever may propose could fill the disk with them."""
        if session.get(Job, job_id) is not None:
            return
        spec = msgspec.structs.replace(proposal.spec, tasks={}, description="")
        job = _describe_job(job_id, guest, proposal._replace(spec=spec, versions={}), PipelineCheck((), ()))
        job.problems = problems
        service.open_job(session, job, proposal.parties, PipelineCheck((), ()))
        words = "; ".join(f"{problem.task or 'pipeline'}: {problem.message}" for problem in problems)
        advance(session, job, "rejected", Fault("job.rejected", proposal.me, "proposal", words[:PROBLEM_CHARACTERS]))
        audit.append(session, guest, "job.reject", job.id, name=job.name, project=job.project, left_out=left_out)

    def _repeat_decision(self, session: Session, guest: OrganisationId, said: ProposeJob) -> Decision:
        known = service.get_job(session, said.job)
        if known.guest != guest:
            raise fault("job.not_yours", f"job {said.job} is known here as another one")
        asked = approving.digest_of(said.project, said.pipeline, said.parties, said.versions)
        if known.state != "rejected" and asked != approving.digest_of_job(session, known):
            return self._refuse_change(session, known)
        if known.state in ("cancelled", "failed"):
            return Decision((report_problem(known.me, tell("job.over", "", state=known.state)),))
        if known.problems or known.state != "proposed":
            return Decision(tell_guest(known.problems), reused=tuple(known.reuse))
        return approving.decision_of(session, known)

    def _refuse_change(self, session: Session, job: Job) -> Decision:
        """A job that was edited is another one: what was asked or approved of this one is void."""
        if approvals.invalidate(session, "job", job.id, "the guest has changed the job"):
            audit.append(session, job.guest, "job.change", job.id, name=job.name)
        return Decision((report_problem(job.me, tell("job.changed", "", job=job.id)),))

    def _cancel(self, session: Session, job: JobId, actor: str) -> None:
        row = service.get_job(session, job)
        if not service.ask_cancel(row):
            return
        audit.append(session, actor, "job.cancel", job, name=row.name)
        if row.me != GUEST:
            service.cancel_own_attempts(session, job)
            outbox.write(session, row.guest, CancelJob(job))

    async def _hear(self, guest: OrganisationId, job: JobId, note: Callable[[Session, Job], object]) -> None:
        await self._write(lambda session: note(session, service.hear(session, job, guest)))
        await self._settle(job)
        self.bell.ring(job)

    def _changed(self, job: JobId) -> None:
        """Something happened to an attempt of this node: tell whoever waits, and clear up."""
        self.bell.ring(job)
        self._scheduler.wake()
        self._posted()
        task = asyncio.create_task(self._workshop.tidy(job))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _settle(self, job: JobId) -> None:
        """End the processes that the rows no longer want, and let go of what an ended job held."""
        await self._workshop.settle()
        self._posted()
        row = await self.get(job)
        if has_ended(row):
            await self._workshop.tidy(job)

    async def _watch(self) -> None:
        """Ask the guests about jobs that have gone silent here, and see what other processes of this node have done."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self.enforce()
                await self._workshop.recover()
                await self._workshop.settle()
                await self._workshop.sample()
                self._members |= await self._read(_list_members)  # other processes of this node open jobs, too
                for job in await self._read(lambda session: service.list_silent_jobs(session, later(-SILENT_S))):
                    await self._query(job)
            except HanseError as error:
                log.error("jobs.watch", fault=str(error))

    async def _query(self, job: Job) -> None:
        try:
            standing = await self._partners.ask(job.guest, QueryJob(job.id), timeout_s=SILENT_S)
        except HanseError as error:
            await self._bear_silence(job, error)
            return
        if isinstance(standing, JobStanding):
            with suppress(HanseError):
                await self.follow(job.guest, job.id, standing)

    async def _bear_silence(self, job: Job, error: HanseError) -> None:
        """The guest's word is final and comes when it is back. Without it a host ends only what it was told to end."""
        if error.fault.code in ("job.unknown", "job.not_yours"):
            lost = Fault("job.unknown", GUEST, "", "the guest's node no longer knows this job")
            await self._write(
                lambda session: service.end_job(session, service.get_job(session, job.id), "failed", lost)
            )
        elif job.cancel_asked_at is not None and job.heard_at < later(-AWAY_S):
            await self._write(lambda session: service.end_job(session, service.get_job(session, job.id), "cancelled"))
        else:
            return
        await self._settle(job.id)
        self.bell.ring(job.id)

    async def _read(self, look: Callable[[Session], T]) -> T:
        def run() -> T:
            with self._database.read() as session:
                return look(session)

        return await threads.run(run)

    async def _write(self, change: Callable[[Session], T]) -> T:
        def run() -> T:
            with self._database.write() as session:
                return change(session)

        return await threads.run(run)


def tell_guest(problems: Sequence[JobProblem]) -> tuple[JobProblem, ...]:
    """Return what a guest may know of the problems of one of its partners."""
    return tuple(problem.for_peers() for problem in problems)


def _describe_job(job: JobId, guest: OrganisationId, proposal: Proposal, check: PipelineCheck) -> Job:
    return Job(
        id=job,
        name=proposal.spec.name,
        project=proposal.project,
        state="proposed",
        me=proposal.me,
        guest=guest,
        spec=proposal.spec,
        versions=proposal.versions,
        learns=check.learns,
        problems=(),
        created_at=now(),
        heard_at=now(),
        last_event=0,
        lease_until="",
        due_at="",
    )


def _agree(
    session: Session, directory: Path, proposal: Proposal, tasks: Sequence[PlannedTask], *, offered: Reused
) -> tuple[Reused, tuple[JobProblem, ...]]:
    return reuse.agree(session, directory, proposal, tasks, offered), ()


def _list_members(session: Session) -> dict[JobId, frozenset[OrganisationId]]:
    jobs = service.list_open_jobs(session)
    return {job.id: frozenset(service.organisations_of(session, job.id).values()) for job in jobs}
