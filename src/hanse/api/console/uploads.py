"""Files in chunks: begin, send, go on where it stopped, complete; then register it as a dataset."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from hanse.api.console.access import needs
from hanse.api.console.parts import part
from hanse.api.console.shapes import Asked
from hanse.control.access.callers import Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.datasets.registration import Registration
from hanse.control.uploads import service as uploads
from hanse.control.uploads.tables import Upload

router = APIRouter(tags=["uploads"])

Owner = Annotated[Caller, needs(Permission.DATASETS_MANAGE)]
Store = Annotated[Database, part(Database)]
Rooms = Annotated[Registration, part(Registration)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]


class UploadAsked(Asked):
    """`name` is what people call the file; it never becomes a path."""

    name: str = Field(min_length=1, max_length=200, examples=["loans.csv"])
    size_bytes: int = Field(gt=0, examples=[1_048_576])


class UploadCompleted(Asked):
    """`sha256` is of the whole file."""

    sha256: Sha256


class UploadView(BaseModel):
    """`received_bytes` are on the node's disk: send on from there, in chunks of at most `chunk_bytes`."""

    id: str
    name: str
    size_bytes: int
    received_bytes: int
    sha256: str | None
    chunk_bytes: int = uploads.CHUNK_BYTES
    created_at: str


@router.post("/uploads", status_code=201, operation_id="create_upload")
def create_upload(asked: UploadAsked, caller: Owner, database: Store) -> UploadView:
    """Begin to upload a file."""
    with database.write() as session:
        return _view(uploads.create(session, caller, asked.name, asked.size_bytes))


@router.get("/uploads", operation_id="list_uploads")
def list_uploads(
    caller: Owner,
    database: Store,
    after: Annotated[str, Query(max_length=32)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[UploadView]:
    """List the uploads that are not registered yet."""
    with database.read() as session:
        return [_view(upload) for upload in uploads.list_uploads(session, caller, after, limit)]


@router.get("/uploads/{upload_id}", operation_id="get_upload")
def get_upload(upload_id: str, caller: Owner, database: Store) -> UploadView:
    """Say how much of an upload is there."""
    with database.read() as session:
        return _view(uploads.find(session, caller, upload_id))


@router.put(
    "/uploads/{upload_id}",
    operation_id="send_chunk",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def send_chunk(
    upload_id: str,
    request: Request,
    caller: Owner,
    registration: Rooms,
    offset: Annotated[int, Query(ge=0, le=uploads.FILE_BYTES)],
    sha256: Annotated[str, Query(pattern="^[0-9a-fA-F]{64}$")],
) -> UploadView:
    """Send the bytes from `offset` on, with their SHA-256. What is acknowledged is on the disk."""
    chunk = await request.body()
    return _view(await asyncio.to_thread(registration.receive, caller, upload_id, offset, chunk, sha256))


@router.post("/uploads/{upload_id}/complete", operation_id="complete_upload")
def complete_upload(upload_id: str, asked: UploadCompleted, caller: Owner, registration: Rooms) -> UploadView:
    """Check the whole file; from now on it can be registered."""
    return _view(registration.complete(caller, upload_id, asked.sha256))


@router.delete("/uploads/{upload_id}", status_code=204, operation_id="remove_upload")
def remove_upload(upload_id: str, caller: Owner, registration: Rooms) -> None:
    """Give an upload up."""
    with registration.database.write() as session:
        uploads.remove(session, caller, upload_id)
    uploads.discard(registration.directory, upload_id)


def _view(upload: Upload) -> UploadView:
    return UploadView(
        id=upload.id,
        name=upload.name,
        size_bytes=upload.size_bytes,
        received_bytes=upload.received_bytes,
        sha256=upload.sha256,
        created_at=upload.created_at,
    )
