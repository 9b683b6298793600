"""Ask a partner for data, answer what partners ask, publish what may be asked for.

Both sides keep a row of each application; the two agree by letters that may come twice.
"""

import math
from typing import Any

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import LOCAL, Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.datasets import service as datasets
from hanse.control.grants import service as grants
from hanse.control.grants.service import Terms
from hanse.control.grants.tables import Application, Card
from hanse.control.nodes.identity import Identity
from hanse.control.notifications import service as notifications
from hanse.control.outbox import service as outbox
from hanse.control.projects import service as projects
from hanse.core.faults import fault
from hanse.core.federation_messages import (
    ApplicationAnswered,
    ApplicationMade,
    ApplicationWithdrawn,
    CardPublished,
    CardWithdrawn,
)
from hanse.core.ids import GrantId, OrganisationId, ProjectId, new_id
from hanse.core.times import format_time, now, parse_time
from hanse.core.words import flatten

MOST_OPEN = 50
"""Applications of one partner to one project that wait for an answer here."""

MOST_APPLICATIONS = 2000
"""Applications of one partner to one project that are kept at all."""

MOST_CARDS = 500
"""Datasets that one partner may publish to one project."""

REMARK_CHARACTERS = 1000


def ask(
    session: Session, caller: Caller, me: Identity, project: str, owner: str, dataset: str, terms: Terms, reason: str
) -> Application:
    """Ask a member of a project (by name or id) for a dataset, and send it word. Raises `project.*`, `grant.*`."""
    agreed = projects.find_for(session, caller, Permission.JOBS_RUN, project)
    projects.demand_member(session, agreed.id, me.organisation)
    partner = _find_partner(session, agreed.id, owner)
    if not (math.isfinite(terms.disclosure_limit) and terms.disclosure_limit > 0):
        raise fault("grant.limit", f"a disclosure limit of {terms.disclosure_limit} is no positive number")
    _demand_room(session, partner, agreed.id, mine=True)
    row = Application(
        id=new_id("application"),
        organisation=partner,
        mine=True,
        project=agreed.id,
        dataset=dataset,
        columns=tuple(dict.fromkeys(terms.columns)),
        until=None if terms.until is None else format_time(parse_time(terms.until)),
        disclosure_limit=terms.disclosure_limit,
        clauses=terms.clauses,
        reason=flatten(reason[:REMARK_CHARACTERS]),
        state="pending",
        answer="",
        owner=caller.person,
        created_at=now(),
    )
    session.add(row)
    audit.append(session, caller.id, "application.ask", row.id, dataset=dataset, project=agreed.id, of=partner)
    said = (row.id, agreed.id, dataset, row.columns, row.until, row.disclosure_limit, row.clauses, row.reason)
    outbox.write(session, partner, ApplicationMade(*said))
    session.flush()
    return row


def approve(session: Session, caller: Caller, me: Identity, application: str, terms: Terms, words: str) -> Application:
    """Grant what was asked for, under these terms, which may be narrower; the grant is made or changed.

    `terms` without columns grants those that were asked for, and all only when all were. Raises `application.unknown`,
    `application.answered`, `grant.*`, `dataset.unknown`.
    """
    row = _hold(session, caller, application, mine=False)
    snapshot = datasets.find(session, row.dataset)
    wanted = terms._replace(columns=terms.columns or row.columns)
    before = grants.find_current(session, snapshot.dataset.id, row.project)
    if before is None:
        given = grants.give(session, caller, me, snapshot.dataset.id, row.project, wanted)
    else:
        given = grants.change(session, caller, me, before.id, wanted)
    _answer(session, caller, row, "approved", words, given.grant.id)
    return row


def reject(session: Session, caller: Caller, application: str, words: str) -> Application:
    """Say no, and why. Raises `application.unknown`, `application.answered`."""
    row = _hold(session, caller, application, mine=False)
    audit.append(session, caller.id, "application.reject", row.id, reason=words)
    _answer(session, caller, row, "rejected", words, None)
    return row


def withdraw(session: Session, caller: Caller, application: str) -> Application:
    """Take back what one asked for. Raises `application.unknown`, `application.answered`."""
    row = _hold(session, caller, application, mine=True)
    row.state, row.answered_at = "withdrawn", now()
    audit.append(session, caller.id, "application.withdraw", row.id)
    outbox.write(session, row.organisation, ApplicationWithdrawn(row.id))
    return row


