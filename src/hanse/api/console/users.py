"""The people of this organisation: accounts, one's own password and authenticator, the first administrator."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.orm import Session

from hanse.api.console.access import needs, signed_in
from hanse.api.console.parts import part
from hanse.api.console.sessions import MeView, agent_of, give_cookie, peer_of, view_me
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.admission.gate import Admission, Gate, caller_of
from hanse.control.nodes.identity import Identity
from hanse.control.sessions import service as sessions
from hanse.control.sessions.service import Opened
from hanse.control.users import failures, groups, logins, passwords, tickets, totp
from hanse.control.users import service as users
from hanse.control.users.tables import User
from hanse.core.faults import fault

router = APIRouter(tags=["users"])

Doors = Annotated[Gate, part(Gate)]
Manager = Annotated[Caller, needs(Permission.USERS_MANAGE)]
Me = Annotated[Admission, signed_in()]

UserName = Annotated[
    str, StringConstraints(to_lower=True, min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._@-]*$")
]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^([^@\s]{1,64}@[^@\s]{1,189})?$")]
Password = Annotated[str, Field(max_length=256)]
Code = Annotated[str, Field(max_length=64)]


class UserAsked(Asked):
    """`groups` are names of groups that exist."""

    name: UserName = Field(examples=["li.wei"])
    email: Email = Field("", examples=["li.wei@bank.example"])
    groups: list[str] = Field([], max_length=100, examples=[["modeller"]])


class UserChange(Asked):
    """What is to be different; what is left out stays."""

    email: Email | None = None
    must_change: bool | None = None


class ResetAsked(Asked):
    """`totp`: the authenticator was lost, too."""

    totp: bool = False


class SetupAsked(Asked):
    """`code` is the end of the one-time link."""

    code: Code
    name: UserName
    password: Password
    email: Email = ""


class PasswordAsked(Asked):
    """`code` is the end of the one-time link."""

    code: Code
    password: Password


class PasswordChange(Asked):
    old: Password
    password: Password


class CodeAsked(Asked):
    code: Code


class Confirmation(Asked):
    """The password, once more."""

    password: Password


class UserView(BaseModel):
    """An account. `state` is active, disabled, or locked after failed logins, until `locked_until`."""

    id: str
    name: str
    email: str
    state: str
    locked_until: str | None
    groups: list[str]
    projects: list[str]
    has_password: bool
    must_change: bool
    totp: bool
    created_at: str
    login_at: str | None


class LinkView(BaseModel):
    """A one-time code, told once; it works for 24 hours. `link` is where a browser uses it."""

    user: UserView | None
    code: str
    link: str


class EnrolmentView(BaseModel):
    """What an authenticator needs, told once: an address, a text to type, a drawing (SVG)."""

    uri: str
    secret: str
    svg: str


class RecoveryView(BaseModel):
    """Codes that each stand once for the authenticator, told once."""

    recovery_codes: list[str]


@router.get("/users", operation_id="list_users", dependencies=[needs(Permission.USERS_READ)])
def list_users(
    gate: Doors,
    after: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[UserView]:
    """List the accounts by name; `after` is the last name of the page before."""
    with gate.database.read() as session:
        return [_view(session, user, gate) for user in users.list_users(session, after, limit)]


@router.post("/users", status_code=201, operation_id="create_user")
def create_user(asked: UserAsked, caller: Manager, gate: Doors, request: Request) -> LinkView:
    """Make an account; hand its user the one-time link, where it chooses a password itself."""
    with gate.database.write() as session:
        user, code = users.create(session, caller, asked.name, asked.email, asked.groups, gate.clock())
        return LinkView(user=_view(session, user, gate), code=code, link=_link(request, "password", code))


@router.get("/users/{user}", operation_id="get_user")
def get_user(user: str, me: Me, gate: Doors) -> UserView:
    """Show an account by name or id: one's own, or anybody's (permission users.read)."""
    with gate.database.read() as session:
        return _view(session, users.find_visible(session, me.caller, user), gate)


@router.patch("/users/{user}", operation_id="change_user")
def change_user(user: str, asked: UserChange, caller: Manager, gate: Doors) -> UserView:
    """Change an account's address, or ask for another password at its next request."""
    with gate.database.write() as session:
        found = users.find(session, user)
        users.change(session, caller, found, email=asked.email, must_change=asked.must_change)
        return _view(session, found, gate)


@router.post("/users/{user}/disable", operation_id="disable_user")
def disable_user(user: str, caller: Manager, gate: Doors) -> UserView:
    """Shut an account; its sessions and keys end with this."""
    with gate.database.write() as session:
        return _view(session, users.disable(session, caller, users.find(session, user)), gate)


@router.post("/users/{user}/enable", operation_id="enable_user")
def enable_user(user: str, caller: Manager, gate: Doors) -> UserView:
    """Open a disabled account again."""
    with gate.database.write() as session:
        return _view(session, users.enable(session, caller, users.find(session, user)), gate)


@router.post("/users/{user}/unlock", operation_id="unlock_user")
def unlock_user(user: str, caller: Manager, gate: Doors) -> UserView:
    """Forget the failed logins of an account, so that it need not wait."""
    with gate.database.write() as session:
        return _view(session, users.unlock(session, caller, users.find(session, user)), gate)


