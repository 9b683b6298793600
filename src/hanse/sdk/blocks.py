"""Large files of a model: mapped into memory, never read whole, each block found right before it is used.

A file's *digests* are the SHA-256 of its blocks of 64 KiB, the last one shorter. They lie beside the arrays of the
model and are covered by the digest of its artefact, which therefore need not read the files themselves.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.sdk.files import write_whole

BLOCK_BYTES = 1 << 16
DIGEST_BYTES = 32


@dataclass(frozen=True, eq=False)
class LargeFile:
    """A file that does not change any more. `digests`, uint8[blocks, 32], is None while its maker still holds it."""

    path: Path
    digests: NDArray[np.uint8] | None = None
    _right: set[int] = field(default_factory=set, repr=False)

    @cached_property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    @cached_property
    def data(self) -> NDArray[np.uint8]:
        """All bytes, as a map of the file. What was not handed to `check` may be damaged."""
        if self.size_bytes == 0:
            return np.empty(0, np.uint8)
        return np.memmap(self.path, np.uint8, "r")

    def check(self, starts: NDArray[np.uint64], stops: NDArray[np.uint64]) -> None:
        """Make sure of the bytes from each start to its stop. Raises HanseError("artefact.damaged")."""
        if self.digests is None or len(starts) == 0:
            return
        full = stops > starts
        first = starts[full].astype(np.int64) // BLOCK_BYTES
        last = (stops[full].astype(np.int64) - 1) // BLOCK_BYTES
        edges = np.zeros(len(self.digests) + 1, np.int64)
        np.add.at(edges, first, 1)
        np.add.at(edges, last + 1, -1)
        for block in np.flatnonzero(np.cumsum(edges[:-1])).tolist():
            if block not in self._right:
                piece = self.data[block * BLOCK_BYTES : (block + 1) * BLOCK_BYTES]
                if hashlib.sha256(piece.tobytes()).digest() != self.digests[block].tobytes():
                    raise damaged(self.path)
                self._right.add(block)

    def rows(self, places: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
        """Return the rows of `width` bytes at `places`, checked: uint8[n, width].

        Raises IndexError for a row beyond the end.
        """
        count = self.size_bytes // width
        if len(places) and not (places.min() >= 0 and places.max() < count):
            raise IndexError(f"a row outside 0 … {count - 1}")
        starts = places.astype(np.uint64) * np.uint64(width)
        self.check(starts, starts + np.uint64(width))
        return np.asarray(self.data[: count * width]).reshape(count, width)[places]

    def save(self, path: Path) -> LargeFile:
        """Give the file a second name (or a copy, on another file system) and return it there, with its digests."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        try:
            os.link(self.path, path)
        except OSError:
            write_whole(path, lambda beside: shutil.copyfile(self.path, beside))
        return LargeFile(path, digest_blocks(path) if self.digests is None else self.digests)

    @classmethod
    def open(cls, path: Path, digests: NDArray[np.uint8]) -> LargeFile:
        """Open a saved file. Raises HanseError("artefact.damaged") when it is absent or of another size."""
        found = cls(path, digests)
        fits = digests.dtype == np.uint8 and digests.ndim == 2 and digests.shape[1] == DIGEST_BYTES
        if not (fits and path.is_file() and len(digests) == -(-found.size_bytes // BLOCK_BYTES)):
            raise damaged(path)
        return found


def digest_blocks(path: Path) -> NDArray[np.uint8]:
    """Return the digests of a file's blocks, uint8[blocks, 32]."""
    digests = bytearray()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digests += hashlib.sha256(block).digest()
    return np.frombuffer(bytes(digests), np.uint8).reshape(-1, DIGEST_BYTES)


def damaged(path: Path) -> Exception:
    """Return the error for a file that is not what was written."""
    return fault(
        "artefact.damaged", f"{path.name} was changed or cut short", "take the files from the job that made them"
    )
