"""Registries: this node as one, and those in which it reads and is read."""

from collections.abc import Collection
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.nodes.certificates import pair_fingerprint, show
from hanse.control.nodes.identity import Identity
from hanse.control.organisations import service as organisations
from hanse.control.organisations.tables import Member
from hanse.control.outbox.courier import Courier
from hanse.control.registry import following, keeping
from hanse.control.registry.desk import RegistryDesk
from hanse.control.registry.following import Shown, root_of
from hanse.control.registry.tables import RegisterEntry, Registry, RegistryListing
from hanse.core import threads
from hanse.core.ids import OrganisationId, ProjectId

router = APIRouter(tags=["registries"])

READ = needs(Permission.MEMBERS_READ)
Manager = Annotated[Caller, needs(Permission.MEMBERS_MANAGE)]
Storage = Annotated[Database, part(Database)]
Me = Annotated[Identity, part(Identity)]
Desk = Annotated[RegistryDesk, part(RegistryDesk)]
Post = Annotated[Courier, part(Courier)]
Limit = Annotated[int, Query(ge=1, le=1000)]
After = Annotated[str, Query(max_length=32)]
Name = Annotated[str, Field(min_length=1, max_length=64)]

Standing = Literal["none", "pending", "awaiting", "active", "suspended", "revoked"]


class RegisterView(BaseModel):
    """Whether this node is a registry for the members of its organisation."""

    is_open: bool


class RegisterChange(Asked):
    is_open: bool


class EntryView(BaseModel):
    """Whom this registry lists. `sides`: `both` has signed its entry as a member, `one` is the registry's word."""

    organisation: str
    organisation_id: str
    address: str
    sides: Literal["both", "one"]
    listed_at: str


class OutsiderAsked(Asked):
    """`fingerprint` is the organisation's, as its people read it to the registry's."""

    address: str = Field(min_length=1, max_length=255, examples=["node.clinic.example:9443"])
    fingerprint: str = Field(max_length=64)


class RegistryAsked(Asked):
    """`registry`: a member. `projects` and `datasets`: what is to be shown there, and nothing else."""

    registry: Name = Field(examples=["exchange"])
    projects: list[Name] = Field(default=[], max_length=200, examples=[["credit"]])
    datasets: list[Name] = Field(default=[], max_length=200, examples=[["customers"]])


class RegistryView(BaseModel):
    """A registry that this node reads. `trouble`: the code of why the last reading failed."""

    registry: str
    registry_id: str
    projects: list[str]
    datasets: list[str]
    told_at: str
    read_at: str
    trouble: str


class ShownProjectView(BaseModel):
    """`sides`: `both` when its owner and another organisation show it here; else it is one's word."""

    id: str
    name: str
    owner_id: str
    sides: Literal["both", "one"]


class ShownDatasetView(BaseModel):
    """`rows` is the magnitude. `projects`: ids of shown projects that it is granted to."""

    name: str
    description: str
    columns: list[str]
    rows: int
    projects: list[str]
    sides: Literal["both", "one"]


class ListingView(BaseModel):
    """An organisation of a registry; `state` is how it stands as a member here, `none`: not at all."""

    organisation: str
    organisation_id: str
    address: str
    region: str
    contact: str
    sides: Literal["both", "one"]
    state: Standing
    pair_fingerprint: str
    as_of: str
    projects: list[ShownProjectView]
    datasets: list[ShownDatasetView]


class ProposalAsked(Asked):
    """`fingerprint` is the pair's, compared with the other organisation's people."""

    fingerprint: str = Field(max_length=64)


class ProposalView(BaseModel):
    """`state` is how the member stands now; `code` is an invitation for one that the registry does not reach."""

    organisation: str
    organisation_id: str
    pair_fingerprint: str
    state: Standing
    code: str


@router.get("/register", operation_id="get_register", dependencies=[READ])
def get_register(database: Storage) -> RegisterView:
    """Say whether this node is a registry."""
    with database.read() as session:
        return RegisterView(is_open=keeping.is_open(session))


@router.put("/register", operation_id="switch_register")
def switch_register(caller: Manager, asked: RegisterChange, database: Storage) -> RegisterView:
    """Make this node a registry for its members, or one no longer."""
    with database.write() as session:
        return RegisterView(is_open=keeping.switch(session, caller, opened=asked.is_open))


@router.get("/register/entries", operation_id="list_register_entries", dependencies=[READ])
def list_register_entries(database: Storage, after: After = "", limit: Limit = 1000) -> list[EntryView]:
    """List whom this registry lists, by id."""
    with database.read() as session:
        return [_view_entry(row) for row in keeping.list_entries(session, after=after, limit=limit)]


@router.post("/register/entries", status_code=201, operation_id="add_register_entry")
async def add_register_entry(caller: Manager, asked: OutsiderAsked, desk: Desk) -> EntryView:
    """List an organisation that is no member of this registry: whoever answers there must have that fingerprint."""
    return _view_entry(await desk.add_outsider(caller, asked.address, asked.fingerprint))


