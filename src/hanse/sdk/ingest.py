"""From a CSV or Parquet file to a checked snapshot: one form of ids, one type a column, faults by row and column.

Rules, the same at every organisation:

* ids are texts (leading zeros stay): NFKC (full-width digits become ASCII), invisible characters removed, spaces at
  both ends removed, lower case, NFKC again (`normalise_id`; ASCII ids take the same path inside DuckDB). They are
  unique, never empty, at most 4,096 bytes. A whole number of a Parquet file is written without a fraction.
* a cell that is empty or blank is missing (NULL). A column is `integer` when all its cells are whole numbers of 64
  bits, `real` when all are numbers, else `text`. NaN and infinities are refused: they hide what is meant.
* the label is a number and never missing.
* a CSV file is UTF-8 (a byte order mark is fine), separated by comma, semicolon, tab or `|`, quoted as in RFC 4180.

The file is read once into a private copy, so that what is checked is what is kept; memory and threads are bounded; the
snapshot appears whole or not at all. Faults name rows (counted from 1, after the header), never values.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
from arro3.core import Array, DataType
from arro3.core import Table as ArrowTable

from hanse.core.faults import HanseError, fault
from hanse.core.schema import Column, ColumnType, Schema
from hanse.core.specs import Artefact, IngestSpec
from hanse.sdk.engine import Bounds, batches, connect, named, parquet, quote
from hanse.sdk.files import digest, write_whole
from hanse.sdk.table import FILE, SQL_TYPES

ID_BYTES = 4096
NAME_BYTES = 256
LINE_BYTES = 4 << 20
HEADER_BYTES = 4 << 20
DELIMITERS = ",;\t|"
RESERVED = "file_row_number"
PROFILED_AT_ONCE = 32

# Soft hyphen, joiners, zero-width spaces, direction marks, word joiners, byte order mark: invisible, and pasted along.
INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
_ascii_spaces = r"' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)"
_line = re.compile(r"CSV Error on Line: (\d+)")
_widths = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")

BYTE_ORDER_MARKS = {  # the longer first: a UTF-32 mark begins like a UTF-16 one
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
OTHER_FORMATS = {b"PK\x03\x04": "an Excel or zip file", b"\x1f\x8b": "a gzip file", b"%PDF": "a PDF file"}

SQL_KINDS: dict[ColumnType, frozenset[str]] = {
    "integer": frozenset("TINYINT SMALLINT INTEGER BIGINT UTINYINT USMALLINT UINTEGER BOOLEAN".split()),
    "real": frozenset("UBIGINT HUGEINT UHUGEINT FLOAT DOUBLE DECIMAL".split()),
    "text": frozenset("VARCHAR DATE TIME TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS UUID ENUM".split()),
}

if TYPE_CHECKING:  # DuckDB complains on stderr of types that a name or an annotation still holds at exit
    Engine = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Source:
    """How to read a file: a query that gives its columns as c0, c1, …; their names; their types (None: look)."""

    query: str
    names: tuple[str, ...]
    types: tuple[ColumnType | None, ...]


@dataclass(frozen=True)
class Profile:
    """What one column holds: how many cells are filled, numbers, whole numbers; the first rows that are not."""

    filled: int
    numeric: int
    whole: int
    not_finite: int
    first_not_finite: int | None
    first_text: int | None

    @property
    def type(self) -> ColumnType:
        if self.filled > self.numeric:
            return "text"
        return "integer" if 0 < self.filled == self.whole else "real"


def normalise_id(text: str) -> str:
    """Return the one form of an id in which organisations compare it (the rule of this module)."""
    visible = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return unicodedata.normalize("NFKC", visible.strip().lower())


def ingest(spec: IngestSpec) -> Artefact:
    """Write `<directory>/table.parquet` from `spec.source` and return its record, with its schema.

    Raises HanseError with a code of `dataset.*` that says what is wrong, in which row and column, and what to do.
    """
    source, directory = Path(spec.source), Path(spec.directory)
    _look(source)
    directory.mkdir(parents=True, exist_ok=True)
    bounds = Bounds(spec.limits.threads, spec.limits.memory_bytes // 4 * 3)
    stage = directory / f".stage.{os.getpid()}.parquet"
    try:
        with connect([source], directory, bounds) as engine, _said_plainly(source):
            found = _read_parquet(engine, source, spec) if _is_parquet(source) else _read_csv(source)
            _check_names(found.names, spec)
            _write(engine, found.query, stage, len(found.names))
            schema, rows = _check(engine, stage, found, spec)
            path = directory / FILE
            write_whole(path, lambda beside: _write(engine, _final(found, schema), beside, len(found.names)))
    finally:
        stage.unlink(missing_ok=True)
    return Artefact("table", str(path), digest(path), rows=rows, schema=schema)


# ------------------------------------------------------------------------------------------- the file, before DuckDB


def _look(source: Path) -> None:
    if not source.is_file():
        raise fault("dataset.absent", f"there is no file {source.name}", "check the path")
    if source.stat().st_size == 0:
        raise fault("dataset.empty", f"{source.name} is empty (0 bytes)", "export the data again")
    with source.open("rb") as file:
        head = file.read(8)
    for magic, what in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise fault("dataset.format", f"{source.name} is {what}", "save it as CSV (UTF-8) or Parquet")


def _is_parquet(source: Path) -> bool:
    with source.open("rb") as file:
        return file.read(4) == b"PAR1" or source.suffix.lower() == ".parquet"


def _check_encoding(source: Path) -> None:
    """Read the file once, piece by piece. Raises HanseError("dataset.encoding") that says where, and what it may be."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines = 0
    with source.open("rb") as file:
        piece = file.read(1 << 20)
        for mark, name in BYTE_ORDER_MARKS.items():
            if piece.startswith(mark):
                raise _encoding(source, f"is {name}")
        while True:
            if b"\0" in piece:
                line = lines + piece[: piece.index(b"\0")].count(b"\n") + 1
                raise _encoding(source, f"has a NUL byte in line {line}: it is UTF-16 without a mark, or no text")
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                # `error.object` is what was left of the piece before, and this piece
                line = lines + error.object[: error.start].count(b"\n") + 1
                raise _encoding(source, f"is not UTF-8: line {line} {_guess(error.object, error.start)}") from None
            if not piece:
                return
            lines += piece.count(b"\n")
            piece = file.read(1 << 20)


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
    return fault("dataset.encoding", f"{source.name} {what}", "save it as UTF-8")


