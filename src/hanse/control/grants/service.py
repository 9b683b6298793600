"""Give grants, take them back, tell partners, and enforce them where data is used."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from hanse.control.access.callers import LOCAL, Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.datasets import service as datasets
from hanse.control.datasets.service import Snapshot
from hanse.control.grants.tables import Grant, GrantTerms, GrantUse, Offer
from hanse.control.nodes.identity import Identity
from hanse.control.outbox import service as outbox
from hanse.control.projects import service as projects
from hanse.core.clauses import Clauses
from hanse.core.faults import fault
from hanse.core.federation_messages import GrantOffered, GrantRevoked
from hanse.core.ids import DatasetId, GrantId, OrganisationId, ProjectId, new_id
from hanse.core.schema import Schema
from hanse.core.specs import Artefact
from hanse.core.times import format_time, now, parse_time

MOST_OFFERS = 1000
"""How many grants of one partner to one project are kept."""


class Terms(NamedTuple):
    """What a grant allows: `columns` (none named: all), `until` (ISO 8601), and rho of the disclosure rule."""

    columns: Sequence[str] = ()
    until: str | None = None
    disclosure_limit: float = 0.1
    clauses: Clauses = Clauses()


class Given(NamedTuple):
    """A grant, and the name of its dataset."""

    grant: Grant
    dataset: str


class Use(NamedTuple):
    """A dataset as a project may use it now: the artefact shows the granted columns only."""

    grant: Grant
    snapshot: Snapshot
    artefact: Artefact

    @property
    def schema(self) -> Schema:
        """The granted schema."""
        return granted_schema(self.grant, self.snapshot)


def give(
    session: Session, caller: Caller, me: Identity, dataset: str, project: str, terms: Terms, *, waiting: bool = False
) -> Given:
    """Grant a dataset to a project and tell its members. One grant a dataset and project: `change` it afterwards.

    A grant that is `waiting` allows nothing until `put_in_force`. Raises `access.denied` for somebody else's dataset.
    """
    snapshot = datasets.find_for(session, caller, dataset)
    caller.demand(Permission.GRANTS_MANAGE, owner=snapshot.dataset.owner)
    agreed = projects.find_for(session, caller, Permission.GRANTS_MANAGE, project)
    projects.demand_member(session, agreed.id, me.organisation)
    checked = check_terms(session, snapshot, agreed.id, terms)
    if _current(session, snapshot.dataset.id, agreed.id, now(), states=("given", "waiting")) is not None:
        raise fault("grant.exists", f"{snapshot.dataset.name!r} is granted to {agreed.name!r} already")
    grant = Grant(
        id=GrantId(new_id("grant")),
        dataset=snapshot.dataset.id,
        project=agreed.id,
        state="waiting" if waiting else "given",
        owner=caller.person,
        version=1,
        created_at=now(),
        **_columns_of(checked),
    )
    session.add(grant)
    session.flush()
    _note_terms(session, grant, caller.id)
    audit.append(session, caller.id, "grant.give", grant.id, **_told(snapshot, grant))
    if not waiting:
        _tell(session, me, grant)
    return Given(grant, snapshot.dataset.name)


def put_in_force(session: Session, actor: str, me: Identity, grant_id: GrantId) -> Given:
    """Let a grant that waited for an approval hold, and tell the members of its project."""
    grant = find_grant(session, grant_id)
    snapshot = datasets.find(session, grant.dataset)
    if grant.state == "waiting" and grant.revoked_at is None:
        grant.state = "given"
        audit.append(session, actor, "grant.approve", grant.id, **_told(snapshot, grant))
        _tell(session, me, grant)
    return Given(grant, snapshot.dataset.name)


def change(session: Session, caller: Caller, me: Identity, grant_id: GrantId, terms: Terms) -> Given:
    """Put a grant under new terms, as its next version, and tell the members of its project.

    Jobs that run go on under the new terms, or end: the caller sees to that (`jobs.enforcement`).
    """
    grant = find_grant(session, grant_id, caller, lock=True)
    caller.demand(Permission.GRANTS_MANAGE, owner=grant.owner, project=grant.project)
    if grant.revoked_at is not None:
        raise fault("grant.revoked", f"grant {grant_id} was revoked at {grant.revoked_at}")
    snapshot = datasets.find(session, grant.dataset)
    for name, value in _columns_of(check_terms(session, snapshot, grant.project, terms)).items():
        setattr(grant, name, value)
    grant.version += 1
    session.flush()
    _note_terms(session, grant, caller.id)
    audit.append(session, caller.id, "grant.change", grant.id, version=grant.version, **_told(snapshot, grant))
    if grant.state == "given":
        _tell(session, me, grant)
    return Given(grant, snapshot.dataset.name)


def revoke(session: Session, caller: Caller, me: Identity, grant_id: GrantId) -> Given:
    """Take a grant back: no attempt that starts from now on gets the data."""
    grant = find_grant(session, grant_id, caller, lock=True)
    caller.demand(Permission.GRANTS_MANAGE, owner=grant.owner, project=grant.project)
    if grant.revoked_at is None:
        grant.revoked_at = now()
        audit.append(session, caller.id, "grant.revoke", grant.id, project=grant.project)
        for partner in projects.partners(session, grant.project, me.organisation):
            outbox.write(session, partner, GrantRevoked(grant.id))
    return Given(grant, datasets.find(session, grant.dataset).dataset.name)


def find_grant(session: Session, grant_id: GrantId, caller: Caller = LOCAL, *, lock: bool = False) -> Grant:
    """Return a grant that the caller may see. Raises `grant.unknown`."""
    query = select(Grant).where(Grant.id == grant_id)
    query = _seen_by(query.with_for_update() if lock else query, caller)
    grant = session.scalar(query)
    if grant is None:
        raise fault("grant.unknown", f"no grant has the id {grant_id!r}")
    return grant


def find_current(session: Session, dataset: DatasetId, project: ProjectId) -> Grant | None:
    """Return the grant of a dataset to a project that holds or waits for an approval, if there is one."""
    return _current(session, dataset, project, now(), states=("given", "waiting"))


def dataset_of(session: Session, grant: Grant) -> str:
    """Return the name of the dataset that is granted."""
    return datasets.find(session, grant.dataset).dataset.name


def check_terms(session: Session, snapshot: Snapshot, project: ProjectId, terms: Terms) -> Terms:
    """Return terms as they are kept. Raises `grant.columns`, `grant.limit`, `grant.past`, `project.not_member`."""
    _demand_columns(snapshot, terms.columns)
    if not (math.isfinite(terms.disclosure_limit) and terms.disclosure_limit > 0):
        raise fault("grant.limit", f"a disclosure limit of {terms.disclosure_limit} is no positive number")
    until = None if terms.until is None else format_time(parse_time(terms.until))
    if until is not None and until <= now():
        raise fault("grant.past", f"{until} is over already")
    for organisation in terms.clauses.organisations:
        projects.demand_place(session, project, organisation)
    return terms._replace(columns=tuple(dict.fromkeys(terms.columns)), until=until)


def terms_of(session: Session, grant: GrantId) -> list[GrantTerms]:
    """Return the versions of a grant's terms, newest first."""
    query = select(GrantTerms).where(GrantTerms.grant == grant)
    return list(session.scalars(query.order_by(GrantTerms.version.desc())))


