"""Whether this house can take part in a job: its members, its grants, its models, its own catalogue's word."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.datasets import service as datasets
from hanse.control.derived.reading import Reading, is_derived, open_reading
from hanse.control.grants.service import list_current, list_offers
from hanse.control.jobs.lineage import DATASET, all_datasets_of, models_of, settings_of
from hanse.control.models.service import REFERENCE, demand_same_sides, get_model
from hanse.control.organisations import service as organisations
from hanse.control.projects import service as projects
from hanse.core.costs import Size
from hanse.core.faults import HanseError, fault
from hanse.core.guesses import Guesses
from hanse.core.ids import OrganisationId, ProjectId, TaskName
from hanse.core.job_messages import JobProblem, report_problem
from hanse.core.planning import CheckPipeline, PipelineCheck
from hanse.core.pointers import point, point_at_setting
from hanse.core.problems import tell, tell_fault
from hanse.core.roles import GUEST, PartyId, role_of
from hanse.core.schema import Schema
from hanse.core.specs import PipelineSpec
from hanse.core.times import now

PLAIN = frozenset({"dataset.unknown", "grant.missing"})
"""Whether an ungranted dataset exists is nobody else's business: both are told in the same words."""


class Proposal(NamedTuple):
    """A job before it is one: which organisation is which party, and which party this node is."""

    project: ProjectId
    spec: PipelineSpec
    parties: dict[PartyId, OrganisationId]
    me: PartyId
    versions: dict[str, str]


def draft(session: Session, caller: Caller, permission: Permission, me: OrganisationId, spec: PipelineSpec) -> Proposal:
    """Return the proposal that a pipeline of this node's makes. Raises `job.parties`, `project.*`, `access.denied`."""
    project = projects.find_for(session, caller, permission, spec.project).id
    places = {place.name: place.organisation for place in projects.members(session, project)}
    strangers = sorted(name for name in spec.parties.values() if name not in places)
    if strangers:
        raise fault("job.parties", f"{', '.join(strangers)} is not in project {spec.project!r}")
    parties = {party: places[name] for party, name in spec.parties.items()}
    proposal = Proposal(project, spec, parties, GUEST, {})
    demand_parties(session, me, me, proposal)
    return proposal


def demand_parties(session: Session, me: OrganisationId, guest: OrganisationId, proposal: Proposal) -> None:
    """Raise unless every party is an organisation of its own that has joined the project, and `guest` is the guest."""
    for party in proposal.parties:
        _demand_party(party)
    if proposal.parties.get(GUEST) != guest:
        raise fault("job.parties", "the guest of a job is the organisation that starts it")
    if set(proposal.parties) != set(proposal.spec.parties):
        raise fault("job.parties", "the parties of the job are not those of its pipeline")
    if len(set(proposal.parties.values())) < len(proposal.parties):
        raise fault("job.parties", "an organisation can be one party of a job only")
    for organisation in (me, *proposal.parties.values()):
        projects.demand_member(session, proposal.project, organisation)
        projects.demand_agreed(session, proposal.project, me, organisation)
    if guest != me:
        organisations.demand_active(session, guest)


def sketch(session: Session, caller: Caller, me: OrganisationId, spec: PipelineSpec) -> "Sketch":
    """Return the proposal that a pipeline would make, with what is in its parties' way. Raises `project.*`.

    Unlike `draft` it goes on where the parties are wrong, so that all that is wrong is told at once.
    """
    project = projects.find_for(session, caller, Permission.PIPELINES_READ, spec.project).id
    places = {place.name: place.organisation for place in projects.members(session, project)}
    parties = {party: places[name] for party, name in spec.parties.items() if name in places}
    problems = list(_list_wrong_parties(session, project, me, spec, places))
    return Sketch(Proposal(project, spec, parties, GUEST, {}), problems)


class Sketch(NamedTuple):
    """A proposal as far as its parties are known, and what is wrong with them."""

    proposal: Proposal
    problems: list[JobProblem]


def _list_wrong_parties(
    session: Session, project: ProjectId, me: OrganisationId, spec: PipelineSpec, places: Mapping[str, OrganisationId]
) -> Iterator[JobProblem]:
    names = {organisation: name for name, organisation in places.items()}
    guesses, seen = Guesses(), dict[str, list[str]]()
    for party, name in spec.parties.items():
        place = point("parties", party)
        if name not in places:
            facts = {"organisation": name, "project": spec.project}
            yield report_problem(GUEST, tell("party.stranger", place, "", guesses.near(name, places), **facts))
            continue
        if party == GUEST and places[name] != me:
            mine = names.get(me, "")
            yield report_problem(GUEST, tell("party.not_guest", place, "", mine, organisation=name, mine=mine))
        seen.setdefault(name, []).append(party)
        if len(seen[name]) == 2:
            told = " and ".join(one for one, same in spec.parties.items() if same == name)
            yield report_problem(GUEST, tell("party.twice", place, organisation=name, parties=told))
        try:
            projects.demand_member(session, project, places[name])
            projects.demand_agreed(session, project, me, places[name])
        except HanseError as error:
            yield report_problem(GUEST, tell_fault(error.fault, place))


