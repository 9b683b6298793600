"""Packed files: gzip, and zip with one file in it. Nothing in them says where anything is written, or how much.

Bounds: an archive unpacks to `OPEN_BYTES` at most and, beyond `EASY_BYTES`, to `RATIO` times its own size; a zip has
`ENTRIES` entries at most. Names inside an archive are looked at only to tell files from folders. What comes out of one
archive may not be another.
"""

import gzip
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hanse.core.faults import fault

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
OPEN_BYTES = 64 << 30
EASY_BYTES = 64 << 20
RATIO = 200
ENTRIES = 1000
DIRECTORY_BYTES = 1 << 20
PIECE_BYTES = 1 << 20
ONE_FILE = "pack one CSV, Excel or Parquet file"
WORKBOOK_PARTS = frozenset({"xl/workbook.xml", "xl/workbook.bin", "content.xml"})
"""Entries that make a zip file a workbook: of Excel (xlsx, xlsb), of OpenDocument."""

_END = struct.Struct("<4s4H2LH")
_END_MARK, _END_MARK_64 = b"PK\x05\x06", b"PK\x06\x07"
_LOCATOR_BYTES = 20
_COMMENT_BYTES = 1 << 16


def unpack(source: Path, target: Path) -> Path:
    """Write what is packed in `source` to `target` and return that; a file that is not packed is returned itself.

    Raises `dataset.archive`, `dataset.bomb` and, for what is damaged, `dataset.damaged`.
    """
    with source.open("rb") as file:
        head = file.read(4)
    if not (head.startswith(GZIP) or (head == ZIP and not is_workbook(source))):
        return source
    try:
        with target.open("wb") as file:
            size = source.stat().st_size
            for piece in _bounded(_pieces(source, head), size, source.name):
                file.write(piece)
    except (
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        zlib.error,
        EOFError,
        RuntimeError,
    ) as error:  # a method zipfile lacks
        raise fault("dataset.damaged", f"{source.name} cannot be unpacked", "pack it again") from error
    with target.open("rb") as file:
        if file.read(4).startswith((GZIP, ZIP)) and not is_workbook(target):
            raise fault("dataset.archive", f"{source.name} holds another archive", ONE_FILE)
    return target


def is_workbook(source: Path) -> bool:
    """Return whether a file is a zip file with the parts of a workbook."""
    with source.open("rb") as file:
        if file.read(4) != ZIP:
            return False
        try:
            return bool(WORKBOOK_PARTS & {entry.filename for entry in entries_of(file, source.name)})
        except zipfile.BadZipFile:
            return False


def entries_of(file: BinaryIO, name: str) -> list[zipfile.ZipInfo]:
    """Return the entries of a zip file, after a look at how many it says there are. Raises `dataset.archive`."""
    _check_end(file, name)
    with zipfile.ZipFile(file) as archive:
        return archive.infolist()


def _check_end(file: BinaryIO, name: str) -> None:
    """Raise unless the end of a zip file, which is small, names a list of entries that is small."""
    size = file.seek(0, 2)
    tail_bytes = min(size, _END.size + _COMMENT_BYTES + _LOCATOR_BYTES)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise zipfile.BadZipFile
    if tail[max(at - _LOCATOR_BYTES, 0) : at].startswith(_END_MARK_64):
        raise fault("dataset.archive", f"{name} is a zip file of the 64-bit form", "pack it with gzip")
    _, _, _, _, count, directory_bytes, _, _ = _END.unpack_from(tail, at)
    if count > ENTRIES or directory_bytes > DIRECTORY_BYTES:
        raise fault("dataset.archive", f"{name} has {count} entries, more than {ENTRIES}", ONE_FILE)


def _pieces(source: Path, head: bytes) -> Iterator[bytes]:
    if head.startswith(GZIP):
        with gzip.open(source) as opened:
            while piece := opened.read(PIECE_BYTES):
                yield piece
        return
    with source.open("rb") as file, zipfile.ZipFile(file) as archive:
        entry = _only_file(entries_of(file, source.name), source.name)
        with archive.open(entry) as member:
            while piece := member.read(PIECE_BYTES):
                yield piece


def _only_file(entries: list[zipfile.ZipInfo], name: str) -> zipfile.ZipInfo:
    """Return the one file of an archive; what macOS adds for itself is no file."""
    files = [entry for entry in entries if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")]
    if len(files) != 1:
        raise fault("dataset.archive", f"{name} holds {len(files)} files, not one", ONE_FILE)
    if files[0].flag_bits & 1:
        raise fault("dataset.archive", f"{name} is locked with a password", "pack it without one")
    if files[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise fault("dataset.archive", f"{name} is packed in another way than deflate", "pack it with zip or gzip")
    if files[0].external_attr >> 28 == 0xA:
        raise fault("dataset.archive", f"{name} holds a symbolic link", ONE_FILE)
    return files[0]


def _bounded(pieces: Iterator[bytes], packed_bytes: int, name: str) -> Iterator[bytes]:
    """Pass pieces on until they are more than an honest file holds. Raises `dataset.bomb`."""
    most = min(OPEN_BYTES, max(EASY_BYTES, RATIO * packed_bytes))
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > most:
            cause = f"{name} has {packed_bytes} bytes and unpacks to more than {most}"
            raise fault("dataset.bomb", cause, "register the file as it is, unpacked")
        yield piece
