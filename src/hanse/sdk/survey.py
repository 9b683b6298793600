"""One pass over the columns of a file: the form of its ids, whether they may repeat, what its cells hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import duckdb
import numpy as np
from arro3.core import Array, DataType
from arro3.core import Table as ArrowTable
from numpy.typing import NDArray

from hanse.core.schema import ColumnType, IdType
from hanse.kernel import cells
from hanse.kernel.ids import Ids, repeats
from hanse.sdk.arrow import packed
from hanse.sdk.engine import batches, texts
from hanse.sdk.identifiers import SPACES, normalise_id
from hanse.sdk.sources import Source

IdForm = Literal["plain", "ascii", "foreign"]
PROFILED_AT_ONCE = 32

if TYPE_CHECKING:  # DuckDB complains on stderr of types that a name or an annotation still holds at exit
    Engine = duckdb.DuckDBPyConnection


def cell(column: str) -> str:
    """Return the SQL of a cell of text without spaces at its ends; NULL when nothing is left."""
    return f"nullif(trim({column}, {SPACES}), '')"


@dataclass(frozen=True)
class Profile:
    """What one column holds: how many cells are filled, numbers, whole numbers; the first rows that are not."""

    filled: int
    numeric: int
    whole: int
    not_finite: int = 0
    first_not_finite: int | None = None
    first_text: int | None = None
    padded: bool = True

    @property
    def type(self) -> ColumnType:
        if self.filled > self.numeric:
            return "text"
        return "integer" if 0 < self.filled == self.whole else "real"


class Repeats:
    """Finds out whether a number of 64 bits occurs twice among many, in the memory of `most` numbers.

    When there are more, it keeps those below 1/2, 1/4, … of the range; the others take further passes over all.
    """

    def __init__(self, most: int) -> None:
        self._held = np.empty(most, np.uint64)  # pages that are never written take no memory
        self._count = 0
        self._low, self._high = 0, 1 << 64
        self.found = False

    def add(self, numbers: NDArray[np.uint64]) -> None:
        """Look at the next numbers of a pass."""
        step = max(len(self._held) // 2, 1)
        for start in range(0, len(numbers), step):
            self._add(self._of_range(numbers[start : start + step]))

    def again(self) -> bool:
        """End a pass over all numbers, and return whether another is needed."""
        self._judge()
        width, self._count = self._high - self._low, 0
        self._low, self._high = self._high, min(self._high + width, 1 << 64)
        return not self.found and self._low < self._high

    def _add(self, numbers: NDArray[np.uint64]) -> None:
        while not self.found and self._count + len(numbers) > len(self._held):
            width = self._high - self._low
            self._judge()  # so that what is held is distinct, and half of the range holds fewer
            self.found = self.found or width == 1  # two that are in a range of one number
            self._high = self._low + width // 2
            kept = self._of_range(self._held[: self._count])
            self._held[: len(kept)] = kept
            self._count = len(kept)
            numbers = self._of_range(numbers)
        if not self.found:
            self._held[self._count : self._count + len(numbers)] = numbers
            self._count += len(numbers)

    def _judge(self) -> None:
        self.found = self.found or repeats(self._held[: self._count])

    def _of_range(self, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        if self._high - self._low == 1 << 64:
            return numbers
        return numbers[(numbers >= np.uint64(self._low)) & (numbers <= np.uint64(self._high - 1))]


@dataclass
class IdColumn:
    """What is known of the ids after a pass: their form, the first that is missing, the longest, whether one repeats.

    Rows count from 1. The forms of foreign ids are in the table `normalised` (place, id) of the engine.
    """

    engine: Engine
    repeats: Repeats
    id_type: IdType = "free"
    rows: int = 0
    form: IdForm = "plain"
    missing: int = 0
    first_missing: int = 0
    longest: int = 0
    longest_row: int = 0

    def add(self, ids: Ids) -> None:
        """Look at the ids of the next rows."""
        forms, foreign, replaced = in_normal_form(ids, self.id_type)
        if len(foreign):
            self._keep(foreign + self.rows, replaced)
            self.form = "foreign"
        elif forms is not ids and self.form == "plain":
            self.form = "ascii"
        lengths = np.diff(forms.offsets)
        empty = np.flatnonzero(lengths == 0)
        if len(empty) and not self.missing:
            self.first_missing = self.rows + int(empty[0]) + 1
        self.missing += len(empty)
        if len(ids) and lengths.max() > self.longest:
            self.longest, self.longest_row = int(lengths.max()), self.rows + int(lengths.argmax()) + 1
        self.repeats.add(forms.hashes())
        self.rows += len(ids)

    def _keep(self, places: NDArray[np.int64], forms: Sequence[str]) -> None:
        arrays = [Array.from_numpy(places), Array(forms, type=DataType.string())]
        self.engine.register("piece", ArrowTable.from_arrays(arrays, names=["place", "id"]))
        self.engine.execute("INSERT INTO normalised SELECT * FROM piece")
        self.engine.unregister("piece")


def in_normal_form(ids: Ids, id_type: IdType = "free") -> tuple[Ids, NDArray[np.int64], list[str]]:
    """Return the ids by the rule of `normalise_id`; the rows that were not ASCII, and their forms.

    Ids of a type have their form already (`typed_form`) where they are ASCII.
    """
    forms, foreign = ids.normalised()
    forms = forms if id_type == "free" else ids
    if not len(foreign):
        return forms, foreign, []
    replaced = [normalise_id(text, id_type) for text in forms.take(foreign).to_strings()]
    return forms.replaced(foreign, Ids.from_strings(replaced)), foreign, replaced


@dataclass
class Survey:
    """What one pass over a file finds: its ids, and what the cells of its text columns hold."""

    ids: IdColumn
    cells: dict[int, cells.Survey] = field(default_factory=dict)


def survey(
    engine: Engine, found: Source, id_index: int, most_ids: int, at_once: int, id_type: IdType = "free"
) -> Survey:
    """Read the id column and all columns of unknown type, `at_once` of them in a pass.

    The engine's table `normalised` (made here) takes the forms of ids that are not ASCII. Uniqueness of more than
    `most_ids` ids takes further passes over the id column.
    """
    engine.execute("CREATE TEMP TABLE normalised (place BIGINT, id VARCHAR)")
    unknown = [index for index, kind in enumerate(found.types) if kind is None and index != id_index]
    columns = [id_index, *unknown]
    result = Survey(IdColumn(engine, Repeats(most_ids), id_type))
    for start in range(0, len(columns), at_once):
        part = columns[start : start + at_once]
        picks = ", ".join(f"c{index}" for index in part)
        for read in batches(engine.cursor(), f"SELECT {picks} FROM {found.rows}"):
            _add(result, part, id_index, map(packed, read))
    ids = result.ids
    while ids.repeats.again():
        for one in texts(engine.cursor(), f"SELECT c{id_index} FROM {found.rows}"):
            ids.repeats.add(in_normal_form(one, id_type)[0].hashes())
    return result


def _add(result: Survey, part: Sequence[int], id_index: int, read: Iterable[Ids]) -> None:
    for index, column in zip(part, read, strict=True):
        if index == id_index:
            result.ids.add(column)
        else:
            result.cells[index] = result.cells.get(index, cells.Survey()).plus(cells.survey(column))


# --------------------------------------------------------------------------------------------------- inside DuckDB


def profiles(engine: Engine, numbered: str, kinds: dict[int, ColumnType | None]) -> Iterator[tuple[int, Profile]]:
    """Yield the exact profile of each column, by its index, from the relation `numbered`; a kind of None: look."""
    indexes = list(kinds)
    for start in range(0, len(indexes), PROFILED_AT_ONCE):
        part = indexes[start : start + PROFILED_AT_ONCE]
        figures = engine.execute(_figures(numbered, {index: kinds[index] for index in part})).fetchall()[0]
        for place, index in enumerate(part):
            yield index, Profile(*figures[6 * place : 6 * place + 6])


def _figures(numbered: str, kinds: dict[int, ColumnType | None]) -> str:
    """Return the query of the six figures of a `Profile` for each column: v its cell, n its number, in two steps."""
    seen, numbers, figures = [], [], []
    for index, kind in kinds.items():
        value = f"c{index}" if kind else cell(f"c{index}")
        number = "NULL::DOUBLE" if kind == "text" else f"try_cast(v{index} AS DOUBLE)"
        plain = "true" if kind else f"NOT contains(v{index}, '_')"
        seen.append(f"{value} AS v{index}")
        numbers.append(f"v{index}, CASE WHEN {plain} THEN {number} END AS n{index}")
        figures.append((_FIGURES_OF_TYPED if kind else _FIGURES).format(v=f"v{index}", n=f"n{index}"))
    return (
        f"SELECT {', '.join(figures)} FROM (SELECT row, {', '.join(numbers)} FROM "
        f"(SELECT place + 1 AS row, {', '.join(seen)} FROM {numbered}))"
    )


_FIGURES = (
    "count({v}), count({n}), "
    "count(*) FILTER ({n} IS NOT NULL AND try_cast({v} AS BIGINT) IS NOT NULL "
    "AND translate({v}::VARCHAR, '.eE', '') = {v}::VARCHAR), "
    "count(*) FILTER (NOT isfinite({n})), min(row) FILTER (NOT isfinite({n})), "
    "min(row) FILTER ({v} IS NOT NULL AND {n} IS NULL)"
)
_FIGURES_OF_TYPED = (  # which of its numbers are whole is of no interest
    "count({v}), count({n}), 0, "
    "count(*) FILTER (NOT isfinite({n})), min(row) FILTER (NOT isfinite({n})), "
    "min(row) FILTER ({v} IS NOT NULL AND {n} IS NULL)"
)
