"""Found projects, offer them, accept them, and say who is in."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.audit import service as audit
from hanse.control.nodes.identity import Identity
from hanse.control.organisations import service as organisations
from hanse.control.outbox import service as outbox
from hanse.control.projects.tables import Project, ProjectMember
from hanse.core.faults import fault
from hanse.core.federation_messages import Place, ProjectAccepted, ProjectOffered
from hanse.core.ids import OrganisationId, ProjectId, new_id
from hanse.core.times import now


def create(session: Session, me: Identity, name: str, partners: Iterable[str]) -> Project:
    """Found a project with the named members and offer it to them. Its owner has agreed by founding it."""
    members = [organisations.find_named(session, partner) for partner in dict.fromkeys(partners)]
    for member in members:
        organisations.demand_active(session, member.organisation)
    if session.scalar(select(Project).where(Project.name == name, Project.owner == me.organisation)) is not None:
        raise fault("project.name_taken", f"a project called {name!r} exists")
    project = Project(id=ProjectId(new_id("project")), name=name, owner=me.organisation, created_at=now())
    session.add(project)
    session.flush()
    _place(session, project.id, Place(me.organisation, me.name, "accepted"))
    for member in members:
        _place(session, project.id, Place(member.organisation, member.name, "invited"))
    audit.append(
        session, audit.ADMINISTRATOR, "project.create", project.id, name=name, members=[m.name for m in members]
    )
    _offer(session, me.organisation, project)
    return project


def record_offer(session: Session, me: OrganisationId, sender: OrganisationId, offer: ProjectOffered) -> Project:
    """Take the owner's word on a project and its members; what this organisation has decided stays."""
    project = session.get(Project, offer.project)
    if project is not None and project.owner != sender:
        raise fault("project.foreign", f"project {offer.project} belongs to another organisation")
    if me not in {place.organisation for place in offer.members}:
        raise fault("project.foreign", f"project {offer.project} is offered to others")
    if project is None:
        project = Project(id=offer.project, name=offer.name, owner=sender, created_at=offer.created_at)
        session.add(project)
        session.flush()
        audit.append(session, sender, "project.offered", project.id, name=offer.name)
    else:
        _demand_same_members(session, offer)
    for place in offer.members:
        if place.organisation != me:
            _place(session, project.id, Place(place.organisation, _name_of(session, place), place.state))
        elif session.get(ProjectMember, (project.id, me)) is None:
            _place(session, project.id, Place(me, place.name, "invited"))
    return project


def _demand_same_members(session: Session, offer: ProjectOffered) -> None:
    """Raise unless the members are those that were agreed to: grants hold for all of them, whoever they are."""
    agreed = {place.organisation for place in members(session, offer.project)}
    if {place.organisation for place in offer.members} != agreed:
        raise fault("project.changed", f"project {offer.project} is offered again with other members")


def _name_of(session: Session, place: Place) -> str:
    """Return how this organisation calls a member: by the name it was paired under, whatever the project's owner says.

    Pipelines name organisations, so that a name must not lead to another one.
    """
    paired = {member.organisation: member.name for member in organisations.list_members(session)}
    taken = place.organisation not in paired and place.name in paired.values()
    return place.organisation if taken else paired.get(place.organisation, place.name)


def accept(session: Session, me: Identity, project_id: ProjectId) -> Project:
    """Agree to a project that was offered, and tell its owner."""
    project = find(session, project_id)
    place = session.get_one(ProjectMember, (project.id, me.organisation))
    if place.state == "invited":
        place.state = "accepted"
        audit.append(session, audit.ADMINISTRATOR, "project.accept", project.id, name=project.name)
        outbox.write(session, project.owner, ProjectAccepted(project.id))
    return project


def record_acceptance(session: Session, me: OrganisationId, sender: OrganisationId, project_id: ProjectId) -> Project:
    """Note that an invited member has agreed, and tell all members."""
    project = find(session, project_id)
    place = session.get(ProjectMember, (project.id, sender))
    if project.owner != me or place is None:
        raise fault("project.foreign", f"project {project_id} was not offered by this organisation to that one")
    if place.state == "invited":
        place.state = "accepted"
        audit.append(session, sender, "project.accepted", project.id, name=project.name)
        session.flush()
        _offer(session, me, project)
    return project


def find(session: Session, name: str) -> Project:
    """Return a project by its id or its name. Raises `project.unknown` or `project.ambiguous`."""
    by_id = session.get(Project, name)
    found = [by_id] if by_id is not None else list(session.scalars(select(Project).where(Project.name == name)))
    if not found:
        raise fault("project.unknown", f"no project has the name or id {name!r}")
    if len(found) > 1:
        raise fault("project.ambiguous", f"{len(found)} projects are called {name!r}")
    return found[0]


def list_projects(session: Session) -> list[Project]:
    """Return all projects, newest first."""
    return list(session.scalars(select(Project).order_by(Project.created_at.desc(), Project.id)))


def members(session: Session, project: ProjectId) -> list[ProjectMember]:
    """Return who is in a project, this organisation too, by name."""
    query = select(ProjectMember).where(ProjectMember.project == project)
    return list(session.scalars(query.order_by(ProjectMember.name)))


def demand_member(session: Session, project: ProjectId, organisation: OrganisationId) -> ProjectMember:
    """Return the place of an organisation that has agreed to a project. Raises `project.not_member`."""
    place = demand_place(session, project, organisation)
    if place.state != "accepted":
        raise fault("project.not_member", f"{place.name} has not accepted project {project}")
    return place


def demand_place(session: Session, project: ProjectId, organisation: OrganisationId) -> ProjectMember:
    """Return the place of an organisation in a project, whether it has agreed or not. Raises `project.not_member`."""
    place = session.get(ProjectMember, (project, organisation))
    if place is None:
        raise fault("project.not_member", f"{organisation} is not in project {project}")
    return place


def partners(session: Session, project: ProjectId, me: OrganisationId) -> list[OrganisationId]:
    """Return the other organisations that have agreed and with which this one has paired."""
    paired = {member.organisation for member in organisations.list_members(session) if member.state == "active"}
    places = members(session, project)
    return [p.organisation for p in places if p.organisation in paired - {me} and p.state == "accepted"]


def _place(session: Session, project: ProjectId, place: Place) -> None:
    session.merge(ProjectMember(project=project, organisation=place.organisation, name=place.name, state=place.state))
    session.flush()


def _offer(session: Session, me: OrganisationId, project: Project) -> None:
    places = members(session, project.id)
    offer = ProjectOffered(
        project.id, project.name, tuple(Place(p.organisation, p.name, p.state) for p in places), project.created_at
    )
    for place in places:
        if place.organisation != me:
            outbox.write(session, place.organisation, offer)