def _read_csv(source: Path) -> Source:
    _check_encoding(source)
    with source.open("rb") as file:
        raw = file.read(HEADER_BYTES)
    text = codecs.getincrementaldecoder("utf-8-sig")().decode(raw)
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = max(DELIMITERS, key=first.count)
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise fault("dataset.header", f"the first line of {source.name} cannot be read: {error}", _HEADER) from error
    columns = ", ".join(f"'c{index}': 'VARCHAR'" for index in range(len(names)))
    options = (
        f"auto_detect = false, header = true, delim = {quote(delimiter)}, quote = '\"', escape = '\"', "
        f"max_line_size = {LINE_BYTES}, columns = {{{columns}}}"
    )
    query = f"SELECT * FROM read_csv({quote(str(source))}, {options})"
    return Source(query, tuple(name.strip() for name in names), (None,) * len(names))


_HEADER = "give every column a name of its own in the first line"


def _read_parquet(engine: Engine, source: Path, spec: IngestSpec) -> Source:
    file = parquet(source)
    described = [(row[0], str(row[1])) for row in engine.execute(f"DESCRIBE SELECT * FROM {file}").fetchall()]
    picks: list[str] = []
    types: list[ColumnType | None] = []
    for index, (name, sql_type) in enumerate(described):
        kind = _type_of(name, sql_type)
        column = named(name)
        if name.strip() == spec.id_column:
            if kind == "real":
                _check_real_ids(engine, file, name)
            column, kind = f"{column}::BIGINT" if kind == "real" else column, "text"
        picks.append(f"({column})::{SQL_TYPES[kind]} AS c{index}")
        types.append(kind)
    return Source(f"SELECT {', '.join(picks)} FROM {file}", tuple(name.strip() for name, _ in described), tuple(types))


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


# ---------------------------------------------------------------------------------------------- checks, inside DuckDB


def _check_names(names: tuple[str, ...], spec: IngestSpec) -> None:
    folded = [name.lower() for name in names]
    if not names or "" in folded:
        where = f"column {folded.index('') + 1} has no name" if names else "there is no header"
        raise fault("dataset.header", where, _HEADER)
    counts = Counter(folded)
    twice = sorted({name for name, low in zip(names, folded, strict=True) if counts[low] > 1})
    if twice:
        raise fault("dataset.header", f"a column name occurs twice (case aside): {', '.join(twice[:5])}", _HEADER)
    for name in names:
        if len(name.encode()) > NAME_BYTES or name.lower() == RESERVED or "\0" in name:
            raise fault("dataset.header", f"the column name {name[:40]!r} cannot be used", "rename the column")
    present = ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
    if spec.id_column not in names:
        cause = f"there is no column {spec.id_column!r}; the file has {present}"
        raise fault("dataset.id_column", cause, "name a column of the file")
    if spec.label_column is not None and spec.label_column not in names:
        cause = f"there is no column {spec.label_column!r}; the file has {present}"
        raise fault("dataset.label_column", cause, "name a column of the file")
    if spec.id_column == spec.label_column:
        raise fault("dataset.label_column", f"{spec.id_column!r} is named as id and as label", "name another label")


