"""A locked DuckDB: named files only, bounded memory and threads, no extension, no network, no Python objects.

Its results come as Arrow batches.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from arro3.core import Array, RecordBatchReader

from hanse.kernel.ids import Ids
from hanse.sdk.arrow import packed


@dataclass(frozen=True)
class Bounds:
    """What one table operation may use."""

    threads: int = 1
    memory_bytes: int = 1 << 30


BOUNDS = Bounds()


@contextmanager
def connect(
    reads: Iterable[Path] = (), writes: Path | None = None, bounds: Bounds = BOUNDS
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB that may read the files `reads` and write (and spill) below the folder `writes`."""
    with tempfile.TemporaryDirectory(prefix="hanse-spill-", dir=writes) as spill:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": bounds.threads,
            "memory_limit": f"{bounds.memory_bytes // 1024}KiB",
            "temp_directory": spill,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        connection = duckdb.connect(":memory:", config=config)
        try:
            paths = ", ".join(quote(str(path)) for path in reads)
            folders = quote(f"{writes}/") if writes else ""
            connection.execute(f"SET allowed_paths = [{paths}]; SET allowed_directories = [{folders}]")
            connection.execute(
                "SET disabled_optimizers = 'common_subexpressions'"
            )  # quadratic in the number of columns
            connection.execute("SET enable_external_access = false; SET lock_configuration = true")
            yield connection
        finally:
            connection.close()


def quote(text: str) -> str:
    """Return `text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def parquet(path: Path, *, numbered: bool = False) -> str:
    """Return the SQL source of a Parquet file, with its `file_row_number` if asked for.

    What stands in the path is no data: a folder `age=3` above the file would otherwise take the place of its column.
    """
    return f"read_parquet({quote(str(path))}, hive_partitioning = false, file_row_number = {numbered})"


def named(column: str) -> str:
    """Return a column's name as an SQL identifier."""
    return '"' + column.replace('"', '""') + '"'


def batches(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[list[Array]]:
    """Run `query` and yield its columns, batch by batch."""
    result = connection.sql(query)
    for batch in RecordBatchReader.from_arrow(result):
        yield [batch.column(index) for index in range(batch.num_columns)]


def texts(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[Ids]:
    """Run `query` and yield its one VARCHAR column (without NULL), piece by piece."""
    for (column,) in batches(connection, query):
        yield packed(column)
