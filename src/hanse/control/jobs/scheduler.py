"""The guest's node leads: whoever holds a job's lease asks the parties, decides, orders, and gives the lease back.

A step may be cut off anywhere and made again by any scheduler: it reads the rows, moves what can move, and asks the
other nodes for what the rows lack. All that it sends may arrive twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple, Protocol

import msgspec
import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from hanse.control.database import Database
from hanse.control.jobs import approving, decisions, leases, reuse, service
from hanse.control.jobs.attempts import AttemptKey
from hanse.control.jobs.bell import Bell
from hanse.control.jobs.decisions import place
from hanse.control.jobs.queue import USUAL, Rules
from hanse.control.jobs.states import advance, has_ended
from hanse.control.jobs.tables import Attempt, Job, Participant
from hanse.core.faults import Fault, HanseError
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.job_messages import (
    AttemptStanding,
    AttemptState,
    Decision,
    JobReply,
    JobRequest,
    OrderAttempt,
    ProposeJob,
    report_problem,
)
from hanse.core.pointers import point
from hanse.core.problems import tell_fault
from hanse.core.roles import GUEST, PartyId
from hanse.core.times import later, now

PAUSE_S = 1.0
"""How long a job rests that nothing has woken."""

ASK_AGAIN_S = 5.0
"""How often a host is asked again, for its decision or how an attempt is; its own word usually comes sooner."""

PENDING_S = 60.0
"""How often a party is asked again whose approvers have to decide; its own word usually comes sooner."""

CALL_S = 10.0

AWAY = frozenset({"peer.unreachable", "peer.away", "peer.busy", "database.busy"})
"""What is said of, or by, a node that will answer later: it is asked again. Anything else is its answer."""

log = structlog.get_logger()


class Partners(Protocol):
    """Asks another organisation's node. Raises HanseError: `peer.unreachable`, or what that node answered."""

    async def ask(self, organisation: OrganisationId, request: JobRequest, *, timeout_s: float) -> JobReply: ...

    def reaches(self, organisation: OrganisationId) -> bool:
        """Say whether there is a link to that node now."""
        ...

    def round_trip_s(self, organisation: OrganisationId) -> float:
        """Return how long a byte to that node and back takes; 0 when there is no link."""
        ...


OrderOwn = Callable[[JobId, TaskName, int, JobId | None], Awaitable[AttemptStanding]]


class Order(NamedTuple):
    """An attempt to be asked for at `organisation`; `source` is the job whose results it is to have instead."""

    key: AttemptKey
    party: PartyId
    organisation: OrganisationId
    source: JobId | None = None


class Round(NamedTuple):
    """What one step has to say to others after it has decided."""

    proposals: tuple[tuple[PartyId, OrganisationId, ProposeJob], ...] = ()
    orders: tuple[Order, ...] = ()
    own: tuple[Order, ...] = ()


