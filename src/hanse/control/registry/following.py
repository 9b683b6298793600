"""Registries of others: what this organisation shows there, whom it finds there, and being introduced through them."""

import hashlib
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
from cryptography import x509
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.datasets import service as datasets
from hanse.control.datasets.service import Snapshot
from hanse.control.grants import service as grants
from hanse.control.nodes.certificates import pair_fingerprint, read_root
from hanse.control.nodes.identity import Identity
from hanse.control.organisations import service as organisations
from hanse.control.organisations.membership import tell_joined
from hanse.control.organisations.tables import Member
from hanse.control.outbox import service as outbox
from hanse.control.projects import service as projects
from hanse.control.registry.entries import check_listing, open_entry, sign_entry
from hanse.control.registry.tables import Registry, RegistryListing
from hanse.core.faults import HanseError, fault
from hanse.core.federation_messages import Profile
from hanse.core.ids import DatasetId, OrganisationId, ProjectId
from hanse.core.registry_messages import (
    ENTRY_BYTES,
    MOST_SHOWN,
    Entry,
    EntryPublished,
    EntryWithdrawn,
    Listing,
    PairingForwarded,
    PairingProposed,
    RegisterPage,
    ShownDataset,
    ShownProject,
)
from hanse.core.times import later, now
from hanse.core.words import flatten

RENEW_S = 30 * 24 * 3600.0
"""An entry is signed anew after this long, also when nothing has changed: the certificate under it may have."""

MOST_PENDING = 64
"""How many organisations wait to be confirmed before registries may introduce no more."""


class Shown(NamedTuple):
    """What is to be shown at a registry: names or ids of projects and datasets."""

    projects: Sequence[str] = ()
    datasets: Sequence[str] = ()


def follow(session: Session, caller: Caller, me: Identity, profile: Profile, name: str, shown: Shown) -> Registry:
    """Read a member's registry from now on, and show oneself there with these projects and datasets and no others.

    Said again, what is shown changes. Raises `member.*`, `project.*`, `dataset.unknown`, `registry.too_many`.
    """
    member = organisations.demand_active(session, organisations.find_named(session, name).organisation)
    if max(len(shown.projects), len(shown.datasets)) > MOST_SHOWN:
        raise fault("registry.too_many", f"at most {MOST_SHOWN} projects and {MOST_SHOWN} datasets are shown")
    wanted = dict.fromkeys(_own_project(session, caller, me, one) for one in shown.projects)
    offered = dict.fromkeys(datasets.find_for(session, caller, one, change=True).dataset.id for one in shown.datasets)
    row = session.get(Registry, member.organisation)
    if row is None:
        row = Registry(organisation=member.organisation, serial=0, told="", told_at="", read_at="", trouble="")
        session.add(row)
    row.projects, row.datasets = tuple(wanted), tuple(offered)
    session.flush()
    told = {"name": member.name, "projects": list(wanted), "datasets": list(offered)}
    audit.append(session, caller.id, "registry.follow", row.organisation, **told)
    publish(session, me, profile, row)
    return row


def leave(session: Session, caller: Caller, name: str) -> None:
    """Show nothing at a registry any more and forget what was read there. Raises `registry.unknown`."""
    row = find(session, name)
    if is_heard(session, row):
        outbox.write(session, row.organisation, EntryWithdrawn())
    session.execute(delete(RegistryListing).where(RegistryListing.listed_by == row.organisation))
    session.delete(row)
    audit.append(session, caller.id, "registry.leave", row.organisation)


