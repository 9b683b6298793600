"""Every route says what it needs: a permission, an account, or nothing because it stands in a short list."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from hanse.api.console.app import ROUTERS
from hanse.api.console.security import PUBLIC

SIGNED_IN = "signed in"

ABOUT_ONESELF = {
    ("GET", "/v1/session"),
    ("GET", "/v1/session/sign-out"),
    ("DELETE", "/v1/session"),
    ("GET", "/v1/sessions"),
    ("DELETE", "/v1/sessions/{session_id}"),
    ("GET", "/v1/users/{user}"),
    ("PUT", "/v1/me/password"),
    ("POST", "/v1/me/totp"),
    ("POST", "/v1/me/totp/confirm"),
    ("POST", "/v1/me/totp/remove"),
    ("GET", "/v1/notifications"),
    ("POST", "/v1/notifications/read"),
    ("GET", "/v1/notifications/subscriptions"),
    ("PUT", "/v1/notifications/subscriptions"),
}
"""What anybody with an account may call: its own session, password, notifications (others' only by permission)."""


def list_routes() -> Iterator[tuple[tuple[str, str], APIRoute]]:
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                for verb in route.methods or ():
                    yield (verb, f"/v1{route.path}"), route


def permissions_of(dependant: Dependant) -> set[str]:
    own = getattr(dependant.call, "permission", None)
    found = {str(own)} if own is not None else set()
    return found.union(*(permissions_of(inner) for inner in dependant.dependencies))


def test_every_route_declares_what_it_needs_or_is_public() -> None:
    undeclared = {
        place for place, route in list_routes() if not permissions_of(route.dependant) and place not in PUBLIC
    }
    assert undeclared == set()


def test_only_what_is_about_oneself_needs_no_permission() -> None:
    assert {place for place, route in list_routes() if SIGNED_IN in permissions_of(route.dependant)} == ABOUT_ONESELF


def test_every_public_door_is_a_route_without_a_caller() -> None:
    routes = dict(list_routes())
    assert set(routes) >= PUBLIC
    assert {place for place in PUBLIC if permissions_of(routes[place].dependant)} == set()


def test_nothing_changes_by_reading() -> None:
    """A GET of the interface has no body and is never one that the anti-forgery header is needed for (ASVS 3.5.3)."""
    assert [place for place, route in list_routes() if place[0] == "GET" and route.body_field is not None] == []
