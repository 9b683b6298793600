"""Keep templates, find them, fill them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.projects import service as projects
from hanse.control.templates.builtin import BUILT_IN
from hanse.control.templates.tables import Template
from hanse.core import templates
from hanse.core.faults import fault
from hanse.core.ids import new_id
from hanse.core.specs import PipelineSpec
from hanse.core.templates import BlankProblem, TemplateSpec
from hanse.core.times import now

MOST_LISTED = 1000


class Found(NamedTuple):
    """A template under its id; `row` is None for one that comes with the product, whose id is its name."""

    id: str
    spec: TemplateSpec
    row: Template | None = None


def add(session: Session, caller: Caller, project: str, spec: TemplateSpec) -> Found:
    """Keep a template for who works in a project. Raises `template.invalid`, `template.name_taken`, `project.*`."""
    home = projects.find_for(session, caller, Permission.PIPELINES_WRITE, project).id
    templates.demand_sound(spec)
    if spec.name in BUILT_IN:
        raise fault("template.name_taken", f"{spec.name!r} comes with the product")
    row = Template(
        id=new_id("template"), name=spec.name, project=home, owner=caller.person, spec=spec, created_at=now()
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise fault("template.name_taken", f"the project has a template {spec.name!r}") from error
    audit.append(session, caller.id, "template.add", row.id, name=row.name, project=home)
    return Found(row.id, spec, row)


def remove(session: Session, caller: Caller, named: str) -> None:
    """Remove a template. Raises `template.unknown`, `template.built_in`."""
    if named in BUILT_IN:
        raise fault("template.built_in", f"{named!r} comes with the product")
    row = _see(session, caller, named)
    caller.demand(Permission.PIPELINES_WRITE, owner=row.owner, project=row.project)
    session.delete(row)
    audit.append(session, caller.id, "template.remove", row.id, name=row.name)


def find(session: Session, caller: Caller, named: str) -> Found:
    """Return a template by its id or, if one alone has it, its name. Raises `template.unknown`."""
    if named in BUILT_IN:
        return Found(named, BUILT_IN[named])
    row = _see(session, caller, named)
    return Found(row.id, row.spec, row)


def list_templates(session: Session, caller: Caller, *, after: str = "", limit: int = 100) -> list[Found]:
    """Return the templates that come with the product, then those that people keep, newest first, after `after`."""
    built_in = [Found(name, spec) for name, spec in BUILT_IN.items()]
    query = _visible(caller)
    if after in BUILT_IN:
        built_in = built_in[[found.id for found in built_in].index(after) + 1 :]
    elif after:
        last = _see(session, caller, after)
        same = and_(Template.created_at == last.created_at, Template.id < last.id)
        query, built_in = query.where(or_(Template.created_at < last.created_at, same)), []
    room = min(limit, MOST_LISTED) - len(built_in)
    if room <= 0:
        return built_in[:limit]
    rows = session.scalars(query.order_by(Template.created_at.desc(), Template.id.desc()).limit(room))
    return built_in + [Found(row.id, row.spec, row) for row in rows]


def fill(session: Session, caller: Caller, named: str, values: Mapping[str, Any]) -> PipelineSpec:
    """Return the pipeline of a template with these values. Raises `template.values` with every problem."""
    return templates.fill(find(session, caller, named).spec, values)


def check(session: Session, caller: Caller, named: str, values: Mapping[str, Any]) -> list[BlankProblem]:
    """Return everything that is wrong with values for a template's blanks."""
    return templates.read_values(find(session, caller, named).spec, values)[1]


def _visible(caller: Caller) -> Select[Any]:
    owner, project = Template.owner, Template.project
    return visible(select(Template), caller, Permission.PIPELINES_READ, owner=owner, project=project)


def _see(session: Session, caller: Caller, named: str) -> Template:
    query = _visible(caller).where(or_(Template.id == named, Template.name == named))
    rows: list[Template] = list(session.scalars(query.limit(2)))
    if not rows:
        raise fault("template.unknown", f"there is no template {named!r}")
    if len(rows) > 1:
        raise fault("template.unknown", f"several templates are called {named!r}", "say its id: hanse template list")
    return rows[0]
