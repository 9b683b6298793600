"""Found projects, offer them, accept them, and say who is in."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.nodes.identity import Identity
from hanse.control.organisations import service as organisations
from hanse.control.outbox import service as outbox
from hanse.control.projects.tables import Project, ProjectMember
from hanse.core.faults import fault
from hanse.core.federation_messages import Place, ProjectAccepted, ProjectLeft, ProjectOffered
from hanse.core.ids import OrganisationId, ProjectId, new_id
from hanse.core.times import now

MOST_OFFERED = 64
"""How many projects of one partner wait for an answer here at once."""

MOST_MEMBERS = 256

Gone = list[OrganisationId]
"""Who is in a project no longer: whoever notes it ends the jobs there (`jobs.parting.leave_project`)."""


def create(session: Session, caller: Caller, me: Identity, name: str, partners: Iterable[str]) -> Project:
    """Found a project with the named members and offer it to them. Its owner has agreed by founding it."""
    members = [organisations.find_named(session, partner) for partner in dict.fromkeys(partners)]
    for member in members:
        organisations.demand_active(session, member.organisation)
    if session.scalar(select(Project).where(Project.name == name, Project.owner == me.organisation)) is not None:
        raise fault("project.name_taken", f"a project called {name!r} exists")
    project = Project(id=ProjectId(new_id("project")), name=name, owner=me.organisation, created_at=now())
    session.add(project)
    session.flush()
    _place(session, project.id, Place(me.organisation, me.name, "accepted", agreed=1))
    for member in members:
        _place(session, project.id, Place(member.organisation, member.name, "invited", agreed=0))
    audit.append(session, caller.id, "project.create", project.id, name=name, members=[m.name for m in members])
    _offer(session, me.organisation, project)
    return project


def add_members(session: Session, caller: Caller, me: Identity, name: str, partners: Iterable[str]) -> Project:
    """Ask more members into a project of this organisation's: a new version of its list, for all to agree to.

    Nothing of theirs is shown to a newcomer, nor used in a job with it, before they have. Raises `project.owner`.
    """
    project = _find_own(session, me.organisation, name)
    here = {place.organisation for place in members(session, project.id)}
    found = [organisations.find_named(session, partner) for partner in dict.fromkeys(partners)]
    fresh = [organisations.demand_active(session, one.organisation) for one in found if one.organisation not in here]
    if not fresh:
        return project
    if len(here) + len(fresh) > MOST_MEMBERS:
        raise fault("project.too_many", f"a project has at most {MOST_MEMBERS} members")
    project.version += 1
    for member in fresh:
        _place(session, project.id, Place(member.organisation, member.name, "invited", agreed=0), project.version)
    session.get_one(ProjectMember, (project.id, me.organisation)).agreed = project.version
    audit.append(session, caller.id, "project.add", project.id, members=[m.name for m in fresh])
    _offer(session, me.organisation, project)
    return project


def remove_member(session: Session, caller: Caller, me: Identity, name: str, partner: str) -> OrganisationId:
    """Take a member out of a project of this organisation's; return which."""
    project = _find_own(session, me.organisation, name)
    found = [p for p in members(session, project.id) if partner in (p.name, p.organisation)]
    if not found or found[0].organisation == me.organisation:
        raise fault("project.not_member", f"{partner!r} is no other member of {project.name!r}")
    place = found[0]
    _take_out(session, project, place.organisation)
    audit.append(session, caller.id, "project.remove", project.id, member=place.name)
    outbox.write(session, place.organisation, ProjectLeft(project.id))
    _advance(session, me.organisation, project)
    return place.organisation


def leave(session: Session, caller: Caller, me: Identity, name: str) -> Project:
    """Leave a partner's project, and tell its owner. Raises `project.owner`."""
    project = find(session, name)
    if project.owner == me.organisation:
        raise fault("project.owner", f"{project.name!r} is this organisation's own: remove its members instead")
    place = demand_place(session, project.id, me.organisation)
    if place.state != "left":
        place.state = "left"
        audit.append(session, caller.id, "project.leave", project.id, name=project.name)
        outbox.write(session, project.owner, ProjectLeft(project.id))
    return project


def record_leaving(session: Session, me: OrganisationId, sender: OrganisationId, said: ProjectLeft) -> Gone:
    """Note that a member has left, or that the owner has taken this organisation out; return who has gone."""
    project = find(session, said.project)
    if project.owner == sender:
        place = demand_place(session, project.id, me)
        if place.state == "left":
            return []
        place.state = "left"
        audit.append(session, sender, "project.removed", project.id, name=project.name)
        return [me]
    if project.owner != me:
        raise fault("project.foreign", f"project {project.id} belongs to another organisation")
    if session.get(ProjectMember, (project.id, sender)) is None:
        return []
    _take_out(session, project, sender)
    audit.append(session, sender, "project.left", project.id, name=project.name)
    _advance(session, me, project)
    return [sender]


