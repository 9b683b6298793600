"""The link check."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.doctor.service import Doctor

router = APIRouter(tags=["members"])

Operator = Annotated[Caller, needs(Permission.NODE_OPERATE)]

State = Literal["ok", "warn", "bad"]


class LinkCheckAsked(Asked):
    """`target` is a member's name or id, or an address `host:port`."""

    target: str = Field(min_length=1, max_length=255, examples=["operator"])


class LinkFindingView(BaseModel):
    """One thing that was looked at. `cause` and `remedy` (`en`, `zh`) are empty when it is well."""

    name: str = Field(examples=["latency_p95"])
    state: State
    value: float | str | None
    unit: str = Field(examples=["ms"])
    code: str
    detail: str
    cause: dict[str, str]
    remedy: dict[str, str]


class LinkCheckView(BaseModel):
    """`state` is the gravest of the findings, which are in the order from the name to the largest frame."""

    target: str
    address: str
    state: State
    findings: list[LinkFindingView]


@router.post("/doctor", operation_id="check_link")
async def check_link(caller: Operator, asked: LinkCheckAsked, doctor: Annotated[Doctor, part(Doctor)]) -> LinkCheckView:
    """Check the way to a member's node: name, connection, TLS, certificate, proxies, latency, bandwidth, sizes, clock.

    Of an address of no member, everything up to who answers there.
    """
    checked = await doctor.check(caller, asked.target)
    findings = [LinkFindingView(**finding._asdict()) for finding in checked.findings]
    return LinkCheckView(target=checked.target, address=checked.address, state=checked.state, findings=findings)