@router.post("/users/{user}/reset", operation_id="reset_user")
def reset_user(user: str, asked: ResetAsked, caller: Manager, gate: Doors, request: Request) -> LinkView:
    """Make a one-time link where the user chooses a new password; its sessions end now."""
    with gate.database.write() as session:
        found = users.find(session, user)
        code = users.reset(session, caller, found, gate.clock(), totp=asked.totp)
        return LinkView(user=_view(session, found, gate), code=code, link=_link(request, "password", code))


@router.post("/setup/links", status_code=201, operation_id="make_setup_link")
def make_setup_link(caller: Manager, gate: Doors, request: Request) -> LinkView:
    """Make the one-time link with which the first administrator is set up; those before it work no longer."""
    with gate.database.write() as session:
        if groups.has_administrator(session):
            raise fault("ticket.refused", "this node has an administrator")
        code = users.issue_setup(session, caller, gate.clock())
    link = _link(request, "setup", code)
    tickets.write_setup_file(gate.directory, link)
    return LinkView(user=None, code=code, link=link)


@router.post("/setup", status_code=201, operation_id="set_up")
def set_up(asked: SetupAsked, request: Request, response: Response, gate: Doors) -> MeView:
    """Make the first administrator with the one-time link, and log in."""
    _slow_down(gate, request)
    passwords.demand_good(asked.password, asked.name, asked.email)
    phc = passwords.hash_password(asked.password)
    with gate.database.write() as session:
        user = users.set_up(session, asked.code, asked.name, asked.email, phc, gate.clock())
        opened = _open(session, user, "setup", request, gate)
        caller = caller_of(session, user)
    (gate.directory / tickets.SETUP_FILE).unlink(missing_ok=True)
    give_cookie(response, opened.token)
    return view_me(Admission(caller, opened.row.id), opened.token)


@router.post("/password", status_code=204, operation_id="choose_password")
def choose_password(asked: PasswordAsked, request: Request, gate: Doors) -> None:
    """Choose a password with a one-time link; log in with it afterwards."""
    _slow_down(gate, request)
    logins.choose_password(gate.database, asked.code, asked.password, gate.clock())


@router.put("/me/password", operation_id="change_password")
def change_password(asked: PasswordChange, request: Request, response: Response, me: Me, gate: Doors) -> MeView:
    """Change one's own password; one's other sessions end, and this one gets a new token."""
    token = logins.change_password(
        gate.database, me.caller, me.session, asked.old, asked.password, peer_of(request), gate.clock()
    )
    return _renewed(response, me._replace(must_change=False), token)


@router.post("/me/totp", status_code=201, operation_id="enrol_totp")
def enrol_totp(
    asked: Confirmation, request: Request, me: Me, gate: Doors, identity: Annotated[Identity, part(Identity)]
) -> EnrolmentView:
    """Begin with an authenticator: scan the drawing, then confirm with a code of it."""
    logins.prove(gate.database, me.caller, asked.password, peer_of(request), gate.clock())
    with gate.database.write() as session:
        user = users.demand_self(session, me.caller)
        made = totp.enrol(session, gate.pepper, user, f"Hanse {identity.name}", me.caller)
    return EnrolmentView(uri=made.uri, secret=made.secret, svg=made.svg)


@router.post("/me/totp/confirm", operation_id="confirm_totp")
def confirm_totp(asked: CodeAsked, response: Response, me: Me, gate: Doors) -> RecoveryView:
    """Let the authenticator count from the next login on; returns the recovery codes."""
    with gate.database.write() as session:
        user = users.demand_self(session, me.caller)
        codes = totp.confirm(session, gate.pepper, user, asked.code, me.caller, gate.clock())
        token = logins.renew(session, me.session)
        sessions.end_all(session, user.id, but=me.session)
    if token is not None:
        give_cookie(response, token)
    return RecoveryView(recovery_codes=codes)


@router.post("/me/totp/remove", operation_id="remove_totp")
def remove_totp(asked: Confirmation, request: Request, response: Response, me: Me, gate: Doors) -> MeView:
    """Do without the authenticator again; one's other sessions end."""
    logins.prove(gate.database, me.caller, asked.password, peer_of(request), gate.clock())
    with gate.database.write() as session:
        user = users.demand_self(session, me.caller)
        totp.remove(session, user, me.caller)
        token = logins.renew(session, me.session)
        sessions.end_all(session, user.id, but=me.session)
    return _renewed(response, me, token)


def _renewed(response: Response, me: Admission, token: str | None) -> MeView:
    if token is not None:
        give_cookie(response, token)
    return view_me(me, token or "")


def _open(session: Session, user: User, how: str, request: Request, gate: Gate) -> Opened:
    return logins.admit(session, user, how, peer_of(request), agent_of(request), gate.clock(), gate.span)


def _slow_down(gate: Gate, request: Request) -> None:
    """Count a use of a one-time link against its address, before anything slow is done for it."""
    with gate.database.write() as session:
        failures.count(session, {"address": peer_of(request)}, gate.clock())


def _link(request: Request, page: str, code: str) -> str:
    return f"{request.base_url}{page}#{code}"


def _view(session: Session, user: User, gate: Gate) -> UserView:
    until = failures.waits_until(session, user.name, gate.clock())
    return UserView(
        id=user.id,
        name=user.name,
        email=user.email,
        state="locked" if until and user.state == "active" else user.state,
        locked_until=until,
        groups=[group.name for group in groups.groups_of(session, user.id)],
        projects=sorted(groups.projects_of(session, user.id)),
        has_password=user.password is not None,
        must_change=user.must_change,
        totp=user.totp_since is not None,
        created_at=user.created_at,
        login_at=user.login_at,
    )
