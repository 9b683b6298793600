"""Files that come from outside: a private copy, what is wrong with it at first sight, and how DuckDB reads it.

All that is read later is read from the copy, so that what is checked is what is kept.
"""

from __future__ import annotations

import codecs
import csv
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import duckdb
import numpy as np

from hanse.core.faults import HanseError, fault
from hanse.core.schema import ColumnType
from hanse.core.specs import Encoding
from hanse.sdk.engine import named, parquet, quote
from hanse.sdk.table import SQL_TYPES

LINE_BYTES = 4 << 20
LINE_FEED = 10
HEADER_BYTES = 4 << 20
PIECE_BYTES = 1 << 20
BATCH_ROWS = 131_072  # in one Arrow batch of the engine
OFFSET_BYTES = 8
DELIMITERS = ",;\t|"
NAME_THE_COLUMNS = "give every column a name of its own in the first line"

BYTE_ORDER_MARKS = {  # the longer first: a UTF-32 mark begins like a UTF-16 one
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
OTHER_FORMATS = {b"%PDF": "a PDF file", b"ARROW1": "an Arrow file", b"SQLite f": "an SQLite database"}

SQL_KINDS: dict[ColumnType, frozenset[str]] = {
    "integer": frozenset("TINYINT SMALLINT INTEGER BIGINT UTINYINT USMALLINT UINTEGER BOOLEAN".split()),
    "real": frozenset("UBIGINT HUGEINT UHUGEINT FLOAT DOUBLE DECIMAL".split()),
    "text": frozenset("VARCHAR DATE TIME TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS UUID ENUM".split()),
}

if TYPE_CHECKING:  # DuckDB complains on stderr of types that a name or an annotation still holds at exit
    Engine = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Source:
    """How to read a file: a relation of its columns as c0, c1, …; their names; their types (None: look).

    `numbered` is the relation with `place`, the row from 0, before them; empty for a CSV file until it is staged.
    `batch_bytes` is what the engine hands over at once of all columns of a CSV file, about.
    """

    rows: str
    numbered: str
    names: tuple[str, ...]
    types: tuple[ColumnType | None, ...]
    batch_bytes: int = 0

    @property
    def columns(self) -> str:
        """All columns, as an SQL list."""
        return ", ".join(f"c{index}" for index in range(len(self.names)))


def look(source: Path) -> None:
    """Raise HanseError for a file that is absent, empty or of another format."""
    if not source.is_file():
        raise fault("dataset.absent", f"there is no file {source.name}", "check the path")
    if source.stat().st_size == 0:
        raise fault("dataset.empty", f"{source.name} is empty (0 bytes)", "export the data again")
    with source.open("rb") as file:
        head = file.read(8)
    for magic, what in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise fault("dataset.format", f"{source.name} is {what}", "save it as CSV (UTF-8), Excel or Parquet")


def is_parquet(source: Path) -> bool:
    """Return whether a file is, or should be, a Parquet file."""
    with source.open("rb") as file:
        return file.read(4) == b"PAR1" or source.suffix.lower() == ".parquet"


# ------------------------------------------------------------------------------------------------------------ CSV


def read_csv(source: Path, copy: Path, encoding: Encoding = "", delimiter: str = "") -> Source:
    """Copy a CSV file as UTF-8, check its encoding on the way, and read its header.

    An encoding that is not said is UTF-8, or what a byte order mark says; a delimiter, the commonest in the first line.
    """
    encoding = encoding or _marked(source)
    with copy.open("wb") as file:
        if encoding in ("", "utf-8"):
            lines = _check_encoding(source, file.write)
        else:
            lines = _transcode(source, file.write, encoding)
    with copy.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline(HEADER_BYTES)
        delimiter = delimiter or max(DELIMITERS, key=(first.splitlines() or [""])[0].count)
        file.seek(0)
        try:
            names = next(csv.reader(_header_lines(file), delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            cause = f"the first line of {source.name} cannot be read: {error}"
            raise fault("dataset.header", cause, NAME_THE_COLUMNS) from error
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(names)))
    options = (
        f"auto_detect = false, header = true, delim = {quote(delimiter)}, quote = '\"', escape = '\"', "
        f"max_line_size = {LINE_BYTES}, columns = {{{columns}}}"
    )
    rows = f"read_csv({quote(str(copy))}, {options})"
    row_bytes = copy.stat().st_size // max(lines, 1) + OFFSET_BYTES * len(names)
    return Source(
        rows, "", tuple(name.strip() for name in names), (None,) * len(names), min(lines, BATCH_ROWS) * row_bytes
    )


def _marked(source: Path) -> Encoding:
    """Return the encoding that a file's byte order mark says, if that is trusted."""
    with source.open("rb") as file:
        head = file.read(4)
    names = (name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark))
    return "utf-16" if next(names, "") == "UTF-16" else ""


