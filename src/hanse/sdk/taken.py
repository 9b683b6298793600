"""Rows taken from a snapshot in any order: read once in the file's order, put into their places, given in batches.

For as many rows as fit into the memory given; beyond that, a join and a sort of the engine, which spills, is for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from arro3.core import Array, RecordBatch, RecordBatchReader
from numpy.typing import NDArray

from hanse.core.schema import Column
from hanse.kernel.ids import Ids
from hanse.sdk.arrow import packed, strings
from hanse.sdk.engine import batches, named

BATCH_ROWS = 1 << 17

Numbers = NDArray[np.float64] | NDArray[np.int64]


@dataclass
class Texts:
    """A text column of taken rows: row i is text `places[i]` of `ids`."""

    ids: Ids
    places: NDArray[np.int64]

    def batch(self, start: int, stop: int) -> Array:
        """Return the rows from `start` to before `stop` as an Arrow column."""
        return strings(self.ids.take(self.places[start:stop]))


class Packing:
    """Ids that grow at the end, in place."""

    def __init__(self) -> None:
        self._data = np.empty(1 << 20, np.uint8)
        self._offsets = np.zeros(1 << 16, np.int64)
        self._size, self._rows = 0, 0

    @property
    def size_bytes(self) -> int:
        """The memory that is taken."""
        return self._data.nbytes + self._offsets.nbytes

    def add(self, ids: Ids) -> None:
        """Append ids."""
        size, rows = self._size + len(ids.data), self._rows + len(ids)
        if size > len(self._data):
            self._data.resize(size + size // 4, refcheck=False)
        if rows >= len(self._offsets):
            self._offsets.resize(rows + rows // 4 + 1, refcheck=False)
        self._data[self._size : size] = ids.data
        self._offsets[self._rows + 1 : rows + 1] = ids.offsets[1:] + self._size
        self._size, self._rows = size, rows

    def ids(self) -> Ids:
        """Return all of them; nothing is copied."""
        return Ids(self._data[: self._size], self._offsets[: self._rows + 1])


class Places:
    """Where the rows of a snapshot go: finds, for a stretch of it, the rows that are taken and their new numbers."""

    def __init__(self, rows: NDArray[np.int64], snapshot_rows: int) -> None:
        place: NDArray[np.signedinteger] = np.full(snapshot_rows, -1, np.int32 if len(rows) < 1 << 31 else np.int64)
        place[rows] = np.arange(len(rows))
        self._place = place
        self._order = self._sorted = np.empty(0, np.int64)
        self._are_distinct = np.count_nonzero(place >= 0) == len(rows)
        if not self._are_distinct:
            self._order = np.argsort(rows, kind="stable")
            self._sorted = rows[self._order]

    def between(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the taken rows, counted from `start`, in the file's order, and where each goes."""
        if self._are_distinct:
            part = self._place[start:stop]
            found = np.flatnonzero(part >= 0)
            return found, part[found].astype(np.int64)
        first, last = np.searchsorted(self._sorted, (start, stop))
        return self._sorted[first:last] - start, self._order[first:last]


def take(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[Column],
    rows: NDArray[np.int64],
    snapshot_rows: int,
    memory_bytes: int,
) -> list[Numbers | Texts] | None:
    """Return the rows of `source` in the order of `rows`, for each column its values and then its flags of NULL.

    Numbers come as float64 (a missing one is NaN) or int64, texts packed; flags as int64, 1 for a missing value, for
    texts and integers; NaN serves reals. Returns None when all that needs more than `memory_bytes`.
    """
    wanted = [kind for column in columns for kind in kinds(column)]
    left = memory_bytes - 8 * len(wanted) * len(rows) - 4 * snapshot_rows
    if left < 0 or not wanted:
        return None if left < 0 else []
    out: list[NDArray[Any]] = [np.empty(len(rows), kind or np.int64) for kind in wanted]
    texts = {index: Packing() for index, kind in enumerate(wanted) if kind is None}
    places, start, taken = Places(rows, snapshot_rows), 0, 0
    picks = ", ".join(pick for column in columns for pick in _picks(column))
    for batch in batches(connection, f"SELECT {picks} FROM {source}"):
        stop = start + len(batch[0])
        found, targets = places.between(start, stop)
        for index, column in enumerate(batch):
            if index in texts:
                texts[index].add(packed(column).take(found))
                out[index][targets] = np.arange(taken, taken + len(found))
            else:
                out[index][targets] = column.to_numpy()[found]
        start, taken = stop, taken + len(found)
        if sum(text.size_bytes for text in texts.values()) > left:
            return None
    if start != snapshot_rows:
        raise ValueError(f"expected {snapshot_rows} rows, read {start}")
    return [Texts(texts[index].ids(), column) if index in texts else column for index, column in enumerate(out)]


def read_reals(
    found: Iterable[Sequence[Array]],
    out: Sequence[NDArray[np.float64]],
    snapshot_rows: int,
    rows: NDArray[np.int64] | None,
) -> None:
    """Put batches of DOUBLE columns without NULL into `out`, one float64 column each: all rows, or those of `rows`.

    Raises ValueError when the batches have not `snapshot_rows` rows in all.
    """
    places = None if rows is None else Places(rows, snapshot_rows)
    start = 0
    for batch in found:
        stop = start + len(batch[0])
        taken, targets = places.between(start, stop) if places is not None else (None, None)
        for column, values in zip(out, batch, strict=True):
            if targets is None:
                column[start:stop] = values.to_numpy()
            else:
                column[targets] = values.to_numpy()[taken]
        start = stop
    if start != snapshot_rows:
        raise ValueError(f"expected {snapshot_rows} rows, read {start}")


def _picks(column: Column) -> list[str]:
    name = named(column.name)
    if column.type == "real":
        return [f"coalesce({name}::DOUBLE, 'nan'::DOUBLE)"]
    value = f"{name}::VARCHAR" if column.type == "text" else f"coalesce({name}, 0)::BIGINT"
    return [value] if column.use == "id" else [value, f"({name} IS NULL)::BIGINT"]


def kinds(column: Column) -> list[type[np.float64] | type[np.int64] | None]:
    """Return what `take` gives for a column: values, and flags unless NaN serves or none is missing; None are texts."""
    if column.type == "real":
        return [np.float64]
    value = None if column.type == "text" else np.int64
    return [value] if column.use == "id" else [value, np.int64]


def reader(columns: Sequence[Numbers | Texts], rows: int) -> RecordBatchReader:
    """Return the columns as an Arrow stream a0, a1, … that can be read once."""

    def batch(start: int, stop: int) -> RecordBatch:
        arrays = [
            column.batch(start, stop) if isinstance(column, Texts) else Array.from_numpy(column[start:stop])
            for column in columns
        ]
        return RecordBatch.from_arrays(arrays, names=[f"a{index}" for index in range(len(arrays))])

    stream = (batch(start, min(start + BATCH_ROWS, rows)) for start in range(0, rows, BATCH_ROWS))
    return RecordBatchReader.from_batches(batch(0, 0).schema, stream)
