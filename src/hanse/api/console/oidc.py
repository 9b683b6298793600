"""Single sign-on: providers, whose people are which users, and the two steps of a browser that signs in."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, StringConstraints

from hanse.api.console.access import needs, signed_in
from hanse.api.console.parts import part
from hanse.api.console.sessions import agent_of, give_cookie, peer_of
from hanse.api.console.shapes import Asked, Title
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.admission.gate import Admission, Gate
from hanse.control.oidc import service
from hanse.control.oidc.service import Terms
from hanse.control.oidc.signing_in import VALID, Returned, SignIns
from hanse.control.oidc.tables import Provider
from hanse.control.users import service as users

router = APIRouter(tags=["sign-in"])

SIGN_IN_COOKIE = "__Host-hanse-sign-in"

Doors = Annotated[Gate, part(Gate)]
Desk = Annotated[SignIns, part(SignIns)]
Manager = Annotated[Caller, needs(Permission.USERS_MANAGE)]
Reading = needs(Permission.USERS_READ)
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Line = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]
Word = Annotated[str, Query(max_length=4096)]


class ProviderChange(Asked):
    """`admits`: who may come for the first time (whom an administrator links, whoever gets a mapped group, anybody).

    `secret` left out stays as it was. `group_map` puts values of the claim `group_claim` into groups, at each sign-in.
    """

    title: Title = Field(examples=["Bank staff"])
    client_id: Line = Field(examples=["hanse"])
    secret: Annotated[str, Field(max_length=1024)] | None = None
    scopes: list[Line] = Field(["openid", "profile", "email"], max_length=32)
    admits: Literal["linked", "mapped", "anybody"] = "linked"
    group_claim: Annotated[str, Field(max_length=64)] = Field("", examples=["groups"])
    group_map: dict[str, Title] = Field({}, max_length=200, examples=[{"risk-modelling": "modeller"}])
    default_groups: list[Title] = Field([], max_length=100)


class ProviderAsked(ProviderChange):
    """`issuer` is the provider's address as it stands in its tokens."""

    name: Name = Field(examples=["staff"])
    issuer: Line = Field(examples=["https://login.bank.example"])


class ProviderView(BaseModel):
    """A provider, without its secret. `redirect_uri` is what has to be registered there."""

    name: str
    title: str
    issuer: str
    client_id: str
    has_secret: bool
    scopes: list[str]
    admits: str
    group_claim: str
    group_map: dict[str, str]
    default_groups: list[str]
    redirect_uri: str
    created_at: str


class CheckView(BaseModel):
    """What a provider says of itself now."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str


class DoorView(BaseModel):
    """A provider at which one can sign in. A browser goes to `link`."""

    name: str
    title: str
    link: str


class SignOutView(BaseModel):
    """`link` is where a browser ends the provider's own session, empty when there is nothing to end."""

    link: str


class LinkAsked(Asked):
    """`subject` is the claim `sub` of the person at that provider."""

    provider: Name
    subject: Annotated[str, Field(min_length=1, max_length=255)]


class LinkedView(BaseModel):
    """A person of a provider who is a user here."""

    provider: str
    issuer: str
    subject: str


@router.get("/sign-in", operation_id="list_doors")
def list_doors(gate: Doors) -> list[DoorView]:
    """List the providers at which one can sign in; for the page where one does."""
    with gate.database.read() as session:
        found = service.list_providers(session)
    return [DoorView(name=p.name, title=p.title, link=f"/v1/sign-in/begin?provider={p.name}") for p in found]


@router.get("/sign-in/begin", status_code=303, operation_id="begin_sign_in", response_class=RedirectResponse)
async def begin_sign_in(
    provider: Annotated[str, Query(max_length=64)], request: Request, desk: Desk
) -> RedirectResponse:
    """Send a browser to a provider, with a cookie that what comes back is bound to."""
    begun = await desk.begin(provider, peer_of(request), _back(request, provider))
    answer = RedirectResponse(begun.location, 303)
    # Lax: the provider sends the browser back from another site, and the cookie has to come along
    answer.set_cookie(
        SIGN_IN_COOKIE, begun.token, max_age=int(VALID.total_seconds()), secure=True, httponly=True, samesite="lax"
    )
    return answer


@router.get("/sign-in/end", status_code=303, operation_id="end_sign_in", response_class=RedirectResponse)
async def end_sign_in(
    request: Request,
    desk: Desk,
    provider: Annotated[str, Query(max_length=64)],
    state: Word = "",
    code: Word = "",
    iss: Word = "",
    error: Word = "",
) -> RedirectResponse:
    """Take a browser back from a provider, and open its session."""
    returned = Returned(provider, code, state, iss, error, request.cookies.get(SIGN_IN_COOKIE, ""))
    opened = await desk.finish(returned, peer_of(request), agent_of(request), _back(request, provider))
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(SIGN_IN_COOKIE, secure=True, httponly=True, samesite="lax")
    give_cookie(answer, opened.token)
    return answer


