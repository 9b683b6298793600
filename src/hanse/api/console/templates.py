"""Templates: pipelines with blanks, kept for a project or come with the product, and filled."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.templates import service as templates
from hanse.control.templates.builtin import MATCHING
from hanse.control.templates.service import Found
from hanse.core.documents import demand_single_keys
from hanse.core.faults import fault
from hanse.core.templates import TemplateSpec

router = APIRouter(tags=["templates"])

Storage = Annotated[Database, part(Database)]
Reader = Annotated[Caller, needs(Permission.PIPELINES_READ)]
Writer = Annotated[Caller, needs(Permission.PIPELINES_WRITE)]

EXAMPLE = {**msgspec.to_builtins(MATCHING), "name": "our matching"}
VALUES = {"project": "credit", "guest": "bank", "host": "operator", "guest_data": "loans", "host_data": "lines"}


class TemplateAsked(Asked):
    """`project`, by name or id: who works in it sees the template. `template`: name, title, pipeline, blanks."""

    project: str = Field(min_length=1, max_length=64, examples=["credit"])
    template: dict[str, Any] = Field(examples=[EXAMPLE])


class FillAsked(Asked):
    """`values` by the name of their blank: as JSON, or as texts."""

    values: dict[str, Any] = Field(examples=[VALUES])


class TemplateOutline(BaseModel):
    """Of one that comes with the product the id is its name; `project`, `owner` and `created_at` are null."""

    id: str
    name: str
    title: dict[str, str]
    description: dict[str, str] | None
    built_in: bool
    project: str | None
    owner: str | None
    created_at: str | None


class BlankView(BaseModel):
    """One thing to say. It may be left out when it has a default or is optional."""

    name: str
    kind: str
    title: dict[str, str]
    description: dict[str, str] | None = None
    default: Any = None
    optional: bool = False
    at_least: float | None = None
    at_most: float | None = None
    choices: list[str] = []


class TemplateView(TemplateOutline):
    """In `pipeline`, `{"blank": NAME}` stands where the value of that blank goes."""

    blanks: list[BlankView]
    pipeline: dict[str, Any]


class TemplatesView(BaseModel):
    """`next` is what to ask for as `after`; null at the end."""

    templates: list[TemplateOutline]
    next: str | None


class BlankProblemView(BaseModel):
    """What is wrong with one blank, in `en` and `zh`."""

    blank: str
    message: dict[str, str]


class FilledView(BaseModel):
    """A pipeline, as `POST /v1/pipelines` and `POST /v1/jobs` take it."""

    pipeline: dict[str, Any]


async def _demand_single_keys(request: Request) -> None:
    demand_single_keys(await request.body())


@router.post(
    "/templates",
    status_code=201,
    operation_id="add_template",
    dependencies=[needs(Permission.PIPELINES_WRITE), Depends(_demand_single_keys)],
)
def add_template(asked: TemplateAsked, database: Storage, caller: Writer) -> TemplateView:
    """Keep a template for who works in a project."""
    with database.write() as session:
        return _view(templates.add(session, caller, asked.project, _read(asked.template)))


@router.get("/templates", operation_id="list_templates")
def list_templates(
    database: Storage, caller: Reader, after: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> TemplatesView:
    """List templates, a page at a time: those of the product, then those that people keep, newest first."""
    with database.read() as session:
        found = templates.list_templates(session, caller, after=after, limit=limit)
        shown = [TemplateOutline(**_outline(one)) for one in found]
    return TemplatesView(templates=shown, next=shown[-1].id if len(shown) == limit else None)


@router.get("/templates/{template_id}", operation_id="get_template")
def get_template(template_id: str, database: Storage, caller: Reader) -> TemplateView:
    """Show a template, by id or name: its blanks and its pipeline."""
    with database.read() as session:
        return _view(templates.find(session, caller, template_id))


@router.delete("/templates/{template_id}", status_code=204, operation_id="remove_template")
def remove_template(template_id: str, database: Storage, caller: Writer) -> None:
    """Remove a template that somebody keeps. Pipelines and jobs made from it stay."""
    with database.write() as session:
        templates.remove(session, caller, template_id)


@router.post(
    "/templates/{template_id}/fill",
    operation_id="fill_template",
    dependencies=[needs(Permission.PIPELINES_READ), Depends(_demand_single_keys)],
)
def fill_template(template_id: str, asked: FillAsked, database: Storage, caller: Reader) -> FilledView:
    """Return the pipeline of a template with these values, or every problem with them. Nothing is kept."""
    with database.read() as session:
        spec = templates.fill(session, caller, template_id, asked.values)
    return FilledView(pipeline=msgspec.to_builtins(spec))


@router.post(
    "/templates/{template_id}/check",
    operation_id="check_template_values",
    dependencies=[needs(Permission.PIPELINES_READ), Depends(_demand_single_keys)],
)
def check_template_values(
    template_id: str, asked: FillAsked, database: Storage, caller: Reader
) -> list[BlankProblemView]:
    """Say everything that is wrong with values for a template's blanks; an empty list: they can be filled in."""
    with database.read() as session:
        problems = templates.check(session, caller, template_id, asked.values)
    return [BlankProblemView(blank=one.blank, message=dict(one.message)) for one in problems]


def _read(raw: dict[str, Any]) -> TemplateSpec:
    try:
        return msgspec.convert(raw, TemplateSpec)
    except msgspec.ValidationError as error:
        raise fault("template.invalid", str(error)) from error


def _outline(found: Found) -> dict[str, Any]:
    row, spec = found.row, found.spec
    return {
        "id": found.id,
        "name": spec.name,
        "title": spec.title,
        "description": spec.description,
        "built_in": row is None,
        "project": row.project if row else None,
        "owner": row.owner if row else None,
        "created_at": row.created_at if row else None,
    }


def _view(found: Found) -> TemplateView:
    blanks = [BlankView(**msgspec.to_builtins(blank)) for blank in found.spec.blanks]
    return TemplateView(**_outline(found), blanks=blanks, pipeline=found.spec.pipeline)
