"""Draw figures of a snapshot with noise, for partners: each is counted exactly, over all rows, and noise is added."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hanse.core.faults import fault
from hanse.core.profiles import Drawn, Wanted
from hanse.core.schema import Column, Schema
from hanse.core.specs import Artefact
from hanse.sdk.engine import Bounds, batches, connect, named, parquet, quote
from hanse.sdk.identifiers import looks_right
from hanse.sdk.noise import Below, discrete_laplace
from hanse.sdk.profiling import demand_schema

if TYPE_CHECKING:
    import duckdb

    Engine = duckdb.DuckDBPyConnection


def draw(
    table: Artefact, wanted: Sequence[Wanted], writes: Path, bounds: Bounds, below: Below = secrets.randbelow
) -> tuple[Drawn, ...]:
    """Return the wanted figures of a snapshot with their noise. `below` is the system's entropy, except in tests."""
    schema, path = demand_schema(table), Path(table.path)
    with connect([path], writes, bounds) as engine:
        counts = [_count(engine, parquet(path), schema, one) for one in wanted]
    return tuple(
        Drawn(one, tuple(count + discrete_laplace(one.epsilon, below) for count in exact))
        for one, exact in zip(wanted, counts, strict=True)
    )


def _count(engine: Engine, source: str, schema: Schema, wanted: Wanted) -> list[int]:
    """Return a figure without noise. One row more or less changes one of its counts by 1."""
    if wanted.figure == "rows":
        return _one(engine, source, "count(*)")
    column = next((column for column in schema.columns if column.name == wanted.column), None)
    if column is None:
        raise fault("profile.figure", f"this version has no column {wanted.column!r}")
    name = named(column.name)
    if wanted.figure == "missing":
        return _one(engine, source, f"count(*) - count({name})")
    if wanted.figure == "distinct":
        return _one(engine, f"(SELECT {name} AS v FROM {source} WHERE {name} IS NOT NULL GROUP BY {name})", "count(*)")
    if wanted.figure == "malformed":
        return _one(engine, source, f"count(*) FILTER (NOT coalesce({looks_right(name, column.id_type)}, false))")
    return _count_values(engine, source, column, wanted) if wanted.values else _bins(engine, source, name, wanted)


def _one(engine: Engine, source: str, pick: str) -> list[int]:
    return [int(engine.execute(f"SELECT {pick} FROM {source}").fetchall()[0][0])]


def _count_values(engine: Engine, source: str, column: Column, wanted: Wanted) -> list[int]:
    """Return the rows of each value, of others and without any; numbers are compared as numbers."""
    if column.type != "text":
        _demand_numbers(wanted)
    name = named(column.name)
    value = f"{name} = {{}}" if column.type == "text" else f"{name}::DOUBLE = try_cast({{}} AS DOUBLE)"
    picks = [f"count(*) FILTER ({value.format(quote(text))})" for text in wanted.values]
    query = f"SELECT {', '.join([*picks, f'count({name})', 'count(*)'])} FROM {source}"
    *found, filled, rows = map(int, engine.execute(query).fetchall()[0])
    return [*found, filled - sum(found), rows - filled]


def _demand_numbers(wanted: Wanted) -> None:
    """Raise unless the values are numbers of which no two are one: a row would count twice, under half the noise."""
    try:
        distinct = {float(value) for value in wanted.values}
    except ValueError:
        raise fault("profile.figure", f"{wanted.column!r} holds numbers, and so must its values") from None
    if len(distinct) < len(wanted.values):
        raise fault("profile.figure", f"a value of {wanted.column!r} is named twice")


def _bins(engine: Engine, source: str, name: str, wanted: Wanted) -> list[int]:
    edges = np.array(wanted.edges)
    counts = np.zeros(len(edges) + 1, np.int64)
    for (column,) in batches(engine.cursor(), f"SELECT {name}::DOUBLE FROM {source} WHERE {name} IS NOT NULL"):
        numbers = column.to_numpy()
        places = np.searchsorted(edges, numbers, side="right")
        places[numbers == edges[-1]] = len(edges) - 1  # the last bin has its upper edge
        counts += np.bincount(places, minlength=len(counts))
    return [*counts.tolist(), *_one(engine, source, f"count(*) - count({name})")]
