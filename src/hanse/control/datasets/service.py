"""Note datasets, find them and say what they are. How a file becomes a snapshot is `registration`."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import LOCAL, Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.datasets.tables import Dataset, DatasetVersion, Reading
from hanse.core.faults import fault
from hanse.core.ids import DatasetId
from hanse.core.schema import Schema, Sensitivity
from hanse.core.specs import Artefact, Intake
from hanse.core.times import now

Policy = Literal["same", "extend", "force"]
"""What a new version may change: nothing, add columns (that no grant covers), or anything (grants of it end)."""


class Snapshot(NamedTuple):
    """A dataset at one of its versions."""

    dataset: Dataset
    version: DatasetVersion


Settle = Callable[[Session, Schema, Snapshot], list[str]]
"""Makes what relied on the columns that there were hold for a new version; returns the ids of what cannot."""


class Change(msgspec.Struct, frozen=True):
    """How the columns of one version differ from those of another, by name; `retyped` has another type or use."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[str, ...]:
        """Columns that who relied on them finds no longer."""
        return (*self.removed, *self.retyped)


class Words(msgspec.Struct, frozen=True):
    """What people say of a dataset; None leaves as it is. `sensitivities` are of columns that differ from it."""

    description: str | None = None
    tags: tuple[str, ...] | None = None
    sensitivity: Sensitivity | None = None
    sensitivities: dict[str, Sensitivity] | None = None


def record(
    session: Session,
    name: str,
    dataset: DatasetId,
    artefact: Artefact,
    source: str,
    *,
    caller: Caller = LOCAL,
    reading: Reading | None = None,
    intake: Intake | None = None,
    policy: Policy = "same",
    settle: Settle | None = None,
) -> Snapshot:
    """Note a fresh snapshot as version 1 of a new dataset, or as the next one of the dataset of that name.

    The same content again is the version that is there. Raises `dataset.differs` when the columns have changed beyond
    the policy, `access.denied` when the dataset is somebody else's.
    """
    before: Schema | None = None
    schema = _schema(artefact)
    known = session.scalar(select(Dataset).where(Dataset.name == name).with_for_update())
    if known is None or known.deleted_at is not None:
        caller.demand(Permission.DATASETS_MANAGE)
        known = Dataset(id=dataset, name=name, version=0, created_at=now(), owner=caller.person)
        session.add(known)
        session.flush()
    else:
        caller.demand(Permission.DATASETS_MANAGE, owner=known.owner)
        newest = _version(session, known)
        demand_policy(name, compare(newest.schema, schema), policy)
        if newest.sha256 == artefact.sha256 and newest.schema == schema:
            return Snapshot(known, newest)
        before = newest.schema
    known.version += 1
    read = intake or Intake(0, "")
    version = DatasetVersion(
        dataset=known.id,
        number=known.version,
        path=artefact.path,
        sha256=artefact.sha256,
        rows=artefact.rows or 0,
        schema=schema,
        source=source,
        created_at=now(),
        reading=reading,
        source_bytes=read.source_bytes,
        source_sha256=read.source_sha256,
        misfits=read.misfits,
    )
    session.add(version)
    session.flush()
    snapshot = Snapshot(known, version)
    ended = settle(session, before, snapshot) if settle is not None and before is not None else []
    audit.append(
        session,
        caller.id,
        "dataset.register",
        known.id,
        name=name,
        version=known.version,
        rows=version.rows,
        sha256=version.sha256,
        **({"ended_grants": ended} if ended else {}),
    )
    return snapshot


def compare(before: Schema, after: Schema) -> Change:
    """Return how the columns have changed; their order says nothing."""
    old, new = ({column.name: column for column in schema.columns} for schema in (before, after))
    return Change(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        retyped=tuple(sorted(name for name in old.keys() & new.keys() if old[name] != new[name])),
    )


def demand_policy(name: str, change: Change, policy: Policy) -> None:
    """Raise `dataset.differs` with the difference, unless the policy allows it."""
    if policy == "force" or (policy == "extend" and not change.broken) or change == Change():
        return
    parts = (("added", change.added), ("removed", change.removed), ("of another type", change.retyped))
    said = "; ".join(f"{what}: {', '.join(columns[:8])}" for what, columns in parts if columns)
    raise fault("dataset.differs", f"{name!r} exists with other columns ({said})")


def find(session: Session, name: str) -> Snapshot:
    """Return the newest version of a dataset by its name or id, that of a deleted one by its id.

    Raises `dataset.unknown`.
    """
    return _found(session, name, session.scalar(select(Dataset).where(_called(name))))


def find_for(session: Session, caller: Caller, name: str, *, change: bool = False) -> Snapshot:
    """Return what `find` does if the caller may see it, and with `change` may change it.

    No row is locked: whoever only reads may ask that too, and one writes at a time (`control.database`).
    """
    query = select(Dataset).where(_called(name), Dataset.deleted_at.is_(None))
    query = visible(query, caller, Permission.DATASETS_READ, owner=Dataset.owner)
    snapshot = _found(session, name, session.scalar(query))
    if change:
        caller.demand(Permission.DATASETS_MANAGE, owner=snapshot.dataset.owner)
    return snapshot