def _check(engine: Engine, stage: Path, found: Source, spec: IngestSpec) -> tuple[Schema, int]:
    """Check the staged rows, make the view `clean` (row, c0, c1, …; the id normalised) and return schema and rows."""
    id_index = found.names.index(spec.id_column)
    _make_clean(engine, stage, id_index, len(found.names))
    (rows,) = engine.execute("SELECT count(*) FROM clean").fetchall()[0]
    if rows == 0:
        raise fault("dataset.empty", "the file has a header and no rows", "export the data again")
    _check_ids(engine, f"c{id_index}", spec.id_column)
    others = [index for index in range(len(found.names)) if index != id_index]
    profiles = _profile(engine, stage, others, found)
    columns = []
    for index, name in enumerate(found.names):
        if index == id_index:
            columns.append(Column(name, "text", "id"))
            continue
        kind = found.types[index] or profiles[index].type
        _check_column(name, kind, profiles[index], rows, is_label=name == spec.label_column)
        columns.append(Column(name, kind, "label" if name == spec.label_column else "feature"))
    return Schema(tuple(columns)), rows


def _make_clean(engine: Engine, stage: Path, id_index: int, count: int) -> None:
    raw = f"c{id_index}"
    staged = parquet(stage, numbered=True)
    foreign = f"strlen({raw}) <> length({raw})"  # bytes and characters differ: not ASCII
    ascii_form = f"lower(trim({raw}, {_ascii_spaces}))"
    engine.execute("CREATE TEMP TABLE normalised (place BIGINT, id VARCHAR)")
    query = f"SELECT {raw}, file_row_number FROM {staged} WHERE {foreign}"
    for texts, places in batches(engine.cursor(), query):
        engine.register("piece", _normalise(texts, places))
        engine.execute("INSERT INTO normalised SELECT * FROM piece")
        engine.unregister("piece")
    rest = "".join(f", s.c{index}" for index in range(count) if index != id_index)
    (exceptions,) = engine.execute("SELECT count(*) FROM normalised").fetchall()[0]
    if exceptions:
        engine.execute(
            f"CREATE VIEW clean AS SELECT s.file_row_number + 1 AS row, "
            f"CASE WHEN n.place IS NULL THEN {ascii_form} ELSE n.id END AS {raw}{rest} "
            f"FROM {staged} s LEFT JOIN normalised n ON n.place = s.file_row_number ORDER BY s.file_row_number"
        )
    else:
        engine.execute(
            f"CREATE VIEW clean AS SELECT s.file_row_number + 1 AS row, {ascii_form} AS {raw}{rest} FROM {staged} s"
        )


def _normalise(texts: Array, places: Array) -> ArrowTable:
    ids = Array([normalise_id(text) for text in texts.to_pylist()], type=DataType.string())
    return ArrowTable.from_arrays([places, ids], names=["place", "id"])


def _check_ids(engine: Engine, column: str, name: str) -> None:
    blank = f"{column} IS NULL OR {column} = ''"
    missing, first, longest, longest_row = engine.execute(
        f"SELECT count(*) FILTER ({blank}), min(row) FILTER ({blank}), max(strlen({column})), "
        f"arg_max(row, strlen({column})) FROM clean"
    ).fetchall()[0]
    if missing:
        cause = f"the id column {name!r} is empty in {missing} rows, first in row {first}"
        raise fault("dataset.id_missing", cause, "fill the ids or remove these rows")
    if longest > ID_BYTES:
        cause = f"the id in row {longest_row} has {longest} bytes, more than {ID_BYTES}"
        raise fault("dataset.id_long", cause, "check that the id column is the right one")
    groups = f"SELECT min(row, 2) AS two, count(*) - 1 AS more FROM clean GROUP BY {column} HAVING count(*) > 1"
    twice, more = engine.execute(f"SELECT count(*), coalesce(sum(more), 0) FROM ({groups})").fetchall()[0]
    if twice:
        pairs = engine.execute(f"SELECT two FROM ({groups}) ORDER BY two LIMIT 3").fetchall()
        examples = ", ".join(f"{first} and {second}" for ((first, second),) in pairs)
        cause = f"{twice} ids of {name!r} occur more than once ({more} rows too many), for example rows {examples}"
        raise fault(
            "dataset.id_duplicate", cause, "keep one row for each id (ids are compared without case and spaces)"
        )


