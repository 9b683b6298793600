"""Results of earlier jobs in place of runs: a task that is given the same, in the same way, has made it already.

Each party judges for itself. Its own key of a task is a digest of the component with its version, everybody's
settings, the organisations, the terms of its grants, and the contents of its own inputs. The guest proposes whose
results to take, every party answers which it has, too, and looks again when it is told to take them: what has gone
meanwhile is run again by everybody. Equal keys at all parties mean equal contents everywhere, so what is taken fits
together.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.derived.reading import open_reading
from hanse.control.jobs import service
from hanse.control.jobs.fragments import Cut
from hanse.control.jobs.lineage import DATASET, datasets_of, settings_of, source_of
from hanse.control.jobs.proposals import Proposal
from hanse.control.jobs.tables import Attempt, Job, Task
from hanse.control.models.service import REFERENCE, get_model
from hanse.core.clauses import strictest
from hanse.core.faults import HanseError
from hanse.core.ids import JobId, ModelVersionId, OrganisationId, ProjectId, TaskName
from hanse.core.job_messages import JobProblem, report_problem
from hanse.core.planning import PlannedTask
from hanse.core.pointers import point
from hanse.core.problems import tell
from hanse.core.roles import GUEST, PartyId
from hanse.core.specs import Artefact, PipelineSpec, Terms
from hanse.core.times import now

CANDIDATES = 20
"""How many earlier jobs are looked at for one task, the latest first."""

Reused = dict[TaskName, JobId]


class Step(Protocol):
    """A task as it runs: a row of a job, or a line of the planner's."""

    @property
    def name(self) -> str: ...
    @property
    def component(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def apply(self) -> bool: ...
    @property
    def parties(self) -> tuple[PartyId, ...]: ...


class Making(NamedTuple):
    """What a task is made by at one party, besides its component and its inputs."""

    project: ProjectId
    me: PartyId
    spec: PipelineSpec
    organisations: Mapping[PartyId, OrganisationId]
    terms: Terms


class Search(NamedTuple):
    """What the guest looks for: for whom, which part of the pipeline, in which job alone when one is resumed."""

    caller: Caller
    cut: Cut
    resumed: JobId | None = None


def digest(making: Making, task: Step, inputs: Mapping[str, Artefact]) -> str:
    """Return the own key of a task: the SHA-256 of all that its outputs at this party follow from."""
    said = making.spec.tasks[TaskName(task.name)]
    contents = {port: (found.kind, found.sha256, found.columns) for port, found in inputs.items()}
    organisations = {party: making.organisations[party] for party in task.parties}
    how = (task.component, task.version, task.apply, said.settings, said.party_settings)
    whole = (making.project, making.me, organisations, *how, making.terms, contents)
    return hashlib.sha256(msgspec.json.encode(whole, order="deterministic")).hexdigest()


def find(
    session: Session, directory: Path, proposal: Proposal, tasks: Sequence[PlannedTask], search: Search
) -> tuple[Reused, tuple[JobProblem, ...]]:
    """Return whose results the guest proposes to take, and a problem for each task that must have some and has none."""

    def list_jobs(task: PlannedTask, key: str) -> Iterable[JobId]:
        name = TaskName(task.name)
        asked = name in search.cut.reused or search.resumed is not None
        if name in search.cut.run or (task.redraws and not asked):
            return ()
        if search.resumed is not None:
            return (search.resumed,)
        return _list_makers(session, search.caller, proposal, task, key)

    found = _walk(session, directory, proposal, tasks, list_jobs)
    missing = [name for task in tasks if (name := TaskName(task.name)) in search.cut.reused and name not in found]
    return found, tuple(_miss(proposal.me, name) for name in missing)


def agree(
    session: Session,
    directory: Path,
    proposal: Proposal,
    tasks: Sequence[PlannedTask],
    offered: Mapping[TaskName, JobId],
) -> Reused:
    """Return which of the results that a guest proposes to take this party has, too."""

    def list_jobs(task: PlannedTask, _key: str) -> Iterable[JobId]:
        source = offered.get(TaskName(task.name))
        return () if source is None else (source,)

    return _walk(session, directory, proposal, tasks, list_jobs)


def narrow(tasks: Iterable[Task], proposed: Reused, agreed: Collection[TaskName]) -> Reused:
    """Return what is left to take when a party has only `agreed`: nothing that follows from a task that runs."""
    left: Reused = {}
    for task in tasks:
        if task.name in proposed and task.name in agreed and left.keys() >= set(task.after):
            left[task.name] = proposed[task.name]
    return left


def recall(session: Session, source: JobId, task: TaskName, key: str, guest: OrganisationId) -> Attempt | None:
    """Return this party's own attempt in an earlier job of the guest that has what `key` says, on the disk, too."""
    job, row = session.get(Job, source), session.get(Task, (source, task))
    if job is None or row is None or job.guest != guest or row.state != "succeeded":
        return None
    kept = service.kept_attempt(session, source, task, job.me)
    if kept is None or not kept.key or kept.key != key:
        return None
    return kept if all(Path(made.path).exists() for made in kept.outputs.values()) else None


def link(kept: Attempt, folder: Path) -> dict[str, Artefact] | None:
    """Give another attempt, which writes to `folder`, the outputs of an earlier one; None when they have gone.

    Files are linked, so that each job has its own and they take no room twice: either job may be deleted.
    """
    outputs = {}
    try:
        for port, made in kept.outputs.items():
            source, target = Path(made.path), folder / "outputs" / port
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, copy_function=_link)
            else:
                target.mkdir()
                target = target / source.name
                _link(str(source), str(target))
            outputs[port] = msgspec.structs.replace(made, path=str(target))
    except (OSError, shutil.Error):
        return None
    return outputs


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that has no links
        shutil.copy2(source, target)


