"""From a CSV, Excel or Parquet file to a checked snapshot: one form of ids, one type a column, faults by place.

Rules, the same at every organisation:

* ids are texts (leading zeros stay): NFKC (full-width digits become ASCII), invisible characters removed, spaces at
  both ends removed, lower case, NFKC again (`normalise_id`; ASCII ids take the same path inside DuckDB). They are
  unique, never empty, at most 4,096 bytes. A whole number of a Parquet file is written without a fraction.
* a cell that is empty or blank is missing (NULL). A column is `integer` when all its cells are whole numbers of 64
  bits, `real` when all are numbers, else `text`. NaN and infinities are refused: they hide what is meant.
* the label is a number and never missing.
* a CSV file is UTF-8 or marked as UTF-16, or in the encoding that is said; separated by comma, semicolon, tab or `|`;
  quoted as in RFC 4180. Of a workbook one sheet is read. All of them may be packed, by gzip or alone in a zip file.

The file is copied once, and all that follows reads the copy, so that what is checked is what is kept; memory and
threads are bounded; the snapshot appears whole or not at all. Faults name rows (counted from 1, after the header),
never values.

Passes: the copy (encoding, lines); one over the columns (form and hashes of the ids, kinds of cells), in the kernel;
one that writes the snapshot. What is rare takes longer: a file of wide rows, ids beyond ASCII and cells that may or may
not be numbers are staged as Parquet with numbered rows first; ids whose hashes repeat are grouped for the fault.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from hanse.core.faults import fault
from hanse.core.schema import Column, ColumnType, Schema
from hanse.core.specs import Artefact, IngestSpec
from hanse.kernel import cells
from hanse.sdk.engine import Bounds, connect, named, parquet, quote
from hanse.sdk.files import digest, write_whole
from hanse.sdk.identifiers import ascii_form, normalise_id, typed_form
from hanse.sdk.packing import unpack
from hanse.sdk.sources import LINE_BYTES, NAME_THE_COLUMNS, Source, is_parquet, look, read_csv, read_parquet
from hanse.sdk.survey import IdColumn, Profile, Survey, cell, profiles, survey
from hanse.sdk.table import ENCODING, FILE, SQL_TYPES
from hanse.sdk.workbooks import is_sheet, write_sheet

__all__ = ["ID_BYTES", "ingest", "normalise_id"]

ID_BYTES = 4096
NAME_BYTES = 256
RESERVED = "file_row_number"
BYTES_AT_ONCE = 128 << 20  # of text, in one batch of the engine
COLUMNS_AT_ONCE = 1000  # more of them, read from CSV as they are written, take the engine's memory

_line = re.compile(r"CSV Error on Line: (\d+)")
_widths = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")

if TYPE_CHECKING:  # DuckDB complains on stderr of types that a name or an annotation still holds at exit
    Engine = duckdb.DuckDBPyConnection


def ingest(spec: IngestSpec) -> Artefact:
    """Write `<directory>/table.parquet` from `spec.source` and return its record, with its schema.

    Raises HanseError with a code of `dataset.*` that says what is wrong, in which row and column, and what to do.
    """
    source, directory = Path(spec.source), Path(spec.directory)
    look(source)
    directory.mkdir(parents=True, exist_ok=True)
    bounds = Bounds(spec.limits.threads, spec.limits.memory_bytes // 4 * 3)
    copy, stage, opened = (directory / f".stage.{os.getpid()}.{suffix}" for suffix in ("copy", "parquet", "open"))
    try:
        opened.mkdir()
        source = unpack(source, opened / source.name)
        look(source)
        with connect([], directory, bounds) as engine, _said_plainly(source):
            found = _read(engine, source, copy, spec)
            _check_names(found.names, spec)
            found = _typed(found, spec)
            if not found.numbered and _at_once(found) < len(found.names):
                found = _staged(engine, found, stage)
            schema, rows, query = _checked(engine, found, stage, spec)
            path = directory / FILE
            write_whole(path, lambda beside: _write(engine, query, beside, len(found.names)))
    finally:
        copy.unlink(missing_ok=True)
        stage.unlink(missing_ok=True)
        shutil.rmtree(opened, ignore_errors=True)
    return Artefact("table", str(path), digest(path), rows=rows, schema=schema)


def _read(engine: Engine, source: Path, copy: Path, spec: IngestSpec) -> Source:
    """Copy the file, and return how to read the copy."""
    if is_parquet(source):
        return read_parquet(engine, source, copy, spec.id_column)
    if not is_sheet(source):
        if spec.sheet:
            raise fault("dataset.sheet", f"{source.name} is no workbook and has no sheet {spec.sheet!r}", "name none")
        return read_csv(source, copy, spec.encoding, spec.delimiter)
    sheet = copy.with_suffix(".csv")
    try:
        write_sheet(source, sheet, spec.sheet)
        return read_csv(sheet, copy, "utf-8", ",")
    finally:
        sheet.unlink(missing_ok=True)


def _typed(found: Source, spec: IngestSpec) -> Source:
    """Return the same rows with ids in the form of their type."""
    if spec.id_type == "free":
        return found
    column = f"c{found.names.index(spec.id_column)}"
    picks = f"* REPLACE ({typed_form(column, spec.id_type)} AS {column})"
    numbered = found.numbered and f"(SELECT {picks} FROM {found.numbered})"
    return replace(found, rows=f"(SELECT {picks} FROM {found.rows})", numbered=numbered)


def _at_once(found: Source) -> int:
    """Return how many columns of text one pass reads, so that a batch of them fits into memory."""
    share = len(found.names) * BYTES_AT_ONCE // max(found.batch_bytes, BYTES_AT_ONCE)
    return max(1, min(COLUMNS_AT_ONCE, share))


def _staged(engine: Engine, found: Source, stage: Path) -> Source:
    """Return the same rows with numbers: read from a Parquet file beside, unless they have them already."""
    if found.numbered:
        return found
    _write(engine, f"SELECT {found.columns} FROM {found.rows}", stage, len(found.names))
    numbered = f"(SELECT file_row_number AS place, {found.columns} FROM {parquet(stage, numbered=True)})"
    return replace(found, rows=parquet(stage), numbered=numbered)


def _checked(engine: Engine, found: Source, stage: Path, spec: IngestSpec) -> tuple[Schema, int, str]:
    """Check the rows, and return their schema, their number and the query of the snapshot."""
    id_index = found.names.index(spec.id_column)
    # a quarter of the memory is left beside the engine's; half of that for the hashes of 8 bytes
    seen = survey(engine, found, id_index, spec.limits.memory_bytes // 64, _at_once(found), spec.id_type)
    ids = seen.ids
    if ids.rows == 0:
        raise fault("dataset.empty", "the file has a header and no rows", "export the data again")
    if ids.form == "foreign" or ids.repeats.found:
        found = _staged(engine, found, stage)
    _check_ids(engine, ids, f"c{id_index}", spec.id_column, found)
    known, found = _profiles(engine, found, seen, stage, spec)
    columns, picks = [], []
    for index, name in enumerate(found.names):
        if index == id_index:
            columns.append(Column(name, "text", "id", spec.id_type))
            picks.append(f"{_id_form(ids, f'c{index}')} AS {named(name)}")
            continue
        profile = known.get(index, Profile(0, 0, 0))
        kind = found.types[index] or profile.type
        is_label = name == spec.label_column
        _check_column(name, kind, profile, ids.rows, is_label=is_label)
        columns.append(Column(name, kind, "label" if is_label else "feature"))
        value = f"c{index}" if found.types[index] else _value(f"c{index}", kind, profile)
        picks.append(f"{value} AS {named(name)}")
    rows = "normalised_rows ORDER BY place" if ids.form == "foreign" else found.rows
    return Schema(tuple(columns)), ids.rows, f"SELECT {', '.join(picks)} FROM {rows}"


# ---------------------------------------------------------------------------------------------- checks, inside DuckDB


def _check_names(names: tuple[str, ...], spec: IngestSpec) -> None:
    folded = [name.lower() for name in names]
    if not names or "" in folded:
        where = f"column {folded.index('') + 1} has no name" if names else "there is no header"
        raise fault("dataset.header", where, NAME_THE_COLUMNS)
    counts = Counter(folded)
    twice = sorted({name for name, low in zip(names, folded, strict=True) if counts[low] > 1})
    if twice:
        raise fault(
            "dataset.header", f"a column name occurs twice (case aside): {', '.join(twice[:5])}", NAME_THE_COLUMNS
        )
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


def _check_ids(engine: Engine, ids: IdColumn, column: str, name: str, found: Source) -> None:
    if ids.missing:
        cause = f"the id column {name!r} is empty in {ids.missing} rows, first in row {ids.first_missing}"
        raise fault("dataset.id_missing", cause, "fill the ids or remove these rows")
    if ids.longest > ID_BYTES:
        cause = f"the id in row {ids.longest_row} has {ids.longest} bytes, more than {ID_BYTES}"
        raise fault("dataset.id_long", cause, "check that the id column is the right one")
    if ids.form == "foreign":
        plain = ascii_form(column) if ids.id_type == "free" else column
        engine.execute(
            f"CREATE VIEW normalised_rows AS SELECT s.* REPLACE (coalesce(n.id, {plain}) AS {column}) "
            f"FROM {found.numbered} s LEFT JOIN normalised n ON n.place = s.place"
        )
    if ids.repeats.found:
        _check_repeats(engine, ids, column, name, found)


def _check_repeats(engine: Engine, ids: IdColumn, column: str, name: str, found: Source) -> None:
    """Name the ids that occur more than once: exactly, since two ids may have one hash."""
    rows = "normalised_rows" if ids.form == "foreign" else found.numbered
    groups = (
        f"SELECT min(place + 1, 2) AS two, count(*) - 1 AS more FROM {rows} "
        f"GROUP BY {_id_form(ids, column)} HAVING count(*) > 1"
    )
    twice, more = engine.execute(f"SELECT count(*), coalesce(sum(more), 0) FROM ({groups})").fetchall()[0]
    if twice:
        pairs = engine.execute(f"SELECT two FROM ({groups}) ORDER BY two LIMIT 3").fetchall()
        examples = ", ".join(f"{first} and {second}" for ((first, second),) in pairs)
        cause = f"{twice} ids of {name!r} occur more than once ({more} rows too many), for example rows {examples}"
        raise fault(
            "dataset.id_duplicate", cause, "keep one row for each id (ids are compared without case and spaces)"
        )


def _id_form(ids: IdColumn, column: str) -> str:
    return ascii_form(column) if ids.form == "ascii" else column


def _profiles(
    engine: Engine, found: Source, seen: Survey, stage: Path, spec: IngestSpec
) -> tuple[dict[int, Profile], Source]:
    """Return the profile of each column: by the survey, or where that does not say all, by the engine."""
    known: dict[int, Profile] = {}
    open_: dict[int, ColumnType | None] = {}
    for index, name in enumerate(found.names):
        is_label = name == spec.label_column
        if index in seen.cells and (profile := _surely(seen.cells[index], is_label=is_label)):
            known[index] = profile
        elif name != spec.id_column and (found.types[index] in (None, "real") or is_label):
            open_[index] = found.types[index]
    if open_:
        found = _staged(engine, found, stage)
        known.update(profiles(engine, found.numbered, open_))
    return known, found


def _surely(seen: cells.Survey, *, is_label: bool) -> Profile | None:
    """Return the profile that follows from a survey, if one does."""
    if seen.texts and is_label:
        return None  # the fault names the first row
    if seen.doubtful and not seen.texts:
        return None
    return Profile(seen.filled, seen.numbers, seen.wholes, padded=bool(seen.padded))


def _value(column: str, kind: ColumnType, profile: Profile) -> str:
    """Return the SQL of a cell of a CSV file in its type; cells that need no trimming are spared it, which is slow."""
    text = cell(column) if profile.padded else f"nullif({column}, '')"
    return text if kind == "text" else f"({text})::{SQL_TYPES[kind]}"


def _check_column(name: str, kind: ColumnType, profile: Profile, rows: int, *, is_label: bool) -> None:
    if is_label and kind == "text":
        where = f", first in row {profile.first_text}" if profile.first_text else ""
        raise fault(
            "dataset.label_type",
            f"the label {name!r} is not a number{where}",
            "encode it, as 0 and 1, or classes as 0, 1, 2…",
        )
    if is_label and profile.filled < rows:
        cause = f"the label {name!r} is missing in {rows - profile.filled} rows"
        raise fault("dataset.label_missing", cause, "fill it, or remove these rows")
    if profile.not_finite and kind != "text":
        where = f"{profile.not_finite} rows, first in row {profile.first_not_finite}"
        cause = f"column {name!r} holds NaN, an infinity or a number beyond 64 bits in {where}"
        raise fault("dataset.not_finite", cause, "leave a missing value empty; correct the others")


def _write(engine: Engine, query: str, path: Path, columns: int) -> None:
    rows = max(2048, min(122_880, 8_000_000 // max(columns, 1)))
    options = f"FORMAT parquet, {ENCODING}, ROW_GROUP_SIZE {rows}"
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
        elif is_parquet(source):
            raise fault("dataset.damaged", f"{source.name} is no whole Parquet file", "export it again") from None
        else:
            cause = "the lines do not follow RFC 4180 (mixed line ends, or stray quotation marks)"
        raise fault(
            "dataset.ragged", f"{source.name}: {cause}", "correct the line, or export the data again"
        ) from error