def _profile(engine: Engine, stage: Path, indexes: Sequence[int], found: Source) -> dict[int, Profile]:
    profiles: dict[int, Profile] = {}
    for start in range(0, len(indexes), PROFILED_AT_ONCE):
        part = indexes[start : start + PROFILED_AT_ONCE]
        figures = engine.execute(_figures(stage, {index: found.types[index] for index in part})).fetchall()[0]
        for place, index in enumerate(part):
            profiles[index] = Profile(*figures[6 * place : 6 * place + 6])
    return profiles


def _figures(stage: Path, kinds: dict[int, ColumnType | None]) -> str:
    """Return the query of the six figures of a `Profile` for each column: v its cell, n its number, in two steps."""
    cells, numbers, figures = [], [], []
    for index, kind in kinds.items():
        value = f"c{index}" if kind else _cell(f"c{index}")
        number = "NULL::DOUBLE" if kind == "text" else f"try_cast(v{index} AS DOUBLE)"
        plain = "true" if kind else f"NOT contains(v{index}, '_')"
        cells.append(f"{value} AS v{index}")
        numbers.append(f"v{index}, CASE WHEN {plain} THEN {number} END AS n{index}")
        figures.append(_FIGURES.format(v=f"v{index}", n=f"n{index}"))
    file = parquet(stage, numbered=True)
    return (
        f"SELECT {', '.join(figures)} FROM (SELECT row, {', '.join(numbers)} FROM "
        f"(SELECT file_row_number + 1 AS row, {', '.join(cells)} FROM {file}))"
    )


_FIGURES = (
    "count({v}), count({n}), "
    "count(*) FILTER ({n} IS NOT NULL AND try_cast({v} AS BIGINT) IS NOT NULL "
    "AND translate({v}::VARCHAR, '.eE', '') = {v}::VARCHAR), "
    "count(*) FILTER (NOT isfinite({n})), min(row) FILTER (NOT isfinite({n})), "
    "min(row) FILTER ({v} IS NOT NULL AND {n} IS NULL)"
)


def _check_column(name: str, kind: ColumnType, profile: Profile, rows: int, *, is_label: bool) -> None:
    if is_label and kind == "text":
        where = f", first in row {profile.first_text}" if profile.first_text else ""
        raise fault("dataset.label_type", f"the label {name!r} is not a number{where}", "encode the label, as 0 and 1")
    if is_label and profile.filled < rows:
        cause = f"the label {name!r} is missing in {rows - profile.filled} rows"
        raise fault("dataset.label_missing", cause, "fill it, or remove these rows")
    if profile.not_finite and kind != "text":
        where = f"{profile.not_finite} rows, first in row {profile.first_not_finite}"
        cause = f"column {name!r} holds NaN, an infinity or a number beyond 64 bits in {where}"
        raise fault("dataset.not_finite", cause, "leave a missing value empty; correct the others")


def _final(found: Source, schema: Schema) -> str:
    picks = []
    for index, column in enumerate(schema.columns):
        value = f"c{index}" if found.types[index] or column.use == "id" else _cell(f"c{index}")
        picks.append(f"({value})::{SQL_TYPES[column.type]} AS {named(column.name)}")
    return f"SELECT {', '.join(picks)} FROM clean"


def _cell(column: str) -> str:
    return f"nullif(trim({column}, {_ascii_spaces}), '')"


def _write(engine: Engine, query: str, path: Path, columns: int) -> None:
    rows = max(2048, min(122_880, 8_000_000 // max(columns, 1)))
    options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {rows}"
    engine.execute(f"COPY ({query}) TO {quote(str(path))} ({options})")


@contextmanager
def _said_plainly(source: Path) -> Iterator[None]:
    """Turn what DuckDB says of a bad file into words that hold no value of the file."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise fault(
            "dataset.memory", f"{source.name} does not fit into the memory given", "give the node more memory"
        ) from error
    except duckdb.Error as error:  # its text quotes the line: it goes no further
        said = str(error)
        line, widths = _line.search(said), _widths.search(said)
        where = f"line {line[1]}" if line else "a line"
        if widths:
            cause = f"{where} has {widths[2]} columns, the header {widths[1]}"
        elif "unterminated quote" in said:
            cause = f"{where} has a quotation mark that is not closed, or text after a closed one"
        elif "Maximum line size" in said:
            cause = f"{where} is longer than {LINE_BYTES} bytes"
        elif _is_parquet(source):
            raise fault("dataset.damaged", f"{source.name} is no whole Parquet file", "export it again") from None
        else:
            cause = "the lines do not follow RFC 4180 (mixed line ends, or stray quotation marks)"
        raise fault(
            "dataset.ragged", f"{source.name}: {cause}", "correct the line, or export the data again"
        ) from error
