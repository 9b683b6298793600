"""This node's own share of a task: ordered, prepared from this house's own rows and grants, concluded."""

import hashlib
import socket as sockets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hanse.control.audit import service as audit
from hanse.control.datasets.keeping import folder_of
from hanse.control.derived.reading import Reading, open_reading
from hanse.control.estimates import service as estimates
from hanse.control.grants import enforcement
from hanse.control.grants.service import Use
from hanse.control.jobs import approving, reuse, service
from hanse.control.jobs.attempts import AttemptKey, Child
from hanse.control.jobs.clauses import request_of, tell_guest
from hanse.control.jobs.decisions import place
from hanse.control.jobs.lineage import DATASET, datasets_by_port, datasets_of, settings_of, source_of
from hanse.control.jobs.spending import disclosure_of
from hanse.control.jobs.states import advance, append_event, has_ended, open_row
from hanse.control.jobs.tables import Attempt, Job, JobEvent, Task, Workplace
from hanse.control.models.service import REFERENCE, demand_same_sides, get_model
from hanse.core.clauses import strictest
from hanse.core.costs import Figures
from hanse.core.faults import HanseError, fault
from hanse.core.ids import DatasetId, JobId, ModelVersionId, OrganisationId, TaskName
from hanse.core.job_messages import AttemptStanding
from hanse.core.roles import PartyId
from hanse.core.specs import Artefact, AttemptResult, AttemptSpec, Limits, Terms
from hanse.core.times import later, now, parse_time

CLAUSE = "grant."
"""How the codes of refusals by a clause of a grant begin."""

SILENT_S = 30.0
"""A node process that has said nothing for this long is dead: its attempts are given up."""


@dataclass(frozen=True)
class Premises:
    """What every attempt of this node process shares: where it writes, whom it calls, what it may use."""

    owner: str
    directory: Path
    socket: Path
    limits: Limits

    @property
    def place(self) -> str:
        """Where this node process runs: a directory of a machine, which one process claims at a time."""
        return hashlib.sha256(f"{sockets.gethostname()}:{self.directory}".encode()).hexdigest()

    def folder(self, job: JobId, task: TaskName) -> Path:
        """Return where the attempts of a task write."""
        return self.directory / "jobs" / job / task

    def kept(self, datasets: Iterable[DatasetId], guest: OrganisationId, component: str) -> Path:
        """Return where a component keeps, from job to job, what it made of these datasets for one guest."""
        return folder_of(self.directory, datasets) / guest / component


class Share(NamedTuple):
    """How an ordered attempt is; `spec` when it is to be started now."""

    standing: AttemptStanding
    spec: AttemptSpec | None = None


class Given(NamedTuple):
    """What an attempt is given: the tables behind it, the grants that govern them, its own part of each input."""

    readings: dict[str, Reading]
    uses: list[Use]
    inputs: dict[str, Artefact]
    terms: Terms


class Traffic(NamedTuple):
    """What an attempt exchanged: bytes by peer, and the SHA-256 of each stream by `peer/stream/direction`."""

    bytes_sent: dict[PartyId, int]
    bytes_received: dict[PartyId, int]
    digests: dict[str, str]


def order_share(
    session: Session,
    job: Job,
    name: TaskName,
    number: int,
    premises: Premises,
    token: str,
    source: JobId | None = None,
) -> Share:
    """Note the order to run this party's n-th attempt of a task, once; return what is to be started, if anything is.

    With `source` nothing is: the attempt has what that job made of the same inputs, or is lost.
    Raises `job.unknown_task` and `job.not_yours`. What this house does not allow is a failed attempt, not an error.
    """
    task = service.get_task(session, job.id, name)
    if job.me not in task.parties:
        raise fault("job.not_yours", f"{job.me} has no part in task {name}")
    service.start_job(session, job)
    row = session.get(Attempt, (job.id, name, number, job.me))
    if row is None:
        row = _open_attempt(session, job, task, number)
    if row is None or (has_ended(job) and not has_ended(row)):
        return Share(AttemptStanding("cancelled"))
    if row.state != "ordered" or row.owner == premises.owner:
        return Share(AttemptStanding(row.state, row.fault and row.fault.for_peers()))
    row.owner = premises.owner
    return _prepare(session, job, task, row, premises, token, source)


