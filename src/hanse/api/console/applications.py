"""Applications for partners' data and their answers; cards that say what may be asked for."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.grants import ClausesShape, TermsAsked, read_terms, view_clauses
from hanse.api.console.parts import part
from hanse.api.console.profiles import PartnerProfileView, view_partner
from hanse.api.console.shapes import Asked, Title
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.grants import applications
from hanse.control.grants.tables import Application, Card
from hanse.control.jobs.desk import JobDesk
from hanse.control.nodes.identity import Identity
from hanse.control.outbox.courier import Courier
from hanse.control.profiles import sharing
from hanse.control.profiles.tables import PartnerProfile

router = APIRouter(tags=["applications"])

Storage = Annotated[Database, part(Database)]
Me = Annotated[Identity, part(Identity)]
Post = Annotated[Courier, part(Courier)]
Desk = Annotated[JobDesk, part(JobDesk)]
Reader = Annotated[Caller, needs(Permission.GRANTS_READ)]
Asker = Annotated[Caller, needs(Permission.JOBS_RUN)]
Giver = Annotated[Caller, needs(Permission.GRANTS_MANAGE)]
Onlooker = Annotated[Caller, needs(Permission.PROJECTS_READ)]

Remark = Annotated[str, Field(max_length=1000)]


class ApplicationAsked(TermsAsked):
    """Ask `organisation` (a member of `project`) for a dataset: a name that was seen on a card, or in words."""

    project: str
    organisation: str
    dataset: Title
    reason: Remark = ""


class ApprovalGiven(TermsAsked):
    """What is granted, which may be less than was asked for; without `columns` those that were asked for."""

    answer: Remark = ""


class RejectionGiven(Asked):
    """Why not."""

    answer: Remark


class ApplicationView(BaseModel):
    """`organisation` is the other side: the owner when `mine`, else the one that asks. `grant` is what was given."""

    id: str
    organisation: str
    mine: bool
    project: str
    dataset: str
    columns: list[str]
    until: str | None
    disclosure_limit: float
    clauses: ClausesShape
    reason: str
    state: Literal["pending", "approved", "rejected", "withdrawn"]
    answer: str
    grant: str | None
    created_at: str
    answered_at: str | None


class CardAsked(Asked):
    """`columns` are the names that partners see; none named, none."""

    project: str
    dataset: str
    columns: list[str] = Field(default_factory=list)
    description: Remark = ""


class CardView(BaseModel):
    """`rows` is a magnitude: the greatest power of ten that is not above the number of rows.

    `profile` is what a partner tells of the dataset beside, with noise.
    """

    project: str
    organisation: str
    dataset: str
    description: str
    columns: list[str]
    rows: int
    published_at: str
    profile: PartnerProfileView | None = None


@router.post("/applications", status_code=201, operation_id="ask_for_data")
async def ask_for_data(
    asked: ApplicationAsked, caller: Asker, database: Storage, me: Me, courier: Post
) -> ApplicationView:
    """Ask a partner for data, and say what for."""

    def ask() -> ApplicationView:
        with database.write() as session:
            where = (asked.project, asked.organisation, asked.dataset)
            return _view(applications.ask(session, caller, me, *where, read_terms(asked), asked.reason))

    return await courier.after(ask)


@router.get("/applications", operation_id="list_applications")
def list_applications(
    caller: Reader,
    database: Storage,
    after: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ApplicationView]:
    """List what this organisation asked for and was asked, by id; `after` is the last id of the page before."""
    with database.read() as session:
        return [_view(row) for row in applications.list_applications(session, caller, after=after, limit=limit)]


@router.get("/applications/{application_id}", operation_id="get_application")
def get_application(application_id: str, caller: Reader, database: Storage) -> ApplicationView:
    """Show an application."""
    with database.read() as session:
        return _view(applications.find(session, application_id, caller))


@router.post("/applications/{application_id}/approve", operation_id="approve_application")
async def approve_application(
    application_id: str, asked: ApprovalGiven, caller: Giver, database: Storage, me: Me, courier: Post, desk: Desk
) -> ApplicationView:
    """Grant what was asked for, or less. A grant of the dataset to the project that is there gets these terms."""

    def approve() -> ApplicationView:
        with database.write() as session:
            terms = read_terms(asked)
            return _view(applications.approve(session, caller, me, application_id, terms, asked.answer))

    view = await courier.after(approve)
    await desk.enforce()
    return view


@router.post("/applications/{application_id}/reject", operation_id="reject_application")
async def reject_application(
    application_id: str, asked: RejectionGiven, caller: Giver, database: Storage, courier: Post
) -> ApplicationView:
    """Say no, and why."""

    def reject() -> ApplicationView:
        with database.write() as session:
            return _view(applications.reject(session, caller, application_id, asked.answer))

    return await courier.after(reject)


@router.post("/applications/{application_id}/withdraw", operation_id="withdraw_application")
async def withdraw_application(application_id: str, caller: Asker, database: Storage, courier: Post) -> ApplicationView:
    """Take back what this organisation asked for."""

    def withdraw() -> ApplicationView:
        with database.write() as session:
            return _view(applications.withdraw(session, caller, application_id))

    return await courier.after(withdraw)


@router.post("/cards", status_code=201, operation_id="publish_card")
async def publish_card(asked: CardAsked, caller: Giver, database: Storage, me: Me, courier: Post) -> CardView:
    """Show the members of a project that a dataset may be asked for. Nothing is granted."""

    def publish() -> CardView:
        with database.write() as session:
            what = (asked.project, asked.dataset, tuple(asked.columns), asked.description)
            return _view_card(applications.publish(session, caller, me, *what))

    return await courier.after(publish)


@router.get("/cards", operation_id="list_cards")
def list_cards(project: str, caller: Onlooker, database: Storage) -> list[CardView]:
    """List the datasets that members of a project may be asked for."""
    with database.read() as session:
        cards = applications.list_cards(session, caller, project)
        told = {(row.organisation, row.dataset): row for row in sharing.list_partners(session, caller, project)}
        return [_view_card(card, told.get((card.organisation, card.dataset))) for card in cards]


@router.delete("/cards/{project}/{dataset}", status_code=204, operation_id="withdraw_card")
async def withdraw_card(project: str, dataset: str, caller: Giver, database: Storage, me: Me, courier: Post) -> None:
    """Take one's own card back."""

    def unpublish() -> None:
        with database.write() as session:
            applications.unpublish(session, caller, me, project, dataset)

    await courier.after(unpublish)


def _view(row: Application) -> ApplicationView:
    return ApplicationView.model_validate(
        {name: getattr(row, name) for name in ApplicationView.model_fields if name not in ("clauses", "columns")}
        | {"clauses": view_clauses(row.clauses), "columns": list(row.columns)}
    )


def _view_card(card: Card, profile: PartnerProfile | None = None) -> CardView:
    plain = {name: getattr(card, name) for name in CardView.model_fields if name not in ("columns", "profile")}
    told = None if profile is None else view_partner(profile)
    return CardView(**plain, columns=list(card.columns), profile=told)
