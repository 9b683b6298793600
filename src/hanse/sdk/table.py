"""Tables: read handles on immutable Parquet snapshots, with DuckDB underneath.

Numbers come as numpy columns, ids as one packed buffer; nothing comes row by row. A missing value is NULL in the file
and NaN in numpy (the ingest refuses NaN in the data, so the two are never confused).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from arro3.core import Array, DataType
from arro3.core import Table as ArrowTable
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.core.schema import Column, ColumnType, Schema
from hanse.core.specs import Artefact
from hanse.kernel.ids import Ids, regrouped
from hanse.sdk.arrow import strings
from hanse.sdk.categories import MOST_CATEGORIES, Categories, encode
from hanse.sdk.engine import BOUNDS, Bounds, batches, connect, named, parquet, quote, texts
from hanse.sdk.files import digest, write_whole
from hanse.sdk.taken import Numbers, Texts, kinds, read_reals, reader, take

FILE = "table.parquet"
# On a column of ids half the time and 3/4 of the bytes of the engine's defaults: a low level, and lengths on their own.
ENCODING = "COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION V2"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
SQL_TYPES: dict[ColumnType, str] = {"integer": "BIGINT", "real": "DOUBLE", "text": "VARCHAR"}


@dataclass(frozen=True)
class Table:
    """Rows of a snapshot, in order: all of them or those taken, with columns added beside.

    `schema` is what may be read. Make one with `Table.open` or `Table.of`.
    """

    path: Path
    schema: Schema
    _snapshot_rows: int
    _rows: NDArray[np.int64] | None = None
    _added: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    _bounds: Bounds = BOUNDS
    _keep: object = None  # the temporary folder of a table made in memory lives as long as a table that reads it

    @classmethod
    def open(cls, path: Path, schema: Schema, columns: Iterable[str] | None = None, bounds: Bounds = BOUNDS) -> Table:
        """Open a snapshot. `columns` limits the features that may be read (a grant); id and label always stay.

        Raises HanseError("artefact.damaged") when the file is no Parquet file with the columns of the schema.
        """
        granted = schema if columns is None else schema.only(columns)
        try:
            with connect([path], bounds=bounds) as connection:
                source = parquet(path)
                present = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}
                (rows,) = connection.execute(f"SELECT count(*) FROM {source}").fetchall()[0]
        except duckdb.Error as error:
            raise fault(
                "artefact.damaged", f"{path.name} cannot be read: {error}", "register the data again"
            ) from error
        if absent := [name for name in granted.names if name not in present]:
            raise fault("artefact.damaged", f"{path.name} lacks {', '.join(absent)}", "register the data again")
        return cls(path, granted, rows, _bounds=bounds)

    @classmethod
    def of(
        cls,
        columns: Mapping[str, Ids | Sequence[Any] | NDArray[Any]],
        *,
        id: str,  # noqa: A002  (the word for it everywhere)
        label: str | None = None,
    ) -> Table:
        """Make a table of columns in memory (a private temporary file under it). None and NaN are missing values.

        ids may be texts, integers or packed `Ids`; they are taken as they are, without the normalisation of the ingest.
        """
        arrays = {name: _arrow(values, text=name == id) for name, values in columns.items()}
        schema = Schema(
            tuple(
                Column(name, _type_of(array), "id" if name == id else "label" if name == label else "feature")
                for name, array in arrays.items()
            )
        )
        folder = tempfile.TemporaryDirectory(prefix="hanse-table-")
        path = Path(folder.name) / FILE
        with connect(writes=Path(folder.name)) as connection:
            connection.register("source", _arrow_table(arrays))
            _copy(connection, f"SELECT {_typed(schema)} FROM source", path)
        return cls(path, schema, len(next(iter(arrays.values()))), _keep=folder)

    def __len__(self) -> int:
        return self._snapshot_rows if self._rows is None else len(self._rows)

    def ids(self) -> Ids:
        """Return the ids of all rows, packed."""
        ids = Ids.joined(list(self._stored_ids()))
        return ids if self._rows is None else ids.take(self._rows)

    def id_batches(self, rows: int = 1 << 18) -> Iterator[Ids]:
        """Yield the ids of all rows in order, `rows` at a time (the last time fewer), packed.

        Memory is a few batches' worth, whatever the table's size; where rows were taken, also the whole id column.
        The file stays open until the last batch, or until the iterator is closed.
        """
        if self._rows is None:
            return regrouped(self._stored_ids(), rows)
        taken = self._rows
        ids = Ids.joined(list(self._stored_ids()))
        return (ids.take(taken[start : start + rows]) for start in range(0, len(taken), rows))

    def _stored_ids(self) -> Iterator[Ids]:
        with connect([self.path], bounds=self._bounds) as connection:
            yield from texts(connection, f"SELECT {named(self.schema.id)}::VARCHAR FROM {self._source}")

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the named columns as float64[len(names), rows], C-contiguous; a missing value is NaN.

        Of the file the named columns alone are read, and memory is what is returned and some batches; so a wide table
        is best read some columns at a time.

        Raises HanseError("column.unknown") for a column that is absent or not granted, "column.text" for a text column.
        """
        for name in names:
            if self._column(name).type == "text":
                raise fault(
                    "column.text", f"column {name!r} holds text, not numbers", "leave it out, or encode it first"
                )
        found = np.empty((len(names), len(self)), np.float64)
        stored = [(index, name) for index, name in enumerate(names) if name not in self._added]
        if stored:
            picks = ", ".join(f"coalesce({named(name)}::DOUBLE, 'nan'::DOUBLE)" for _, name in stored)
            with connect([self.path], bounds=self._bounds) as connection:
                read_reals(
                    batches(connection, f"SELECT {picks} FROM {self._source}"),
                    [found[index] for index, _ in stored],
                    self._snapshot_rows,
                    self._rows,
                )
        for index, name in enumerate(names):
            if name in self._added:
                found[index] = self._added[name]
        return found

    def categories(self, name: str, most: int = MOST_CATEGORIES) -> Categories:
        """Return a column of text or integers as codes of its different values.

        Raises HanseError("column.categories") for a column of reals, or of more than `most` different values, and
        HanseError("column.unknown") for a column that is absent or not granted.
        """
        if self._column(name).type == "real":
            raise fault(
                "column.categories", f"column {name!r} holds real numbers", "use it as numbers, or group its values"
            )
        with self._view([name]) as connection:
            found = encode(connection, self._read_often(connection), named(name), most, len(self))
        if found is None:
            raise fault(
                "column.categories",
                f"column {name!r} has more than {most} different values",
                "leave it out, or group its values into fewer",
            )
        return found

    def _read_often(self, connection: duckdb.DuckDBPyConnection) -> str:
        """Return what can be read more than once of `view_`: itself where it stands for a file, else a copy."""
        if self._rows is None and not self._added:
            return "view_"
        connection.execute("CREATE TABLE copy_ AS SELECT * FROM view_")
        return "copy_"

    def label(self) -> NDArray[np.float64]:
        """Return the label as float64[rows]. Raises HanseError("label.absent") when this party has none."""
        if self.schema.label is None:
            raise fault("label.absent", "the table has no label column", "register the data with its label column")
        found: NDArray[np.float64] = self.numbers([self.schema.label])[0]
        return found

    def missing(self, names: Sequence[str]) -> dict[str, int]:
        """Return how many values of each named column are missing."""
        picks = ", ".join(f"count(*) - count({_without_nan(self._column(name))})" for name in names)
        if not names:
            return {}
        with self._view(names) as connection:
            counts = connection.execute(f"SELECT {picks} FROM view_").fetchall()[0]
        return dict(zip(names, counts, strict=True))

    def take(self, rows: NDArray[np.int64]) -> Table:
        """Return the rows with these numbers (from 0), in this order."""
        chosen = np.asarray(rows, np.int64)
        if len(chosen) and not (chosen.min() >= 0 and chosen.max() < len(self)):
            raise IndexError(f"a row outside 0 … {len(self) - 1}")
        added = {name: values[chosen] for name, values in self._added.items()}
        return replace(self, _rows=chosen if self._rows is None else self._rows[chosen], _added=added)

    def select(self, names: Iterable[str]) -> Table:
        """Return the table with the named columns only (id and label always stay), order kept."""
        schema = self.schema.only([self._column(name).name for name in names])
        added = {name: values for name, values in self._added.items() if name in schema.names}
        return replace(self, schema=schema, _added=added)

    def with_column(self, name: str, values: NDArray[Any]) -> Table:
        """Return the table with one more feature column, numbers by row; NaN is a missing value."""
        return self.with_columns({name: values})

    def with_columns(self, columns: Mapping[str, NDArray[Any]]) -> Table:
        """Return the table with more feature columns, numbers by row; NaN is a missing value."""
        for name, values in columns.items():
            if name in self.schema.names:
                raise ValueError(f"column {name!r} is there already")
            if values.shape != (len(self),) or values.dtype.kind not in "iuf":
                raise ValueError(f"column {name!r}: expected {len(self)} numbers")
        more = tuple(Column(name, "real" if v.dtype.kind == "f" else "integer") for name, v in columns.items())
        added = {**self._added, **{name: np.ascontiguousarray(values) for name, values in columns.items()}}
        return replace(self, schema=Schema(self.schema.columns + more), _added=added)

    def save(self, directory: Path) -> Artefact:
        """Write the table as a snapshot of its own into `directory` (made if absent)."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / FILE
        with self._view(self.schema.names, directory) as connection:
            query = f"SELECT {_typed(self.schema)} FROM view_"
            write_whole(path, lambda beside: _copy(connection, query, beside))
        return Artefact("table", str(path), digest(path), rows=len(self), schema=self.schema)

    def export(self, path: Path) -> None:
        """Write the rows, in order, to a file for people: CSV (UTF-8, RFC 4180) or Parquet, as the suffix says.

        A missing value is an empty cell (Parquet: NULL). In CSV, a text that a spreadsheet would run as a formula (it
        begins with = + - @ or a tab and is no number) gets an apostrophe in front, which spreadsheets do not show;
        the name of a column likewise. Parquet holds every text as it is.
        Raises ValueError for another suffix.
        """
        suffix = path.suffix.lower()
        if suffix not in (".csv", ".parquet"):
            raise ValueError(f"{path.name}: a table is exported as .csv or .parquet")
        picks = ", ".join(map(_defused, self.schema.columns)) if suffix == ".csv" else _typed(self.schema)
        copy = _copy_csv if suffix == ".csv" else _copy_parquet
        with self._view(self.schema.names, path.parent) as connection:
            query = f"SELECT {picks} FROM view_"
            write_whole(path, lambda beside: copy(connection, query, beside))

    @property
    def _source(self) -> str:
        return parquet(self.path)

    def _view(self, names: Iterable[str], writes: Path | None = None) -> _View:
        return _View(self, tuple(names), writes)

    def _column(self, name: str) -> Column:
        for column in self.schema.columns:
            if column.name == name:
                return column
        cause = f"the table has no column {name!r} that may be read; it has {_listed(self.schema.names)}"
        raise fault("column.unknown", cause, "give a table with this column, or have the owner grant it")


def _listed(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


class _View:
    """A connection in which `view_` is the named columns of a table, in the order of its rows. It can be read once.

    Rows that were taken or added to are put together in half of the memory given; if that is too little, the engine
    joins and sorts them, and spills.
    """

    def __init__(self, table: Table, names: tuple[str, ...], writes: Path | None) -> None:
        self._table = table
        self._columns = [column for column in table.schema.columns if column.name in names]
        self._opened = connect([table.path], writes, table._bounds)

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        table = self._table
        connection = self._opened.__enter__()
        if table._rows is None and not table._added:
            connection.execute(f"CREATE VIEW view_ AS SELECT * FROM {table._source}")
            return connection
        rows = np.arange(len(table)) if table._rows is None else table._rows
        stored = [column for column in self._columns if column.name not in table._added]
        memory = table._bounds.memory_bytes // 2
        found = take(connection.cursor(), table._source, stored, rows, table._snapshot_rows, memory)
        if found is None:
            self._join(connection, rows)
        else:
            self._gather(connection, found)
        return connection

    def _gather(self, connection: duckdb.DuckDBPyConnection, found: list[Numbers | Texts]) -> None:
        given, picks = list(found), []
        place = 0
        for column in self._columns:
            if column.name in self._table._added:
                picks.append(f"a{len(given)} AS {named(column.name)}")
                given.append(_plain(self._table._added[column.name]))
                continue
            width = len(kinds(column))
            value = f"a{place}" if width == 1 else f"CASE WHEN a{place + 1} = 0 THEN a{place} END"
            picks.append(f"{value} AS {named(column.name)}")
            place += width
        connection.register("gathered_", reader(given, len(self._table)))
        connection.execute(f"CREATE VIEW view_ AS SELECT {', '.join(picks)} FROM gathered_")

    def _join(self, connection: duckdb.DuckDBPyConnection, rows: NDArray[np.int64]) -> None:
        added = self._table._added
        beside = {"row_": rows, "position_": np.arange(len(rows)), **added}
        arrow = {name: _arrow(values, text=False) for name, values in beside.items()}
        connection.register("beside_", _arrow_table(arrow))
        picks = ", ".join(f"{'b' if c.name in added else 's'}.{named(c.name)}" for c in self._columns)
        connection.execute(
            f"CREATE VIEW view_ AS SELECT {picks} FROM beside_ b "
            f"JOIN {parquet(self._table.path, numbered=True)} s ON s.file_row_number = b.row_ ORDER BY b.position_"
        )

    def __exit__(self, *reason: Any) -> None:
        self._opened.__exit__(*reason)


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    connection.execute(f"COPY ({query}) TO {quote(str(path))} (FORMAT parquet, {ENCODING})")


def _copy_parquet(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    # for the programs of other people: what all of them read
    connection.execute(f"COPY ({query}) TO {quote(str(path))} (FORMAT parquet, COMPRESSION zstd)")


def _copy_csv(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    connection.execute(f"COPY ({query}) TO {quote(str(path))} (FORMAT csv, HEADER true)")


def _defused(column: Column) -> str:
    """Return a column as SQL for a CSV file: what a spreadsheet would run as a formula begins with an apostrophe."""
    name = f"'{column.name}" if column.name.startswith(_FORMULA) else column.name
    cell = named(column.name)
    if column.type == "text":
        starts = ", ".join(str(ord(character)) for character in _FORMULA)
        formula = f"ord({cell}) IN ({starts}) AND try_cast({cell} AS DOUBLE) IS NULL"
        cell = f"CASE WHEN {formula} THEN chr(39) || {cell} ELSE {cell} END"
    else:
        cell = _without_nan(column)
    return f"{cell} AS {named(name)}"


def _typed(schema: Schema) -> str:
    """Return the columns of a schema as an SQL list, each of its one storage type, NaN as NULL."""
    return ", ".join(
        f"{_without_nan(column)}::{SQL_TYPES[column.type]} AS {named(column.name)}" for column in schema.columns
    )


def _without_nan(column: Column) -> str:
    name = named(column.name)
    return f"nullif({name}, 'nan'::DOUBLE)" if column.type == "real" else name


def _type_of(array: Array) -> ColumnType:
    if array.type in (DataType.string(), DataType.large_string()):
        return "text"
    return "integer" if array.type == DataType.int64() else "real"


def _arrow_table(columns: Mapping[str, Array]) -> ArrowTable:
    return ArrowTable.from_arrays(list(columns.values()), names=list(columns))


def _plain(values: NDArray[Any]) -> Numbers:
    if values.dtype.kind == "f":
        return values.astype(np.float64, copy=False)
    return values.astype(np.int64, copy=False)


def _arrow(values: Ids | Sequence[Any] | NDArray[Any], *, text: bool) -> Array:
    if isinstance(values, Ids):
        return strings(values)
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb" and not text:
        return Array.from_numpy(_plain(values))
    plain = list(values)
    if text or any(isinstance(value, str) for value in plain):
        return Array([None if value is None else str(value) for value in plain], type=DataType.string())
    if all(isinstance(value, int | np.integer) for value in plain):
        return Array([int(value) for value in plain], type=DataType.int64())
    return Array([None if value is None else float(value) for value in plain], type=DataType.float64())
