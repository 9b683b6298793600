"""Roles, and parties: a node in a role in one job."""

from typing import Literal, NewType, get_args

Role = Literal["guest", "host", "arbiter"]
ROLES: tuple[Role, ...] = get_args(Role)

PartyId = NewType("PartyId", str)
"""`guest`, `arbiter`, `host-1`, `host-2` …: hosts are numbered in the job's order."""

GUEST = PartyId("guest")


def role_of(party: PartyId) -> Role:
    """Return the role of a party. Raises ValueError for a name that is no party."""
    role, _, number = party.partition("-")
    numbered = number.isascii() and number.isdigit() and not number.startswith("0")
    if role not in ROLES or (role == "host") != numbered or (role != "host" and party != role):
        raise ValueError(f"{party!r} is no party: expected guest, arbiter or host-1, host-2, …")
    return role


def host(number: int) -> PartyId:
    """Return the party of the n-th host, counted from 1."""
    return PartyId(f"host-{number}")