def record_offer(session: Session, me: OrganisationId, sender: OrganisationId, offer: ProjectOffered) -> Gone:
    """Take the owner's word on a project and its members; what this organisation has decided stays.

    Who has gone is gone at once, and returned. Who has come is a newcomer of that version,
    with which nothing is shared before this organisation has agreed.
    """
    project = session.get(Project, offer.project)
    if project is not None and project.owner != sender:
        raise fault("project.foreign", f"project {offer.project} belongs to another organisation")
    if me not in {place.organisation for place in offer.members}:
        raise fault("project.foreign", f"project {offer.project} is offered to others")
    gone: Gone = []
    if project is None:
        _demand_room(session, me, sender)
        project = Project(
            id=offer.project, name=offer.name, owner=sender, created_at=offer.created_at, version=offer.version
        )
        session.add(project)
        session.flush()
        audit.append(session, sender, "project.offered", project.id, name=offer.name)
    elif offer.version < project.version:
        return gone
    else:
        gone = _follow(session, me, project, offer)
    for place in offer.members:
        if place.organisation != me:
            named = Place(place.organisation, _name_of(session, place), place.state, place.agreed)
            _place(session, project.id, named, offer.version)
        elif session.get(ProjectMember, (project.id, me)) is None:
            _place(session, project.id, Place(me, place.name, "invited", agreed=0), offer.version)
    return gone


def _follow(session: Session, me: OrganisationId, project: Project, offer: ProjectOffered) -> Gone:
    """Note a new version of the list; return who has gone.

    Raises when members changed and the version did not: it was agreed to.
    """
    before = {place.organisation for place in members(session, offer.project)}
    after = {place.organisation for place in offer.members}
    if before != after and offer.version == project.version:
        raise fault("project.changed", f"project {offer.project} is offered again with other members")
    if offer.version > project.version:
        names = {place.organisation: place.name for place in members(session, project.id)}
        names |= {place.organisation: place.name for place in offer.members}
        come, gone = (sorted(names[one] for one in found) for found in (after - before, before - after))
        audit.append(session, project.owner, "project.changed", project.id, come=come, gone=gone)
    project.version = offer.version
    own = session.get(ProjectMember, (project.id, me))
    if own is not None and own.state == "left":  # asked in again: agree again
        own.state, own.since, own.agreed = "invited", offer.version, 0
    for organisation in before - after:
        _take_out(session, project, organisation)
    return sorted(before - after)


def _demand_room(session: Session, me: OrganisationId, owner: OrganisationId) -> None:
    """Raise when too many projects of a partner wait for an answer here."""
    query = (
        select(func.count())
        .select_from(Project)
        .join(ProjectMember, ProjectMember.project == Project.id)
        .where(Project.owner == owner, ProjectMember.organisation == me, ProjectMember.state != "accepted")
    )
    if (session.scalar(query) or 0) >= MOST_OFFERED:
        raise fault("project.too_many", f"{MOST_OFFERED} projects of {owner} wait for an answer")


def _name_of(session: Session, place: Place) -> str:
    """Return how this organisation calls a member: by the name it was paired under, whatever the project's owner says.

    Pipelines name organisations, so that a name must not lead to another one.
    """
    paired = {member.organisation: member.name for member in organisations.list_members(session)}
    taken = place.organisation not in paired and place.name in paired.values()
    return place.organisation if taken else paired.get(place.organisation, place.name)


def accept(session: Session, caller: Caller, me: Identity, name: str) -> Project:
    """Agree to a project that was offered, or to those who have come since, and tell its owner."""
    project = find(session, name)
    place = demand_place(session, project.id, me.organisation)
    if place.state == "left":
        raise fault("project.left", f"{me.name} has left {project.name!r} or was taken out")
    if place.agreed < project.version:
        place.state, place.agreed = "accepted", project.version
        told = {"name": project.name, "version": project.version}
        audit.append(session, caller.id, "project.accept", project.id, **told)
        outbox.write(session, project.owner, ProjectAccepted(project.id, project.version))
        session.flush()
    return project