def _transcode(source: Path, write: Callable[[bytes], object], encoding: Encoding) -> int:
    """Read the file once, `write` it as UTF-8 and return its number of lines.

    UTF-16 without a mark is that of little end first. Raises `dataset.encoding` with the line.
    """
    codec = {"gbk": "gb18030", "utf-16": "utf-16" if _marked(source) else "utf-16-le"}.get(encoding, encoding)
    decoder = codecs.getincrementaldecoder(codec)()
    lines = 0
    with source.open("rb") as file:
        while True:
            piece = file.read(PIECE_BYTES)
            try:
                text = decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                good = error.object[: error.start].decode(error.encoding, "ignore")
                raise _encoding(source, f"is not {encoding}: see line {lines + good.count(chr(10)) + 1}") from None
            if "\0" in text:
                line = lines + text[: text.index("\0")].count("\n") + 1
                raise _encoding(source, f"is not {encoding}: line {line} has a NUL character")
            write(text.encode())
            lines += text.count("\n")
            if not piece:
                return lines


def _header_lines(file: TextIO) -> Iterator[str]:
    """Yield the lines of a file that may belong to its header: a quoted name may hold line ends."""
    left = HEADER_BYTES
    while left > 0 and (line := file.readline(left)):
        left -= len(line)
        yield line


def _check_encoding(source: Path, write: Callable[[bytes], object]) -> int:
    """Read the file once, piece by piece, `write` it and return its number of lines.

    Raises HanseError("dataset.encoding") that says where, and what it may be.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 0
    with source.open("rb") as file:
        piece = file.read(PIECE_BYTES)
        for mark, name in BYTE_ORDER_MARKS.items():
            if piece.startswith(mark):
                raise _encoding(source, f"is {name}")
        while True:
            if b"\0" in piece:
                line = lines + piece[: piece.index(b"\0")].count(b"\n") + 1
                raise _encoding(source, f"has a NUL byte in line {line}: it is UTF-16 without a mark, or no text")
            try:
                if not (piece and piece.isascii()) or decoder.getstate()[0]:  # else there is nothing to decode
                    decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                # `error.object` is what was left of the piece before, and this piece
                line = lines + error.object[: error.start].count(b"\n") + 1
                raise _encoding(source, f"is not UTF-8: line {line} {_guess(error.object, error.start)}") from None
            if not piece:
                return lines
            write(piece)
            lines += int(np.count_nonzero(np.frombuffer(piece, np.uint8) == LINE_FEED))
            piece = file.read(PIECE_BYTES)


def _guess(raw: bytes, start: int) -> str:
    """Say what text that is not UTF-8 may be, from the line around byte `start`."""
    begin = raw.rfind(b"\n", 0, start) + 1
    end = raw.find(b"\n", start)
    line = raw[begin : end if end >= 0 else len(raw)]
    try:
        decoded = line.decode("gb18030")
    except UnicodeDecodeError:
        return "is in another encoding"
    has_han = any("\u4e00" <= character <= "\u9fff" for character in decoded)
    return "looks like GBK (GB18030)" if has_han else "is in another encoding"


def _encoding(source: Path, what: str) -> HanseError:
    return fault("dataset.encoding", f"{source.name} {what}", "save it as UTF-8, or say its encoding")


# -------------------------------------------------------------------------------------------------------- Parquet


def read_parquet(engine: Engine, source: Path, copy: Path, id_column: str) -> Source:
    """Copy a Parquet file and give its columns the types of a snapshot; whole numbers as ids become plain texts."""
    shutil.copyfile(source, copy)
    file = parquet(copy)
    described = [(row[0], str(row[1])) for row in engine.execute(f"DESCRIBE SELECT * FROM {file}").fetchall()]
    picks: list[str] = []
    types: list[ColumnType | None] = []
    for index, (name, sql_type) in enumerate(described):
        kind = _type_of(name, sql_type)
        column = named(name)
        if name.strip() == id_column:
            if kind == "real":
                _check_real_ids(engine, file, name)
            column, kind = f"{column}::BIGINT" if kind == "real" else column, "text"
        picks.append(f"({column})::{SQL_TYPES[kind]} AS c{index}")
        types.append(kind)
    columns = ", ".join(picks)
    return Source(
        f"(SELECT {columns} FROM {file})",
        f"(SELECT file_row_number AS place, {columns} FROM {parquet(copy, numbered=True)})",
        tuple(name.strip() for name, _ in described),
        tuple(types),
    )


def _type_of(name: str, sql_type: str) -> ColumnType:
    root = sql_type.partition("(")[0].removesuffix(" WITH TIME ZONE")
    if not sql_type.endswith("]"):
        for kind, sql_types in SQL_KINDS.items():
            if root in sql_types:
                return kind
    raise fault(
        "dataset.column_type", f"column {name!r} holds {sql_type}, not numbers or text", "leave it out of the file"
    )


def _check_real_ids(engine: Engine, file: str, name: str) -> None:
    column = f"{named(name)}::DOUBLE"
    broken = f"NOT isfinite({column}) OR {column} <> trunc({column}) OR abs({column}) >= {1 << 53}"
    (count,) = engine.execute(f"SELECT count(*) FILTER ({broken}) FROM {file}").fetchall()[0]
    if count:
        cause = f"the id column {name!r} holds fractions or numbers beyond 2^53 in {count} rows"
        raise fault("dataset.id_type", cause, "export the ids as text")
