"""What a snapshot looks like in figures, in passes over it whose memory is bounded whatever its length.

Passes: one of the engine for counts, extremes and moments; one for distinct values; for each column of numbers its
quantiles, of one reading where it fits into half of the memory, else of four; one for histograms, outliers and
correlation together; for each column of texts its most frequent values; two for the ids.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import numpy as np
from arro3.core import Array
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.core.profiles import (
    QUANTILES,
    ColumnFigures,
    Correlation,
    Counted,
    Figures,
    IdFigures,
    NumberFigures,
)
from hanse.core.schema import Column, IdType, Schema
from hanse.core.specs import Artefact
from hanse.sdk.engine import Bounds, batches, connect, named, parquet, quote, texts
from hanse.sdk.identifiers import FORMS, looks_right
from hanse.sdk.sketches import Distinct, Reals, held, quantiles
from hanse.sdk.survey import Repeats

if TYPE_CHECKING:
    Engine = duckdb.DuckDBPyConnection

AT_ONCE = 32
BATCH_BYTES = 131_072 * 8
"""What a batch of the engine takes for one column of numbers."""

BINS = 20
FENCE = 1.5
FREQUENT = 20
FEW = 20
"""A column of numbers with no more values than this is shown with them, as a name would be."""

CLASSES = 100
MOST_CORRELATED = 64
SLICE_ROWS = 1 << 13
VALUE_CHARACTERS = 200
SHRUNK = 2.0**-600
_NO_VALUE = np.uint64(2**64 - 1)


def measure(table: Artefact, writes: Path, bounds: Bounds) -> Figures:
    """Return the figures of a snapshot. `writes` is a folder for what the engine spills.

    The engine uses `bounds`; what is found beside it takes as much again.
    """
    schema, path = demand_schema(table), Path(table.path)
    with connect([path], writes, bounds) as engine:
        return Measuring(engine, schema, parquet(path), bounds.memory_bytes).figures()


def demand_schema(table: Artefact) -> Schema:
    """Return the schema of a table."""
    if table.schema is None:
        raise fault("artefact.damaged", "the table came without a schema", "register the data again")
    return table.schema


class Seen(NamedTuple):
    """How many distinct values a column has."""

    values: int
    is_estimate: bool


class Measuring:
    """One measurement of one snapshot."""

    def __init__(self, engine: Engine, schema: Schema, source: str, memory_bytes: int) -> None:
        self._engine, self._schema, self._source, self._memory_bytes = engine, schema, source, memory_bytes

    def figures(self) -> Figures:
        """Return all of them."""
        rows = int(self._one("count(*)")[0])
        columns = [column for column in self._schema.columns if column.use != "id"]
        plain = {column.name: figures for column, figures in self._plain(columns)}
        distinct = self._distinct(columns)
        numbers = [column.name for column in columns if column.type != "text" and plain[column.name]["filled"]]
        quarters = {name: self._quantiles(name, plain[name]["filled"]) for name in numbers}
        together = [name for name in numbers if plain[name]["deviation"]][: self._most_correlated]
        spread = Spread(numbers, together, plain, quarters)
        for batch in self._in_step(numbers, together):
            spread.add(batch)
        found = []
        for column in columns:
            figures, seen = plain[column.name], distinct[column.name]
            values = self._frequent(column, seen) if figures["filled"] else ()
            found.append(
                ColumnFigures(
                    column.name,
                    column.type,
                    column.use,
                    figures["filled"],
                    rows - figures["filled"],
                    min(seen.values, figures["filled"]),
                    is_estimated=seen.is_estimate,
                    numbers=spread.figures(column.name) if column.name in quarters else None,
                    values=values,
                    shortest=figures.get("shortest"),
                    longest=figures.get("longest"),
                )
            )
        balance = self._balance(columns, distinct) if rows else ()
        return Figures(rows, tuple(found), self._ids(rows), spread.correlation(), balance)

    # ------------------------------------------------------------------------------------------------ passes

    def _one(self, picks: str) -> tuple[Any, ...]:
        return self._engine.execute(f"SELECT {picks} FROM {self._source}").fetchall()[0]

    def _plain(self, columns: Sequence[Column]) -> Iterator[tuple[Column, dict[str, Any]]]:
        """Yield what one pass says of each column."""
        at_once = self._at_once(1)
        for start in range(0, len(columns), at_once):
            part = columns[start : start + at_once]
            row = self._aggregates(part)
            for place, column in enumerate(part):
                filled, low, high, mean, deviation = row[5 * place : 5 * place + 5]
                said: dict[str, Any] = {"filled": int(filled)}
                if column.type == "text":
                    said |= {"shortest": low, "longest": high}
                elif filled:
                    said |= {"low": float(low), "high": float(high), "mean": _finite(mean) or 0.0}
                    said["deviation"] = _finite(deviation)
                yield column, said

    def _aggregates(self, part: Sequence[Column]) -> tuple[Any, ...]:
        """Return the five aggregates of each column; of numbers whose squares are too great, by way of smaller ones."""
        try:
            row = self._one(", ".join(map(_plain_picks, part)))
        except duckdb.OutOfRangeException:
            row = (math.inf,)
        if all(math.isfinite(figure) for figure in row if isinstance(figure, float)):
            return row
        if len(part) == 1:
            return self._one(_plain_picks(part[0], SHRUNK))
        return tuple(figure for column in part for figure in self._aggregates([column]))

    def _distinct(self, columns: Sequence[Column]) -> dict[str, Seen]:
        found: dict[str, Seen] = {}
        names = [column.name for column in columns]
        at_once = self._at_once(2)
        for start in range(0, len(names), at_once):
            part = names[start : start + at_once]
            sketches = [Distinct() for _ in part]
            hashes = (f"CASE WHEN {named(n)} IS NULL THEN {_NO_VALUE} ELSE hash({named(n)}) END" for n in part)
            for batch in batches(self._engine.cursor(), f"SELECT {', '.join(hashes)} FROM {self._source}"):
                for sketch, column in zip(sketches, batch, strict=True):
                    values = column.to_numpy()
                    sketch.add(values[values != _NO_VALUE])
            found |= {n: Seen(sketch.count, sketch.is_estimate) for n, sketch in zip(part, sketches, strict=True)}
        return found

    def _quantiles(self, name: str, filled: int) -> list[float]:
        """Return the quantiles of a column: read once when its numbers fit into memory, else once for each digit."""

        def read() -> Iterator[Reals]:
            return self._column(name)

        return quantiles(read, filled, QUANTILES, held(read, filled, self._memory_bytes // 2 // 8))

    def _column(self, name: str) -> Iterator[Reals]:
        where = f"WHERE {named(name)} IS NOT NULL"
        for (column,) in batches(self._engine.cursor(), f"SELECT {named(name)}::DOUBLE FROM {self._source} {where}"):
            yield column.to_numpy()

    def _in_step(self, names: Sequence[str], together: Sequence[str]) -> Iterator[dict[str, Reals]]:
        """Yield the columns of numbers piece by piece: first those that are correlated, together; NaN is missing."""
        at_once = self._at_once(4)
        groups = [list(together)] if together else []
        rest = [name for name in names if name not in together]
        groups += [rest[start : start + at_once] for start in range(0, len(rest), at_once)]
        for group in groups:
            picks = ", ".join(f"coalesce({named(name)}::DOUBLE, 'nan'::DOUBLE)" for name in group)
            for batch in batches(self._engine.cursor(), f"SELECT {picks} FROM {self._source}"):
                yield dict(zip(group, map(_as_reals, batch), strict=True))

    @property
    def _most_correlated(self) -> int:
        return min(MOST_CORRELATED, self._memory_bytes // 4 // BATCH_BYTES)

    def _at_once(self, share: int) -> int:
        """Return of how many columns a few batches fit into one `share`-th of a quarter of the memory."""
        return max(1, min(AT_ONCE, self._memory_bytes // 4 // share // BATCH_BYTES))

    # ----------------------------------------------------------------------------------------------- values

    def _frequent(self, column: Column, seen: Seen) -> tuple[Counted, ...]:
        """Return the most frequent values of texts and of numbers with few values, and how often each is there."""
        if column.type != "text" and (seen.is_estimate or seen.values > FEW):
            return ()
        name, only = named(column.name), ""
        if seen.is_estimate:
            candidates = self._one(f"approx_top_k({name}, {FREQUENT})")[0]
            only = f"AND {name} IN ({', '.join(map(quote, candidates))})"
        return self._count(name, only, FREQUENT)

    def _count(self, name: str, only: str, most: int) -> tuple[Counted, ...]:
        query = (
            f"SELECT {name}::VARCHAR, count(*) AS n FROM {self._source} WHERE {name} IS NOT NULL {only} "
            f"GROUP BY {name} ORDER BY n DESC, {name} LIMIT {most}"
        )
        return tuple(Counted(shortened(value), int(count)) for value, count in self._engine.execute(query).fetchall())

    def _balance(self, columns: Sequence[Column], distinct: dict[str, Seen]) -> tuple[Counted, ...]:
        label = next((column for column in columns if column.use == "label"), None)
        if label is None or distinct[label.name].is_estimate or distinct[label.name].values > CLASSES:
            return ()
        return self._count(named(label.name), "", CLASSES)

    # -------------------------------------------------------------------------------------------------- ids

    def _ids(self, rows: int) -> IdFigures:
        column = next(column for column in self._schema.columns if column.use == "id")
        name, types = named(column.name), [kind for kind in FORMS if kind != "free"]
        blank = f"({name} IS NULL OR trim({name}) = '')"
        picks = [f"count(*) FILTER ({blank})", f"min(length({name}))", f"max(length({name}))"]
        picks += [f"count(*) FILTER (coalesce({looks_right(name, kind)}, false))" for kind in types]
        blanks, shortest, longest, *counts = self._one(", ".join(picks))
        resembles: dict[IdType, int] = {kind: int(count) for kind, count in zip(types, counts, strict=True)}
        malformed = rows - int(blanks) - resembles[column.id_type] if column.id_type != "free" else 0
        duplicates = self._duplicates(name)
        return IdFigures(
            column.name, column.id_type, int(blanks), duplicates, malformed, resembles, shortest or 0, longest or 0
        )

    def _duplicates(self, name: str) -> int:
        """Return how many rows have an id that an earlier row has; grouped by the engine only when there are any."""
        repeats = Repeats(max(1 << 16, self._memory_bytes // 64))
        query = f"SELECT {name} FROM {self._source} WHERE {name} IS NOT NULL"
        again = True
        while again:
            for ids in texts(self._engine.cursor(), query):
                repeats.add(ids.hashes())
            again = repeats.again()
        if not repeats.found:
            return 0
        groups = f"SELECT count(*) - 1 AS more FROM {self._source} WHERE {name} IS NOT NULL GROUP BY {name}"
        return int(self._engine.execute(f"SELECT coalesce(sum(more), 0) FROM ({groups})").fetchall()[0][0])


def shortened(value: str) -> str:
    """Return a value as it is shown: of a long text the beginning."""
    return value if len(value) <= VALUE_CHARACTERS else value[: VALUE_CHARACTERS - 1] + "…"


def _finite(number: float | None) -> float | None:
    return float(number) if number is not None and math.isfinite(number) else None


def _plain_picks(column: Column, scale: float = 1.0) -> str:
    """Return the five aggregates of a column: filled; extremes (texts: of lengths); mean and deviation.

    These are found of numbers times `scale`, a power of two, and are so again when they are returned.
    """
    name = named(column.name)
    if column.type == "text":
        return f"count({name}), min(length({name})), max(length({name})), NULL, NULL"
    number = f"{name}::DOUBLE"
    small = number if scale == 1 else f"({number} * {scale!r}::DOUBLE)"
    back = "" if scale == 1 else f" / {scale!r}::DOUBLE"
    return f"count({name}), min({number}), max({number}), favg({small}){back}, stddev_samp({small}){back}"


def _as_reals(column: Array) -> Reals:
    reals: Reals = column.to_numpy()
    return reals


class Spread:
    """Histograms, outliers and correlation of columns of numbers, from pieces of all of them."""

    def __init__(
        self,
        names: Sequence[str],
        together: Sequence[str],
        plain: dict[str, dict[str, Any]],
        quarters: dict[str, list[float]],
    ) -> None:
        self._names, self._together, self._plain, self._quantiles = list(names), list(together), plain, quarters
        self._fences = {name: _fences(quarters[name]) for name in names}
        self._edges = {name: self._bins(name) for name in names}
        self._counts = {name: np.zeros(len(self._edges[name]) - 1, np.int64) for name in names}
        self._beyond = {name: [0, 0] for name in names}
        size = (len(self._together), len(self._together))
        self._sums = {part: np.zeros(size) for part in ("rows", "x", "xx", "xy")}

    def _bins(self, name: str) -> NDArray[np.float64]:
        low, high = self._plain[name]["low"], self._plain[name]["high"]
        if (fences := self._fences[name]) is not None:
            low, high = max(low, fences[0]), min(high, fences[1])
        return bin_edges(low, high)

    def add(self, batch: dict[str, Reals]) -> None:
        """Count the next piece."""
        for name, numbers in batch.items():
            edges = self._edges[name]
            if (fences := self._fences[name]) is not None:
                self._beyond[name][0] += int(np.count_nonzero(numbers < fences[0]))
                self._beyond[name][1] += int(np.count_nonzero(numbers > fences[1]))
            if len(edges) == 2:
                self._counts[name] += np.count_nonzero((numbers >= edges[0]) & (numbers <= edges[1]))
            else:  # a quarter of all, so that the distance of the greatest numbers is one
                self._counts[name] += np.histogram(numbers / 4, BINS, (edges[0] / 4, edges[-1] / 4))[0]
        if list(batch) == self._together:
            rows = len(next(iter(batch.values())))
            for start in range(0, rows, SLICE_ROWS):
                self._correlate([numbers[start : start + SLICE_ROWS] for numbers in batch.values()])

    @np.errstate(over="ignore", invalid="ignore")  # what overflows has no coefficient
    def _correlate(self, columns: Sequence[Reals]) -> None:
        """Add to the sums of pairs, of standardised numbers, so that nothing cancels out."""
        means = [self._plain[name]["mean"] for name in self._together]
        scales = [self._plain[name]["deviation"] for name in self._together]
        numbers = np.stack(columns, axis=1)
        numbers -= means
        numbers /= scales
        filled = (~np.isnan(numbers)).astype(np.float64)
        np.nan_to_num(numbers, copy=False, nan=0.0)
        self._sums["rows"] += filled.T @ filled
        self._sums["x"] += numbers.T @ filled
        self._sums["xy"] += numbers.T @ numbers
        numbers *= numbers
        self._sums["xx"] += numbers.T @ filled

    def figures(self, name: str) -> NumberFigures:
        """Return what is known of a column."""
        plain, (below, above) = self._plain[name], self._beyond[name]
        return NumberFigures(
            plain["low"],
            plain["high"],
            plain["mean"],
            plain["deviation"],
            tuple(self._quantiles[name]),
            tuple(self._edges[name].tolist()),
            tuple(self._counts[name].tolist()),
            self._fences[name],
            below,
            above,
        )

    def correlation(self) -> Correlation:
        """Return the coefficient of each pair."""
        rows, x, xx, xy = (self._sums[part] for part in ("rows", "x", "xx", "xy"))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            covariance = rows * xy - x * x.T
            spread = rows * xx - x * x  # of the rows' column, over the rows in which the other is filled
            matrix = np.where(rows > 1, covariance / np.sqrt(spread * spread.T), np.nan)
        told = tuple(
            tuple(float(np.clip(value, -1, 1)) if np.isfinite(value) else None for value in line) for line in matrix
        )
        return Correlation(tuple(self._together), told, len(self._names) - len(self._together))


def _fences(quarters: Sequence[float]) -> tuple[float, float] | None:
    """Return Tukey's fences, if the quartiles differ."""
    low, high = quarters[QUANTILES.index(0.25)], quarters[QUANTILES.index(0.75)]
    reach = FENCE * (high - low)
    fences = (low - reach, high + reach)
    return fences if reach > 0 and all(map(math.isfinite, fences)) else None


def bin_edges(low: float, high: float) -> NDArray[np.float64]:
    """Return the edges of bins of equal width; a single bin where numbers lie too close for more, or are one."""
    quarters = np.linspace(low / 4, high / 4, BINS + 1)
    return quarters * 4 if np.all(np.diff(quarters) > 0) else np.array([low, high])
