"""This node."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import select

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.nodes.certificates import show
from hanse.control.nodes.identity import Identity
from hanse.control.organisations import service as organisations

router = APIRouter(tags=["node"])


@dataclass(frozen=True)
class NodeFacts:
    """What the node says of itself; `has_planner` whether its planner answers now."""

    name: str
    release: str
    party_address: str
    has_planner: Callable[[], bool]


class NodeView(BaseModel):
    organisation: str
    organisation_id: str
    node: str
    version: str
    fingerprint: str
    party_address: str
    planner: bool
    members: int


class HealthView(BaseModel):
    """`up`: the node answers and can read its database."""

    state: Literal["up"]


@router.get("/health", operation_id="get_health")
def get_health(database: Annotated[Database, part(Database)]) -> HealthView:
    """Say that the node answers; for whatever watches it, without a token."""
    with database.read() as session:
        session.execute(select(1))
    return HealthView(state="up")


@router.get("/node", operation_id="get_node", dependencies=[needs(Permission.MEMBERS_READ)])
def get_node(
    facts: Annotated[NodeFacts, part(NodeFacts)],
    identity: Annotated[Identity, part(Identity)],
    database: Annotated[Database, part(Database)],
) -> NodeView:
    """Say who this node is; `fingerprint` is its organisation's, eight groups of four."""
    with database.read() as session:
        members = organisations.list_members(session)
    return NodeView(
        organisation=identity.name,
        organisation_id=identity.organisation,
        node=facts.name,
        version=facts.release,
        fingerprint=show(identity.organisation),
        party_address=facts.party_address,
        planner=facts.has_planner(),
        members=sum(member.state == "active" for member in members),
    )