@router.delete("/register/entries/{organisation_id}", operation_id="strike_register_entry")
def strike_register_entry(caller: Manager, organisation_id: str, database: Storage) -> EntryView:
    """Take an organisation from this registry's list."""
    with database.write() as session:
        return _view_entry(keeping.strike(session, caller, organisation_id))


@router.get("/registries", operation_id="list_registries", dependencies=[READ])
def list_registries(database: Storage) -> list[RegistryView]:
    """List the registries that this node reads."""
    with database.read() as session:
        return [_view_registry(session, row) for row in following.list_registries(session)]


@router.post("/registries", operation_id="follow_registry")
async def follow_registry(
    caller: Manager, asked: RegistryAsked, desk: Desk, database: Storage, post: Post
) -> RegistryView:
    """Read a member's registry, and show oneself there; said again, what is shown changes."""
    row = await desk.follow(caller, asked.registry, Shown(asked.projects, asked.datasets))
    await post.settle()
    return await threads.run(_look, database, row.organisation)


@router.delete("/registries/{registry}", status_code=204, operation_id="leave_registry")
async def leave_registry(caller: Manager, registry: str, database: Storage, post: Post) -> None:
    """Show nothing at a registry any more, and forget whom it listed."""

    def write() -> None:
        with database.write() as session:
            following.leave(session, caller, registry)

    await post.after(write)


@router.post("/registries/{registry}/refresh", operation_id="refresh_registry")
async def refresh_registry(caller: Manager, registry: str, desk: Desk, database: Storage) -> RegistryView:
    """Read a registry now; the node does so every five minutes. `trouble` says what was in the way."""
    row = await desk.refresh(caller, registry)
    return await threads.run(_look, database, row.organisation)


@router.get("/registries/{registry}/organisations", operation_id="list_registry_organisations", dependencies=[READ])
def list_registry_organisations(
    registry: str, database: Storage, me: Me, after: After = "", limit: Limit = 1000
) -> list[ListingView]:
    """List whom a registry lists, by id, as it was last read; what each shows was signed by itself."""
    with database.read() as session:
        row = following.find(session, registry)
        agreed = following.authorised(session, row)
        states: dict[OrganisationId, Standing] = {m.organisation: m.state for m in organisations.list_members(session)}
        found = following.list_listings(session, row.organisation, after=after, limit=limit)
        return [_view(one, me, states.get(one.organisation, "none"), agreed) for one in found]


@router.post("/registries/{registry}/organisations/{organisation_id}/propose", operation_id="propose_pairing")
async def propose_pairing(
    caller: Manager, registry: str, organisation_id: str, asked: ProposalAsked, desk: Desk, post: Post
) -> ProposalView:
    """Ask a listed organisation to be paired, having compared the fingerprint; its people decide on their side.

    One that the registry does not reach gets an invitation, which is returned and handed over by people.
    """
    made = await desk.propose(caller, registry, organisation_id, asked.fingerprint)
    await post.settle()
    return ProposalView(
        organisation=made.listing.name,
        organisation_id=made.listing.organisation,
        pair_fingerprint=show(made.pair_fingerprint),
        state="none" if made.member is None else made.member.state,
        code=made.code,
    )


def _look(database: Database, organisation: OrganisationId) -> RegistryView:
    with database.read() as session:
        return _view_registry(session, following.find(session, organisation))


def _view_entry(row: RegisterEntry) -> EntryView:
    return EntryView(
        organisation=row.name,
        organisation_id=row.organisation,
        address=row.address,
        sides=row.sides,
        listed_at=row.listed_at,
    )


def _view_registry(session: Session, row: Registry) -> RegistryView:
    member = session.get(Member, row.organisation)
    return RegistryView(
        registry=row.organisation if member is None else member.name,
        registry_id=row.organisation,
        projects=list(row.projects),
        datasets=list(row.datasets),
        told_at=row.told_at,
        read_at=row.read_at,
        trouble=row.trouble,
    )


def _view(row: RegistryListing, me: Identity, state: Standing, agreed: Collection[ProjectId]) -> ListingView:
    return ListingView(
        organisation=row.name,
        organisation_id=row.organisation,
        address=row.address,
        region=row.region,
        contact=row.contact,
        sides=row.sides,
        state=state,
        pair_fingerprint=show(pair_fingerprint(me.root, root_of(row))),
        as_of=row.as_of,
        projects=[
            ShownProjectView(
                id=one.project, name=one.name, owner_id=one.owner, sides="both" if one.project in agreed else "one"
            )
            for one in row.projects
        ],
        datasets=[
            ShownDatasetView(
                name=one.name,
                description=one.description,
                columns=list(one.columns),
                rows=one.rows,
                projects=list(one.projects),
                sides="both" if agreed and set(one.projects) & set(agreed) else "one",
            )
            for one in row.datasets
        ],
    )
