"""The catalogue of components: what a pipeline can be made of."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.control.access.permissions import Permission
from hanse.control.jobs.desk import JobDesk
from hanse.core.faults import fault
from hanse.core.planning import ComponentCard

router = APIRouter(tags=["components"])

Desk = Annotated[JobDesk, part(JobDesk)]
READ = [needs(Permission.PIPELINES_READ)]


class ComponentOutline(BaseModel):
    """`title` and `summary` by language, en and zh."""

    name: str
    version: str
    title: dict[str, str]
    summary: dict[str, str]
    roles: list[str]


class LearnsLine(BaseModel):
    """What a role learns; `when` has the settings under which the line holds."""

    role: str
    text: str
    when: dict[str, Any]


class ComponentView(ComponentOutline):
    """Ports by role and name with their kind; `applies`: the roles that use a fitted model; `params`: a JSON Schema."""

    protocol: str
    secure: str
    learns: list[LearnsLine]
    inputs: dict[str, dict[str, str]]
    outputs: dict[str, dict[str, str]]
    applies: list[str]
    apply_inputs: dict[str, dict[str, str]]
    apply_outputs: dict[str, dict[str, str]]
    optional: list[str]
    params: dict[str, Any]


@router.get("/components", operation_id="list_components", dependencies=READ)
async def list_components(desk: Desk) -> list[ComponentOutline]:
    """List the components that this node has."""
    cards = (await desk.describe()).components
    return [ComponentOutline.model_validate(msgspec.to_builtins(card)) for card in cards]


@router.get("/components/{name}", operation_id="get_component", dependencies=READ)
async def get_component(name: str, desk: Desk) -> ComponentView:
    """Show a component: settings, ports, what each role learns, against whom it is secure."""
    cards = {card.name: card for card in (await desk.describe()).components}
    if name not in cards:
        raise fault("component.absent", f"this node has no component {name!r}")
    return _view(cards[name])


def _view(card: ComponentCard) -> ComponentView:
    return ComponentView.model_validate(msgspec.to_builtins(card))
