"""Register model versions and find them."""

from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.models.tables import ModelVersion
from hanse.core.faults import HanseError, fault
from hanse.core.ids import JobId, ModelVersionId, OrganisationId, TaskName
from hanse.core.roles import PartyId
from hanse.core.specs import ModelManifest

REFERENCE = "model:"
"""How a pipeline's input says that a model comes from an earlier job: `model:<model version id>`."""


def name_model(job: JobId, task: TaskName) -> ModelVersionId:
    """Return the id of the model that a task makes: the same at every party, and nobody has to tell it."""
    return ModelVersionId(f"model-{job.removeprefix('job-')}-{task}")


def register_model(session: Session, model: ModelVersion) -> None:
    """Add a model version; once it is there, saying it again changes nothing."""
    if session.get(ModelVersion, model.id) is None:
        session.add(model)
        session.flush()


def list_models(session: Session, caller: Caller) -> list[ModelVersion]:
    """Return the model versions that the caller may see, newest first."""
    query = visible(select(ModelVersion), caller, Permission.MODELS_READ, project=ModelVersion.project)
    return list(session.scalars(query.order_by(ModelVersion.created_at.desc(), ModelVersion.id)))


def find_visible(session: Session, caller: Caller, model: ModelVersionId) -> ModelVersion:
    """Return a model version that the caller may see. Raises `model.unknown`, as for one that is not there."""
    found = get_model(session, model)
    if not caller.may(Permission.MODELS_READ, project=found.project):
        raise _unknown(model)
    return found


def get_model(session: Session, model: ModelVersionId) -> ModelVersion:
    """Return a model version. Raises `model.unknown`."""
    found = session.get(ModelVersion, model)
    if found is None:
        raise _unknown(model)
    return found


def _unknown(model: ModelVersionId) -> HanseError:
    return fault("model.unknown", f"this node has no model {model}", "`hanse model list` shows the models it has")


def demand_same_sides(model: ModelVersion, parties: dict[PartyId, OrganisationId]) -> None:
    """Raise `model.other_parties` unless each side of the model is held by the organisation that made it."""
    strangers = sorted(p for p, organisation in model.parties.items() if parties.get(p) != organisation)
    if strangers:
        raise fault(
            "model.other_parties",
            f"{', '.join(strangers)} of model {model.id} was another organisation when it was trained",
            "run the pipeline with the same organisations in the same roles",
        )


def read_manifest(model: ModelVersion) -> ModelManifest:
    """Return what a model's own folder says of it. Raises `artefact.damaged`."""
    path = Path(model.artefact.path) / "manifest.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelManifest)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError) as error:
        raise fault("artefact.damaged", f"the manifest of {model.id} cannot be read: {error}") from error