def _walk(
    session: Session,
    directory: Path,
    proposal: Proposal,
    tasks: Sequence[PlannedTask],
    list_jobs: Callable[[PlannedTask, str], Iterable[JobId]],
) -> Reused:
    """Return whose results can be taken, task by task: the key of one follows from the outputs of those before."""
    found: Reused = {}
    made: dict[TaskName, dict[str, Artefact]] = {}
    for task in tasks:
        name = TaskName(task.name)
        if not found.keys() >= set(task.after):
            continue
        own = proposal.me in task.parties
        key = _foresee_key(session, directory, proposal, task, made) if own else ""
        for source in list_jobs(task, key) if key or not own else ():
            kept = recall(session, source, name, key, proposal.parties[GUEST]) if own else None
            if kept is not None or not own:
                found[name], made[name] = source, {} if kept is None else kept.outputs
                break
    return found


def _foresee_key(
    session: Session,
    directory: Path,
    proposal: Proposal,
    task: PlannedTask,
    made: Mapping[TaskName, Mapping[str, Artefact]],
) -> str:
    """Return the key that a task would have now, nothing when this party may not read what reaches it."""
    name = TaskName(task.name)
    try:
        names = datasets_of(proposal.spec, proposal.me, name)
        readings = {found: open_reading(session, directory, found, proposal.project, now()) for found in names}
        said = proposal.spec.tasks[name]
        if said.component == DATASET:
            inputs = {"source": readings[str(settings_of(said, proposal.me).get(DATASET))].artefact}
        else:
            inputs = _foresee_inputs(session, said.inputs, made)
    except (HanseError, KeyError):
        return ""
    terms = strictest(use.grant.clauses for reading in readings.values() for use in reading.uses)
    return digest(Making(proposal.project, proposal.me, proposal.spec, proposal.parties, terms), task, inputs)


def _foresee_inputs(
    session: Session, references: Mapping[str, str], made: Mapping[TaskName, Mapping[str, Artefact]]
) -> dict[str, Artefact]:
    inputs = {}
    for port, reference in references.items():
        if reference.startswith(REFERENCE):
            inputs[port] = get_model(session, ModelVersionId(reference.removeprefix(REFERENCE))).artefact
            continue
        source, output = source_of(reference)
        if output in made[source]:
            inputs[port] = made[source][output]
    return inputs


def _list_makers(session: Session, caller: Caller, proposal: Proposal, task: PlannedTask, key: str) -> Iterable[JobId]:
    """Return the jobs that may have made what a task would make, latest first, of those that the caller may see."""
    query = select(Job).where(Job.me == GUEST, Job.project == proposal.project)
    query = visible(query, caller, Permission.JOBS_READ, owner=Job.owner, project=Job.project)
    query = query.order_by(Job.created_at.desc(), Job.id).limit(CANDIDATES)
    if key:
        query = query.join(Attempt, Attempt.job == Job.id)
        query = query.where(Attempt.key == key, Attempt.task == task.name, Attempt.state == "succeeded")
        return [job.id for job in session.scalars(query).unique()]
    query = query.join(Task, Task.job == Job.id)
    query = query.where(Task.name == task.name, Task.state == "succeeded", Task.version == task.version)
    name = TaskName(task.name)
    return [job.id for job in session.scalars(query) if job.spec.tasks[name] == proposal.spec.tasks[name]]


def _miss(me: PartyId, name: TaskName) -> JobProblem:
    return report_problem(me, tell("result.missing", point("tasks", name), name, of=name))
