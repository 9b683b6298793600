"""What both sides do with rows and ids: read them block by block, put them in the common order, refuse bad input."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import HanseError, fault
from hanse.core.roles import PartyId
from hanse.kernel import hashing
from hanse.kernel.ids import Ids, regrouped
from hanse.sdk import Model, Table

COMPONENT = "psi_cached"


def list_groups(table: Table, rows: NDArray[np.uint32] | None, size: int) -> Iterator[Ids]:
    """Yield the ids of `rows` (rising; None: all) of a table, `size` at a time, with memory for a few groups."""
    return regrouped(_pieces(table, rows), size)


def read_ids(table: Table, rows: NDArray[np.int64]) -> Ids:
    """Return the ids of different rows, in any order, without holding the whole column. IndexError: no such row."""
    rising = np.argsort(rows)
    if len(rows) and not (rows[rising[0]] >= 0 and rows[rising[-1]] < len(table)):
        raise IndexError(f"a row outside 0 … {len(table) - 1}")
    places = np.empty(len(rows), np.int64)
    places[rising] = np.arange(len(rows))
    return Ids.joined(list(_pieces(table, rows[rising]))).take(places)


def sort_common(ids: Ids, key: bytes) -> NDArray[np.int64]:
    """Return the order in which all parties list shared ids: by rising digest under a key that the guest draws."""
    halves = hashing.digest_ids(ids, key).view(">u8")
    return np.lexsort((halves[:, 1], halves[:, 0]))


def demand_rows(table: Table) -> None:
    """Raise HanseError("psi.no_ids") for a table without rows."""
    if len(table) == 0:
        raise fault("psi.no_ids", "the table has no rows", "choose a dataset with rows")


def demand_own(previous: Model | None, me: PartyId) -> None:
    """Raise HanseError("model.other") for an earlier preparation that is no preparation, or another party's."""
    if previous is None or previous.manifest is None:
        return
    made_by = (previous.manifest.component, previous.manifest.party)
    if made_by != (COMPONENT, me):
        cause = f"`previous` was made by {made_by[0]} for {made_by[1]}, not by {COMPONENT} for {me}"
        raise fault("model.other", cause, "name a model that psi_cached has prepared with the same parties")


def repeated() -> HanseError:
    """Return the error for an id that occurs twice at this party."""
    return fault("psi.duplicate_ids", "an id occurs twice in this party's table", "keep one row for each id")


def _pieces(table: Table, rows: NDArray[np.uint32] | NDArray[np.int64] | None) -> Iterator[Ids]:
    start = 0
    for batch in table.id_batches():
        stop = start + len(batch)
        if rows is None:
            yield batch
        else:
            first, last = np.searchsorted(rows, [start, stop])
            if last > first:
                yield batch.take(rows[first:last].astype(np.int64) - start)
        start = stop
