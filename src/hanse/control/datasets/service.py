"""Note datasets and find them. How a file becomes a snapshot is `registration`."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.audit import service as audit
from hanse.control.datasets.tables import Dataset, DatasetVersion
from hanse.core.faults import fault
from hanse.core.ids import DatasetId
from hanse.core.schema import Schema
from hanse.core.specs import Artefact
from hanse.core.times import now


class Snapshot(NamedTuple):
    """A dataset at one of its versions."""

    dataset: Dataset
    version: DatasetVersion


def record(session: Session, name: str, dataset: DatasetId, artefact: Artefact, source: str) -> Snapshot:
    """Note a fresh snapshot as version 1 of a new dataset, or as the next one of the dataset of that name.

    The same content again is the version that is there. Grants name columns, so that a version with other columns is
    another dataset: raises `dataset.differs`.
    """
    schema = _schema(artefact)
    known = session.scalar(select(Dataset).where(Dataset.name == name))
    if known is None:
        known = Dataset(id=dataset, name=name, version=0, created_at=now())
        session.add(known)
        session.flush()
    else:
        newest = _version(session, known)
        demand_alike(name, newest.schema, schema)
        if newest.sha256 == artefact.sha256:
            return Snapshot(known, newest)
    known.version += 1
    version = DatasetVersion(
        dataset=known.id,
        number=known.version,
        path=artefact.path,
        sha256=artefact.sha256,
        rows=artefact.rows or 0,
        schema=schema,
        source=source,
        created_at=now(),
    )
    session.add(version)
    audit.append(
        session,
        audit.ADMINISTRATOR,
        "dataset.register",
        known.id,
        name=name,
        version=known.version,
        rows=version.rows,
        sha256=version.sha256,
    )
    session.flush()
    return Snapshot(known, version)


def demand_alike(name: str, before: Schema, after: Schema) -> None:
    """Raise `dataset.differs` unless both schemas have the same columns, in whatever order."""
    if set(before.columns) == set(after.columns):
        return
    changed = sorted({column.name for column in set(before.columns) ^ set(after.columns)})
    raise fault("dataset.differs", f"{name!r} exists with other columns; these differ: {', '.join(changed[:8])}")


def find(session: Session, name: str) -> Snapshot:
    """Return the newest version of a dataset by its name or id. Raises `dataset.unknown`."""
    dataset = session.scalar(select(Dataset).where((Dataset.name == name) | (Dataset.id == name)))
    if dataset is None:
        raise fault("dataset.unknown", f"no dataset is called {name!r}")
    return Snapshot(dataset, _version(session, dataset))


def list_datasets(session: Session) -> list[Snapshot]:
    """Return all datasets at their newest version, by name."""
    newest = (DatasetVersion.dataset == Dataset.id) & (DatasetVersion.number == Dataset.version)
    rows = session.execute(select(Dataset, DatasetVersion).join(DatasetVersion, newest).order_by(Dataset.name))
    return [Snapshot(dataset, version) for dataset, version in rows]


def has_version(session: Session, dataset: DatasetId, number: int) -> bool:
    """Say whether a version of a dataset is still there."""
    return session.get(DatasetVersion, (dataset, number)) is not None


def list_paths(session: Session) -> list[str]:
    """Return where the snapshots of all versions lie, relative to the node's directory."""
    return list(session.scalars(select(DatasetVersion.path)))


def _version(session: Session, dataset: Dataset) -> DatasetVersion:
    return session.get_one(DatasetVersion, (dataset.id, dataset.version))


def _schema(artefact: Artefact) -> Schema:
    if artefact.schema is None or artefact.kind != "table":
        raise fault("dataset.ingest", "the snapshot came without a schema")
    return artefact.schema
