"""Take files in chunks: what was acknowledged is on the disk, and an upload goes on where it stopped.

A chunk is written and brought to disk before its transaction begins, at its own offset: if the node dies in between,
the chunk is sent again. A name that a client gives never becomes a path.
"""

import hashlib
import os
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.uploads.tables import Upload
from hanse.core.faults import fault
from hanse.core.ids import new_id
from hanse.core.times import later, now

FOLDER = "uploads"
CHUNK_BYTES = 4 << 20
FILE_BYTES = 64 << 30
OPEN_BYTES = 128 << 30
"""What one caller's uploads may take together."""
MOST_OPEN = 20
UNTOUCHED_S = 7 * 86_400.0
"""After that long without a chunk, or without being registered, an upload is removed."""
PIECE_BYTES = 1 << 20


def place(directory: Path, upload_id: str) -> Path:
    """Return where a whole upload lies. `upload_id` is one that the node made."""
    return directory / FOLDER / upload_id


def part(directory: Path, upload_id: str) -> Path:
    """Return where an upload lies that is not whole."""
    return directory / FOLDER / f"{upload_id}.part"


def create(session: Session, caller: Caller, name: str, size_bytes: int) -> Upload:
    """Begin an upload. Raises `upload.too_large` and `upload.quota`."""
    caller.demand(Permission.DATASETS_MANAGE)
    if not 0 < size_bytes <= FILE_BYTES:
        raise fault("upload.too_large", f"{size_bytes} bytes are not between 1 and {FILE_BYTES}")
    mine = select(func.count(), func.coalesce(func.sum(Upload.size_bytes), 0)).where(Upload.owner == caller.person)
    count, taken = session.execute(mine).one()
    if count >= MOST_OPEN or taken + size_bytes > OPEN_BYTES:
        raise fault("upload.quota", f"{caller.name} has {count} uploads of {taken} bytes that are not registered yet")
    moment = now()
    upload = Upload(
        id=new_id("upload"),
        owner=caller.person,
        name=name,
        size_bytes=size_bytes,
        received_bytes=0,
        sha256=None,
        created_at=moment,
        touched_at=moment,
    )
    session.add(upload)
    session.flush()
    audit.append(session, caller.id, "upload.create", upload.id, name=name, size_bytes=size_bytes)
    return upload


def find(session: Session, caller: Caller, upload_id: str, *, lock: bool = False) -> Upload:
    """Return one of the caller's uploads. Raises `upload.unknown`."""
    query = visible(
        select(Upload).where(Upload.id == upload_id), caller, Permission.DATASETS_MANAGE, owner=Upload.owner
    )
    upload = session.scalar(query.with_for_update() if lock else query)
    if upload is None:
        raise fault("upload.unknown", f"there is no upload {upload_id!r}")
    return upload


def list_uploads(session: Session, caller: Caller, after: str, limit: int) -> list[Upload]:
    """Return the caller's uploads above the id `after`, by id."""
    query = select(Upload).where(Upload.id > after).order_by(Upload.id).limit(limit)
    return list(session.scalars(visible(query, caller, Permission.DATASETS_MANAGE, owner=Upload.owner)))


def check_chunk(upload: Upload, offset: int, chunk: bytes, sha256: str) -> None:
    """Raise unless this is the next chunk of the upload, as it was sent."""
    if upload.sha256 is not None:
        raise fault("upload.complete", f"{upload.name!r} is whole already")
    if offset != upload.received_bytes:
        raise fault("upload.offset", f"{upload.received_bytes} bytes are there; the chunk begins at {offset}")
    if not 0 < len(chunk) <= CHUNK_BYTES or offset + len(chunk) > upload.size_bytes:
        raise fault("upload.chunk", f"a chunk of {len(chunk)} bytes at {offset} of {upload.size_bytes}")
    if hashlib.sha256(chunk).hexdigest() != sha256.lower():
        raise fault("upload.damaged", f"the chunk at {offset} is not what its checksum says")


def store_chunk(directory: Path, upload_id: str, offset: int, chunk: bytes) -> None:
    """Write a chunk and bring it to disk."""
    path = part(directory, upload_id)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        written = 0
        while written < len(chunk):
            written += os.pwrite(handle, chunk[written:], offset + written)
        os.fsync(handle)
    finally:
        os.close(handle)


def note_chunk(session: Session, caller: Caller, upload_id: str, offset: int, size_bytes: int) -> Upload:
    """Note that a chunk is on the disk. Raises `upload.offset` when another was noted in between."""
    upload = find(session, caller, upload_id, lock=True)
    if upload.received_bytes != offset:
        raise fault("upload.offset", f"{upload.received_bytes} bytes are there; the chunk begins at {offset}")
    upload.received_bytes += size_bytes
    upload.touched_at = now()
    audit.append(session, caller.id, "upload.chunk", upload.id, offset=offset, size_bytes=size_bytes)
    return upload


def demand_all(upload: Upload) -> None:
    """Raise `upload.incomplete` unless all bytes are there."""
    if upload.received_bytes != upload.size_bytes:
        raise fault("upload.incomplete", f"{upload.received_bytes} of {upload.size_bytes} bytes are there")


def seal(directory: Path, upload_id: str, size_bytes: int, sha256: str) -> None:
    """Check the whole file and give it its name. Raises `upload.damaged`; it may be called again after a crash."""
    path, whole = part(directory, upload_id), place(directory, upload_id)
    lying = whole if whole.exists() else path
    if lying.stat().st_size > size_bytes:
        os.truncate(lying, size_bytes)  # of a chunk that was never acknowledged
    with lying.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256.lower():
            raise fault("upload.damaged", "the whole is not what its checksum says", "send it again")
    if lying is path:
        path.replace(whole)
        _sync(whole.parent)


def complete(session: Session, caller: Caller, upload_id: str, sha256: str) -> Upload:
    """Note that an upload is whole; once."""
    upload = find(session, caller, upload_id, lock=True)
    if upload.sha256 is None:
        upload.sha256, upload.touched_at = sha256.lower(), now()
        audit.append(session, caller.id, "upload.complete", upload.id, sha256=upload.sha256)
    return upload


def remove(session: Session, caller: Caller, upload_id: str) -> None:
    """Give an upload up. Its file goes after the transaction, by `discard`."""
    upload = find(session, caller, upload_id, lock=True)
    session.delete(upload)
    audit.append(session, caller.id, "upload.remove", upload_id)


def take(session: Session, caller: Caller, upload_id: str) -> None:
    """Note that an upload has become a dataset's version, which the line of the registration tells."""
    session.delete(find(session, caller, upload_id, lock=True))


def discard(directory: Path, upload_id: str) -> None:
    """Remove the file of an upload."""
    part(directory, upload_id).unlink(missing_ok=True)
    place(directory, upload_id).unlink(missing_ok=True)


def expire(session: Session, caller: Caller) -> None:
    """Give up what nobody has touched for `UNTOUCHED_S`."""
    for upload in session.scalars(select(Upload).where(Upload.touched_at < later(-UNTOUCHED_S))):
        session.delete(upload)
        audit.append(session, caller.id, "upload.expire", upload.id, name=upload.name)


def sweep(session: Session, directory: Path) -> None:
    """Remove the files that no upload knows."""
    known = set(session.scalars(select(Upload.id)))
    for path in (directory / FOLDER).glob("upload-*"):
        if path.name.partition(".")[0] not in known:
            path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
