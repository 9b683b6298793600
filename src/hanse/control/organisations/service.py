"""Members: who they are, and whether they may speak."""

import hmac
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller
from hanse.control.audit import service as audit
from hanse.control.nodes.certificates import (
    Certificate,
    organisation_id,
    organisation_name,
    pair_fingerprint,
    read_fingerprint,
    show,
    to_pem,
)
from hanse.control.organisations.tables import Member, MemberState, Revocation
from hanse.core.faults import fault
from hanse.core.federation_messages import Profile
from hanse.core.ids import JobId, OrganisationId
from hanse.core.times import now


def admit(session: Session, own: Certificate, root: Certificate, address: str, state: MemberState) -> Member:
    """Note an organisation that has shown itself, as `pending` or `awaiting`; said again, only its address changes.

    Raises `member.self` for our own root and `member.name_taken` when another member goes by its name: pipelines name
    organisations, so that a name must mean one.
    """
    organisation, name = organisation_id(root), organisation_name(root)
    if organisation == organisation_id(own):
        raise fault("member.self", "the invitation is this organisation's own")
    member = session.get(Member, organisation)
    if member is not None:
        member.address = address
        if member.state == "revoked":  # whoever is let in again goes through all of the pairing again
            member.state, member.paired_at = state, now()
        elif {member.state, state} == {"pending", "awaiting"}:  # each has accepted the other's invitation
            member.state = "active"
            audit.append(session, audit.NODE, "member.confirmed", organisation, name=member.name)
        return member
    if name == organisation_name(own):
        raise fault("member.name_taken", f"both organisations are called {name!r}")
    _forget_unconfirmed(session, name)
    if session.scalar(select(Member).where(Member.name == name)) is not None:
        raise fault("member.name_taken", f"another member is already called {name!r}")
    member = Member(
        organisation=organisation,
        name=name,
        root_pem=to_pem(root),
        address=address,
        state=state,
        pair_fingerprint=pair_fingerprint(own, root),
        paired_at=now(),
    )
    session.add(member)
    session.flush()
    return member


def _forget_unconfirmed(session: Session, name: str) -> None:
    """A partner that never got beyond pairing, or was revoked, and comes with new keys takes its own place."""
    session.execute(delete(Member).where(Member.name == name, Member.state.in_(("pending", "awaiting", "revoked"))))


def confirm(session: Session, caller: Caller, organisation: OrganisationId, fingerprint: str) -> Member:
    """Make a pending member active, once the administrator has given the fingerprint that both sides see."""
    member = find(session, organisation)
    demand_fingerprint(member.pair_fingerprint, fingerprint)
    if member.state != "pending":
        raise fault("member.state", f"{member.name} is {member.state}, there is nothing to confirm")
    member.state = "active"
    audit.append(session, caller.id, "member.confirm", organisation, name=member.name)
    return member


def demand_fingerprint(expected: str, given: str) -> None:
    """Raise `fingerprint.differs` unless the administrator gave what both sides see."""
    if not hmac.compare_digest(expected, read_fingerprint(given)):
        raise fault("fingerprint.differs", f"this side sees {show(expected)}")


def record_confirmation(session: Session, organisation: OrganisationId) -> Member:
    """Note that the inviter's administrator has confirmed us: an awaiting member becomes active."""
    member = find(session, organisation)
    if member.state == "awaiting":
        member.state = "active"
        audit.append(session, organisation, "member.confirmed", organisation, name=member.name)
    return member


def suspend(session: Session, caller: Caller, organisation: OrganisationId, jobs: Sequence[JobId] = ()) -> Member:
    """Stop listening to a member, at once and until resumed. `jobs` are those that were ended for it."""
    return _switch(session, caller, organisation, ("active", "suspended"), "member.suspend", jobs=list(jobs))


def resume(session: Session, caller: Caller, organisation: OrganisationId) -> Member:
    """Listen to a suspended member again."""
    return _switch(session, caller, organisation, ("suspended", "active"), "member.resume")


def revoke(
    session: Session, caller: Caller, organisation: OrganisationId, reason: str, jobs: Sequence[JobId] = ()
) -> Member:
    """Trust a member's root no longer, for good: only a new pairing, confirmed again, lets it in."""
    member = find(session, organisation)
    if member.state == "revoked":
        return member
    member.state = "revoked"
    told = {"name": member.name, "reason": reason}
    session.add(Revocation(organisation=organisation, revoked_by=caller.id, revoked_at=now(), **told))
    audit.append(session, caller.id, "member.revoke", organisation, jobs=list(jobs), **told)
    return member


def list_revocations(session: Session) -> list[Revocation]:
    """Return all revocations, newest first."""
    return list(session.scalars(select(Revocation).order_by(Revocation.number.desc())))


def note_profile(session: Session, organisation: OrganisationId, told: Profile) -> bool:
    """Note what a member says of itself; return whether that is news. A new address is where it is dialled next."""
    member = find(session, organisation)
    said = {"release": told.release, "region": told.region, "contact": told.contact, "pool": told.pool}
    changed = {name: value for name, value in said.items() if getattr(member, name) != value}
    if told.address and told.address != member.address:
        changed["address"] = told.address
    for name, value in changed.items():
        setattr(member, name, value)
    if changed or not member.told_at:
        member.told_at = now()
        audit.append(session, organisation, "member.profile", organisation, **changed)
    return bool(changed)


def _switch(
    session: Session,
    caller: Caller,
    organisation: OrganisationId,
    step: tuple[MemberState, MemberState],
    action: str,
    **details: Any,
) -> Member:
    before, after = step
    member = find(session, organisation)
    if member.state == after:
        return member
    if member.state != before:
        raise fault("member.state", f"{member.name} is {member.state}, not {before}")
    member.state = after
    audit.append(session, caller.id, action, organisation, name=member.name, **details)
    return member


def find(session: Session, organisation: OrganisationId) -> Member:
    """Return a member by its id. Raises `member.unknown`."""
    member = session.get(Member, organisation)
    if member is None:
        raise fault("member.unknown", f"no member has the id {organisation}")
    return member


def is_new(session: Session, organisation: OrganisationId) -> bool:
    """Say whether this organisation has never come here, or not since it was revoked."""
    member = session.get(Member, organisation)
    return member is None or member.state == "revoked"


def find_named(session: Session, name: str) -> Member:
    """Return a member by its name (or its id). Raises `member.unknown`."""
    member = session.scalar(select(Member).where((Member.name == name) | (Member.organisation == name)))
    if member is None:
        raise fault("member.unknown", f"no member is called {name!r}")
    return member


def demand_active(session: Session, organisation: OrganisationId) -> Member:
    """Return a member that may speak and be spoken to. Raises `member.unknown` or `member.state`."""
    member = find(session, organisation)
    if member.state != "active":
        raise fault("member.state", f"{member.name} is {member.state}")
    return member


def list_members(session: Session) -> list[Member]:
    """Return all members by name."""
    return list(session.scalars(select(Member).order_by(Member.name)))
