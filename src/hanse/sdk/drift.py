"""How one version of a table differs from another, column by column, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hanse.core.profiles import ColumnDrift, Drift, judge
from hanse.core.schema import Column
from hanse.core.specs import Artefact
from hanse.sdk.engine import Bounds, batches, connect, named, parquet, quote
from hanse.sdk.profiling import FREQUENT, demand_schema, shortened
from hanse.sdk.sketches import Reals, held, quantiles

if TYPE_CHECKING:
    import duckdb

    Engine = duckdb.DuckDBPyConnection

TENTHS = tuple(step / 10 for step in range(1, 10))
LEAST_SHARE = 1e-4
HELD = 3
"""A column of each version is held in memory when it takes less than this part of it."""

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
    sides = [_Side(engine, name, source, memory_bytes // HELD // 8) for source in (old, new)]
    edges = sides[0].tenths()
    counts = [side.count_bins(edges) for side in sides]
    known = {"edges": tuple(edges), "old_mean": sides[0].mean, "new_mean": sides[1].mean}
    if not all(side.filled for side in sides):
        return _judged(column.name, counts, **known)
    rising = [side.rising for side in sides]
    if rising[0] is not None and rising[1] is not None:
        ks = greatest_gap(rising[0], rising[1])
    else:
        ks = _gap_by_engine(engine, name, sides)
    sizes = [side.filled for side in sides]
    return _judged(column.name, counts, ks=ks, p=kolmogorov(ks * math.sqrt(sizes[0] * sizes[1] / sum(sizes))), **known)


class _Side:
    """A column of numbers in one version: in memory and in order when it fits, else read again each time."""

    rising: Reals | None = None

    def __init__(self, engine: Engine, name: str, source: str, most: int) -> None:
        self._engine, self._name, self.source = engine, name, source
        query = f"SELECT count({name}), count(*), favg({name}::DOUBLE) FROM {source}"
        self.filled, self._rows, self.mean = engine.execute(query).fetchall()[0]
        self.rising = held(self.read, self.filled, most)

    def read(self) -> Iterator[Reals]:
        """Yield its numbers."""
        if self.rising is not None:
            yield self.rising
            return
        query = f"SELECT {self._name}::DOUBLE FROM {self.source} WHERE {self._name} IS NOT NULL"
        for (column,) in batches(self._engine.cursor(), query):
            yield column.to_numpy()

    def tenths(self) -> list[float]:
        """Return the inner limits of ten bins that hold as many rows each, equal ones once."""
        return sorted(set(quantiles(self.read, self.filled, TENTHS, self.rising))) if self.filled else []

    def count_bins(self, edges: Sequence[float]) -> Counts:
        """Return how many rows lie in each bin: up to the first edge, …, above the last one, missing."""
        counts = np.zeros(len(edges) + 2, np.int64)
        for numbers in self.read():
            counts[:-1] += np.bincount(np.searchsorted(edges, numbers, side="left"), minlength=len(edges) + 1)
        counts[-1] = self._rows - self.filled
        return counts


def _drift_of_texts(engine: Engine, called: str, name: str, old: str, new: str) -> ColumnDrift:
    values = engine.execute(f"SELECT approx_top_k({name}, {FREQUENT}) FROM {old}").fetchall()[0][0] or []
    counts = []
    for source in (old, new):
        each = [f"count(*) FILTER ({name} = {quote(value)})" for value in values]
        picks = ", ".join([*each, f"count({name})", "count(*)"])
        *found, filled, rows = engine.execute(f"SELECT {picks} FROM {source}").fetchall()[0]
        counts.append(np.array([*found, filled - sum(found), rows - filled], np.int64))
    return _judged(called, counts, values=tuple(map(shortened, values)))


def _judged(name: str, counts: Sequence[Counts], **known: Any) -> ColumnDrift:
    stability = stability_index(*counts)
    old, new = (tuple(part.tolist()) for part in counts)
    return ColumnDrift(name, judge(stability), stability, old, new, **known)


def stability_index(old: Counts, new: Counts) -> float:
    """Return the population stability index of two lists of counts; 0 when one side has no rows."""
    if not old.sum() or not new.sum():
        return 0.0
    kept = (old + new) > 0
    p, q = (np.maximum(part[kept] / part.sum(), LEAST_SHARE) for part in (old, new))
    return float(np.sum((q - p) * np.log(q / p)))


def greatest_gap(old: Reals, new: Reals) -> float:
    """Return the greatest difference of the distribution functions of two samples, each in rising order."""
    greatest = 0.0
    for values in (old, new):
        gaps = np.searchsorted(old, values, side="right") / len(old)
        gaps -= np.searchsorted(new, values, side="right") / len(new)
        greatest = max(greatest, float(np.max(np.abs(gaps, out=gaps))))
    return greatest


def _gap_by_engine(engine: Engine, name: str, sides: Sequence[_Side]) -> float:
    """Return the same of samples that are not held: the engine sorts them, and spills."""
    both = " UNION ALL ".join(
        f"SELECT {name}::DOUBLE AS v, {a} AS a, {b} AS b FROM {side.source} WHERE {name} IS NOT NULL"
        for side, a, b in zip(sides, (1, 0), (0, 1), strict=True)
    )
    query = f"SELECT sum(a)::BIGINT, sum(b)::BIGINT FROM ({both}) GROUP BY v ORDER BY v"
    passed, greatest = np.zeros(2, np.int64), 0.0
    for batch in batches(engine.cursor(), query):
        sums = np.cumsum(np.stack([column.to_numpy() for column in batch]), axis=1) + passed[:, None]
        greatest = max(greatest, float(np.max(np.abs(sums[0] / sides[0].filled - sums[1] / sides[1].filled))))
        passed = sums[:, -1]
    return greatest


def kolmogorov(x: float) -> float:
    """Return P(K > x) of Kolmogorov's distribution: 2 times the sum of (-1)^(k-1) exp(-2 k^2 x^2)."""
    if x < _SMALL:
        return 1.0  # the sum converges slowly there, and is 1 to every digit
    total: float = sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, TERMS))
    return min(1.0, max(0.0, 2 * total))
