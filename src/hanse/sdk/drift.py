"""How one version of a table differs from another, column by column, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hanse.core.profiles import ColumnDrift, Drift, judge
from hanse.core.schema import Column
from hanse.core.specs import Artefact
from hanse.sdk.engine import Bounds, batches, connect, named, parquet, quote
from hanse.sdk.profiling import FREQUENT, demand_schema
from hanse.sdk.sketches import quantiles

if TYPE_CHECKING:
    import duckdb

    Engine = duckdb.DuckDBPyConnection

TENTHS = tuple(step / 10 for step in range(1, 10))
LEAST_SHARE = 1e-4
TERMS = 100
_SMALL = 0.04

Counts = NDArray[np.int64]


def compare(older: Artefact, newer: Artefact, writes: Path, bounds: Bounds) -> Drift:
    """Return how `newer` differs from `older`. `writes` is a folder for what the engine spills."""
    before, after = ({c.name: c for c in demand_schema(table).columns if c.use != "id"} for table in (older, newer))
    same = [column for name, column in after.items() if name in before and before[name].type == column.type]
    paths = [Path(older.path), Path(newer.path)]
    with connect(paths, writes, bounds) as engine:
        old, new = (parquet(path) for path in paths)
        rows = [int(engine.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0]) for source in (old, new)]
        columns = tuple(_drift(engine, column, old, new, bounds.memory_bytes) for column in same)
    return Drift(
        rows[0],
        rows[1],
        columns,
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        retyped=tuple(sorted(n for n in after.keys() & before.keys() if before[n].type != after[n].type)),
    )


def _drift(engine: Engine, column: Column, old: str, new: str, memory_bytes: int) -> ColumnDrift:
    name = named(column.name)
    if column.type == "text":
        return _drift_of_texts(engine, column.name, name, old, new)
    edges = _tenths(engine, name, old, memory_bytes)
    counts = [_count_bins(engine, name, source, edges) for source in (old, new)]
    means = [engine.execute(f"SELECT favg({name}::DOUBLE) FROM {source}").fetchall()[0][0] for source in (old, new)]
    ks, p = _kolmogorov_smirnov(engine, name, old, new)
    return _judged(column.name, counts, edges=tuple(edges), ks=ks, p=p, old_mean=means[0], new_mean=means[1])


def _drift_of_texts(engine: Engine, called: str, name: str, old: str, new: str) -> ColumnDrift:
    values = engine.execute(f"SELECT approx_top_k({name}, {FREQUENT}) FROM {old}").fetchall()[0][0] or []
    counts = []
    for source in (old, new):
        each = [f"count(*) FILTER ({name} = {quote(value)})" for value in values]
        picks = ", ".join([*each, f"count({name})", "count(*)"])
        *found, filled, rows = engine.execute(f"SELECT {picks} FROM {source}").fetchall()[0]
        counts.append(np.array([*found, filled - sum(found), rows - filled], np.int64))
    return _judged(called, counts, values=tuple(values))


def _judged(name: str, counts: Sequence[Counts], **known: object) -> ColumnDrift:
    stability = stability_index(*counts)
    old, new = (tuple(part.tolist()) for part in counts)
    return ColumnDrift(name, judge(stability), stability, old, new, **known)  # type: ignore[arg-type]  # named above


def stability_index(old: Counts, new: Counts) -> float:
    """Return the population stability index of two lists of counts; 0 when one side has no rows."""
    if not old.sum() or not new.sum():
        return 0.0
    kept = (old + new) > 0
    p, q = (np.maximum(part[kept] / part.sum(), LEAST_SHARE) for part in (old, new))
    return float(np.sum((q - p) * np.log(q / p)))


def _tenths(engine: Engine, name: str, source: str, memory_bytes: int) -> list[float]:
    """Return the inner limits of ten bins that hold as many rows of the older version each, equal ones once."""
    filled = int(engine.execute(f"SELECT count({name}) FROM {source}").fetchall()[0][0])
    if not filled:
        return []
    held = None if 8 * filled > memory_bytes // 2 else list(_column(engine, name, source))
    return sorted(set(quantiles(lambda: held or _column(engine, name, source), filled, TENTHS)))


def _column(engine: Engine, name: str, source: str) -> Iterator[NDArray[np.float64]]:
    query = f"SELECT {name}::DOUBLE FROM {source} WHERE {name} IS NOT NULL"
    for (column,) in batches(engine.cursor(), query):
        yield column.to_numpy()


def _count_bins(engine: Engine, name: str, source: str, edges: Sequence[float]) -> Counts:
    """Return how many rows lie in each bin: up to the first edge, …, above the last one, missing."""
    counts = np.zeros(len(edges) + 2, np.int64)
    for numbers in _column(engine, name, source):
        counts[:-1] += np.bincount(np.searchsorted(edges, numbers, side="left"), minlength=len(edges) + 1)
    counts[-1] = int(engine.execute(f"SELECT count(*) - count({name}) FROM {source}").fetchall()[0][0])
    return counts


def _kolmogorov_smirnov(engine: Engine, name: str, old: str, new: str) -> tuple[float | None, float | None]:
    """Return the exact statistic of two samples and its asymptotic probability; the engine sorts, and spills."""
    sizes = [int(engine.execute(f"SELECT count({name}) FROM {source}").fetchall()[0][0]) for source in (old, new)]
    if not all(sizes):
        return None, None
    both = " UNION ALL ".join(
        f"SELECT {name}::DOUBLE AS v, {a} AS a, {b} AS b FROM {source} WHERE {name} IS NOT NULL"
        for source, a, b in ((old, 1, 0), (new, 0, 1))
    )
    query = f"SELECT sum(a)::BIGINT, sum(b)::BIGINT FROM ({both}) GROUP BY v ORDER BY v"
    passed, greatest = np.zeros(2, np.int64), 0.0
    for batch in batches(engine.cursor(), query):
        sums = np.cumsum(np.stack([column.to_numpy() for column in batch]), axis=1) + passed[:, None]
        greatest = max(greatest, float(np.max(np.abs(sums[0] / sizes[0] - sums[1] / sizes[1]))))
        passed = sums[:, -1]
    return greatest, kolmogorov(greatest * math.sqrt(sizes[0] * sizes[1] / sum(sizes)))


def kolmogorov(x: float) -> float:
    """Return P(K > x) of Kolmogorov's distribution: 2 times the sum of (-1)^(k-1) exp(-2 k^2 x^2)."""
    if x < _SMALL:
        return 1.0  # the sum converges slowly there, and is 1 to every digit
    total: float = sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, TERMS))
    return min(1.0, max(0.0, 2 * total))
