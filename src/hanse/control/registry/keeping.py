"""This node as a registry: whom it lists, what it hands on, whom it introduces."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.audit import service as audit
from hanse.control.nodes.certificates import Certificate, organisation_id, organisation_name, to_pem
from hanse.control.nodes.identity import Identity
from hanse.control.organisations import service as organisations
from hanse.control.organisations.tables import Member
from hanse.control.outbox import service as outbox
from hanse.control.registry.entries import open_entry, vouch
from hanse.control.registry.tables import Register, RegisterEntry, RegisterProposal
from hanse.core.faults import fault
from hanse.core.ids import OrganisationId
from hanse.core.registry_messages import (
    MOST_LISTINGS,
    EntryPublished,
    EntryWithdrawn,
    Listing,
    PairingForwarded,
    PairingProposed,
    RegisterAsked,
    RegisterPage,
    SignedEntry,
)
from hanse.core.times import later, now

PAGE_BYTES = 512 << 10
AGAIN_S = 3600.0
DAY_S = 24 * 3600.0
MOST_PROPOSALS = 100
"""Of one member in a day."""

MOST_ENTRIES = 100_000


def is_open(session: Session) -> bool:
    """Say whether this node is a registry now."""
    register = session.get(Register, 1)
    return register is not None and register.is_open


def switch(session: Session, caller: Caller, *, opened: bool) -> bool:
    """Make this node a registry, or one no longer: then nobody reads it, and what it lists stays for later."""
    if is_open(session) == opened:
        return opened
    register = session.get(Register, 1)
    if register is None:
        register = Register(id=1)
        session.add(register)
    register.is_open, register.changed_at = opened, now()
    audit.append(session, caller.id, "registry.open" if opened else "registry.close", "register")
    session.flush()
    return opened


def list_entries(session: Session, *, after: str = "", limit: int = 1000) -> list[RegisterEntry]:
    """Return whom this registry lists, by id."""
    query = select(RegisterEntry).where(RegisterEntry.organisation > after)
    return list(session.scalars(query.order_by(RegisterEntry.organisation).limit(limit)))


def add_outsider(session: Session, caller: Caller, me: Identity, root: Certificate, address: str) -> RegisterEntry:
    """List an organisation that is no member of this registry, its fingerprint having been compared by people.

    Raises `member.self`, `registry.listed` for one that has signed an entry of its own.
    """
    organisation = organisation_id(root)
    if organisation == me.organisation:
        raise fault("member.self", "this organisation is the registry")
    row = session.get(RegisterEntry, organisation)
    if row is not None and row.sides == "both":
        raise fault("registry.listed", f"{row.name} is listed with its own words")
    _demand_room(session)
    row = row or RegisterEntry(organisation=organisation)
    row.name, row.root_pem, row.address, row.sides = organisation_name(root), to_pem(root), address, "one"
    row.entry, row.chain, row.signature, row.serial, row.listed_at = b"", "", "", 0, now()
    session.add(row)
    audit.append(session, caller.id, "registry.list", organisation, name=row.name, address=address)
    session.flush()
    return row


def strike(session: Session, caller: Caller, organisation: str) -> RegisterEntry:
    """Take somebody from the list. Raises `registry.unlisted`."""
    row = _find_entry(session, organisation)
    session.delete(row)
    audit.append(session, caller.id, "registry.strike", row.organisation, name=row.name)
    return row


def record_entry(session: Session, me: OrganisationId, sender: OrganisationId, said: EntryPublished) -> None:
    """List what a member says of itself, unless something newer of it is listed. Raises `registry.*`."""
    _demand_open(session)
    entry, root = open_entry(said.signed, me)
    if entry.organisation != sender:
        raise fault("registry.entry", "it is of another organisation than the one that sends it")
    row = session.get(RegisterEntry, sender)
    if row is not None and row.serial >= entry.serial:
        return
    if row is None:
        _demand_room(session)
        row = RegisterEntry(organisation=sender)
    signed = said.signed
    row.name, row.root_pem, row.address, row.sides = entry.name, to_pem(root), entry.address, "both"
    row.entry, row.chain, row.signature = signed.entry, signed.chain, signed.signature
    row.serial, row.listed_at = entry.serial, now()
    session.add(row)
    told = {"projects": len(entry.projects), "datasets": len(entry.datasets), "serial": entry.serial}
    audit.append(session, sender, "registry.entry", sender, **told)


def forget_entry(session: Session, _: OrganisationId, sender: OrganisationId, __: EntryWithdrawn) -> None:
    """Take a member from the list that wants to be there no longer."""
    row = session.get(RegisterEntry, sender)
    if row is not None and row.sides == "both":
        session.delete(row)
        audit.append(session, sender, "registry.withdrawn", sender)


def read_page(session: Session, me: Identity, asked: RegisterAsked) -> RegisterPage:
    """Return the part of the list after an id, each listing signed: active members, and outsiders."""
    _demand_open(session)
    query = (
        select(RegisterEntry)
        .outerjoin(Member, Member.organisation == RegisterEntry.organisation)
        .where(RegisterEntry.organisation > asked.after)
        .where((RegisterEntry.sides == "one") | (Member.state == "active"))
    )
    rows = list(session.scalars(query.order_by(RegisterEntry.organisation).limit(MOST_LISTINGS + 1)))
    as_of, found, size = now(), list[Listing](), 0
    for row in rows[:MOST_LISTINGS]:
        size += len(row.entry) + len(row.chain) + len(row.root_pem)
        if found and size > PAGE_BYTES:
            break
        found.append(vouch(me, _list(row, as_of)))
    return RegisterPage(me.chain_pem, tuple(found), more=len(found) < len(rows))


def forward(session: Session, _: OrganisationId, sender: OrganisationId, said: PairingProposed) -> None:
    """Tell a member that another wants to be paired with it: once an hour at most.

    Raises `registry.closed`, `registry.unlisted`, `registry.too_many`.
    """
    _demand_open(session)
    proposer, target = _find_entry(session, sender), _find_entry(session, said.organisation)
    if "one" in (proposer.sides, target.sides):
        raise fault("registry.unlisted", "both have to be members of this registry")
    organisations.demand_active(session, target.organisation)
    row = session.get(RegisterProposal, (sender, said.organisation))
    if row is not None and row.at > later(-AGAIN_S):
        return
    of_sender = select(func.count()).select_from(RegisterProposal).where(RegisterProposal.proposer == sender)
    if (session.scalar(of_sender.where(RegisterProposal.at > later(-DAY_S))) or 0) >= MOST_PROPOSALS:
        raise fault("registry.too_many", f"{MOST_PROPOSALS} proposals in a day")
    row = row or RegisterProposal(proposer=sender, target=said.organisation)
    row.at = now()
    session.add(row)
    audit.append(session, sender, "registry.forward", target.organisation, proposer=proposer.name)
    signed = SignedEntry(proposer.entry, proposer.chain, proposer.signature)
    outbox.write(session, target.organisation, PairingForwarded(signed))


def _list(row: RegisterEntry, as_of: str) -> Listing:
    signed = SignedEntry(row.entry, row.chain, row.signature) if row.sides == "both" else None
    return Listing(row.organisation, row.name, row.root_pem, row.address, row.sides, as_of, signed)


def _find_entry(session: Session, organisation: str) -> RegisterEntry:
    row = session.get(RegisterEntry, organisation)
    if row is None:
        raise fault("registry.unlisted", f"this registry does not list {organisation}")
    return row


def _demand_open(session: Session) -> None:
    if not is_open(session):
        raise fault("registry.closed", "this node is no registry")


def _demand_room(session: Session) -> None:
    if (session.scalar(select(func.count()).select_from(RegisterEntry)) or 0) >= MOST_ENTRIES:
        raise fault("registry.too_many", f"{MOST_ENTRIES} organisations are listed")
