"""A host's columns as bytes of a fixed width a row, and back into columns of the guest's table."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.protocols.psi import payload
from hanse.sdk import Table

NUMBER_BYTES = 8

Bytes = NDArray[np.uint8]


class Values(NamedTuple):
    """What a host adds: its columns, and the bytes of rows of its table, None when there are no columns."""

    columns: list[payload.Column]
    rows_of: Callable[[NDArray[np.uint32]], Bytes] | None


def read(table: Table, names: tuple[str, ...]) -> Values:
    """Read the named columns. Raises HanseError for one that is absent, not granted, too long or no feature."""
    if not names:
        return Values([], None)
    known = {column.name: column for column in table.schema.columns}
    if absent := [name for name in names if name not in table.schema.features]:
        raise fault("column.unknown", f"{', '.join(absent)}: no feature of this table", "correct `payload`")
    rows = np.ascontiguousarray(table.numbers(names).T).astype("<f8").view(np.uint8)
    columns = [payload.Column(name, known[name].type, NUMBER_BYTES) for name in names]
    return Values(columns, lambda wanted: rows[wanted])


def add(table: Table, added: list[payload.Column], values: Bytes, host: str) -> Table:
    """Return the table with a host's columns, values uint8[rows, width]; a name that is taken gets the host behind."""
    found: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {}
    start = 0
    for column in added:
        plain = np.ascontiguousarray(values[:, start : start + column.width])
        name = column.name if column.name not in table.schema.names else f"{column.name}_{host.replace('-', '_')}"
        found[name] = _numbers(column, plain)
        start += column.width
    return table.with_columns(found) if found else table


def _numbers(column: payload.Column, plain: Bytes) -> NDArray[np.float64] | NDArray[np.int64]:
    numbers: NDArray[np.float64] = plain.view("<f8").reshape(-1)
    whole = column.kind == "integer" and not np.isnan(numbers).any()
    return numbers.astype(np.int64) if whole else numbers
