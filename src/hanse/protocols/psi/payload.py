"""Values of a host that only the guest's shared rows open: sealed under a key that the oblivious function gives.

A value has a fixed number of bytes. A row's values are added to BLAKE3's output under the key of its id, which is used
for nothing else and in one run only; of an id that the guest has not, that key is pseudorandom to it.
"""

from typing import Annotated, ClassVar, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.kernel import hashing
from hanse.protocols.channel import Peer
from hanse.protocols.messages import Message

Bytes = NDArray[np.uint8]
Kind = Literal["integer", "real"]

BLOCK_BYTES = 64
MOST_ROW_BYTES = 500
MOST_COLUMNS = 60


class Columns(Message, frozen=True):
    """host → guest: the columns that I add to the guest's shared rows: name, kind and bytes of a value; often none."""

    columns: Annotated[list["Column"], msgspec.Meta(max_length=MOST_COLUMNS)]


class Column(NamedTuple):
    """One column of a payload."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    kind: Kind
    width: Annotated[int, msgspec.Meta(ge=1, le=MOST_ROW_BYTES)]


class SealedRows(Message, frozen=True):
    """host → guest: for each place of the piece just sent, the values of its row, sealed; filler is sealed nothing."""

    max_bytes: ClassVar[int] = (1 << 31) - 1
    sealed: NDArray[np.uint8]


def width_of(columns: list[Column]) -> int:
    """Return the bytes of one row."""
    return sum(column.width for column in columns)


async def hear_columns(host: Peer) -> list[Column]:
    """Guest: return the columns that a host adds. Raises ProtocolError."""
    columns = (await host.recv(Columns)).columns
    host.must(width_of(columns) <= MOST_ROW_BYTES, f"at most {MOST_ROW_BYTES} bytes of values a row")
    host.must(len({column.name.lower() for column in columns}) == len(columns), "columns of different names")
    host.must(all(column.name.isprintable() for column in columns), "names that can be shown")
    return columns


async def hear_rows(host: Peer, places: int, width: int) -> Bytes:
    """Guest: return the sealed rows of a piece, uint8[places, width]. Raises ProtocolError."""
    sealed = (await host.recv(SealedRows)).sealed
    host.must(len(sealed) == places * width, "as many sealed rows as tags")
    return sealed.reshape(places, width)


def seal(rows: Bytes, keys: Bytes, salt: bytes) -> Bytes:
    """Return rows uint8[n, width] sealed under the keys uint8[n, 16], or, sealed ones, opened."""
    count, width = rows.shape
    sealed = np.empty_like(rows)
    for number, start in enumerate(range(0, width, BLOCK_BYTES)):
        stop = min(start + BLOCK_BYTES, width)
        tail = np.full((count, 1), number, np.uint8)
        pad = hashing.hash_rows(np.concatenate([keys, tail], axis=1), salt, stop - start)
        np.bitwise_xor(rows[:, start:stop], pad, out=sealed[:, start:stop])
    return sealed