def list_applications(session: Session, caller: Caller, *, after: str = "", limit: int = 100) -> list[Application]:
    """Return what this organisation asked for and was asked, by id from the one after `after` on."""
    query = _seen_by(caller).where(Application.id > after)
    return list(session.scalars(query.order_by(Application.id).limit(limit)))


def find(session: Session, application: str, caller: Caller = LOCAL) -> Application:
    """Return an application. Raises `application.unknown`."""
    found = session.scalar(_seen_by(caller).where(Application.id == application).limit(1))
    if found is None:
        raise fault("application.unknown", f"no application has the id {application!r}")
    return found


def record_application(session: Session, sender: OrganisationId, said: ApplicationMade) -> None:
    """Note what a partner asks for. Raises `project.not_member`, `application.too_many`."""
    projects.demand_place(session, said.project, sender)
    if session.get(Application, (said.application, sender)) is not None:
        return
    _demand_room(session, sender, said.project, mine=False)
    session.add(
        Application(
            id=said.application,
            organisation=sender,
            mine=False,
            project=said.project,
            dataset=said.dataset,
            columns=said.columns,
            until=said.until,
            disclosure_limit=said.disclosure_limit,
            clauses=said.clauses,
            reason=said.reason,
            state="pending",
            answer="",
            owner="",
            created_at=now(),
        )
    )
    audit.append(session, sender, "application.asked", said.application, dataset=said.dataset, project=said.project)
    _tell(session, sender, said)


def _tell(session: Session, sender: OrganisationId, said: ApplicationMade) -> None:
    """Tell those who may answer."""
    named = next((place.name for place in projects.members(session, said.project) if place.organisation == sender), "")
    notifications.tell(
        session,
        "application.received",
        to=Permission.GRANTS_MANAGE,
        project=said.project,
        link=f"/applications/{said.application}",
        words={"partner": named, "dataset": said.dataset},
    )


def record_answer(session: Session, sender: OrganisationId, said: ApplicationAnswered) -> None:
    """Note how a partner has answered."""
    row = session.get(Application, (said.application, sender))
    if row is None or not row.mine or row.state != "pending":
        return
    row.state, row.answer, row.grant, row.answered_at = said.state, said.answer, said.grant, now()
    audit.append(session, sender, "application.answered", row.id, state=said.state, grant=said.grant)


def record_withdrawal(session: Session, sender: OrganisationId, said: ApplicationWithdrawn) -> None:
    """Note that a partner no longer wants what it asked for."""
    row = session.get(Application, (said.application, sender))
    if row is not None and not row.mine and row.state == "pending":
        row.state, row.answered_at = "withdrawn", now()
        audit.append(session, sender, "application.withdrawn", row.id)


def publish(
    session: Session, caller: Caller, me: Identity, project: str, dataset: str, columns: tuple[str, ...], words: str
) -> Card:
    """Show the members of a project that a dataset may be asked for: these columns (none named: none), no numbers."""
    agreed = projects.find_for(session, caller, Permission.GRANTS_MANAGE, project)
    snapshot = datasets.find_for(session, caller, dataset)
    caller.demand(Permission.GRANTS_MANAGE, owner=snapshot.dataset.owner)
    projects.demand_member(session, agreed.id, me.organisation)
    if absent := sorted(set(columns) - set(snapshot.version.schema.names)):
        raise fault("grant.columns", f"{snapshot.dataset.name!r} has no column {', '.join(absent[:8])}")
    rows = 10 ** (len(str(snapshot.version.rows)) - 1) if snapshot.version.rows else 0
    card = CardPublished(agreed.id, snapshot.dataset.name, flatten(words[:REMARK_CHARACTERS]), columns, rows)
    row = _place(session, me.organisation, card)
    audit.append(
        session, caller.id, "card.publish", snapshot.dataset.id, project=agreed.id, columns=list(columns), rows=rows
    )
    for partner in projects.partners(session, agreed.id, me.organisation):
        outbox.write(session, partner, card)
    return row


def unpublish(session: Session, caller: Caller, me: Identity, project: str, dataset: str) -> None:
    """Take a card back. Raises `card.unknown`."""
    agreed = projects.find_for(session, caller, Permission.GRANTS_MANAGE, project)
    row = session.get(Card, (agreed.id, me.organisation, dataset))
    if row is None:
        raise fault("card.unknown", f"{dataset!r} is not published to {agreed.name!r}")
    session.delete(row)
    audit.append(session, caller.id, "card.withdraw", dataset, project=agreed.id)
    for partner in projects.partners(session, agreed.id, me.organisation):
        outbox.write(session, partner, CardWithdrawn(agreed.id, dataset))


