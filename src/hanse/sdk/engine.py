"""A locked DuckDB: named files only, bounded memory and threads, no extension, no network, no Python objects.

And the way from its results to numpy: Arrow batches, read through the Arrow C data interface
(https://arrow.apache.org/docs/format/CDataInterface.html), so that text is copied as bytes and never row by row.
"""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from arro3.core import Array, DataType, RecordBatchReader
from numpy.typing import NDArray

from hanse.kernel.ids import Ids


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


def read_reals(connection: duckdb.DuckDBPyConnection, query: str, columns: int, rows: int) -> NDArray[np.float64]:
    """Return the result of `query` (columns of DOUBLE without NULL) as float64[columns, rows]."""
    found = np.empty((columns, rows), np.float64)
    start = 0
    for batch in batches(connection, query):
        stop = start + len(batch[0])
        for index, column in enumerate(batch):
            found[index, start:stop] = column.to_numpy()
        start = stop
    if start != rows:
        raise ValueError(f"expected {rows} rows, read {start}")
    return found


def texts(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[Ids]:
    """Run `query` and yield its one VARCHAR column (without NULL), piece by piece."""
    for (column,) in batches(connection, query):
        yield packed(column)


def packed(column: Array) -> Ids:
    """Copy an Arrow string column; a NULL is an empty text."""
    return Ids(*_text_buffers(column))


class _ArrowArray(ctypes.Structure):
    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)


def _text_buffers(column: Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Copy the data and the offsets out of an Arrow string array (32-bit offsets)."""
    if column.type != DataType.string():
        raise TypeError(f"expected an Arrow string column, got {column.type}")
    _, capsule = column.__arrow_c_array__()
    array = _ArrowArray.from_address(_capsule_pointer(capsule, b"arrow_array"))
    if array.length == 0:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    first = array.buffers[1] + 4 * array.offset
    offsets = np.ctypeslib.as_array(ctypes.cast(first, ctypes.POINTER(ctypes.c_int32)), (array.length + 1,))
    start, stop = int(offsets[0]), int(offsets[-1])
    if start == stop:
        return np.empty(0, np.uint8), offsets.astype(np.int64)
    data = np.ctypeslib.as_array(ctypes.cast(array.buffers[2], ctypes.POINTER(ctypes.c_uint8)), (stop,))
    return data[start:].copy(), offsets.astype(np.int64) - start
