"""A column of ids as two buffers: no id is ever a Python object of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """Ids end to end. Id i is ``data[offsets[i]:offsets[i + 1]]``.

    data     uint8, all ids in UTF-8, concatenated.
    offsets  int64, one more than there are ids; rises from 0 to the length of ``data``.

    Raises ``ValueError`` when the two do not fit together.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name, column, kind in (("data", self.data, np.uint8), ("offsets", self.offsets, np.int64)):
            if column.dtype != kind or column.ndim != 1 or not column.flags.c_contiguous:
                raise ValueError(f"ids: {name} must be a contiguous column of {np.dtype(kind)}")
        ends = self.offsets.size and self.offsets[0] == 0 and self.offsets[-1] == self.data.size
        if not ends or np.any(np.diff(self.offsets) < 0):
            raise ValueError("ids: offsets must rise from 0 to the length of data")

    def __len__(self) -> int:
        return self.offsets.size - 1

    @classmethod
    def from_strings(cls, strings: Iterable[str]) -> Ids:
        """Packs strings; meant for tests and small columns."""
        encoded = [string.encode() for string in strings]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(octets) for octets in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)

    def to_strings(self) -> list[str]:
        """Unpacks into strings; meant for tests and for showing a few."""
        octets = self.data.tobytes()
        bounds = self.offsets.tolist()
        return [octets[start:end].decode() for start, end in pairwise(bounds)]

    def take(self, rows: NDArray[np.int64]) -> Ids:
        """The ids at ``rows``, in that order. Raises ``IndexError`` for a row that is not there."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        # where each octet comes from: its place in the result, moved by how far its id moves
        moves = np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths)
        return Ids(self.data[np.arange(offsets[-1]) + moves], offsets)