class Scheduler:
    """Steps the jobs of this guest. Any number of these may run on one database."""

    def __init__(
        self,
        database: Database,
        partners: Partners,
        order_own: OrderOwn,
        settle: Callable[[JobId], Awaitable[None]],
        bell: Bell,
        *,
        owner: str,
        release: str,
        rules: Rules = USUAL,
    ) -> None:
        self._database = database
        self._partners = partners
        self._order_own = order_own
        self._settle = settle
        self._bell = bell
        self._owner = owner
        self._release = release
        self._rules = rules
        self._woken = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._taking: asyncio.Task[JobId | None] | None = None
        self._steps: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to step jobs."""
        self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop in the middle of whatever is being stepped: another scheduler finds it as it is, at once."""
        tasks = [task for task in (self._loop, *self._steps) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._taking is not None:  # a thread cannot be cut off: what it still takes is given back below
            await asyncio.wait({self._taking})
        await asyncio.to_thread(self._give_all_back)

    def wake(self) -> None:
        """Look for due jobs at once."""
        self._woken.set()

    async def step_due(self) -> JobId | None:
        """Lease one due job, step it, give it back; return which one."""
        job = await asyncio.to_thread(self._take)
        if job is not None:
            await self._step_leased(job)
        return job

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            try:
                while (job := await self._take_undisturbed()) is not None:
                    step = asyncio.create_task(self._step_leased(job))
                    self._steps.add(step)
                    step.add_done_callback(self._finish_step)
            except HanseError as error:
                log.error("scheduler.database", fault=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_S):
                    await self._woken.wait()

    async def _take_undisturbed(self) -> JobId | None:
        self._taking = asyncio.create_task(asyncio.to_thread(self._take))
        return await asyncio.shield(self._taking)

    def _finish_step(self, step: "asyncio.Task[None]") -> None:
        self._steps.discard(step)
        self._woken.set()

    async def _step_leased(self, job: JobId) -> None:
        renewal = asyncio.create_task(self._renew(job))
        try:
            await self._step(job)
        except leases.LeaseLost as lost:
            log.warning("scheduler.lease_lost", reason=str(lost))
        except Exception:
            log.exception("scheduler.step", job=job)
        finally:
            renewal.cancel()
            await asyncio.to_thread(self._give_back, job)
            self._bell.ring(job)

    async def _step(self, job: JobId) -> None:
        round_ = await asyncio.to_thread(self._decide, job)
        await self._settle(job)
        await asyncio.gather(
            *(self._propose(job, *proposal) for proposal in round_.proposals),
            *(self._order(order) for order in round_.orders),
            *(self._order_at_home(order) for order in round_.own),
        )

    async def _renew(self, job: JobId) -> None:
        while True:
            await asyncio.sleep(leases.LEASE_S / 3)
            with suppress(leases.LeaseLost):
                await asyncio.to_thread(self._hold, job)

    async def _propose(self, job: JobId, party: PartyId, organisation: OrganisationId, proposal: ProposeJob) -> None:
        if not self._partners.reaches(organisation):
            await asyncio.to_thread(self._note_away, job, party)
            return
        try:
            reply = await self._partners.ask(organisation, proposal, timeout_s=3 * CALL_S)
        except HanseError as error:
            if error.fault.code in AWAY:
                await asyncio.to_thread(self._note_away, job, party)
                return
            told = tell_fault(msgspec.structs.replace(error.fault, cause="", remedy=""), point("parties", party))
            reply = Decision((report_problem(party, told),))
        if isinstance(reply, Decision):
            await asyncio.to_thread(self._note_decision, job, party, reply)

    async def _order(self, order: Order) -> None:
        """Order a host's attempt, or ask how it is: to the host that is the same."""
        job, task, number = order.key
        try:
            reply = await self._partners.ask(
                order.organisation, OrderAttempt(job, task, number, order.source), timeout_s=CALL_S
            )
        except HanseError as error:
            if error.fault.code in AWAY:
                await asyncio.to_thread(self._note_away, job, order.party)
                return
            reply = AttemptStanding("failed", error.fault)
        if isinstance(reply, AttemptStanding):
            await asyncio.to_thread(self._note_standing, order, reply)

    async def _order_at_home(self, order: Order) -> None:
        try:
            await self._order_own(*order.key, order.source)
        except HanseError as error:
            log.error("scheduler.order", job=order.key.job, task=order.key.task, fault=str(error))

    def _take(self) -> JobId | None:
        with self._database.write() as session:
            return leases.take(session, self._owner)

    def _hold(self, job: JobId) -> None:
        with self._database.write() as session:
            leases.hold(session, job, self._owner)

    def _give_back(self, job: JobId) -> None:
        with self._database.write() as session:
            leases.release(session, job, self._owner, PAUSE_S)

    def _give_all_back(self) -> None:
        with self._database.write() as session:
            leases.release_all(session, self._owner)

    def _decide(self, job: JobId) -> Round:
        with self._database.write() as session:
            row = leases.hold(session, job, self._owner)
            while decisions.decide(session, row, self._rules):
                session.flush()
            return plan_round(session, job, self._release)

    def _note_decision(self, job: JobId, party: PartyId, decision: Decision) -> None:
        with self._database.write() as session:
            row = leases.hold(session, job, self._owner)
            note_decision(session, job, party, decision)
            decisions.decide(session, row, self._rules)
            service.wake(row)

    def _note_standing(self, order: Order, standing: AttemptStanding) -> None:
        with self._database.write() as session:
            row = leases.hold(session, order.key.job, self._owner)
            _forgive(session, order.key.job, order.party)
            if note_attempt(session, order.key, order.party, standing.state, standing.fault):
                service.wake(row)

    def _note_away(self, job: JobId, party: PartyId) -> None:
        with self._database.write() as session:
            row = leases.hold(session, job, self._owner)
            participant = session.get_one(Participant, (job, party))
            if participant.away_since is None:
                participant.away_since = now()
                decisions.decide(session, row, self._rules)


def plan_round(session: Session, job: JobId, release: str) -> Round:
    """Return what is to be asked now: proposals without an answer, or attempts that are due to be asked for."""
    row = service.get_job(session, job)
    if has_ended(row):
        return Round()
    participants = service.participants_of(session, job)
    organisations = {found.party: found.organisation for found in participants}
    if row.state == "proposed":
        if not _has_agreed_itself(session, row):
            return Round()
        message = ProposeJob(job, row.project, row.spec, organisations, row.versions, release, row.reuse)
        due = [p for p in participants if not p.accepted and _is_to_be_asked(p)]
        for participant in due:
            participant.asked_at = now()
        return Round(proposals=tuple((p.party, p.organisation, message) for p in due))
    return _plan_attempts(session, row, organisations)


def _has_agreed_itself(session: Session, job: Job) -> bool:
    """Say whether this house's own approvers, if they are asked, have agreed; note what they have decided."""
    own = session.get_one(Participant, (job.id, GUEST))
    if not own.accepted:
        note_decision(session, job.id, GUEST, approving.decision_of(session, job))
        if not own.pending:  # its approvers' word wakes the job
            service.wake(job)
    return own.accepted


def _plan_attempts(session: Session, job: Job, organisations: dict[PartyId, OrganisationId]) -> Round:
    orders, own = [], []
    for task in (found for found in service.tasks_of(session, job.id) if found.state == "running"):
        rows = service.attempts_of(session, job.id, task.name, task.attempt)
        key = AttemptKey(job.id, task.name, task.attempt)
        source = job.reuse.get(task.name) if task.attempt == 1 else None
        blamed = {row.fault.party for row in rows if row.fault is not None}
        hosts = [row for row in rows if row.party != GUEST]
        orders += [
            Order(key, row.party, organisations[row.party], source)
            for row in hosts
            if _is_due(row, row.party in blamed)
        ]
        ready = all(row.state != "ordered" for row in hosts)
        own += [
            Order(key, GUEST, organisations[GUEST], source)
            for row in rows
            if row.party == GUEST and row.state == "ordered" and ready
        ]
    moment = now()
    for order in orders:
        session.get_one(Attempt, (*order.key, order.party)).asked_at = moment
    return Round(orders=tuple(orders), own=tuple(own))


def _is_to_be_asked(row: Participant) -> bool:
    """Say whether to propose again: one that is away is asked as soon as it is back."""
    return row.asked_at is None or row.away_since is not None or row.asked_at < later(-ASK_AGAIN_S)


def _is_due(row: Attempt, blamed: bool) -> bool:
    return not has_ended(row) and (row.asked_at is None or blamed or row.asked_at < later(-ASK_AGAIN_S))


def note_decision(session: Session, job: JobId, party: PartyId, decision: Decision) -> None:
    """Note what a party has answered to a proposal."""
    participant = session.get_one(Participant, (job, party))
    participant.accepted = not decision.problems and not decision.pending
    participant.pending, participant.away_since = decision.pending, None
    if decision.pending:  # its own word comes sooner, or else it is asked then
        participant.asked_at = later(PENDING_S)
    row = service.get_job(session, job)
    row.reuse = reuse.narrow(service.tasks_of(session, job), row.reuse, decision.reused)
    if decision.problems:
        problems = tuple(msgspec.structs.replace(problem, party=party) for problem in decision.problems)
        row.problems = (*row.problems, *problems)


def note_attempt(session: Session, key: AttemptKey, party: PartyId, state: AttemptState, fault: Fault | None) -> bool:
    """Note at the guest's node how a host's attempt is; return whether that is news. What is over stays as it is."""
    row = session.get(Attempt, (*key, party))
    if row is None or has_ended(row) or state == "ordered":
        return False
    if row.state == "ordered" and state == "succeeded":
        advance(session, row, "running")
    told = service.blame(session, key.job, fault, party)
    return advance(session, row, state, place(told, party, key.task) if state == "failed" else None)


def _forgive(session: Session, job: JobId, party: PartyId) -> None:
    session.execute(
        update(Participant).where(Participant.job == job, Participant.party == party).values(away_since=None)
    )