@router.get("/session/sign-out", operation_id="get_sign_out")
async def get_sign_out(me: Annotated[Admission, signed_in()], request: Request, desk: Desk) -> SignOutView:
    """Say where a browser goes, after it has logged out here, to end the provider's session, too."""
    return SignOutView(link=await desk.sign_out_link(me.session, str(request.base_url)) if me.session else "")


@router.get("/providers", operation_id="list_providers", dependencies=[Reading])
def list_providers(gate: Doors, request: Request) -> list[ProviderView]:
    """List the trusted providers."""
    with gate.database.read() as session:
        return [_view(provider, request) for provider in service.list_providers(session)]


@router.post("/providers", status_code=201, operation_id="create_provider")
def create_provider(asked: ProviderAsked, caller: Manager, gate: Doors, request: Request) -> ProviderView:
    """Trust a provider to say who somebody is."""
    with gate.database.write() as session:
        made = service.create(session, caller, gate.directory, asked.name, asked.issuer, _terms(asked), gate.clock())
        return _view(made, request)


@router.put("/providers/{name}", operation_id="change_provider")
def change_provider(name: str, asked: ProviderChange, caller: Manager, gate: Doors, request: Request) -> ProviderView:
    """Give a provider other terms; its issuer stays."""
    with gate.database.write() as session:
        return _view(service.change(session, caller, gate.directory, name, _terms(asked)), request)


@router.delete("/providers/{name}", status_code=204, operation_id="remove_provider")
def remove_provider(name: str, caller: Manager, gate: Doors) -> None:
    """Trust a provider no longer: its people's sessions end and their links go, their accounts stay."""
    with gate.database.write() as session:
        service.remove(session, caller, name)


@router.post("/providers/{name}/check", operation_id="check_provider", dependencies=[needs(Permission.USERS_MANAGE)])
async def check_provider(name: str, desk: Desk) -> CheckView:
    """Ask a provider what it says of itself, past what is remembered of it."""
    found = await desk.check(name)
    return CheckView(
        authorization_endpoint=found.authorise,
        token_endpoint=found.token,
        jwks_uri=found.keys,
        end_session_endpoint=found.end,
    )


@router.get("/users/{user}/links", operation_id="list_user_links", dependencies=[Reading])
def list_user_links(user: str, gate: Doors) -> list[LinkedView]:
    """List as whom a user is known to providers."""
    with gate.database.read() as session:
        found = service.links_of(session, users.find(session, user))
    return [LinkedView(provider=name, issuer=row.issuer, subject=row.subject) for row, name in found]


@router.post("/users/{user}/links", status_code=201, operation_id="link_user")
def link_user(user: str, asked: LinkAsked, caller: Manager, gate: Doors) -> LinkedView:
    """Say that a person of a provider is this user."""
    with gate.database.write() as session:
        row = service.link(session, caller, users.find(session, user), asked.provider, asked.subject)
        return LinkedView(provider=asked.provider, issuer=row.issuer, subject=row.subject)


@router.delete("/users/{user}/links", status_code=204, operation_id="unlink_user")
def unlink_user(
    user: str,
    provider: Annotated[str, Query(max_length=64)],
    subject: Annotated[str, Query(max_length=255)],
    caller: Manager,
    gate: Doors,
) -> None:
    """Part a user from a person of a provider; the user's sessions end."""
    with gate.database.write() as session:
        service.unlink(session, caller, users.find(session, user), provider, subject)


def _back(request: Request, provider: str) -> str:
    """Return where a provider sends browsers back to: an address of its own for each (RFC 9700, 4.4.2)."""
    return f"{request.base_url}v1/sign-in/end?provider={provider}"


def _terms(asked: ProviderChange) -> Terms:
    return Terms(
        title=asked.title,
        client=asked.client_id,
        secret=asked.secret,
        scopes=tuple(asked.scopes),
        admits=asked.admits,
        group_claim=asked.group_claim,
        group_map=asked.group_map,
        default_groups=tuple(asked.default_groups),
    )


def _view(provider: Provider, request: Request) -> ProviderView:
    names = "name title issuer scopes admits group_claim group_map default_groups created_at".split()
    return ProviderView(
        **{name: getattr(provider, name) for name in names},
        client_id=provider.client,
        has_secret=bool(provider.secret),
        redirect_uri=_back(request, provider.name),
    )