def publish(session: Session, me: Identity, profile: Profile, row: Registry) -> bool:
    """Send the registry what is to be shown, if that is news to it or a month old; return whether it was."""
    entry = _compose(session, me, profile, row)
    digest = hashlib.sha256(msgspec.msgpack.encode(entry)).hexdigest()
    if digest == row.told and row.told_at > later(-RENEW_S):
        return False
    row.serial = max(row.serial + 1, time.time_ns() // 1_000_000)  # grows also when the database was lost
    row.told, row.told_at = digest, now()
    signed = sign_entry(me, msgspec.structs.replace(entry, serial=row.serial, written_at=row.told_at))
    if len(signed.entry) > ENTRY_BYTES:
        raise fault("registry.too_many", f"what is shown has {len(signed.entry)} bytes; the cap is {ENTRY_BYTES}")
    outbox.write(session, row.organisation, EntryPublished(signed))
    return True


def list_registries(session: Session) -> list[Registry]:
    """Return the registries that this organisation reads, by id."""
    return list(session.scalars(select(Registry).order_by(Registry.organisation)))


def is_heard(session: Session, row: Registry) -> bool:
    """Say whether the registry is an active member: to others nothing is told, and nothing is read there."""
    member = session.get(Member, row.organisation)
    return member is not None and member.state == "active"


def find(session: Session, name: str) -> Registry:
    """Return a registry by its organisation's id or name. Raises `registry.unknown`."""
    member = session.scalar(select(Member).where((Member.organisation == name) | (Member.name == name)))
    row = session.get(Registry, name if member is None else member.organisation)
    if row is None:
        raise fault("registry.unknown", f"this node reads no registry of {name!r}")
    return row


def take_page(session: Session, me: Identity, registry: Member, page: RegisterPage) -> tuple[list[str], list[str]]:
    """Note the listings of a page; return the ids that were taken, and why others were not."""
    root, taken, refused = read_root(registry.root_pem), list[str](), list[str]()
    for listing in page.listings:
        if listing.organisation == me.organisation:
            continue
        try:
            entry = check_listing(listing, page.chain, root)
        except HanseError as error:
            refused.append(f"{listing.organisation}: {error.fault.cause}")
        else:
            _note(session, registry.organisation, listing, entry)
            taken.append(listing.organisation)
    return taken, refused


def finish(session: Session, row: Registry, taken: Iterable[str], trouble: str) -> None:
    """Note that a registry was read to its end (or what kept it from being): who is listed no longer is forgotten."""
    row.trouble = trouble
    if trouble:
        return
    row.read_at = now()
    seen = set(taken)
    for listing in session.scalars(select(RegistryListing).where(RegistryListing.listed_by == row.organisation)):
        if listing.organisation not in seen:
            session.delete(listing)


def list_listings(
    session: Session, registry: OrganisationId, *, after: str = "", limit: int = 1000
) -> list[RegistryListing]:
    """Return whom a registry lists, by id."""
    query = select(RegistryListing).where(RegistryListing.listed_by == registry, RegistryListing.organisation > after)
    return list(session.scalars(query.order_by(RegistryListing.organisation).limit(limit)))


def find_listing(session: Session, registry: OrganisationId, organisation: str) -> RegistryListing:
    """Return an organisation of a registry by id or name. Raises `registry.unlisted`, `registry.ambiguous`."""
    named = (RegistryListing.organisation == organisation) | (RegistryListing.name == organisation)
    found = list(session.scalars(select(RegistryListing).where(RegistryListing.listed_by == registry, named).limit(2)))
    if not found:
        raise fault("registry.unlisted", f"the registry did not list {organisation} when last read")
    if len(found) > 1:
        raise fault("registry.ambiguous", f"the registry lists two that are called {organisation}")
    return found[0]


def authorised(session: Session, row: Registry) -> set[ProjectId]:
    """Return the projects that stand on both sides: their owner shows them at this registry, and another does.

    A project that one alone shows is that one's word.
    """
    shown: dict[ProjectId, set[OrganisationId]] = {}
    owners: dict[ProjectId, OrganisationId] = {}
    for listing in list_listings(session, row.organisation, limit=1 << 20):
        for project in listing.projects:
            shown.setdefault(project.project, set()).add(listing.organisation)
            if project.owner == listing.organisation:
                owners[project.project] = project.owner
    for own in row.projects:
        found = projects.find(session, own)
        shown.setdefault(found.id, set()).add(OrganisationId(""))  # this organisation
        owners.setdefault(found.id, found.owner)
    return {project for project, by in shown.items() if len(by) > 1 and project in owners}


def propose(
    session: Session, caller: Caller, me: Identity, row: Registry, listing: RegistryListing, fingerprint: str
) -> Member:
    """Accept a listed organisation's root, the fingerprint of the pair having been compared, and ask to be paired.

    The member is `awaiting` until its people have confirmed as well. Raises `fingerprint.*`, `member.*`.
    """
    root = read_root(listing.root_pem)
    organisations.demand_fingerprint(pair_fingerprint(me.root, root), fingerprint)
    before = session.get(Member, listing.organisation)
    if before is not None and before.state in ("active", "suspended"):
        raise fault("member.state", f"{before.name} is {before.state} already")
    member = organisations.admit(session, me.root, root, listing.address, "awaiting")
    audit.append(session, caller.id, "member.propose", member.organisation, name=member.name, registry=row.organisation)
    outbox.write(session, row.organisation, PairingProposed(member.organisation))
    session.flush()
    return member


def record_forwarded(session: Session, me: Identity, sender: OrganisationId, said: PairingForwarded) -> None:
    """Note that a registry introduces an organisation: it waits here until an administrator confirms it.

    Raises `registry.unknown` for a registry that is not read here, `registry.entry`, `registry.too_many`, `member.*`.
    """
    find(session, sender)
    entry, root = open_entry(said.signed, sender)
    before = session.get(Member, entry.organisation)
    if before is not None and before.state in ("pending", "active", "suspended"):
        return
    if before is not None and before.state == "revoked":
        raise fault("member.state", f"{entry.name} was revoked here: it comes back by an invitation only")
    if before is None:
        _demand_new(session, entry)
    member = organisations.admit(session, me.root, root, entry.address, "pending")
    told = {"name": member.name, "address": member.address, "registry": sender}
    audit.append(session, sender, "member.introduced", member.organisation, **told)
    if member.state == "pending":
        tell_joined(session, member)


def _demand_new(session: Session, entry: Entry) -> None:
    """Nobody takes the place of another member by the word of a registry, and only so many wait."""
    if session.scalar(select(Member).where(Member.name == entry.name)) is not None:
        raise fault("member.name_taken", f"another member is already called {entry.name!r}")
    waiting = select(func.count()).select_from(Member).where(Member.state == "pending")
    if (session.scalar(waiting) or 0) >= MOST_PENDING:
        raise fault("registry.too_many", f"{MOST_PENDING} organisations wait to be confirmed")


def _own_project(session: Session, caller: Caller, me: Identity, name: str) -> ProjectId:
    project = projects.find_visible(session, caller, name)
    caller.demand(Permission.PROJECTS_MANAGE, project=project.id)
    projects.demand_member(session, project.id, me.organisation)
    return project.id


def _compose(session: Session, me: Identity, profile: Profile, row: Registry) -> Entry:
    """Return what this organisation says of itself there, but for number and time."""
    listed = {project.id: project for project in projects.list_all(session) if project.id in row.projects}
    shown = [
        ShownProject(project.id, project.name, project.owner)
        for project in listed.values()
        if projects.demand_place(session, project.id, me.organisation).state == "accepted"
    ]
    granted: dict[DatasetId, list[ProjectId]] = {}
    for project in shown:
        for grant, _ in grants.list_current(session, project.project):
            granted.setdefault(grant.dataset, []).append(project.project)
    found = [one for one in datasets.list_datasets(session, limit=1 << 20) if one.dataset.id in row.datasets]
    return Entry(
        row.organisation,
        me.organisation,
        me.name,
        profile.address,
        profile.region,
        profile.contact,
        tuple(sorted(shown, key=lambda one: one.project)),
        tuple(_show(one, sorted(granted.get(one.dataset.id, ()))) for one in found),
        1,
        "1970-01-01T00:00:00.000Z",
    )


def _show(found: Snapshot, projects_: Sequence[ProjectId]) -> ShownDataset:
    rows = found.version.rows
    magnitude = 10 ** (len(str(rows)) - 1) if rows else 0
    names = tuple(found.version.schema.names)[:1000]
    return ShownDataset(
        found.dataset.name, flatten(found.dataset.description)[:1000], names, magnitude, tuple(projects_)
    )


def _note(session: Session, registry: OrganisationId, listing: Listing, entry: Entry | None) -> None:
    row = session.get(RegistryListing, (registry, listing.organisation))
    if row is None:
        row = RegistryListing(listed_by=registry, organisation=listing.organisation)
    row.name, row.root_pem, row.address, row.sides = listing.name, listing.root, listing.address, listing.sides
    row.region, row.contact = (entry.region, entry.contact) if entry else ("", "")
    row.projects, row.datasets = (entry.projects, entry.datasets) if entry else ((), ())
    row.as_of, row.vouch = listing.as_of, listing.vouch
    session.add(row)


def root_of(listing: RegistryListing) -> x509.Certificate:
    """Return the root that a registry has vouched for."""
    return read_root(listing.root_pem)
