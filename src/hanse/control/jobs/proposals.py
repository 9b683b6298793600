"""Whether this house can take part in a job: its members, its grants, its models, its own catalogue's word."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.derived.reading import Reading, is_derived, open_reading
from hanse.control.grants.service import list_offers
from hanse.control.jobs.lineage import DATASET, all_datasets_of, models_of, settings_of
from hanse.control.models.service import demand_same_sides, get_model
from hanse.control.organisations import service as organisations
from hanse.control.projects import service as projects
from hanse.core.costs import Size
from hanse.core.errors import advise
from hanse.core.faults import HanseError, fault
from hanse.core.ids import OrganisationId, ProjectId, TaskName
from hanse.core.job_messages import JobProblem, report_problem
from hanse.core.planning import CheckPipeline, PipelineCheck
from hanse.core.roles import GUEST, PartyId, role_of
from hanse.core.schema import Schema
from hanse.core.specs import PipelineSpec
from hanse.core.times import now

PLAIN = frozenset({"dataset.unknown", "grant.missing"})
"""Whether an ungranted dataset exists is nobody else's business: both are told in the same words."""


STRANGE = {
    "unknown": ("does not know", "pair them first: `hanse invite` at one of them, `hanse join` at the other"),
    "suspended": ("has suspended", "its administrator lets it speak again: `hanse member resume`"),
}
"""What is said of a party that is no active member here, and what to do."""

MOST = 100
"""Problems that are told at once: whoever has mended those may ask again."""


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


def look(session: Session, directory: Path, proposal: Proposal, threads: int = 1) -> "Look":
    """Return what this house's rows say about a proposal. `directory` is the node's, `threads` those of an attempt."""
    readings, problems = _read_grants(session, directory, proposal)
    schemas = {name: reading.schema for name, reading in readings.items()}
    components, more = _read_models(session, proposal)
    strangers = _list_strangers(session, proposal)
    sizes = _list_sizes(session, proposal, readings)
    question = CheckPipeline(proposal.spec, proposal.me, schemas, proposal.versions, components, sizes, threads)
    return Look((*strangers, *problems, *more)[:MOST], question)


class Look(NamedTuple):
    """The problems that rows show, and what to ask the planner when there are none."""

    problems: tuple[JobProblem, ...]
    question: CheckPipeline


def read_problems(me: PartyId, check: PipelineCheck) -> tuple[JobProblem, ...]:
    """Return the planner's problems as this party's."""
    return tuple(report_problem(me, problem.task, problem.message, problem.remedy) for problem in check.problems[:MOST])


def _demand_party(party: PartyId) -> None:
    try:
        role_of(party)
    except ValueError as error:
        raise fault("job.parties", str(error)) from error


def _list_strangers(session: Session, proposal: Proposal) -> list[JobProblem]:
    """Return a problem for each party that is no active member here: the attempts of all parties meet one another."""
    known = {member.organisation: member.state for member in organisations.list_members(session)}
    names = {place.organisation: place.name for place in projects.members(session, proposal.project)}
    own = proposal.parties[proposal.me]
    problems = []
    for organisation in (found for found in proposal.parties.values() if found != own):
        state = known.get(organisation)
        if state != "active":
            says, remedy = STRANGE["suspended" if state == "suspended" else "unknown"]
            message = f"{names[own]} {says} {names[organisation]}"
            problems.append(report_problem(proposal.me, "", message, remedy))
    return problems


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
            problems += [_describe(error, proposal.me, task, name) for task in tasks]
    problems += _list_mixed(proposal)
    problems += _list_unlike(session, proposal, readings)
    for task, absent in _list_ungranted(proposal, {name: reading.schema for name, reading in readings.items()}):
        message = f"{', '.join(absent)} of dataset {settings_of(proposal.spec.tasks[task], proposal.me)[DATASET]!r} "
        remedy = "use columns that are granted, or ask the owner for these: `hanse grant add`"
        problems.append(report_problem(proposal.me, task, f"{message}is granted to nobody in this project", remedy))
    return readings, problems


def _list_mixed(proposal: Proposal) -> list[JobProblem]:
    """Return a problem for each task in which not all parties name their parts of one and the same derived dataset."""
    problems = []
    for name, task in proposal.spec.tasks.items():
        named = (
            {settings_of(task, party).get(DATASET) for party in proposal.parties} if task.component == DATASET else ()
        )
        if len(named) > 1 and any(isinstance(found, str) and is_derived(found) for found in named):
            message = "the parties name different tables, and a derived one is aligned with its own parts alone"
            remedy = "name the same `derived:…` for every party: `hanse derived list` shows it"
            problems.append(report_problem(proposal.me, name, message, remedy))
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
                message = f"the ids are {ours} here and {theirs} at {party}: no two of them are written the same way"
                remedy = "register both datasets with the same type of ids: `hanse dataset register --id-type`"
                problems.append(report_problem(proposal.me, name, message, remedy))
    return problems


def _tell_ids(schema: Schema) -> str:
    kind, form = schema.id_type
    return f"{kind} (rules {form})"


def _tasks_reading(proposal: Proposal, dataset: str) -> list[str]:
    tasks = proposal.spec.tasks.items()
    return [name for name, task in tasks if settings_of(task, proposal.me).get(DATASET) == dataset]


def _list_ungranted(proposal: Proposal, schemas: dict[str, Schema]) -> list[tuple[TaskName, list[str]]]:
    found: list[tuple[TaskName, list[str]]] = []
    for name, task in proposal.spec.tasks.items():
        settings = settings_of(task, proposal.me)
        schema = schemas.get(str(settings.get(DATASET)))
        columns = settings.get("columns")
        if task.component == DATASET and schema is not None and isinstance(columns, list):
            absent = [str(column) for column in columns if column not in schema.names]
            found += [(name, absent)] if absent else []
    return found


def _describe(error: HanseError, me: PartyId, task: str, dataset: str) -> JobProblem:
    if error.fault.code in PLAIN:
        remedy = "its owner grants it to the project: `hanse grant add`"
        return report_problem(me, task, f"no dataset {dataset!r} is granted to this project", remedy)
    return report_problem(me, task, error.fault.cause or error.fault.code, advise(error.fault))


def _read_models(session: Session, proposal: Proposal) -> tuple[dict[str, str], list[JobProblem]]:
    components: dict[str, str] = {}
    problems = []
    for model_id in models_of(proposal.spec):
        try:
            model = get_model(session, model_id)
            demand_same_sides(model, proposal.parties)
            components[model_id] = model.component
        except HanseError as error:
            tasks = [n for n, task in proposal.spec.tasks.items() if f"model:{model_id}" in task.inputs.values()]
            problems += [report_problem(proposal.me, task, error.fault.cause, advise(error.fault)) for task in tasks]
    return components, problems
