"""Access keys: what programs call this node with."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked, Title
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission, Scope
from hanse.control.admission.gate import Gate
from hanse.control.keys import service as keys
from hanse.control.keys.service import Made, Terms
from hanse.control.keys.tables import AccessKey
from hanse.core.times import format_time, parse_time

router = APIRouter(tags=["keys"])

Doors = Annotated[Gate, part(Gate)]
Holder = Annotated[Caller, needs(Permission.KEYS_MANAGE)]
Network = Annotated[str, Field(max_length=49)]


class KeyAsked(Asked):
    """`scopes`: the most that it may do, of what its user may; `networks`: where it may be used (none: anywhere)."""

    name: Title
    scopes: Annotated[dict[Permission, Scope], Field(examples=[{"jobs.read": "own", "jobs.run": "own"}])]
    networks: list[Network] = Field([], max_length=64, examples=[["10.1.0.0/16"]])
    per_minute: Annotated[int, Field(ge=1, le=60_000)] = 600
    expires_at: Annotated[str, Field(max_length=40, examples=["2027-12-31"])] | None = None


class RotationAsked(Asked):
    """`overlap_s`: how long the secret before goes on working."""

    overlap_s: Annotated[int, Field(ge=0, le=30 * 86400)] = int(keys.OVERLAP.total_seconds())


class KeyView(BaseModel):
    """An access key, without its secret."""

    id: str
    name: str
    user: str
    scopes: dict[str, str]
    networks: list[str]
    per_minute: int
    created_at: str
    expires_at: str | None
    used_at: str | None
    revoked_at: str | None
    previous_until: str | None


class MadeKeyView(KeyView):
    """`key` is sent as `Authorization: Bearer …`; it is told once."""

    key: str


@router.get("/keys", operation_id="list_keys")
def list_keys(
    caller: Holder,
    gate: Doors,
    after: Annotated[str, Query(max_length=40)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[KeyView]:
    """List one's own keys; everybody's with the permission users.manage."""
    with gate.database.read() as session:
        return [KeyView(**_describe(row)) for row in keys.list_keys(session, caller, after, limit)]


@router.post("/keys", status_code=201, operation_id="create_key")
def create_key(asked: KeyAsked, caller: Holder, gate: Doors) -> MadeKeyView:
    """Make an access key that acts for its user with some of that one's permissions."""
    until = None if asked.expires_at is None else format_time(parse_time(asked.expires_at))
    terms = Terms(asked.scopes, tuple(asked.networks), asked.per_minute, until)
    with gate.database.write() as session:
        return _made(keys.create(session, caller, gate.pepper, asked.name, terms, gate.clock()))


@router.get("/keys/{key_id}", operation_id="get_key")
def get_key(key_id: str, caller: Holder, gate: Doors) -> KeyView:
    """Show a key, and when it was last used (to the minute)."""
    with gate.database.read() as session:
        return KeyView(**_describe(keys.find(session, caller, key_id)))


@router.post("/keys/{key_id}/rotate", operation_id="rotate_key")
def rotate_key(key_id: str, asked: RotationAsked, caller: Holder, gate: Doors) -> MadeKeyView:
    """Give a key a new secret; the one before goes on working for a while, so that programs can change over."""
    overlap = timedelta(seconds=asked.overlap_s)
    with gate.database.write() as session:
        return _made(keys.rotate(session, caller, gate.pepper, key_id, overlap, gate.clock()))


@router.delete("/keys/{key_id}", status_code=204, operation_id="revoke_key")
def revoke_key(key_id: str, caller: Holder, gate: Doors) -> None:
    """End a key: it is refused from the next request on."""
    with gate.database.write() as session:
        keys.revoke(session, caller, key_id, gate.clock())


def _made(made: Made) -> MadeKeyView:
    return MadeKeyView(**_describe(made.row), key=made.text)


def _describe(row: AccessKey) -> dict[str, Any]:
    names = "id name user networks per_minute created_at expires_at used_at revoked_at previous_until".split()
    scopes = {permission.value: scope for permission, scope in row.scopes.items()}
    return {name: getattr(row, name) for name in names} | {"scopes": scopes}
