"""The REST application: routes, errors, security. It calls services and owns the shapes of requests and answers."""

from collections.abc import Iterable
from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from hanse.api.console import (
    applications,
    approvals,
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
    schedules,
    sessions,
    sources,
    uploads,
    users,
)
from hanse.api.console.security import Guard
from hanse.control.admission.gate import Gate

ROUTERS = (
    node.router,
    members.router,
    doctor.router,
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
    oidc.router,
)


def build_api(given: Iterable[object] = ()) -> FastAPI:
    """Return the routes; `given` are the node's parts that they call. No page of it is drawn by somebody's CDN."""
    app = FastAPI(
        title="Hanse node",
        version=version("hanse"),
        summary="One organisation's node: members, datasets, projects, grants, pipelines, jobs and models.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[
            Depends(
                HTTPBearer(auto_error=False, description="An access key, or the content of the node's file `token`.")
            )
        ],
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