def look(
    session: Session, directory: Path, proposal: Proposal, threads: int = 1, alone: Caller | None = None
) -> "Look":
    """Return what this house's rows say about a proposal. `directory` is the node's, `threads` those of an attempt.

    `alone`: on behalf of whom the pipeline is looked at without a word to partners. What these have offered then speaks
    for them, and an own dataset that is not granted yet still tells its columns to whoever may see it.
    """
    readings, problems = _read_grants(session, directory, proposal)
    schemas = {name: reading.schema for name, reading in readings.items()}
    components, more = _read_models(session, proposal)
    strangers = _list_strangers(session, proposal)
    sizes = _list_sizes(session, proposal, readings)
    question = CheckPipeline(proposal.spec, proposal.me, schemas, proposal.versions, components, sizes, threads)
    if alone is not None:
        seen = {**_read_own(session, alone, proposal), **schemas}
        question = msgspec.structs.replace(question, schemas=seen, offered=_list_offered(session, proposal))
    return Look((*strangers, *problems, *more), question)


class Look(NamedTuple):
    """The problems that rows show, and what to ask the planner, which sees others."""

    problems: tuple[JobProblem, ...]
    question: CheckPipeline


def read_problems(me: PartyId, known: tuple[JobProblem, ...], check: PipelineCheck) -> tuple[JobProblem, ...]:
    """Return the planner's problems as this party's, after those that are known: of one place, rows know more."""
    places = {problem.pointer for problem in known}
    return (*known, *(report_problem(me, found) for found in check.problems if found.pointer not in places))


def _demand_party(party: PartyId) -> None:
    try:
        role_of(party)
    except ValueError as error:
        raise fault("job.parties", str(error)) from error


def _list_strangers(session: Session, proposal: Proposal) -> list[JobProblem]:
    """Return a problem for each party that is no active member here: the attempts of all parties meet one another."""
    known = {member.organisation: member.state for member in organisations.list_members(session)}
    names = {place.organisation: place.name for place in projects.members(session, proposal.project)}
    own = proposal.parties.get(proposal.me)
    problems = []
    for party, organisation in proposal.parties.items():
        state = known.get(organisation)
        if own is not None and organisation != own and state != "active":
            code = "party.suspended" if state == "suspended" else "party.unpaired"
            facts = {"own": names[own], "organisation": names[organisation]}
            problems.append(report_problem(proposal.me, tell(code, point("parties", party), **facts)))
    return problems


def _list_offered(session: Session, proposal: Proposal) -> dict[PartyId, dict[str, Schema]]:
    """Return the columns that partners have granted to the project, by party and dataset; of several grants, all."""
    parties = {organisation: party for party, organisation in proposal.parties.items()}
    offered: dict[PartyId, dict[str, Schema]] = {}
    for offer in list_offers(session, proposal.project):
        if offer.organisation in parties:
            known = offered.setdefault(parties[offer.organisation], {})
            before = known.get(offer.dataset, Schema(()))
            more = (column for column in offer.schema.columns if column.name not in before.names)
            known[offer.dataset] = Schema((*before.columns, *more))
    return offered


def _read_own(session: Session, caller: Caller, proposal: Proposal) -> dict[str, Schema]:
    """Return the schemas of this house's datasets that the pipeline names, as far as the caller may see them."""
    found = {}
    for name in all_datasets_of(proposal.spec, proposal.me):
        with suppress(HanseError):
            found[name] = datasets.find_for(session, caller, name).version.schema
    return found


def _list_sizes(
    session: Session, proposal: Proposal, readings: Mapping[str, Reading]
) -> dict[PartyId, dict[str, Size]]:
    """Return how large datasets are: this party's own, and those that partners have offered to the project."""
    parties = {organisation: party for party, organisation in proposal.parties.items()}
    sizes: dict[PartyId, dict[str, Size]] = {}
    for offer in list_offers(session, proposal.project):
        if offer.organisation in parties:
            size = Size(offer.rows, len(offer.schema.names) - 1)
            sizes.setdefault(parties[offer.organisation], {})[offer.dataset] = size
    sizes[proposal.me] = {
        name: Size(reading.artefact.rows or 0, len(reading.schema.names) - 1) for name, reading in readings.items()
    }
    return sizes


