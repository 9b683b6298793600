"""This organisation's datasets. What is shown of them is names and numbers, never a row."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked, Title, WithSchema, view_schema
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.datasets import service as datasets
from hanse.control.datasets.receipts import Receipt, sign
from hanse.control.datasets.registration import Registration
from hanse.control.datasets.service import Snapshot, Words
from hanse.control.datasets.tables import Reading
from hanse.control.nodes.identity import Identity
from hanse.control.removals import service as removal
from hanse.core.faults import fault
from hanse.core.schema import IdType, Sensitivity
from hanse.core.sources import TableName
from hanse.core.specs import Delimiter, Encoding

router = APIRouter(tags=["datasets"])

Reader = Annotated[Caller, needs(Permission.DATASETS_READ)]
Owner = Annotated[Caller, needs(Permission.DATASETS_MANAGE)]
Store = Annotated[Database, part(Database)]
Rooms = Annotated[Registration, part(Registration)]
Policy = Literal["same", "extend", "force"]


class TableAsked(Asked):
    """A table or view of a source; of a store an object, or with `/` at its end all objects below it."""

    space: str = Field("", max_length=128)
    name: str = Field(max_length=1024)


class DatasetAsked(Asked):
    """`path` is a file on the node's machine, `upload` a complete upload, `source` a source: one of them.

    Of a source, `table` is read (as `list_source_tables` names it) or the rows of `query`, one SELECT.

    `encoding` and `delimiter` are those of a CSV file and `sheet` that of a workbook; empty: look.
    """

    name: Title
    path: str = ""
    upload: str = Field("", max_length=32)
    id_column: str
    label_column: str | None = None
    id_type: IdType = "free"
    encoding: Encoding = ""
    delimiter: Delimiter = ""
    sheet: str = Field("", max_length=64)
    source: str = Field("", max_length=64)
    table: TableAsked | None = None
    query: str = Field("", max_length=1 << 16)


class RefreshAsked(Asked):
    """Read the source again, or `path` or `upload` in its place. `policy` says what may change in the columns."""

    policy: Policy = "same"
    path: str = ""
    upload: str = Field("", max_length=32)


class WordsAsked(Asked):
    """What is not said stays. `sensitivities` are of columns that differ from the dataset's."""

    description: str | None = Field(None, max_length=4000)
    tags: list[Annotated[str, Field(min_length=1, max_length=40)]] | None = Field(None, max_length=50)
    sensitivity: Sensitivity | None = None
    sensitivities: dict[str, Sensitivity] | None = None


class DatasetView(WithSchema):
    """A dataset at one version. `misfits` counts the ids that do not look like their type."""

    id: str
    name: str
    version: int
    rows: int
    sha256: str
    created_at: str
    owner: str
    description: str
    tags: list[str]
    sensitivity: Sensitivity
    sensitivities: dict[str, Sensitivity]
    id_type: IdType
    id_form: int
    misfits: int
    retired_at: str | None


class ChangeView(BaseModel):
    """How the columns of version `new` differ from those of version `old`; `retyped` has another type or use."""

    old: int
    new: int
    rows: int
    added: list[str]
    removed: list[str]
    retyped: list[str]


class ReceiptView(BaseModel):
    """What was read, said by the node: `signature` (ECDSA with SHA-256 by its key, base64) is over `statement`."""

    statement: str
    signature: str


class ConsequencesView(BaseModel):
    """What goes with a dataset that is deleted; deleting names `digest`. `derived` datasets become invalid."""

    dataset: str
    name: str
    versions: int
    rows: int
    grants: list[str]
    kept: list[str]
    derived: list[str]
    digest: str


@router.post("/datasets", status_code=201, operation_id="register_dataset")
async def register_dataset(asked: DatasetAsked, caller: Owner, registration: Rooms) -> DatasetView:
    """Register a file, or the next version of a dataset that has the same columns."""
    if [bool(asked.path), bool(asked.upload), bool(asked.source)].count(True) != 1:
        raise fault("dataset.path", "one of path, upload and source is wanted", "name a file, an upload or a source")
    if bool(asked.source) != (bool(asked.table) != bool(asked.query)):
        raise fault("dataset.path", "of a source, and only of one, a table or a query is wanted")
    reading = Reading(
        asked.id_column,
        asked.label_column,
        asked.id_type,
        asked.encoding,
        asked.delimiter,
        asked.sheet,
        asked.source,
        TableName(asked.table.space, asked.table.name) if asked.table else None,
        asked.query,
    )
    return _view(await registration.take(caller, asked.name, asked.path, reading, upload=asked.upload))


