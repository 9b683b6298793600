"""Model versions: this party's part of each."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.models import service as models
from hanse.control.models.tables import ModelVersion
from hanse.core.ids import ModelVersionId

router = APIRouter(tags=["models"])

Storage = Annotated[Database, part(Database)]
Reader = Annotated[Caller, needs(Permission.MODELS_READ)]


class ModelView(BaseModel):
    """`parties` holds the id of the organisation of each side; `path` and `sha256` are of this party's own part."""

    id: str
    name: str
    project: str
    job: str
    task: str
    component: str
    version: str
    role: str
    parties: dict[str, str]
    created_at: str
    metrics: dict[str, float]
    path: str
    sha256: str


class ModelDetailView(ModelView):
    """`manifest` is what the model's own folder says: settings, features, and what its component noted."""

    manifest: dict[str, Any]


@router.get("/models", operation_id="list_models")
def list_models(caller: Reader, database: Storage) -> list[ModelView]:
    """List the model versions, newest first."""
    with database.read() as session:
        return [ModelView(**_describe(model)) for model in models.list_models(session, caller)]


@router.get("/models/{model_id}", operation_id="get_model")
def get_model(model_id: str, caller: Reader, database: Storage) -> ModelDetailView:
    """Show a model version with its manifest."""
    with database.read() as session:
        model = models.find_visible(session, caller, ModelVersionId(model_id))
    return ModelDetailView(**_describe(model), manifest=msgspec.to_builtins(models.read_manifest(model)))


def _describe(model: ModelVersion) -> dict[str, Any]:
    return {
        "id": model.id,
        "name": model.name,
        "project": model.project,
        "job": model.job,
        "task": model.task,
        "component": model.component,
        "version": model.version,
        "role": model.me,
        "parties": dict(model.parties),
        "created_at": model.created_at,
        "metrics": model.metrics,
        "path": model.artefact.path,
        "sha256": model.artefact.sha256,
    }
