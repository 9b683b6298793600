"""A host's columns as bytes of a fixed width a row, and back into columns of the guest's table."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.core.roles import PartyId
from hanse.protocols.psi import payload
from hanse.sdk import Peer, Table
from hanse.sdk.ingest import RESERVED

NUMBER_BYTES = 8
MOST_WHOLE = 1 << 53
"""Whole numbers beyond it stay reals, which is how they came."""

Bytes = NDArray[np.uint8]


class Values(NamedTuple):
    """What a host adds: its columns, and the bytes of rows of its table, None when there are no columns."""

    columns: list[payload.Column]
    rows_of: Callable[[NDArray[np.uint32]], Bytes] | None


def read(table: Table, names: tuple[str, ...]) -> Values:
    """Read the named columns. Raises HanseError for one that is absent, not granted, text, or no feature."""
    if not names:
        return Values([], None)
    known = {column.name: column for column in table.schema.columns}
    if absent := [name for name in names if name not in table.schema.features]:
        raise fault("column.unknown", f"{', '.join(absent)}: no feature of this table", "correct `payload`")
    if texts := [name for name in names if known[name].type == "text"]:
        raise fault("column.text", f"{', '.join(texts)}: text, and a payload has numbers", "encode it, or leave it out")
    rows = np.ascontiguousarray(table.numbers(names).T).astype("<f8").view(np.uint8)
    columns = [
        payload.Column(name, "integer" if known[name].type == "integer" else "real", NUMBER_BYTES) for name in names
    ]
    return Values(columns, lambda wanted: rows.take(wanted, axis=0))


async def hear(host: Peer) -> list[payload.Column]:
    """Return the columns that a host adds. Raises ProtocolError for columns that are not numbers."""
    added = await payload.hear_columns(host)
    numbers = all(column.width == NUMBER_BYTES for column in added)
    host.must(numbers, f"columns of numbers of {NUMBER_BYTES} bytes")
    return added


def add(table: Table, added: list[payload.Column], values: Bytes, host: Peer) -> Table:
    """Return the table with a host's columns, values uint8[rows, width]; a name that is taken gets the host behind.

    Raises ProtocolError for values that its kind of column does not have.
    """
    found: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {}
    taken = {RESERVED, *(name.lower() for name in table.schema.names)}
    start = 0
    for column in added:
        plain = np.ascontiguousarray(values[:, start : start + column.width])
        name = free_name(column.name, host.id, taken)
        found[name] = _numbers(column, plain, host)
        taken.add(name.lower())
        start += column.width
    return table.with_columns(found) if found else table


def free_name(name: str, host: PartyId, taken: set[str]) -> str:
    """Return the name that a host's column gets beside the names that are `taken`, in lower case."""
    free = name
    while free.lower() in taken:
        free = f"{free}_{host.replace('-', '_')}"
    return free


def _numbers(column: payload.Column, plain: Bytes, host: Peer) -> NDArray[np.float64] | NDArray[np.int64]:
    numbers: NDArray[np.float64] = plain.view("<f8").reshape(-1)
    present = numbers[~np.isnan(numbers)]
    host.must(np.isfinite(present).all(), "numbers that are finite, or missing")
    if column.kind == "real":
        return numbers
    host.must((present == np.trunc(present)).all(), "whole numbers in a column of integers")
    whole = len(present) == len(numbers) and bool((np.abs(present) <= MOST_WHOLE).all())
    return numbers.astype(np.int64) if whole else numbers
