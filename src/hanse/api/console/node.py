"""This node."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import select

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.nodes.certificates import CERTIFICATES_BYTES, show
from hanse.control.nodes.identity import Identity
from hanse.control.nodes.renewal import Papers, Renewal
from hanse.control.organisations import service as organisations

router = APIRouter(tags=["node"])

Operator = Annotated[Caller, needs(Permission.NODE_OPERATE)]
Renewing = Annotated[Renewal, part(Renewal)]


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


class CertificateView(BaseModel):
    """The certificate that partners see. `renews_itself`: the organisation's root key is on this node.

    `is_asked`: a request is under way, whose certificate can be installed.
    """

    since: str = Field(examples=["2026-11-24T08:00:00.000Z"])
    until: str = Field(examples=["2028-11-23T08:00:00.000Z"])
    serial: str
    renews_itself: bool
    is_asked: bool


class CertificateRequestView(BaseModel):
    """`request` (PKCS#10, PEM) holds no secret: the organisation's authority signs it."""

    request: str


class CertificateAsked(Asked):
    """`certificate` (PEM): the node's, alone or with the organisation's root behind it."""

    certificate: str = Field(min_length=1, max_length=CERTIFICATES_BYTES)


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


@router.get("/node/certificate", operation_id="get_certificate", dependencies=[needs(Permission.MEMBERS_READ)])
def get_certificate(renewal: Renewing) -> CertificateView:
    """Say which certificate the node shows to partners, and until when it holds."""
    return _view_papers(renewal.papers())


@router.post("/node/certificate/request", operation_id="request_certificate")
async def request_certificate(caller: Operator, renewal: Renewing) -> CertificateRequestView:
    """Ask for the node's next certificate: a file for the organisation's authority. Its key stays on the node."""
    return CertificateRequestView(request=await renewal.ask(caller))


@router.put("/node/certificate", operation_id="install_certificate")
async def install_certificate(caller: Operator, asked: CertificateAsked, renewal: Renewing) -> CertificateView:
    """Use the certificate that the authority made of the request. Open sessions go on."""
    return _view_papers(await renewal.install(caller, asked.certificate))


@router.post("/node/certificate/renew", operation_id="renew_certificate")
async def renew_certificate(caller: Operator, renewal: Renewing) -> CertificateView:
    """Make a new certificate with a new key at once, where the organisation's root key is on the node."""
    return _view_papers(await renewal.renew(caller))


def _view_papers(papers: Papers) -> CertificateView:
    return CertificateView(
        since=papers.since,
        until=papers.until,
        serial=papers.serial,
        renews_itself=papers.has_root_key,
        is_asked=papers.is_asked,
    )
