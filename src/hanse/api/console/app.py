"""The REST application: routes, errors, security. It calls services and owns the shapes of requests and answers."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI

from hanse.api.console import (
    applications,
    approvals,
    audit,
    channels,
    components,
    datasets,
    derived,
    doctor,
    errors,
    grants,
    groups,
    jobs,
    keys,
    live,
    members,
    models,
    node,
    notifications,
    oidc,
    parts,
    pipelines,
    profiles,
    projects,
    registries,
    schedules,
    sessions,
    sources,
    templates,
    uploads,
    users,
)
from hanse.api.console.security import COOKIE, FORGERY_HEADER, PUBLIC, Guard
from hanse.control.admission.gate import Gate

ROUTERS = (
    node.router,
    members.router,
    doctor.router,
    registries.router,
    datasets.router,
    uploads.router,
    sources.router,
    profiles.router,
    projects.router,
    grants.router,
    applications.router,
    components.router,
    derived.router,
    pipelines.router,
    templates.router,
    jobs.router,
    live.router,
    schedules.router,
    models.router,
    sessions.router,
    users.router,
    groups.router,
    keys.router,
    notifications.router,
    channels.router,
    approvals.router,
    audit.router,
    oidc.router,
)


WAYS_IN = {
    "HTTPBearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access key, or the content of the node's file `token`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": f"What changes something also needs the header {FORGERY_HEADER}, as `GET /v1/session` tells it.",
    },
}


class Api(FastAPI):
    """The routes; their description says which need nothing, and how one is let in to all others."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            described = super().openapi()
            described["components"]["securitySchemes"] = WAYS_IN
            described["security"] = [{name: []} for name in WAYS_IN]
            for verb, path in PUBLIC:
                described["paths"][path][verb.lower()]["security"] = []
        return super().openapi()


def build_api(given: Iterable[object] = ()) -> FastAPI:
    """Return the routes; `given` are the node's parts that they call. No page of it is drawn by somebody's CDN."""
    app = Api(
        title="Hanse node",
        version=version("hanse"),
        summary="One organisation's node: members, datasets, projects, grants, pipelines, jobs and models.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        responses={"4XX": {"model": errors.ErrorAnswer, "description": "A fault of the catalogue."}},
    )
    for router in ROUTERS:
        app.include_router(router, prefix="/v1")
    errors.install(app)
    parts.install(app, given)
    return app


def create_app(given: Iterable[object], token: str, names: Iterable[str] = ()) -> Guard:
    """Return the application that a server runs; a Gate among `given` lets people and keys in beside the token."""
    parts = tuple(given)
    gate = next((part for part in parts if isinstance(part, Gate)), None)
    return Guard(build_api(parts), token, gate, names)