def uses_of(session: Session, grant: GrantId, *, after: str = "", limit: int = 100) -> list[GrantUse]:
    """Return the uses of a grant in the order of their jobs' ids, from the job after `after` on."""
    query = select(GrantUse).where(GrantUse.grant == grant, GrantUse.job > after)
    return list(session.scalars(query.order_by(GrantUse.job).limit(limit)))


def resolve(session: Session, directory: Path, dataset: str, project: ProjectId, at: str) -> Use:
    """Return what `project` may use of `dataset` at the moment `at`. `directory` is the node's.

    Raises `dataset.unknown`, `grant.missing` (never given, or revoked) or `grant.over` (its time has passed).
    """
    snapshot = datasets.find(session, dataset)
    grant = _current(session, snapshot.dataset.id, project, at)
    if grant is None:
        raise _not_granted(session, snapshot, project)
    version = snapshot.version
    artefact = Artefact(
        kind="table",
        path=str(directory / version.path),
        sha256=version.sha256,
        rows=version.rows,
        schema=version.schema,
        columns=granted_schema(grant, snapshot).names,
    )
    return Use(grant, snapshot, artefact)


def granted_schema(grant: Grant, snapshot: Snapshot) -> Schema:
    """Return the columns that a grant allows; the id always, since nothing can be aligned without it."""
    schema = snapshot.version.schema
    return schema if grant.columns is None else schema.only(grant.columns)


def list_grants(session: Session, caller: Caller = LOCAL) -> list[tuple[Grant, Snapshot]]:
    """Return one's own grants that the caller may see with their datasets, newest first."""
    query = _seen_by(select(Grant), caller)
    grants = session.scalars(query.order_by(Grant.created_at.desc(), Grant.id))
    return [(grant, datasets.find(session, grant.dataset)) for grant in grants]


def list_current(session: Session, project: ProjectId) -> list[tuple[Grant, Snapshot]]:
    """Return one's own grants to a project that hold now."""
    moment = now()
    own = [(grant, snapshot) for grant, snapshot in list_grants(session) if grant.project == project]
    own = [(g, s) for g, s in own if g.state == "given"]
    return [(g, s) for g, s in own if g.revoked_at is None and (g.until is None or g.until > moment)]


def list_offers(session: Session, project: ProjectId) -> list[Offer]:
    """Return what partners have granted to a project and not taken back."""
    query = select(Offer).where(Offer.project == project, Offer.revoked_at.is_(None))
    moment = now()
    return [
        offer for offer in session.scalars(query.order_by(Offer.dataset)) if not (offer.until and offer.until <= moment)
    ]


def offer_all(session: Session, project: ProjectId, partner: OrganisationId) -> None:
    """Tell a partner that has just joined a project what was granted to it before."""
    for grant, _ in list_current(session, project):
        outbox.write(session, partner, _offer(session, grant))


