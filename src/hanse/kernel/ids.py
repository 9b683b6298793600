"""Ids as one packed buffer: UTF-8 bytes and offsets, never a Python object for each row."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Ids:
    """`len(offsets) - 1` ids: the n-th is `data[offsets[n]:offsets[n + 1]]`. data uint8[…], offsets int64[n + 1]."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def from_strings(cls, texts: Iterable[str]) -> "Ids":
        """Pack texts (for tests and small lists)."""
        raw = [text.encode() for text in texts]
        offsets = np.zeros(len(raw) + 1, np.int64)
        np.cumsum([len(item) for item in raw], out=offsets[1:])
        return cls(np.frombuffer(b"".join(raw), np.uint8), offsets)

    def to_strings(self) -> list[str]:
        """Unpack (for tests and small lists)."""
        raw, offsets = self.data.tobytes(), self.offsets.tolist()
        return [raw[start:stop].decode() for start, stop in pairwise(offsets)]

    def take(self, rows: NDArray[np.int64]) -> "Ids":
        """Return the ids of these rows (from 0), in this order."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        shift = np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths)
        return Ids(self.data[np.arange(offsets[-1]) + shift], offsets)