def record_acceptance(session: Session, me: OrganisationId, sender: OrganisationId, said: ProjectAccepted) -> Project:
    """Note that a member has agreed, and tell all members."""
    project_id = said.project
    project = find(session, project_id)
    place = session.get(ProjectMember, (project.id, sender))
    if project.owner != me or place is None:
        raise fault("project.foreign", f"project {project_id} was not offered by this organisation to that one")
    if place.agreed < min(said.version, project.version):
        place.state, place.agreed = "accepted", min(said.version, project.version)
        audit.append(session, sender, "project.accepted", project.id, name=project.name, version=place.agreed)
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


def list_projects(session: Session, caller: Caller) -> list[Project]:
    """Return the projects that a caller may see, newest first."""
    query = visible(select(Project), caller, Permission.PROJECTS_READ, project=Project.id)
    return list(session.scalars(query.order_by(Project.created_at.desc(), Project.id)))


def list_all(session: Session) -> list[Project]:
    """Return every project, newest first, for what the node does by itself."""
    return list(session.scalars(select(Project).order_by(Project.created_at.desc(), Project.id)))


def find_visible(session: Session, caller: Caller, name: str) -> Project:
    """Return a project that a caller may see. Raises `project.unknown`, also for one that it may not see."""
    project = find(session, name)
    if not caller.may(Permission.PROJECTS_READ, project=project.id):
        raise fault("project.unknown", f"no project has the name or id {name!r}")
    return project


def find_for(session: Session, caller: Caller, permission: Permission, name: str) -> Project:
    """Return a project in which a caller may do this. Raises `access.denied`; `project.unknown` for an unseen one."""
    caller.demand(permission)
    project = find(session, name)
    if caller.may(permission, project=project.id):
        return project
    find_visible(session, caller, name)
    raise fault("access.denied", f"{caller.name} has no permission {permission} in {project.name!r}")


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


def demand_agreed(session: Session, project: ProjectId, me: OrganisationId, organisation: OrganisationId) -> None:
    """Raise `project.unagreed` unless this organisation has agreed to be in a project with that one."""
    own, place = demand_place(session, project, me), demand_place(session, project, organisation)
    if own.agreed < place.since:
        raise fault("project.unagreed", f"{place.name} came with version {place.since} of the list of members")


def demand_place(session: Session, project: ProjectId, organisation: OrganisationId) -> ProjectMember:
    """Return the place of an organisation in a project, whether it has agreed or not. Raises `project.not_member`."""
    place = session.get(ProjectMember, (project, organisation))
    if place is None:
        raise fault("project.not_member", f"{organisation} is not in project {project}")
    return place


def partners(session: Session, project: ProjectId, me: OrganisationId) -> list[OrganisationId]:
    """Return the other organisations that have agreed, to which this one has, and with which it has paired."""
    paired = {member.organisation for member in organisations.list_members(session) if member.state == "active"}
    own = session.get(ProjectMember, (project, me))
    agreed = own.agreed if own is not None and own.state != "left" else 0
    places = [place for place in members(session, project) if place.state == "accepted" and place.since <= agreed]
    return [place.organisation for place in places if place.organisation in paired - {me}]


def _find_own(session: Session, me: OrganisationId, name: str) -> Project:
    project = find(session, name)
    if project.owner != me:
        raise fault("project.owner", f"{project.name!r} was founded by another organisation")
    return project


def _take_out(session: Session, project: Project, organisation: OrganisationId) -> None:
    """Forget a member of a project."""
    session.delete(session.get_one(ProjectMember, (project.id, organisation)))
    session.flush()


def _advance(session: Session, me: OrganisationId, project: Project) -> None:
    """Make the next version of a list that has become shorter: to this the owner has agreed."""
    project.version += 1
    session.get_one(ProjectMember, (project.id, me)).agreed = project.version
    session.flush()
    _offer(session, me, project)


def _place(session: Session, project: ProjectId, place: Place, since: int = 1) -> None:
    """Note how a member stands; `since` counts for one that is new here."""
    row = session.get(ProjectMember, (project, place.organisation))
    if row is None:
        row = ProjectMember(project=project, organisation=place.organisation, since=since)
        session.add(row)
    row.name, row.state, row.agreed = place.name, place.state, place.agreed
    session.flush()


def _offer(session: Session, me: OrganisationId, project: Project) -> None:
    places = members(session, project.id)
    offer = ProjectOffered(
        project.id,
        project.name,
        tuple(Place(p.organisation, p.name, p.state, p.agreed) for p in places if p.state != "left"),
        project.created_at,
        project.version,
    )
    if len(offer.members) < 2:  # nobody is left to be told
        return
    for place in places:
        if place.organisation != me:
            outbox.write(session, place.organisation, offer)