def record_offer(session: Session, sender: OrganisationId, offer: GrantOffered) -> None:
    """Note a partner's grant to a project. That it has agreed may reach us, by way of the project's owner, later."""
    projects.demand_place(session, offer.project, sender)
    known = session.get(Offer, (offer.grant, sender))
    before = None if known is None else known.version
    if known is None:
        _demand_room(session, sender, offer.project)
    elif offer.version < known.version:
        return
    session.merge(
        Offer(
            grant=offer.grant,
            organisation=sender,
            project=offer.project,
            dataset=offer.dataset,
            schema=offer.schema,
            rows=offer.rows,
            until=offer.until,
            disclosure_limit=offer.disclosure_limit,
            clauses=offer.clauses,
            version=offer.version,
            revoked_at=None if known is None else known.revoked_at,
        )
    )
    if known is None or before != offer.version:
        details = {"dataset": offer.dataset, "project": offer.project, "version": offer.version}
        audit.append(session, sender, "grant.offered", offer.grant, **details)


def _demand_room(session: Session, sender: OrganisationId, project: ProjectId) -> None:
    """Raise when a partner has told of too many grants; those taken back count, since their rows stay."""
    query = select(func.count()).where(Offer.organisation == sender, Offer.project == project)
    if (session.scalar(query) or 0) >= MOST_OFFERS:
        raise fault("grant.too_many", f"{sender} has told of {MOST_OFFERS} grants to project {project}")


def record_revocation(session: Session, sender: OrganisationId, grant: GrantId) -> None:
    """Note that a partner has taken a grant back."""
    revoked = update(Offer).where(Offer.grant == grant, Offer.organisation == sender, Offer.revoked_at.is_(None))
    if session.execute(revoked.values(revoked_at=now())).rowcount:  # type: ignore[attr-defined]  # CursorResult
        audit.append(session, sender, "grant.revoked", grant)


def _seen_by(query: Select[Grant], caller: Caller) -> Select[Grant]:
    return visible(query, caller, Permission.GRANTS_READ, owner=Grant.owner, project=Grant.project)


def _columns_of(terms: Terms) -> dict[str, Any]:
    """Return checked terms as the columns of a row."""
    return {
        "columns": tuple(terms.columns) or None,
        "until": terms.until,
        "disclosure_limit": terms.disclosure_limit,
        "clauses": terms.clauses,
    }


def _note_terms(session: Session, grant: Grant, actor: str) -> None:
    terms = Terms(grant.columns or (), grant.until, grant.disclosure_limit, grant.clauses)
    session.add(GrantTerms(grant=grant.id, version=grant.version, at=now(), actor=actor[:64], **_columns_of(terms)))
    session.flush()


def _told(snapshot: Snapshot, grant: Grant) -> dict[str, Any]:
    return {
        "dataset": snapshot.dataset.name,
        "project": grant.project,
        "columns": list(grant.columns or ()),
        "until": grant.until,
        "disclosure_limit": grant.disclosure_limit,
        "clauses": msgspec.to_builtins(grant.clauses),
    }


def _tell(session: Session, me: Identity, grant: Grant) -> None:
    for partner in projects.partners(session, grant.project, me.organisation):
        outbox.write(session, partner, _offer(session, grant))


def forget_offers(session: Session, project: ProjectId, partner: OrganisationId | None) -> None:
    """Forget what a partner (None: each) has granted to a project in which it or this organisation is no longer."""
    gone = delete(Offer).where(Offer.project == project)
    session.execute(gone if partner is None else gone.where(Offer.organisation == partner))


def _current(
    session: Session, dataset: DatasetId, project: ProjectId, at: str, states: Sequence[str] = ("given",)
) -> Grant | None:
    query = select(Grant).where(Grant.dataset == dataset, Grant.project == project, Grant.revoked_at.is_(None))
    query = query.where(Grant.state.in_(states))
    return session.scalar(query.where(Grant.until.is_(None) | (Grant.until > at)).limit(1))


def _not_granted(session: Session, snapshot: Snapshot, project: ProjectId) -> Exception:
    name = snapshot.dataset.name
    query = select(Grant.until).where(Grant.dataset == snapshot.dataset.id, Grant.project == project)
    given = query.where(Grant.revoked_at.is_(None), Grant.state == "given")
    over = session.scalar(given.order_by(Grant.until.desc()).limit(1))
    if over is not None:
        return fault("grant.over", f"the grant of {name!r} to this project ended at {over}")
    return fault("grant.missing", f"{name!r} is not granted to this project")


def _demand_columns(snapshot: Snapshot, columns: Sequence[str]) -> None:
    absent = sorted(set(columns) - set(snapshot.version.schema.names))
    if absent:
        raise fault("grant.columns", f"{snapshot.dataset.name!r} has no column {', '.join(absent[:8])}")


def _offer(session: Session, grant: Grant) -> GrantOffered:
    snapshot = datasets.find(session, grant.dataset)
    return GrantOffered(
        grant.id,
        grant.project,
        snapshot.dataset.name,
        granted_schema(grant, snapshot),
        snapshot.version.rows,
        grant.until,
        grant.disclosure_limit,
        grant.clauses,
        grant.version,
    )