def publish_all(session: Session, me: OrganisationId, project: ProjectId, partner: OrganisationId) -> None:
    """Tell a partner that has just joined a project what was published to it before."""
    for card in session.scalars(select(Card).where(Card.project == project, Card.organisation == me)):
        said = CardPublished(card.project, card.dataset, card.description, card.columns, card.rows)
        outbox.write(session, partner, said)


def list_cards(session: Session, caller: Caller, project: str) -> list[Card]:
    """Return what members have published to a project, one's own cards too."""
    agreed = projects.find_visible(session, caller, project)
    query = select(Card).where(Card.project == agreed.id)
    return list(session.scalars(query.order_by(Card.organisation, Card.dataset)))


def is_published(session: Session, project: ProjectId, organisation: OrganisationId, dataset: str) -> bool:
    """Say whether an organisation has published a dataset, by name, to a project."""
    return session.get(Card, (project, organisation, dataset)) is not None


def record_card(session: Session, sender: OrganisationId, said: CardPublished) -> None:
    """Note a partner's card. Raises `project.not_member`, `card.too_many`."""
    projects.demand_place(session, said.project, sender)
    if session.get(Card, (said.project, sender, said.dataset)) is None:
        query = select(func.count()).where(Card.project == said.project, Card.organisation == sender)
        if (session.scalar(query) or 0) >= MOST_CARDS:
            raise fault("card.too_many", f"{sender} has published {MOST_CARDS} datasets to {said.project}")
        audit.append(session, sender, "card.published", said.dataset, project=said.project)
    _place(session, sender, said)


def forget_card(session: Session, sender: OrganisationId, said: CardWithdrawn) -> None:
    """Forget a partner's card."""
    row = session.get(Card, (said.project, sender, said.dataset))
    if row is not None:
        session.delete(row)
        audit.append(session, sender, "card.withdrawn", said.dataset, project=said.project)


def _answer(session: Session, caller: Caller, row: Application, state: Any, words: str, grant: GrantId | None) -> None:
    row.state, row.answer, row.grant, row.answered_at = state, flatten(words[:REMARK_CHARACTERS]), grant, now()
    row.owner = row.owner or caller.person
    outbox.write(session, row.organisation, ApplicationAnswered(row.id, state, row.answer, grant))
    session.flush()


def _hold(session: Session, caller: Caller, application: str, *, mine: bool) -> Application:
    row = find(session, application, caller)
    if row.mine != mine:
        raise fault(
            "application.unknown", f"{application!r} is answered by the one that was asked, and taken back by the other"
        )
    permission = Permission.JOBS_RUN if mine else Permission.GRANTS_MANAGE
    caller.demand(permission, owner=row.owner, project=row.project)
    session.refresh(row, with_for_update=True)
    if row.state != "pending":
        raise fault("application.answered", f"{application} is {row.state} since {row.answered_at}")
    return row


def _seen_by(caller: Caller) -> Select[Application]:
    query = select(Application)
    return visible(query, caller, Permission.GRANTS_READ, owner=Application.owner, project=Application.project)


def _place(session: Session, organisation: OrganisationId, said: CardPublished) -> Card:
    given = msgspec.structs.asdict(said)
    card = session.merge(Card(organisation=organisation, published_at=now(), **given))
    session.flush()
    return card


def _find_partner(session: Session, project: ProjectId, name: str) -> OrganisationId:
    places = {p.organisation: p.name for p in projects.members(session, project)}
    found = next((one for one, called in places.items() if name in (one, called)), None)
    if found is None:
        raise fault("project.not_member", f"{name} is not in project {project}")
    return projects.demand_member(session, project, found).organisation


def _demand_room(session: Session, partner: OrganisationId, project: ProjectId, *, mine: bool) -> None:
    query = select(func.count()).where(
        Application.organisation == partner, Application.project == project, Application.mine == mine
    )
    waiting = query.where(Application.state == "pending")
    if (session.scalar(waiting) or 0) >= MOST_OPEN or (session.scalar(query) or 0) >= MOST_APPLICATIONS:
        raise fault("application.too_many", f"{MOST_OPEN} applications may wait at once in project {project}")
