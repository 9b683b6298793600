"""Objects of a store become a file beside the snapshot: one as it is, all below a name as one table.

Memory holds a piece of an object at a time. A line that breaks is taken up where it broke, on the same content.
"""

import importlib
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import duckdb

from hanse.core.faults import HanseError, fault
from hanse.core.sources import KINDS, Reader, TableName
from hanse.core.specs import Limits
from hanse.runtime.readers.web import check_time, explain
from hanse.sdk.engine import Bounds, connect, parquet, quote

PIECE_BYTES = 1 << 20
TRIES = 5
PAUSE_S = 0.2
MOST_OBJECTS = 10_000
HEADER_BYTES = 4 << 20
MAGIC = b"PAR1"
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".gz", ".zip", ".xlsx")
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16 and UTF-32, whose lines cannot be put together byte by byte


class Body(NamedTuple):
    """An object from some byte on: what comes, how large the whole is, and a tag that another content would change."""

    response: HTTPResponse
    size_bytes: int
    tag: str


class Store(Protocol):
    """A store that answers."""

    def server(self) -> str: ...

    def encrypted(self) -> bool: ...

    def tables(self, most: int) -> list[TableName]: ...

    def below(self, name: str, most: int) -> list[str]: ...

    def get(self, name: str, start: int, tag: str) -> AbstractContextManager[Body]: ...


@contextmanager
def opened(reader: Reader, password: str) -> Iterator[Store]:
    """Reach the store of `reader`; every error inside comes out as a fault `source.*`."""
    family = importlib.import_module(f"hanse.runtime.readers.{KINDS[reader.source.kind].family}")
    with _said_plainly():
        yield family.Opened(reader, password)


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except HanseError:
        raise
    except Exception as error:
        said = explain(error)
        if said is None:
            raise
        raise said from None


def stage(reader: Reader, password: str, folder: Path, limits: Limits) -> Path:
    """Read what `reader` names into a file in `folder`, and return its path. Raises `source.*`."""
    if reader.table is None or reader.table.schema:
        raise fault(
            "source.query", "a store has objects and takes no query", "name an object, or a folder with / at its end"
        )
    name, end = reader.table.name, time.monotonic() + reader.statement_s
    path = folder / f".source{_suffix(name)}"
    try:
        with opened(reader, password) as store:
            if name.endswith("/"):
                return _together(store, name, path, end, limits)
            with path.open("wb") as file:
                _fetch(store, name, file, end)
        return path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _suffix(name: str) -> str:
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")


def _fetch(store: Store, name: str, file: BinaryIO, end: float) -> None:
    """Write an object to a file."""
    tag, size = "", -1
    begin = file.tell()
    for attempt in range(TRIES):
        try:
            with _said_plainly(), store.get(name, file.tell() - begin, tag) as body:
                if tag and (body.tag, body.size_bytes) != (tag, size):
                    raise fault("source.objects", f"{name!r} was changed while it was read", "try again")
                tag, size = body.tag, body.size_bytes
                while piece := body.response.read(PIECE_BYTES):
                    check_time(end)
                    file.write(piece)
        except HanseError as error:
            if error.fault.code != "source.lost" or attempt + 1 == TRIES:
                raise
        if file.tell() - begin == size:
            return
        check_time(end)
        time.sleep(PAUSE_S * 2**attempt)
    raise fault("source.lost", f"{name!r} does not come whole")


def _together(store: Store, name: str, path: Path, end: float, limits: Limits) -> Path:
    """Read all objects below a name into one file, in the order of their names."""
    names = [each for each in store.below(name, MOST_OBJECTS + 1) if not each.rpartition("/")[2].startswith(("_", "."))]
    if not names:
        raise fault("source.no_table", f"there is no object below {name!r}")
    if len(names) > MOST_OBJECTS:
        raise fault("source.objects", f"there are more than {MOST_OBJECTS} objects below {name!r}")
    parts = path.with_name(".source.parts")
    parts.mkdir()
    try:
        first = parts / "0.parquet"
        _fetch_one(store, names[0], first, end)
        if _begins(first) == MAGIC:
            for index, each in enumerate(names[1:], 1):
                _fetch_one(store, each, parts / f"{index}.parquet", end)
            return _join_parquet(names, parts, path.with_suffix(".parquet"), limits)
        return _join_lines(store, names, first, path.with_suffix(".csv"), end)
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _fetch_one(store: Store, name: str, path: Path, end: float) -> None:
    with path.open("wb") as file:
        _fetch(store, name, file, end)


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(MAGIC))


def _join_parquet(names: list[str], parts: Path, path: Path, limits: Limits) -> Path:
    bounds = Bounds(limits.threads, limits.memory_bytes // 4 * 3)
    files = [parts / f"{index}.parquet" for index in range(len(names))]
    try:
        with connect([], path.parent, bounds) as engine:
            shapes = [engine.execute(f"DESCRIBE SELECT * FROM {parquet(file)}").fetchall() for file in files]
            for name, shape in zip(names, shapes, strict=True):
                if [column[:2] for column in shape] != [column[:2] for column in shapes[0]]:
                    raise _unlike(names[0], name)
            rows = " UNION ALL ".join(f"SELECT * FROM {parquet(file)}" for file in files)
            engine.execute(f"COPY ({rows}) TO {quote(str(path))} (FORMAT parquet)")
    except duckdb.Error as error:  # its text may quote values
        path.unlink(missing_ok=True)
        raise fault("source.objects", f"an object is no whole Parquet file ({type(error).__name__})") from None
    return path


def _join_lines(store: Store, names: list[str], first: Path, path: Path, end: float) -> Path:
    """Put CSV objects together: the first header stays, the others must be the same."""
    header = b""
    try:
        with path.open("wb") as file:
            for index, name in enumerate(names):
                if index:
                    _fetch_one(store, name, first, end)
                with first.open("rb") as part:
                    line = _header(part, name)
                    if index and line != header:
                        raise _unlike(names[0], name)
                    if not index:
                        header = line
                        file.write(header + b"\n")
                    _append(part, file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _header(part: BinaryIO, name: str) -> bytes:
    line = part.readline(HEADER_BYTES).removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    if line.startswith((*WIDE_MARKS, MAGIC, b"\x1f\x8b", b"PK\x03\x04")) or line.count(b'"') % 2:
        raise fault("source.objects", f"{name!r} is no CSV file in UTF-8 with a header of one line")
    return line


def _append(part: BinaryIO, file: BinaryIO) -> None:
    last = b"\n"
    while piece := part.read(PIECE_BYTES):
        file.write(piece)
        last = piece[-1:]
    if last != b"\n":
        file.write(b"\n")


def _unlike(first: str, other: str) -> HanseError:
    return fault("source.objects", f"{other!r} has other columns than {first!r}")


def named_tables(names: Iterator[str], most: int) -> list[TableName]:
    """Return the objects among `names` that can be read, and the folders that hold some, at most `most`."""
    found: dict[str, None] = {}
    for name in names:
        if not _suffix(name):
            continue
        folder = name.rpartition("/")[0]
        for each in (f"{folder}/" if folder else name, name):
            if len(found) >= most:
                return [TableName("", key) for key in sorted(found)]
            found[each] = None
    return [TableName("", key) for key in sorted(found)]
