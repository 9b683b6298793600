"""Rows of a database become a Parquet file beside the snapshot, which is then read like any other file. Objects too.

The rows come in batches and go to disk as CSV, since the engine reads that within its memory; types are the server's.
"""

import csv
import os
from pathlib import Path
from typing import Any

import duckdb

from hanse.core.faults import fault
from hanse.core.schema import ColumnType
from hanse.core.sources import KINDS, Reader
from hanse.core.specs import Limits
from hanse.runtime.readers import stores
from hanse.runtime.readers.databases import Rows, opened, query_of
from hanse.sdk.engine import Bounds, connect, named, quote
from hanse.sdk.sources import LINE_BYTES
from hanse.sdk.table import SQL_TYPES

ODD = frozenset((bool, bytes, bytearray, memoryview))


def stage(reader: Reader, password: str, folder: Path, limits: Limits) -> Path:
    """Read what `reader` names into a file in `folder`, and return its path. Raises `source.*`."""
    if KINDS[reader.source.kind].is_store:
        return stores.stage(reader, password, folder, limits)
    text, file = (folder / f".source.{os.getpid()}.{suffix}" for suffix in ("csv", "parquet"))
    try:
        columns = _write_csv(reader, password, text)
        picks = ", ".join(f"c{index}::{SQL_TYPES[kind]} AS {named(name)}" for index, (name, kind) in enumerate(columns))
        types = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(columns)))
        options = (
            "auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
            f"new_line = '\\n', max_line_size = {LINE_BYTES}"
        )
        rows = f"read_csv({quote(str(text))}, {options}, columns = {{{types}}})"
        bounds = Bounds(limits.threads, limits.memory_bytes // 4 * 3)
        with connect([], folder, bounds) as engine:
            engine.execute(f"COPY (SELECT {picks} FROM {rows}) TO {quote(str(file))} (FORMAT parquet)")
    except duckdb.Error as error:  # its text quotes values
        file.unlink(missing_ok=True)
        raise fault("source.value", f"a value does not fit its column's type ({type(error).__name__})") from None
    finally:
        text.unlink(missing_ok=True)
    return file


def _write_csv(reader: Reader, password: str, path: Path) -> list[tuple[str, ColumnType]]:
    with opened(reader, password) as database:
        query = query_of(database, reader)
        if reader.table is not None:
            with path.open("wb") as copy:
                if described := database.copy(reader.table, copy):
                    return _columns(described)
        described, batches = database.select(query)
        columns = _columns(described)
        _write_rows(batches, path)
        return columns


def _columns(described: list[tuple[str, ColumnType | None]]) -> list[tuple[str, ColumnType]]:
    columns = [(name, _known(name, kind)) for name, kind in described]
    if len({name.lower() for name, _ in columns}) < len(columns):
        raise fault("source.query", "two columns have one name", "give them other names with AS")
    return columns


def _write_rows(batches: Rows, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for rows in batches:
            writer.writerows(_plain(row) for row in rows) if _odd(rows) else writer.writerows(rows)


def _known(name: str, kind: ColumnType | None) -> ColumnType:
    if kind is None:
        raise fault("source.column_type", f"column {name!r} holds neither numbers nor text", "leave it out by a query")
    return kind


def _odd(rows: Any) -> bool:
    """Whether cells of the batch need another form: truth values, and bytes that are no text."""
    return any(not ODD.isdisjoint(map(type, row)) for row in rows)


def _plain(row: Any) -> list[Any]:
    return [_cell(cell) for cell in row]


def _cell(cell: Any) -> Any:
    if isinstance(cell, bytes | bytearray | memoryview):
        raise fault("source.column_type", "a column holds bytes", "leave it out by a query")
    return int(cell) if isinstance(cell, bool) else cell