def note_start(session: Session, key: AttemptKey, child: Child) -> bool:
    """Note that an attempt runs; False when it was ended before it began."""
    row = _own(session, key)
    if has_ended(row):
        return False
    row.pid, row.pid_started = child
    return advance(session, row, "running")


def conclude(session: Session, key: AttemptKey, result: AttemptResult | None, traffic: Traffic | None) -> None:
    """Note how this party's attempt has ended, and have the guest told. Without a result it is lost."""
    job, row = service.get_job(session, key.job), _own(session, key)
    if traffic is not None:
        row.bytes_sent, row.bytes_received, row.digests = traffic
    if result is not None:
        row.seconds, row.cpu_seconds = result.seconds, result.cpu_seconds
        row.peak_memory_bytes = result.peak_memory_bytes
    row.pid = row.pid_started = None
    if has_ended(row):
        return
    if result is None:
        advance(session, row, "lost")
    elif result.state == "failed":
        advance(session, row, "failed", place(result.fault, job.me, key.task))
    else:
        row.outputs = result.outputs
        if row.state == "ordered":
            advance(session, row, "running")
        advance(session, row, "succeeded")
        if row.number == 1:
            estimates.measure(session, job.id, row.task, figures_of(row))
    tell_guest(session, job, row)


def figures_of(row: Attempt) -> Figures:
    """Return what an attempt that has ended took, from the start of its process on."""
    seconds = 0.0
    if row.started_at is not None and row.ended_at is not None:
        seconds = (parse_time(row.ended_at) - parse_time(row.started_at)).total_seconds()
    sent, received = sum(row.bytes_sent.values()), sum(row.bytes_received.values())
    return Figures(max(seconds, row.seconds), sent, received, row.peak_memory_bytes)


def fail_share(session: Session, key: AttemptKey, error: HanseError) -> None:
    """Note that this party's attempt could not even be started."""
    job, row = service.get_job(session, key.job), _own(session, key)
    if not has_ended(row):
        advance(session, row, "failed", place(error.fault, job.me, key.task))
        tell_guest(session, job, row)


def forget_share(session: Session, job: Job, name: TaskName, number: int) -> None:
    """Note at a host that an attempt number is over, even if its order never came: it will not be started later."""
    task = service.get_task(session, job.id, name)
    row = session.get(Attempt, (job.id, name, number, job.me))
    if row is None and job.me in task.parties and not has_ended(job) and not has_ended(task):
        row = _open_attempt(session, job, task, number)
    if row is not None and not has_ended(row):
        advance(session, row, "cancelled")


def keep_place(session: Session, premises: Premises) -> None:
    """Say that this node process lives. What an earlier one of its place said is over: the place is claimed."""
    mine = session.get(Workplace, premises.owner)
    if mine is not None:
        mine.seen_at = now()
        return
    session.execute(delete(Workplace).where(Workplace.place == premises.place))
    session.add(Workplace(owner=premises.owner, place=premises.place, seen_at=now()))
    session.flush()


def lose_orphans(session: Session, premises: Premises) -> list[Child]:
    """Give up the attempts of node processes that are gone; return the processes here that may have outlived theirs.

    A process is gone when another one has claimed its place, or when it has said nothing for `SILENT_S`.
    """
    places = {row.owner: row.place for row in session.scalars(select(Workplace))}
    keep_place(session, premises)
    alive = set(session.scalars(select(Workplace.owner).where(Workplace.seen_at >= later(-SILENT_S))))
    held = select(Attempt).where(Attempt.state.in_(("ordered", "running")), Attempt.owner.is_not(None))
    orphans = []
    for row in session.scalars(held.where(Attempt.owner.not_in(alive)).order_by(Attempt.job).with_for_update()):
        job = service.get_job(session, row.job)
        here = places.get(row.owner or "", premises.place) == premises.place
        if here and row.pid is not None and row.pid_started is not None:
            orphans.append(Child(row.pid, row.pid_started))
        advance(session, row, "lost")
        tell_guest(session, job, row)
    return orphans


