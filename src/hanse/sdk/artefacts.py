"""From values to artefacts on disk and back: what surrounds a role's program, whatever the kind."""

from pathlib import Path

from hanse.core.faults import fault
from hanse.core.specs import Artefact, ModelManifest
from hanse.sdk.component import Value
from hanse.sdk.engine import BOUNDS, Bounds
from hanse.sdk.files import digest
from hanse.sdk.model import FILES, Model, Report, Rule
from hanse.sdk.table import Table


def save(value: Value, directory: Path, manifest: ModelManifest) -> Artefact:
    """Write one output into `directory` (made if absent) and return its record. Tables and reports need no manifest."""
    match value:
        case Model() | Rule():
            return value.save(directory, manifest)
        case Table() | Report():
            return value.save(directory)


def load(artefact: Artefact, bounds: Bounds = BOUNDS) -> Value:
    """Open one input after its digest was found right. Raises HanseError("artefact.damaged")."""
    path = Path(artefact.path)
    beside = FILES if artefact.kind == "model" else None
    if not path.exists() or digest(path, beside=beside) != artefact.sha256:
        raise fault("artefact.damaged", f"{path.name} is not what was written", "run the task that made it again")
    match artefact.kind:
        case "table":
            if artefact.schema is None:
                raise fault("artefact.damaged", f"{path.name} has no schema on record", "register the data again")
            return Table.open(path, artefact.schema, artefact.columns, bounds)
        case "model":
            return Model.open(path)
        case "rule":
            return Rule.open(path)
        case "report":
            return Report.open(path)
