"""One party's columns as splits use them: which they are, how they are binned, and how a table is read for them.

No more than `AT_ONCE` columns, or `HELD_NUMBERS` numbers, are held at a time; what stays is one byte for each value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.core.schema import Schema
from hanse.kernel import binning, trees
from hanse.kernel.binning import Binned, ColumnBins
from hanse.sdk.boosting.sampling import Lot
from hanse.sdk.boosting.settings import BoostSettings
from hanse.sdk.table import Table

Reals = NDArray[np.float64]
Codes = NDArray[np.uint8]

AT_ONCE = 16
HELD_NUMBERS = 1 << 22
"""Of a table of few rows more columns are read at once: opening the file costs more than they do."""


class Features(msgspec.Struct, frozen=True):
    """The columns of one party that splits may use, and the bins of each. Plain data, for models and checkpoints."""

    names: tuple[str, ...]
    bins: tuple[ColumnBins, ...]

    @classmethod
    def fit(
        cls,
        table: Table,
        lot: Lot,
        settings: BoostSettings,
        *,
        max_bins: int | None = None,
        least_rows: int = 1,
        within: Mapping[str, ColumnBins] | None = None,
        before: Features | None = None,
    ) -> Features:
        """Bin the features of a training table, as its counted rows have them.

        max_bins    at most so many bins a column; None: as the settings say.
        least_rows  no bin, and no group of missing values, has fewer counted rows.
        within      earlier bins of columns by name: the new ones are unions of them.
        before      the features of a model that is trained on: they come first, in their order, and categories keep
                    their codes.

        Raises HanseError("column.infinite" | "column.categories" | "model.features").
        """
        return cls.fit_encode(
            table, lot, settings, max_bins=max_bins, least_rows=least_rows, within=within, before=before
        )[0]

    @classmethod
    def fit_encode(
        cls,
        table: Table,
        lot: Lot,
        settings: BoostSettings,
        *,
        max_bins: int | None = None,
        least_rows: int = 1,
        within: Mapping[str, ColumnBins] | None = None,
        before: Features | None = None,
    ) -> tuple[Features, Codes]:
        """Do as `fit` in one reading of the table, and return the codes of all its rows too, in their order."""
        names = usable(table.schema, settings)
        if before is not None:
            names = _after(before, names, table.schema, settings)
        kept = dict(zip(before.names, before.bins, strict=True)) if before else {}
        limits, known = (max_bins or settings.max_bins, least_rows), within or {}
        found: dict[str, ColumnBins] = {}
        places = {name: place for place, name in enumerate(names)}
        codes = np.empty((len(names), len(table)), np.uint8)
        numeric, categorical = _sorted_out(table.schema, names, settings)
        for chunk, numbers in _numbers(table, numeric):
            binned = _bin(chunk, numbers, lot, limits, known)
            for name, bins, column in zip(chunk, binned.bins, binned.codes, strict=True):
                found[name], codes[places[name]] = bins, column
        for name in categorical:
            seen = table.categories(name)
            found[name] = kept.get(name) or binning.bin_categories(
                seen.codes[lot.counted], seen.values, *limits, known.get(name)
            )
            codes[places[name]] = binning.encode_categories(seen.codes, seen.values, found[name])
        return cls(names, tuple(found[name] for name in names)), codes

    def encode(self, table: Table, rows: NDArray[np.int64] | None = None) -> Codes:
        """Return the codes, uint8[features, rows], of the rows with these numbers in this order (None: of all).

        Raises HanseError("column.infinite" | "column.unknown").
        """
        places = {name: place for place, name in enumerate(self.names)}
        codes = np.empty((len(self.names), len(table) if rows is None else len(rows)), np.uint8)
        for chunk, numbers in _numbers(table, [n for n, b in zip(self.names, self.bins, strict=True) if not _named(b)]):
            every = binning.encode_columns(numbers, [self.bins[places[name]] for name in chunk])
            for name, column in zip(chunk, every, strict=True):
                codes[places[name]] = column if rows is None else column[rows]
        for name, bins in zip(self.names, self.bins, strict=True):
            if _named(bins):
                column = _encoded(table, name, bins)
                codes[places[name]] = column if rows is None else column[rows]
        return codes

    def columns(self, table: Table, lot: Lot, settings: BoostSettings, codes: Codes | None = None) -> Binned:
        """Return the counted rows in bins. `codes`: those of all rows of the table, where they are at hand."""
        counted = self.encode(table, lot.counted) if codes is None else _picked(codes, lot.counted)
        return Binned(counted, self.bins, tuple(self.monotone(settings).tolist()))

    def passengers(self, table: Table, lot: Lot, valid: Table | None, codes: Codes | None = None) -> Codes:
        """Return the codes of the rows that are only routed: those left out, then those of the validation table."""
        if codes is not None:
            left_out = _picked(codes, lot.left_out)
        elif len(lot.left_out):
            left_out = self.encode(table, lot.left_out)
        else:
            left_out = np.empty((len(self.names), 0), np.uint8)
        return left_out if valid is None else np.concatenate([left_out, self.encode(valid)], axis=1)

    def numbers(self, table: Table, chosen: Sequence[int] | None = None) -> Reals:
        """Return float64[features, rows] for `trees.margins`: numbers, and codes of categories; missing is NaN.

        Only the `chosen` features are read (None: all), the others are NaN.
        """
        picked = range(len(self.names)) if chosen is None else chosen
        found = np.full((len(self.names), len(table)), np.nan)
        places = {self.names[place]: place for place in picked}
        for chunk, numbers in _numbers(table, [name for name, place in places.items() if not _named(self.bins[place])]):
            for name, column in zip(chunk, numbers, strict=True):
                found[places[name]] = column
        for name, place in places.items():
            if _named(self.bins[place]):
                found[place] = binning.as_numbers(_encoded(table, name, self.bins[place]))
        return found

    def monotone(self, settings: BoostSettings) -> NDArray[np.int8]:
        """Return +1, −1 or 0 for each feature: how the score may go with it."""
        rising, falling = set(settings.monotone_increasing), set(settings.monotone_decreasing)
        return np.array([(name in rising) - (name in falling) for name in self.names], np.int8)

    def named(self, settings: BoostSettings) -> dict[str, list[str]]:
        """Return which columns that the settings name are features here, and which are not, for reports.

        Settings hold for all parties, so a name that no party's report has as its own is a mistake.
        """
        said = dict.fromkeys((*settings.categorical, *settings.monotone_increasing, *settings.monotone_decreasing))
        return {
            "named_columns_here": [name for name in said if name in self.names],
            "named_columns_not_here": [name for name in said if name not in self.names],
        }

    def pick(self, chosen: Sequence[int]) -> Features:
        """Return the features with these numbers, in this order."""
        return Features(tuple(self.names[place] for place in chosen), tuple(self.bins[place] for place in chosen))

    def describe(self, feature: int, left: Codes) -> dict[str, Any]:
        """Return a split of a feature in words, for reports; `left` is its bitmap of codes, uint8[32].

        {"feature", "at_most": number} or {"feature", "one_of": [categories]}, and "missing": "left" | "right". Where
        `at_most` is None, all numbers go left and what is missing right.
        """
        bins = self.bins[feature]
        said: dict[str, Any] = {"feature": self.names[feature]}
        if bins.categories is not None:
            said["one_of"] = list_categories(bins, left)
        else:
            count = int(np.unpackbits(left, bitorder="little")[: bins.bins].sum())
            said["at_most"] = bins.edges[count - 1] if 0 < count < bins.bins else None
        return said | {"missing": "left" if trees.goes_left(left, bins.missing) else "right"}


def list_categories(bins: ColumnBins, left: Codes) -> list[str]:
    """Return the categories whose codes are in a bitmap, uint8[32]; `…` stands for those that share a code."""
    if bins.categories is None:
        raise ValueError("the column has no categories")
    goes_left = np.unpackbits(left, bitorder="little").astype(np.bool_)
    listed = [name for name, picked in zip(bins.categories, goes_left, strict=False) if picked]
    return listed + ["…"] * bool(bins.other and goes_left[bins.bins - 1])


def usable(schema: Schema, settings: BoostSettings) -> tuple[str, ...]:
    """Return the names of the columns that splits may use: features that are neither weight nor group."""
    return tuple(name for name in schema.features if name not in (settings.weight, settings.group))


def _after(before: Features, names: tuple[str, ...], schema: Schema, settings: BoostSettings) -> tuple[str, ...]:
    """Return the names with those of an earlier model first. Raises HanseError("model.features")."""
    if absent := [name for name in before.names if name not in names]:
        raise fault("model.features", f"the table lacks columns of the model: {', '.join(absent)}", "use its columns")
    _, categorical = _sorted_out(schema, names, settings)
    changed = [n for n, b in zip(before.names, before.bins, strict=True) if _named(b) != (n in categorical)]
    if changed:
        cause = f"columns that were numbers and are now categories, or the reverse: {', '.join(changed)}"
        raise fault("model.features", cause, "name the same columns as categorical as in the model's training")
    return (*before.names, *(name for name in names if name not in before.names))


def _sorted_out(schema: Schema, names: Sequence[str], settings: BoostSettings) -> tuple[list[str], list[str]]:
    """Return the numeric and the categorical ones of the named columns. Raises HanseError("column.categories")."""
    types = {column.name: column.type for column in schema.columns}
    named = set(settings.categorical)
    if reals := [name for name in names if name in named and types[name] == "real"]:
        cause = f"columns with fractions cannot be categorical: {', '.join(reals)}"
        raise fault("column.categories", cause, "leave them out of categorical")
    categorical = [name for name in names if types[name] == "text" or name in named]
    return [name for name in names if name not in set(categorical)], categorical


def _named(bins: ColumnBins) -> bool:
    return bins.categories is not None


def _encoded(table: Table, name: str, bins: ColumnBins) -> Codes:
    seen = table.categories(name)
    return binning.encode_categories(seen.codes, seen.values, bins)


def _bin(
    names: Sequence[str], numbers: Reals, lot: Lot, limits: tuple[int, int], known: Mapping[str, ColumnBins]
) -> Binned:
    """Choose bins by the counted rows, and encode all rows by them."""
    counted = np.ascontiguousarray(numbers[:, lot.counted]) if len(lot.left_out) else numbers
    earlier = [known.get(name) for name in names]
    nested = [bins for bins in earlier if bins is not None]
    if len(nested) in (0, len(names)):  # all at once, in threads
        binned = binning.bin_columns(counted, *limits, nested or None)
        if counted is numbers:
            return binned
        bins = binned.bins
    else:
        bins = tuple(binning.bin_numbers(column, *limits, one) for column, one in zip(counted, earlier, strict=True))
    return Binned(binning.encode_columns(numbers, bins), bins)


def _picked(codes: Codes, rows: NDArray[np.int64]) -> Codes:
    """Return the named rows, column by column: each is read where it lies."""
    found = np.empty((len(codes), len(rows)), np.uint8)
    for source, target in zip(codes, found, strict=True):
        np.take(source, rows, out=target)
    return found


def _numbers(table: Table, names: Sequence[str]) -> Iterator[tuple[Sequence[str], Reals]]:
    """Yield the named columns, some at a time. Raises HanseError("column.infinite")."""
    width = max(AT_ONCE, HELD_NUMBERS // max(len(table), 1))
    for start in range(0, len(names), width):
        chunk = names[start : start + width]
        numbers = table.numbers(chunk)
        if infinite := [name for name, column in zip(chunk, numbers, strict=True) if np.isinf(column).any()]:
            cause = f"infinite values in {', '.join(infinite)}"
            raise fault("column.infinite", cause, "make them missing or finite, or leave these columns out")
        yield chunk, numbers
