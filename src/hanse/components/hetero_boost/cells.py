"""A host's cells: how its columns are cut, within the disclosure rule and within all that was cut before.

Sums over two binnings of one column tell sums over the rows between two close edges, which may be fewer than any cell
of either. So all that a guest is ever answered about a column of a dataset follows one *grid*: the cells of the first
job, kept with the dataset for this guest. Later jobs get unions of them, and R1 (`exposure`) holds for the grid's own
cells with all queries so far. Where it no longer would, the grid itself becomes coarser, from then on: then the cells
of before were asked about no more often than R1 allowed, and what comes can only be sums of the new ones.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.components.hetero_boost import exposure
from hanse.components.hetero_boost.settings import Settings
from hanse.core.faults import fault
from hanse.kernel.binning import MISSING, Binned, ColumnBins
from hanse.sdk import Party, Table
from hanse.sdk.boosting import Features, Lot
from hanse.sdk.files import write_whole

GRID, LOCK = "grid", "grid.lock"
DAMAGED = "register the dataset again: what was answered about it cannot be told apart any more"


class Grid(msgspec.Struct, forbid_unknown_fields=True):
    """The cells that all jobs of one guest on one dataset share; `order` seeds the order in which it sees features."""

    order: bytes
    bins: dict[str, ColumnBins] = {}


@dataclass(frozen=True)
class Cells:
    """My features as the guest is answered about them, training rows and passengers.

    counts     for each feature the samples of each cell: value codes, then missing if there is one.
    grid_least the smallest cell of the grid below these cells where that is finer; all samples where it is not.
    """

    features: Features
    columns: Binned
    passengers: NDArray[np.uint8]
    counts: tuple[NDArray[np.int64], ...]
    grid_least: int

    @cached_property
    def omitted(self) -> NDArray[np.int32]:
        """Which cell of each feature, the largest, is not answered for."""
        return np.array([int(np.argmax(count)) for count in self.counts], np.int32)

    @cached_property
    def answered(self) -> NDArray[np.int64]:
        """Samples of each cell that is answered for, feature by feature."""
        pairs = zip(self.counts, self.omitted.tolist(), strict=True)
        return np.concatenate([np.delete(count, omitted) for count, omitted in pairs])

    @property
    def smallest(self) -> int:
        """The samples of the smallest cell by which R1 counts."""
        return min(int(self.answered.min()), self.grid_least)

    @property
    def matrix(self) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8]]:
        """Codes, bins, omitted cell and missing flag of each feature: what a set-up is made of."""
        shape = self.columns.shape
        return self.columns.codes, shape.bins.astype(np.int32), self.omitted, shape.missing


def choose(me: Party, train: Table, valid: Table | None, lot: Lot, settings: Settings) -> Cells:
    """Choose cells so coarse that the planned queries stay within the limit, in an order that is random for the guest.

    Raises HanseError("disclosure.limit") when not even two cells of one column satisfy the rule.
    """
    samples = len(lot.counted)
    least = _least(me, settings, samples)
    with _locked(me.kept / LOCK):
        grid = _read(me.kept / GRID) or Grid(me.rng.seed())
        _must_be_of_one_kind(grid, train, settings)
        fitted, codes = Features.fit_encode(train, lot, settings, least_rows=least, within=grid.bins)
        whole = {name for name, *cells in zip(fitted.names, fitted.bins, codes, strict=True) if _is_whole(*cells)}
        below = _settle(grid, fitted, train, lot, least, whole)
        write_whole(me.kept / GRID, lambda beside: beside.write_bytes(msgspec.msgpack.encode(grid)))
    columns = fitted.columns(train, lot, settings, codes)
    order = _order(me, fitted, columns, grid.order, least)
    features, passengers = fitted.pick(order), fitted.passengers(train, lot, valid, codes)
    grid_least = min([samples, *(below[fitted.names[place]] for place in order if fitted.names[place] in below)])
    return _cells(features, columns.pick(order), passengers[order], grid_least)


def encode(
    train: Table, valid: Table | None, lot: Lot, settings: Settings, features: Features, grid_least: int
) -> Cells:
    """Return my features in cells that were chosen before."""
    columns = features.columns(train, lot, settings)
    return _cells(features, columns, features.passengers(train, lot, valid), grid_least)


def _cells(features: Features, columns: Binned, passengers: NDArray[np.uint8], grid_least: int) -> Cells:
    counts = tuple(_count(columns, column) for column in range(len(features.names)))
    return Cells(features, columns, passengers, counts, grid_least)


def _count(columns: Binned, column: int) -> NDArray[np.int64]:
    counts, bins = columns.counts(column), columns.bins[column].bins
    return np.concatenate([counts[:bins], counts[MISSING:]]) if counts[MISSING] else counts[:bins]


def _least(me: Party, settings: Settings, samples: int) -> int:
    """Return the samples of the smallest cell that the planned queries allow."""
    used, limit = me.disclosure.used, me.disclosure.limit
    planned = exposure.planned_queries(settings)
    least = exposure.least_row(used + planned, samples, limit)
    if least is None:
        raise exposure.refusal(used, planned, samples, limit)
    return max(least, me.terms.minimum_group)


def _must_be_of_one_kind(grid: Grid, train: Table, settings: Settings) -> None:
    """Raise HanseError("column.kind") for numbers that were categories in an earlier job, or the reverse."""
    texts = {column.name for column in train.schema.columns if column.type == "text"}
    now = texts | set(settings.categorical)
    changed = [
        name for name in train.schema.features if name in grid.bins and grid.bins[name].is_categorical != (name in now)
    ]
    if changed:
        cause = f"numbers in one job of this guest and categories in another: {', '.join(changed)}"
        raise fault("column.kind", cause, "name the same columns as categorical as in the jobs before")


def _is_whole(bins: ColumnBins, codes: NDArray[np.uint8]) -> bool:
    """Say whether a column has one cell, so that nothing is answered about it."""
    return bins.bins == 1 and not np.any(codes == MISSING)


def _settle(grid: Grid, fitted: Features, train: Table, lot: Lot, least: int, whole: Collection[str]) -> dict[str, int]:
    """Take new columns, and those whose old cells are too small now, into the grid.

    A new column that is `whole` stays out: nothing is told about it, and a later job may be allowed to cut it.
    Returns, by name of column, the smallest cell of the grid where it stays finer than what was fitted.
    """
    finer = [
        (name, grid.bins[name])
        for name, bins in zip(fitted.names, fitted.bins, strict=True)
        if name in grid.bins and grid.bins[name] != bins
    ]
    below: dict[str, int] = {}
    if finer:
        names, bins = zip(*finer, strict=True)
        for name, codes in zip(names, Features(names, bins).encode(train, lot.counted), strict=True):
            counts = np.bincount(codes, minlength=MISSING + 1)
            below[name] = int(counts[counts > 0].min())
    stays = {name for name, smallest in below.items() if smallest >= least}
    chosen = dict(zip(fitted.names, fitted.bins, strict=True))
    grid.bins.update(
        {name: bins for name, bins in chosen.items() if name in grid.bins or name not in whole if name not in stays}
    )
    return {name: below[name] for name in stays}


def _order(me: Party, fitted: Features, columns: Binned, seed: bytes, least: int) -> list[int]:
    """Return the features that have two cells, in an order that only I know; the same in every job."""
    places = range(len(fitted.names))
    useful = [place for place in places if len(_count(columns, place)) > 1]
    if not useful:
        cause = f"no column has two groups of at least {least} rows"
        if least == me.terms.minimum_group > 1:
            raise fault("grant.group", f"{cause}, as the grant demands", step="binning")
        raise exposure.refusal(me.disclosure.used, 0, columns.codes.shape[1], me.disclosure.limit, cause)
    if dropped := [fitted.names[place] for place in places if place not in set(useful)]:
        me.note(f"left out, constant or with groups of fewer than {least} rows: {', '.join(dropped)}")
    return sorted(useful, key=lambda place: hashlib.blake2b(fitted.names[place].encode(), key=seed).digest())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file's lock: two jobs of one guest that begin at once agree on one grid."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(path: Path) -> Grid | None:
    """Return the grid, None when there is none yet. Raises HanseError("artefact.damaged"): that is no new start."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Grid)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise fault("artefact.damaged", f"the kept grid of cells cannot be read: {error}", DAMAGED) from error