def list_idle(session: Session, keys: frozenset[AttemptKey]) -> list[AttemptKey]:
    """Return those of the running `keys` whose rows say that they are over."""
    return [key for key in keys if has_ended(_own(session, key))]


def find_leftovers(session: Session, job: JobId, premises: Premises, running: frozenset[AttemptKey]) -> list[Path]:
    """Return the folders under a job that nobody needs any more: attempts without a result, finished checkpoints."""
    row = session.get(Job, job)
    if row is None:  # deleted meanwhile, with its folders
        return []
    me, leftovers = row.me, []
    for task in service.tasks_of(session, job):
        folder = premises.folder(job, task.name)
        kept = service.kept_attempt(session, job, task.name, me)
        own = [one for one in service.attempts_of(session, job, task.name) if one.party == me and has_ended(one)]
        busy = {key.number for key in running if key[:2] == (job, task.name)}
        over = [one for one in own if one.number not in busy and (kept is None or one.number != kept.number)]
        leftovers += [folder / str(one.number) for one in over if one.state != "succeeded" or has_ended(task)]
        if has_ended(task) and not busy:
            leftovers.append(folder / "checkpoints")
    return [folder for folder in leftovers if folder.is_dir()]


def _own(session: Session, key: AttemptKey) -> Attempt:
    return session.get_one(Attempt, (*key, service.get_job(session, key.job).me))


def _open_attempt(session: Session, job: Job, task: Task, number: int) -> Attempt | None:
    """Add this party's attempt, ending its earlier ones; None when it comes too late to run."""
    earlier = [row for row in service.attempts_of(session, job.id, task.name) if row.party == job.me]
    if has_ended(job) or has_ended(task) or any(row.number > number for row in earlier):
        return None
    service.end_attempts(session, earlier)
    if task.state == "waiting":
        advance(session, task, "running")
    task.attempt = number
    key = {"job": job.id, "task": task.name, "number": number, "party": job.me}
    row = Attempt(**key, state="ordered", ordered_at=now())
    open_row(session, row)
    return row


def _prepare(
    session: Session, job: Job, task: Task, row: Attempt, premises: Premises, token: str, source: JobId | None
) -> Share:
    try:
        given = _open_inputs(session, job, task, row, premises)
        if source is not None:
            return _take_over(session, job, row, premises, source)
        spec = _write_spec(session, job, task, row, premises, token, given)
    except HanseError as error:
        if error.fault.code.startswith(CLAUSE):
            names = ", ".join(datasets_of(job.spec, job.me, task.name))
            enforcement.refuse(session, job.id, job.project, job.guest, names, error.fault.code)
        advance(session, row, "failed", place(error.fault, job.me, task.name))
        service.wake(job)
        return Share(AttemptStanding(row.state, row.fault and row.fault.for_peers()))
    return Share(AttemptStanding("running"), spec)


def _open_inputs(session: Session, job: Job, task: Task, row: Attempt, premises: Premises) -> "Given":
    """Return what an attempt is given, and count it as a use of the grants of all data that reach it."""
    approving.demand(session, job)
    names = datasets_of(job.spec, job.me, task.name)
    readings = {name: open_reading(session, premises.directory, name, job.project, now()) for name in names}
    uses = _gather_uses(readings)
    row.datasets = tuple(sorted(use.snapshot.dataset.name for use in uses))
    for use in uses:
        asked = request_of(session, job, (use.snapshot.dataset.id, use.snapshot.dataset.name))
        enforcement.count(session, use, asked)
    inputs = _gather_inputs(session, job, task, row, readings)
    given = Given(readings, uses, inputs, strictest(use.grant.clauses for use in uses))
    making = reuse.Making(job.project, job.me, job.spec, service.organisations_of(session, job.id), given.terms)
    row.key = reuse.digest(making, task, inputs)
    return given


