"""This organisation's datasets. What is shown of them is names and numbers, never a row."""

from typing import Annotated

from fastapi import APIRouter

from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked, Title, WithSchema, view_schema
from hanse.control.database import Database
from hanse.control.datasets import service as datasets
from hanse.control.datasets.registration import Registration
from hanse.control.datasets.service import Snapshot

router = APIRouter(tags=["datasets"])


class DatasetAsked(Asked):
    """`path` is a CSV or Parquet file on the node's machine."""

    name: Title
    path: str
    id_column: str
    label_column: str | None = None


class DatasetView(WithSchema):
    id: str
    name: str
    version: int
    rows: int
    sha256: str
    created_at: str


@router.post("/datasets", status_code=201, operation_id="register_dataset")
async def register_dataset(
    asked: DatasetAsked, registration: Annotated[Registration, part(Registration)]
) -> DatasetView:
    """Register a file, or the next version of a dataset that has the same columns."""
    return _view(await registration.register(asked.name, asked.path, asked.id_column, asked.label_column))


@router.get("/datasets", operation_id="list_datasets")
def list_datasets(database: Annotated[Database, part(Database)]) -> list[DatasetView]:
    """List the datasets at their newest versions."""
    with database.read() as session:
        return [_view(snapshot) for snapshot in datasets.list_datasets(session)]


@router.get("/datasets/{name}", operation_id="get_dataset")
def get_dataset(name: str, database: Annotated[Database, part(Database)]) -> DatasetView:
    """Show a dataset, by its name or id, at its newest version."""
    with database.read() as session:
        return _view(datasets.find(session, name))


def _view(snapshot: Snapshot) -> DatasetView:
    return DatasetView(
        id=snapshot.dataset.id,
        name=snapshot.dataset.name,
        version=snapshot.version.number,
        rows=snapshot.version.rows,
        table_schema=view_schema(snapshot.version.schema),
        sha256=snapshot.version.sha256,
        created_at=snapshot.version.created_at,
    )