@router.get("/datasets", operation_id="list_datasets")
def list_datasets(
    caller: Reader,
    database: Store,
    after: Annotated[str, Query(max_length=64)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> list[DatasetView]:
    """List the datasets at their newest versions, by name."""
    with database.read() as session:
        return [_view(snapshot) for snapshot in datasets.list_datasets(session, caller, after, limit)]


@router.get("/datasets/{name}", operation_id="get_dataset")
def get_dataset(name: str, caller: Reader, database: Store) -> DatasetView:
    """Show a dataset, by its name or id, at its newest version."""
    with database.read() as session:
        return _view(datasets.find_for(session, caller, name))


@router.patch("/datasets/{name}", operation_id="describe_dataset")
def describe_dataset(name: str, asked: WordsAsked, caller: Owner, database: Store) -> DatasetView:
    """Say what a dataset is and how sensitive it and its columns are."""
    tags = None if asked.tags is None else tuple(asked.tags)
    words = Words(asked.description, tags, asked.sensitivity, asked.sensitivities)
    with database.write() as session:
        return _view(datasets.describe(session, caller, name, words))


@router.post("/datasets/{name}/refresh", operation_id="refresh_dataset")
async def refresh_dataset(name: str, asked: RefreshAsked, caller: Owner, registration: Rooms) -> DatasetView:
    """Read the source again: the next version, or the one that is there when nothing has changed."""
    policy, path, upload = asked.policy, asked.path, asked.upload
    return _view(await registration.refresh(caller, name, policy=policy, path=path, upload=upload))


@router.get("/datasets/{name}/versions", operation_id="list_dataset_versions")
def list_dataset_versions(
    name: str,
    caller: Reader,
    database: Store,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[DatasetView]:
    """List the versions of a dataset, oldest first."""
    with database.read() as session:
        return [_view(snapshot) for snapshot in datasets.list_versions(session, caller, name, after, limit)]


Number = Annotated[int, Query(ge=1, le=2**31 - 1)]


@router.get("/datasets/{name}/compare", operation_id="compare_dataset_versions")
def compare_dataset_versions(name: str, old: Number, new: Number, caller: Reader, database: Store) -> ChangeView:
    """Say how two versions of a dataset differ: in columns, and in the number of rows."""
    with database.read() as session:
        one, other = (datasets.find_version(session, caller, name, number).version for number in (old, new))
    change = datasets.compare(one.schema, other.schema)
    return ChangeView(
        old=old,
        new=new,
        rows=other.rows - one.rows,
        added=list(change.added),
        removed=list(change.removed),
        retyped=list(change.retyped),
    )


@router.get("/datasets/{name}/versions/{number}/receipt", operation_id="get_dataset_receipt")
def get_dataset_receipt(
    name: str, number: int, caller: Reader, database: Store, identity: Annotated[Identity, part(Identity)]
) -> ReceiptView:
    """Return the signed receipt of a version: rows, columns, bytes and SHA-256 of what was read."""
    with database.read() as session:
        receipt: Receipt = sign(identity, datasets.find_version(session, caller, name, _number(number)))
    return ReceiptView(statement=receipt.statement, signature=receipt.signature)


@router.post("/datasets/{name}/versions/{number}/retire", operation_id="retire_dataset_version")
def retire_dataset_version(name: str, number: int, caller: Owner, registration: Rooms) -> DatasetView:
    """Give up an old version: its record stays, its rows go."""
    with registration.database.write() as session:
        snapshot = datasets.retire(session, caller, name, _number(number))
    registration.tidy(snapshot.dataset.id)
    return _view(snapshot)


@router.get("/datasets/{name}/consequences", operation_id="foresee_dataset_deletion")
def foresee_dataset_deletion(name: str, caller: Owner, registration: Rooms) -> ConsequencesView:
    """Say what deleting a dataset would take with it."""
    with registration.database.read() as session:
        return _consequences(removal.foresee(session, registration.directory, caller, name))


@router.delete("/datasets/{name}", operation_id="delete_dataset")
async def delete_dataset(
    name: str,
    caller: Owner,
    registration: Rooms,
    me: Annotated[Identity, part(Identity)],
    digest: Annotated[str, Query(max_length=64)],
) -> ConsequencesView:
    """Delete a dataset with the consequences that were shown under this digest."""
    return _consequences(await asyncio.to_thread(_delete, registration, caller, me, name, digest))


def _delete(registration: Registration, caller: Caller, me: Identity, name: str, digest: str) -> removal.Consequences:
    with registration.database.write() as session:
        seen = removal.remove(session, registration.directory, caller, name, digest, me.organisation)
    registration.tidy(seen.dataset)
    removal.clear(registration.directory, seen)
    return seen


def _number(number: int) -> int:
    """Return a version's number, or one that none has: numbers of databases end at 2^31."""
    return number if 0 < number < 1 << 31 else 0


def _consequences(seen: removal.Consequences) -> ConsequencesView:
    return ConsequencesView(
        dataset=seen.dataset,
        name=seen.name,
        versions=seen.versions,
        rows=seen.rows,
        grants=list(seen.grants),
        kept=list(seen.kept),
        derived=list(seen.derived),
        digest=seen.digest,
    )


def _view(snapshot: Snapshot) -> DatasetView:
    dataset, version = snapshot
    id_type, id_form = version.schema.id_type
    return DatasetView(
        id=dataset.id,
        name=dataset.name,
        version=version.number,
        rows=version.rows,
        table_schema=view_schema(version.schema),
        sha256=version.sha256,
        created_at=version.created_at,
        owner=dataset.owner,
        description=dataset.description,
        tags=list(dataset.tags),
        sensitivity=dataset.sensitivity,
        sensitivities={name: datasets.sensitivity_of(snapshot, name) for name in version.schema.names},
        id_type=id_type,
        id_form=id_form,
        misfits=version.misfits,
        retired_at=version.retired_at,
    )