def _take_over(session: Session, job: Job, row: Attempt, premises: Premises, source: JobId) -> Share:
    """Give an attempt what an earlier job made of the same. What is no longer there is run again by everybody."""
    kept = reuse.recall(session, source, row.task, row.key, job.guest)
    outputs = None if kept is None else reuse.link(kept, premises.folder(job.id, row.task) / str(row.number))
    service.wake(job)
    if kept is None or outputs is None:
        advance(session, row, "lost")
        return Share(AttemptStanding("lost"))
    row.outputs, row.reused_from = outputs, kept.reused_from or kept.job
    advance(session, row, "running")
    advance(session, row, "succeeded")
    return Share(AttemptStanding("succeeded"))


def _write_spec(
    session: Session, job: Job, task: Task, row: Attempt, premises: Premises, token: str, given: "Given"
) -> AttemptSpec:
    organisations = service.organisations_of(session, job.id)
    readings, uses = given.readings, given.uses
    folder = premises.folder(job.id, task.name)
    return AttemptSpec(
        job=job.id,
        task=task.name,
        attempt=row.number,
        component=task.component,
        version=task.version,
        party=job.me,
        parties={party: organisations[party] for party in task.parties},
        settings=settings_of(job.spec.tasks[task.name], job.me),
        inputs=given.inputs,
        directory=str(folder / str(row.number)),
        checkpoints=str(folder / "checkpoints"),
        kept=_kept_folder(job, task, uses, premises),
        kept_by_port={
            port: _kept_folder(job, task, _gather_uses({name: readings[name] for name in names}), premises)
            for port, names in datasets_by_port(job.spec, job.me, task.name).items()
        },
        socket=str(premises.socket),
        token=token,
        apply=task.apply,
        disclosure=disclosure_of(session, job.guest, uses),
        terms=given.terms,
        limits=premises.limits,
    )


def _kept_folder(job: Job, task: Task, uses: list[Use], premises: Premises) -> str:
    datasets = [use.snapshot.dataset.id for use in uses]
    return str(premises.kept(datasets, job.guest, task.component)) if datasets else ""


def _gather_uses(readings: dict[str, Reading]) -> list[Use]:
    """Return every grant that governs these tables, each once."""
    return list({use.grant.id: use for reading in readings.values() for use in reading.uses}.values())


def _gather_inputs(
    session: Session, job: Job, task: Task, row: Attempt, readings: dict[str, Reading]
) -> dict[str, Artefact]:
    """Return this party's own part of each input. A port that this party has nothing for stays away."""
    spec = job.spec.tasks[task.name]
    if spec.component == DATASET:
        if not readings:
            raise fault("dataset.unnamed", f"{job.me} names no dataset in the settings of task {task.name}")
        reading = next(iter(readings.values()))
        enforcement.note_read(session, job.id, task.name, reading.sources)
        return {"source": reading.artefact}
    inputs = {}
    for port, reference in spec.inputs.items():
        if reference.startswith(REFERENCE):
            model = get_model(session, ModelVersionId(reference.removeprefix(REFERENCE)))
            demand_same_sides(model, service.organisations_of(session, job.id))
            inputs[port] = model.artefact
            told = {"job": job.id, "project": job.project, "task": task.name, "attempt": row.number}
            audit.append(session, job.guest, "model.use", model.id, **told)
            continue
        source, made = source_of(reference)
        kept = service.kept_attempt(session, job.id, source, job.me)
        if kept is not None and made in kept.outputs:
            inputs[port] = kept.outputs[made]
    return inputs


def store_events(session: Session, events: list[tuple[AttemptKey, PartyId, str, dict[str, Any]]]) -> None:
    """Append what attempts reported: (attempt, party, kind, data). Progress replaces the progress before it."""
    for key, party, kind, data in events:
        if kind == "progress":
            _drop_progress(session, key, party)
        append_event(session, key.job, kind, {"attempt": key.number, **data}, task=key.task, party=party)


def _drop_progress(session: Session, key: AttemptKey, party: PartyId) -> None:
    query = select(JobEvent).where(
        JobEvent.job == key.job, JobEvent.task == key.task, JobEvent.party == party, JobEvent.kind == "progress"
    )
    for event in session.scalars(query):
        session.delete(event)