def _read_grants(session: Session, directory: Path, proposal: Proposal) -> tuple[dict[str, Reading], list[JobProblem]]:
    readings: dict[str, Reading] = {}
    problems = []
    for name in all_datasets_of(proposal.spec, proposal.me):
        tasks = _tasks_reading(proposal, name)
        try:
            readings[name] = open_reading(session, directory, name, proposal.project, now())
        except HanseError as error:
            near = Guesses().near(
                name, [snapshot.dataset.name for _, snapshot in list_current(session, proposal.project)]
            )
            problems += [_describe(error, proposal, task, name, near) for task in tasks]
    problems += _list_mixed(proposal)
    problems += _list_unlike(session, proposal, readings)
    problems += _list_ungranted(proposal, {name: reading.schema for name, reading in readings.items()})
    return readings, problems


def _list_mixed(proposal: Proposal) -> list[JobProblem]:
    """Return a problem for each task in which not all parties name their parts of one and the same derived dataset."""
    problems = []
    for name, task in proposal.spec.tasks.items():
        named = (
            {settings_of(task, party).get(DATASET) for party in proposal.parties} if task.component == DATASET else ()
        )
        if len(named) > 1 and any(isinstance(found, str) and is_derived(found) for found in named):
            place = point_at_setting(name, task, proposal.me, DATASET)
            problems.append(report_problem(proposal.me, tell("dataset.mixed", place, name)))
    return problems


def _list_unlike(session: Session, proposal: Proposal, readings: Mapping[str, Reading]) -> list[JobProblem]:
    """Return a problem for each task in which a partner's ids are of another type than this party's.

    Ids of two types are written in two forms: nobody would be found in common, and the empty result would look true.
    """
    parties = {organisation: party for party, organisation in proposal.parties.items()}
    offers = {
        (parties.get(offer.organisation), offer.dataset): offer for offer in list_offers(session, proposal.project)
    }
    problems = []
    for name, task in proposal.spec.tasks.items():
        own = readings.get(str(settings_of(task, proposal.me).get(DATASET)))
        if task.component != DATASET or own is None:
            continue
        for party in proposal.parties:
            offer = offers.get((party, str(settings_of(task, party).get(DATASET))))
            if party != proposal.me and offer is not None and offer.schema.id_type != own.schema.id_type:
                ours, theirs = (_tell_ids(schema) for schema in (own.schema, offer.schema))
                place = point_at_setting(name, task, party, DATASET)
                facts = {"ours": ours, "theirs": theirs, "party": party}
                problems.append(report_problem(proposal.me, tell("dataset.unlike", place, name, **facts)))
    return problems


def _tell_ids(schema: Schema) -> str:
    kind, form = schema.id_type
    return f"{kind} (rules {form})"


def _tasks_reading(proposal: Proposal, dataset: str) -> list[TaskName]:
    tasks = proposal.spec.tasks.items()
    return [name for name, task in tasks if settings_of(task, proposal.me).get(DATASET) == dataset]


def _list_ungranted(proposal: Proposal, schemas: dict[str, Schema]) -> Iterator[JobProblem]:
    guesses = Guesses()
    for name, task in proposal.spec.tasks.items():
        settings = settings_of(task, proposal.me)
        schema, columns = schemas.get(str(settings.get(DATASET))), settings.get("columns")
        if task.component != DATASET or schema is None or not isinstance(columns, list):
            continue
        granted = set(schema.names)
        for number, column in enumerate(columns):
            if isinstance(column, str) and column not in granted:
                place = point_at_setting(name, task, proposal.me, "columns", number)
                facts = {"column": column, "dataset": settings[DATASET]}
                near = guesses.near(column, schema.features)
                yield report_problem(proposal.me, tell("column.not_granted", place, name, near, **facts))


def _describe(error: HanseError, proposal: Proposal, task: TaskName, dataset: str, near: str) -> JobProblem:
    place = point_at_setting(task, proposal.spec.tasks[task], proposal.me, DATASET)
    if error.fault.code in PLAIN:
        facts = {"party": proposal.me, "dataset": dataset}
        return report_problem(proposal.me, tell("dataset.not_granted", place, task, near, **facts))
    return report_problem(proposal.me, tell_fault(error.fault, place, task))


def _read_models(session: Session, proposal: Proposal) -> tuple[dict[str, str], list[JobProblem]]:
    components: dict[str, str] = {}
    problems = []
    for model_id in models_of(proposal.spec):
        try:
            model = get_model(session, model_id)
            demand_same_sides(model, proposal.parties)
            components[model_id] = model.component
        except HanseError as error:
            places = [
                (name, point("tasks", name, "inputs", port))
                for name, task in proposal.spec.tasks.items()
                for port, reference in task.inputs.items()
                if reference == f"{REFERENCE}{model_id}"
            ]
            problems += [report_problem(proposal.me, tell_fault(error.fault, at, name)) for name, at in places]
    return components, problems
