"""Send a file in chunks that the node brings to its disk one by one; whatever breaks off goes on where it stopped."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from hanse.client import calls
from hanse.client.calls import Call
from hanse.client.resources import Upload
from hanse.core.faults import HanseError, fault

T = TypeVar("T")
Tell = Callable[[int, int], None]
"""Is told how many bytes are there, of how many."""

PATIENCE = 8
"""Failures in a row without a byte taken, after which the sender gives up: about half a minute."""
PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0
PASSING = frozenset({"node.down", "node.slow", "upload.offset", "upload.damaged"})
"""What may go better the next time: the node is away, another sender was faster, or a chunk was spoilt on the way."""


class Sender(Protocol):
    """What sends one call to a node."""

    async def send(self, call: Call[T]) -> T: ...


async def send_file(sender: Sender, file: Path, tell: Tell | None = None) -> Upload:
    """Return the whole upload of a file. A part that is there already is not sent again.

    Raises `file.unreadable`, `upload.*`, and what keeps the node from answering for good. When the file has changed
    since its part was sent, the part is given up and all of it is sent.
    """
    size_bytes, sha256 = await asyncio.to_thread(_measure, file)
    upload, is_resumed = await _begin(sender, file.name, size_bytes, sha256)
    if upload.sha256 == sha256:
        return upload
    try:
        return await _finish(sender, upload, file, sha256, tell)
    except HanseError as error:
        if not (is_resumed and error.fault.code == "upload.damaged"):
            raise
    await sender.send(calls.remove_upload(upload.id))
    fresh = await sender.send(calls.create_upload(file.name, size_bytes))
    return await _finish(sender, fresh, file, sha256, tell)


async def _begin(sender: Sender, name: str, size_bytes: int, sha256: str) -> tuple[Upload, bool]:
    """Return the upload of that name, size and (once it is whole) content, and whether it was begun before."""
    for upload in await sender.send(calls.uploads()):
        if (upload.name, upload.size_bytes) == (name, size_bytes) and upload.sha256 in (None, sha256):
            return upload, True
    return await sender.send(calls.create_upload(name, size_bytes)), False


async def _finish(sender: Sender, upload: Upload, file: Path, sha256: str, tell: Tell | None) -> Upload:
    failures = 0
    while upload.received_bytes < upload.size_bytes:
        if tell is not None:
            tell(upload.received_bytes, upload.size_bytes)
        chunk = await asyncio.to_thread(_read, file, upload.received_bytes, upload.chunk_bytes)
        try:
            upload = await sender.send(calls.send_chunk(upload.id, upload.received_bytes, chunk))
            failures = 0
        except HanseError as error:
            failures += 1
            if error.fault.code not in PASSING or failures > PATIENCE:
                raise
            await asyncio.sleep(min(PAUSE_S * 2**failures, LONGEST_PAUSE_S))
            upload = await _look_again(sender, upload)
    if tell is not None:
        tell(upload.received_bytes, upload.size_bytes)
    return await sender.send(calls.complete_upload(upload.id, sha256))


async def _look_again(sender: Sender, upload: Upload) -> Upload:
    """Return how the upload stands now, or as it was known when the node is still away."""
    try:
        return await sender.send(calls.upload(upload.id))
    except HanseError as error:
        if error.fault.code not in PASSING:
            raise
        return upload


def _measure(file: Path) -> tuple[int, str]:
    """Return the size and the SHA-256 of a file. Raises `file.unreadable`."""
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
            return opened.tell(), digest
    except OSError as error:
        raise fault("file.unreadable", f"{file}: {error.strerror or error}", step="read the file") from error


def _read(file: Path, offset: int, size_bytes: int) -> bytes:
    """Return the next bytes of a file. Raises `file.unreadable` when it has become shorter."""
    try:
        with file.open("rb") as opened:
            opened.seek(offset)
            chunk = opened.read(size_bytes)
    except OSError as error:
        raise fault("file.unreadable", f"{file}: {error.strerror or error}", step="read the file") from error
    if not chunk:
        raise fault("file.unreadable", f"{file} has become shorter while it was sent", step="read the file")
    return chunk
