"""Digests of one party's ids, by bucket: in memory while they are few, in files when they are many.

A bucket is a range of digests, so that equal ids fall into equal buckets at all parties, and a range that one party
cuts finer lies within one bucket of the other. The files hold salted digests and row numbers, nothing else, on this
party's own disk, and go with the folder they are in.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import buckets, hashing
from hanse.kernel.ids import Ids

ROWS_IN_MEMORY = 1 << 21
"""Digests and row numbers of so many rows are 42 MB; more are written to files."""


class Bucket(NamedTuple):
    """Digests uint8[n, 16] and, for each, its row in the party's table: uint32[n]."""

    digests: NDArray[np.uint8]
    rows: NDArray[np.uint32]


class Column:
    """Pieces of rows of one type, appended and read back by number: in memory, or in a file below `folder`."""

    def __init__(self, dtype: type[np.generic], width: int = 1, folder: Path | None = None) -> None:
        self._dtype = np.dtype(dtype)
        self._shape = (-1,) if width == 1 else (-1, width)
        self._row_bytes = self._dtype.itemsize * width
        self._held: list[NDArray[Any]] = []
        self._ends = [0]
        self._file = None if folder is None else tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 (`close`)

    def append(self, rows: NDArray[Any]) -> int:
        """Keep a piece and return its number, from 0."""
        if self._file is None:
            self._held.append(rows)
        else:
            _write_all(self._file.fileno(), np.ascontiguousarray(rows).data.cast("B"), self._ends[-1])
        self._ends.append(self._ends[-1] + len(rows) * self._row_bytes)
        return len(self._ends) - 2

    def read(self, piece: int, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Return the rows from `start` to `stop` (its end) of a piece."""
        if self._file is None:
            return self._held[piece][start:stop]
        first = self._ends[piece] + start * self._row_bytes
        last = self._ends[piece + 1] if stop is None else self._ends[piece] + stop * self._row_bytes
        raw = np.empty(last - first, np.uint8)
        _read_all(self._file.fileno(), raw.data, first)
        return raw.view(self._dtype).reshape(self._shape)

    def close(self) -> None:
        """Let go of what was kept."""
        self._held.clear()
        if self._file is not None:
            self._file.close()


class Spool:
    """One party's digests by bucket. Make one with `Spool.filled`; `folder` is where its files are, None: in memory."""

    def __init__(self, count: int, folder: Path | None) -> None:
        self.count = count
        self.folder = folder
        self.rows = 0
        self._digests = Column(np.uint8, 16, folder)
        self._rows = Column(np.uint32, 1, folder)
        self._starts: list[NDArray[np.int64]] = []

    @classmethod
    def filled(
        cls, batches: Iterable[Ids], key: bytes, count: int, folder: Path | None, shuffle: bytes | None = None
    ) -> Spool:
        """Digest all ids under `key` into `count` buckets, batch by batch; with a secret `shuffle` into random ones."""
        spool = cls(count, folder)
        for batch in batches:
            spool.add(hashing.digest_ids(batch, key), shuffle)
        return spool

    def bucket(self, number: int) -> Bucket:
        """Return what lies in a bucket, by rising row."""
        digests, rows = [], []
        for piece, starts in enumerate(self._starts):
            start, stop = int(starts[number]), int(starts[number + 1])
            digests.append(self._digests.read(piece, start, stop))
            rows.append(self._rows.read(piece, start, stop))
        if len(digests) == 1:
            return Bucket(digests[0], rows[0])
        empty = Bucket(np.empty((0, 16), np.uint8), np.empty(0, np.uint32))
        return Bucket(np.concatenate(digests), np.concatenate(rows)) if digests else empty

    def close(self) -> None:
        """Let go of the digests and their files."""
        self._digests.close()
        self._rows.close()

    def add(self, digests: NDArray[np.uint8], shuffle: bytes | None = None) -> None:
        """Add digests uint8[n, 16], numbered on from the last; with a secret `shuffle` their buckets say nothing."""
        if self.count == 1:
            grouped, starts = digests, np.array([0, len(digests)])
            rows = np.arange(self.rows, self.rows + len(digests), dtype=np.uint32)
        elif shuffle is None:
            grouped, rows, starts = buckets.split(digests, self.count, self.rows)
        else:
            _, places, starts = buckets.split(hashing.hash_rows(digests, shuffle, 16), self.count, 0)
            grouped, rows = digests.take(places, axis=0), places + self.rows
        self._digests.append(grouped)
        self._rows.append(rows.astype(np.uint32, copy=False))
        self._starts.append(starts)
        self.rows += len(digests)


def _write_all(file: int, content: memoryview, offset: int) -> None:
    while content:
        written = os.pwrite(file, content, offset)
        content, offset = content[written:], offset + written


def _read_all(file: int, room: memoryview, offset: int) -> None:
    while room:
        read = os.preadv(file, [room], offset)
        if read == 0:
            raise EOFError("a spooled file is shorter than what was written to it")
        room, offset = room[read:], offset + read
