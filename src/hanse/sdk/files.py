"""Files that are whole or absent, and what stands for their content."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write(temporary path)` fill a new file beside `path`, bring it to disk, then give it its name.

    Whatever dies in between, `path` is what it was before, or the whole new file.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Write `content` whole, or leave `path` as it was."""
    write_whole(path, lambda beside: beside.write_bytes(content))


def digest(path: Path, *, beside: str | None = None) -> str:
    """Return the SHA-256 of a file, or of a folder's files in name order (each by name, size and content).

    Files below the folder's own folder `beside` count by name and size only: their content is checked where it is read.
    """
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for part in sorted(part for part in path.rglob("*") if part.is_file()):
        total.update(f"{part.relative_to(path).as_posix()}\0{part.stat().st_size}\0".encode())
        if beside is not None and part.relative_to(path).parts[0] == beside:
            continue
        with part.open("rb") as file:
            while piece := file.read(1 << 20):
                total.update(piece)
    return total.hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