def find_version(session: Session, caller: Caller, name: str, number: int) -> Snapshot:
    """Return a dataset at one of its versions. Raises `dataset.unknown` and `dataset.no_version`."""
    dataset = find_for(session, caller, name).dataset
    version = session.get(DatasetVersion, (dataset.id, number))
    if version is None:
        raise fault("dataset.no_version", f"{dataset.name!r} has no version {number}")
    return Snapshot(dataset, version)


def list_datasets(session: Session, caller: Caller = LOCAL, after: str = "", limit: int = 1000) -> list[Snapshot]:
    """Return the datasets that a caller may see at their newest version, by name, those after a name."""
    newest = (DatasetVersion.dataset == Dataset.id) & (DatasetVersion.number == Dataset.version)
    query: Any = select(Dataset, DatasetVersion).join(DatasetVersion, newest)
    query = query.where(Dataset.deleted_at.is_(None), Dataset.name > after).order_by(Dataset.name).limit(limit)
    rows = session.execute(visible(query, caller, Permission.DATASETS_READ, owner=Dataset.owner))
    return [Snapshot(dataset, version) for dataset, version in rows]


def has_version(session: Session, dataset: DatasetId, number: int) -> bool:
    """Say whether a version of a dataset is still there."""
    version = session.get(DatasetVersion, (dataset, number))
    return version is not None and version.retired_at is None


def list_versions(session: Session, caller: Caller, name: str, after: int = 0, limit: int = 1000) -> list[Snapshot]:
    """Return the versions of a dataset with a number above `after`, oldest first."""
    dataset = find_for(session, caller, name).dataset
    query = select(DatasetVersion).where(DatasetVersion.dataset == dataset.id, DatasetVersion.number > after)
    return [Snapshot(dataset, version) for version in session.scalars(query.order_by("number").limit(limit))]


def describe(session: Session, caller: Caller, name: str, words: Words) -> Snapshot:
    """Say what a dataset is and how sensitive. Raises `dataset.columns` for columns that it lacks."""
    snapshot = find_for(session, caller, name, change=True)
    dataset = snapshot.dataset
    said = {key: value for key, value in msgspec.structs.asdict(words).items() if value is not None}
    absent = sorted((words.sensitivities or {}).keys() - set(snapshot.version.schema.names))
    if absent:
        raise fault("dataset.columns", f"{dataset.name!r} has no column {', '.join(absent[:8])}")
    for key, value in said.items():
        setattr(dataset, key, value)
    audit.append(session, caller.id, "dataset.describe", dataset.id, **said)
    return snapshot


def sensitivity_of(snapshot: Snapshot, column: str) -> Sensitivity:
    """Return how sensitive a column is: as it is labelled, the id an identifier, else as the dataset."""
    dataset = snapshot.dataset
    usual: Sensitivity = "identifier" if column == snapshot.version.schema.id else dataset.sensitivity
    return dataset.sensitivities.get(column, usual)


def retire(session: Session, caller: Caller, name: str, number: int) -> Snapshot:
    """Give up an old version; its snapshot goes after the transaction, by `Registration.tidy`."""
    newest = find_for(session, caller, name, change=True)
    snapshot = find_version(session, caller, name, number)
    if number == newest.version.number:
        raise fault("dataset.newest", f"version {number} is the newest of {newest.dataset.name!r}")
    if snapshot.version.retired_at is None:
        snapshot.version.retired_at = now()
        audit.append(session, caller.id, "dataset.retire", snapshot.dataset.id, version=number)
    return snapshot


def erase(session: Session, caller: Caller, dataset: Dataset, **consequences: object) -> None:
    """Note that a dataset is deleted: its record stays, its name is free again."""
    moment, name = now(), dataset.name
    for version in session.scalars(select(DatasetVersion).where(DatasetVersion.dataset == dataset.id)):
        version.retired_at = version.retired_at or moment
    dataset.deleted_at, dataset.name = moment, dataset.id
    audit.append(session, caller.id, "dataset.delete", dataset.id, name=name, **consequences)


def list_paths(session: Session) -> list[str]:
    """Return where the snapshots of all versions lie that are not retired, relative to the node's directory."""
    return list(session.scalars(select(DatasetVersion.path).where(DatasetVersion.retired_at.is_(None))))


def retired_paths(session: Session, dataset: DatasetId) -> Iterable[str]:
    """Return where the snapshots of a dataset's retired versions lay."""
    query = select(DatasetVersion.path).where(DatasetVersion.dataset == dataset)
    return list(session.scalars(query.where(DatasetVersion.retired_at.is_not(None))))


def _called(name: str) -> ColumnElement[bool]:
    return (Dataset.name == name) | (Dataset.id == name)


def _found(session: Session, name: str, dataset: Dataset | None) -> Snapshot:
    if dataset is None:
        raise fault("dataset.unknown", f"no dataset is called {name!r}")
    return Snapshot(dataset, _version(session, dataset))


def _version(session: Session, dataset: Dataset) -> DatasetVersion:
    return session.get_one(DatasetVersion, (dataset.id, dataset.version))


def _schema(artefact: Artefact) -> Schema:
    if artefact.schema is None or artefact.kind != "table":
        raise fault("dataset.ingest", "the snapshot came without a schema")
    return artefact.schema
