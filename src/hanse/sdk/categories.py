"""A column as categories: its different values, and for each row which of them it has."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from hanse.sdk.engine import batches

MOST_CATEGORIES = 1 << 16
MISSING = -1


@dataclass(frozen=True)
class Categories:
    """Row i has the value `values[codes[i]]`, or none where its code is -1.

    codes   int32[rows].
    values  the different values in rising order (texts by their UTF-8 bytes, integers by size), integers as decimals;
            each stands at one row at least.
    """

    codes: NDArray[np.int32]
    values: tuple[str, ...]


def encode(connection: duckdb.DuckDBPyConnection, source: str, column: str, most: int, rows: int) -> Categories | None:
    """Return a column (an SQL name, of VARCHAR or BIGINT) of `source` (which can be read twice) as categories.

    Returns None when there are more than `most` different values: the engine stops looking for more.
    """
    different = f"SELECT DISTINCT {column} AS value_ FROM {source} WHERE {column} IS NOT NULL LIMIT {most + 1}"
    query = f"SELECT value_::VARCHAR FROM ({different}) ORDER BY value_"
    values = tuple(value for (value,) in connection.execute(query).fetchall())
    if len(values) > most:
        return None
    codes = np.full(rows, MISSING, np.int32)
    if not values:
        return Categories(codes, values)
    connection.execute(f"CREATE TYPE values_ AS ENUM ({query})")
    start = 0
    picks = f"SELECT coalesce(enum_code({column}::VARCHAR::values_)::INTEGER, {MISSING}) FROM {source}"
    for (batch,) in batches(connection, picks):
        codes[start : start + len(batch)] = batch.to_numpy()
        start += len(batch)
    if start != rows:
        raise ValueError(f"expected {rows} rows, read {start}")
    return Categories(codes, values)
