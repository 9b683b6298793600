"""A column of ids as two buffers: no id is ever a Python object of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel


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
        places = np.ascontiguousarray(rows, np.int64)
        offsets = np.empty(len(places) + 1, dtype=np.int64)
        data = np.empty(_kernel.ids_take_offsets(self.offsets, places, offsets), dtype=np.uint8)
        _kernel.ids_take(self.data, self.offsets, places, offsets, data)
        return Ids(data, offsets)

    def normalised(self) -> tuple[Ids, NDArray[np.int64]]:
        """The ids in lower case, without spaces at the ends, as far as they are ASCII; and the rows that are not.

        A row that holds a byte beyond ASCII, or one of the separators 0x1c to 0x1f, is left as it is.
        Ids that all have this form already are returned themselves.
        """
        if _kernel.ids_are_plain(self.data, self.offsets):
            return self, np.empty(0, dtype=np.int64)
        data, offsets = np.empty_like(self.data), np.empty_like(self.offsets)
        size, foreign = _kernel.ids_normalise(self.data, self.offsets, data, offsets)
        return Ids(data[:size], offsets), np.array(foreign, dtype=np.int64)

    def replaced(self, rows: NDArray[np.int64], by: Ids) -> Ids:
        """The ids with those at ``rows`` replaced by the ids ``by``, one for each row."""
        places = np.arange(len(self))
        places[rows] = len(self) + np.arange(len(by))
        return Ids.joined([self, by]).take(places)

    def hashes(self) -> NDArray[np.uint64]:
        """A number for each id, uint64[n]: equal ids have equal numbers, others hardly ever. It keeps no secret."""
        out = np.empty(len(self), dtype=np.uint64)
        _kernel.ids_hash(self.data, self.offsets, out)
        return out

    def part(self, start: int, stop: int) -> Ids:
        """The ids from row ``start`` to before row ``stop``; the data are not copied."""
        offsets = self.offsets[start : stop + 1]
        return Ids(self.data[offsets[0] : offsets[-1]], offsets - offsets[0])

    @classmethod
    def joined(cls, parts: Sequence[Ids]) -> Ids:
        """The ids of ``parts``, end to end."""
        if len(parts) == 1:
            return parts[0]
        offsets = np.zeros(sum(map(len, parts)) + 1, dtype=np.int64)
        place = 0
        for one in parts:
            offsets[place + 1 : place + 1 + len(one)] = one.offsets[1:] + offsets[place]
            place += len(one)
        data = [one.data for one in parts]
        return cls(np.concatenate(data) if data else np.empty(0, np.uint8), offsets)


def regrouped(pieces: Iterable[Ids], rows: int) -> Iterator[Ids]:
    """The same ids in groups of ``rows``, the last one of fewer; no group is empty."""
    held: list[Ids] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        if count < rows:
            continue
        whole, start = Ids.joined(held), 0
        while count - start >= rows:
            yield whole.part(start, start + rows)
            start += rows
        held, count = [whole.part(start, count)], count - start
    if count:
        yield Ids.joined(held)


def repeats(numbers: NDArray[np.uint64]) -> bool:
    """Whether a number occurs twice among hashes. Puts ``numbers`` into another order."""
    return _kernel.ids_repeat(numbers)
