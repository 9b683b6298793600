"""Log in, see who one is, and end sessions."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from hanse.api.console.access import signed_in
from hanse.api.console.parts import part
from hanse.api.console.security import COOKIE
from hanse.api.console.shapes import Asked
from hanse.control.access.permissions import Permission
from hanse.control.admission.gate import Admission, Gate, caller_of
from hanse.control.database import Database
from hanse.control.sessions import service as sessions
from hanse.control.sessions.tables import UserSession
from hanse.control.users import logins
from hanse.control.users.logins import Attempt
from hanse.core.words import flatten

router = APIRouter(tags=["sessions"])

Storage = Annotated[Database, part(Database)]
Doors = Annotated[Gate, part(Gate)]


class LoginAsked(Asked):
    """`code` is one of the authenticator, or a recovery code; needed where the account has an authenticator."""

    name: Annotated[str, Field(max_length=64, examples=["li.wei"])]
    password: Annotated[str, Field(max_length=256)]
    code: Annotated[str, Field(max_length=32)] = ""


class MeView(BaseModel):
    """Who calls. `permissions` says how far each reaches; `csrf` goes into the header X-Hanse-CSRF of what changes."""

    id: str
    name: str
    kind: str
    user: str
    permissions: dict[str, str]
    projects: list[str]
    must_change: bool
    session: str
    csrf: str = ""


class SessionView(BaseModel):
    """A session. `current` is the one that asks."""

    id: str
    user: str
    address: str
    agent: str
    created_at: str
    seen_at: str
    ends_at: str
    current: bool


@router.post("/session", operation_id="log_in")
def log_in(asked: LoginAsked, request: Request, response: Response, gate: Doors) -> MeView:
    """Log in with name and password; the session's token comes as a cookie, which no script can read."""
    attempt = Attempt(asked.name.lower(), asked.password, asked.code, peer_of(request), agent_of(request))
    user, opened = logins.log_in(gate.database, gate.pepper, attempt, gate.clock(), gate.span)
    with gate.database.read() as session:
        caller = caller_of(session, user)
    give_cookie(response, opened.token)
    return view_me(Admission(caller, opened.row.id, user.must_change), opened.token)


@router.get("/session", operation_id="get_session")
def get_session(request: Request, admission: Annotated[Admission, signed_in()]) -> MeView:
    """Say who calls, and what that may do."""
    return view_me(admission, request.cookies.get(COOKIE, "") if admission.session else "")


@router.delete("/session", status_code=204, operation_id="log_out")
def log_out(response: Response, admission: Annotated[Admission, signed_in()], database: Storage) -> None:
    """End the session that asks."""
    if admission.session:
        with database.write() as session:
            sessions.end(session, admission.caller, admission.session)
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    response.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")


@router.get("/sessions", operation_id="list_sessions")
def list_sessions(
    admission: Annotated[Admission, signed_in()],
    gate: Doors,
    everybody: bool = False,
    after: Annotated[str, Query(max_length=40)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[SessionView]:
    """List one's own live sessions, or everybody's (permission users.read)."""
    if everybody:
        admission.caller.demand(Permission.USERS_READ)
    user = None if everybody else admission.caller.person
    with gate.database.read() as session:
        found = sessions.list_sessions(session, user, gate.clock(), gate.span, after, limit)
    return [_view(row, admission) for row in found]


@router.delete("/sessions/{session_id}", status_code=204, operation_id="end_session")
def end_session(session_id: str, admission: Annotated[Admission, signed_in()], database: Storage) -> None:
    """End a session: one's own, or anybody's (permission users.manage)."""
    with database.write() as session:
        sessions.end(session, admission.caller, session_id)


def give_cookie(response: Response, token: str) -> None:
    response.set_cookie(COOKIE, token, secure=True, httponly=True, samesite="strict", path="/")


def view_me(admission: Admission, token: str = "") -> MeView:
    caller = admission.caller
    return MeView(
        id=caller.id,
        name=caller.name,
        kind=caller.kind,
        user=caller.person,
        permissions={permission.value: scope for permission, scope in caller.permissions.items()},
        projects=sorted(caller.projects),
        must_change=admission.must_change,
        session=admission.session,
        csrf=sessions.anti_forgery(token) if token else "",
    )


def peer_of(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def agent_of(request: Request) -> str:
    return flatten(request.headers.get("user-agent", ""))[:200]


def _view(row: UserSession, admission: Admission) -> SessionView:
    names = ("id", "user", "address", "agent", "created_at", "seen_at", "ends_at")
    return SessionView(**{name: getattr(row, name) for name in names}, current=row.id == admission.session)
