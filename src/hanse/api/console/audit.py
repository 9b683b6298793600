"""The audit records: search, and whether their chain is whole."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, StringConstraints

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.audit import search
from hanse.control.audit.search import Wanted
from hanse.control.audit.service import fields_of
from hanse.control.database import Database
from hanse.core.times import format_time, parse_time

router = APIRouter(tags=["audit"])

Storage = Annotated[Database, part(Database)]
Reader = Annotated[Caller, needs(Permission.AUDIT_READ)]
Word = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Number = Annotated[int, Query(ge=0, lt=1 << 62)]


class RecordView(BaseModel):
    """`result` is `done`, or the code of a refusal; `hash` is of all other fields, `before` that of the one before."""

    number: int
    at: str
    actor: str
    person: str
    door: str
    via: str
    address: str
    correlation: str
    action: str
    subject: str
    project: str
    partner: str
    result: str
    details: dict[str, Any]
    before: str
    hash: str


class ChainView(BaseModel):
    """`broken` is the number of the first record that is wrong; keep `last` and `hash` elsewhere to compare later."""

    whole: bool
    records: int
    last: int
    hash: str
    broken: int | None
    why: str


@router.get("/audit", operation_id="list_audit")
def list_audit(
    caller: Reader,
    database: Storage,
    since: Word = "",
    until: Word = "",
    actor: Word = "",
    action: Word = "",
    subject: Word = "",
    project: Word = "",
    partner: Word = "",
    text: Word = "",
    after: Number = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[RecordView]:
    """List audit records, newest first; `after` goes on below that number."""
    moments = {"since": _moment(since), "until": _moment(until)}
    words = {"actor": actor, "action": action, "subject": subject, "project": project, "partner": partner}
    with database.read() as session:
        found = search.find(session, caller, Wanted(**moments, **words, text=text), after=after, limit=limit)
        return [RecordView(**fields_of(line)) for line in found]


@router.get("/audit/chain", operation_id="verify_audit")
def verify_audit(_caller: Reader, database: Storage) -> ChainView:
    """Follow the chain of all audit records, and name the first that is wrong."""
    found = search.verify(database)
    return ChainView(
        whole=found.broken is None,
        records=found.records,
        last=found.last.number,
        hash=found.last.hash,
        broken=found.broken,
        why=found.why,
    )


def _moment(text: str) -> str:
    return format_time(parse_time(text)) if text else ""
