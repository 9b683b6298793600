"""What has changed between the ids of an earlier preparation and those of today's table, in bounded memory.

Both sides are spread over buckets by a keyed digest of the id, then compared bucket by bucket. No value of the function
is computed for an id that was there before.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hanse.components.psi_cached.rows import repeated
from hanse.kernel import hashing, matching
from hanse.kernel.ids import Ids
from hanse.sdk import Table
from hanse.sdk.blocks import LargeFile

DIGEST_BYTES = hashing.DIGEST_BYTES
RECORD_BYTES = DIGEST_BYTES + 8
BUCKET_ROWS = 1 << 20
BATCH_ROWS = 1 << 20
GONE = np.uint32(0xFFFF_FFFF)
"""Stands in a layer's rows where an id is no longer in the table."""


@dataclass(frozen=True)
class Past:
    """One layer of earlier preparations at the host: for each rank a row of that day's table and the id's digest."""

    rows: LargeFile
    digests: LargeFile

    def __len__(self) -> int:
        return self.digests.size_bytes // DIGEST_BYTES


@dataclass(frozen=True)
class Changes:
    """What today's table has that earlier ones had not, and the reverse.

    added    uint32, rows of today's table that are new, rising.
    removed  uint64, ranks over all layers whose ids are gone, rising.
    rows     for each layer a file of uint32: the row of each rank in today's table, or GONE.
    """

    added: NDArray[np.uint32]
    removed: NDArray[np.uint64]
    rows: tuple[Path, ...]


def compare(past: tuple[Past, ...], table: Table, key: bytes, folder: Path) -> Changes:
    """Compare `table` with earlier layers; write what is large into `folder`, which is emptied first.

    Raises HanseError("psi.duplicate_ids").
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    paths, maps = [], []
    for number, layer in enumerate(past):
        paths.append(folder / f"rows-{number}")
        maps.append(_fill_gone(paths[-1], len(layer)))
    count = 1 + (sum(map(len, past)) + len(table)) // BUCKET_ROWS
    before = _spread(folder / "before", count, _past_records(past))
    today = _spread(folder / "today", count, _records(table.id_batches(BATCH_ROWS), key))
    bases = np.cumsum([0, *map(len, past)])
    added, removed = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for bucket in range(count):
        ranks, rows, gone, new = _match(_read(before[bucket]), _read(today[bucket]))
        added.append(new)
        removed.append(gone)
        for number, target in enumerate(maps):
            here = (ranks >= bases[number]) & (ranks < bases[number + 1])
            target[ranks[here] - bases[number]] = rows[here]
    for target in maps:
        if isinstance(target, np.memmap):
            target.flush()
    return Changes(
        np.sort(np.concatenate(added)).astype(np.uint32),
        np.sort(np.concatenate(removed)).astype(np.uint64),
        tuple(paths),
    )


def _match(
    before: tuple[NDArray[np.uint8], NDArray[np.int64]], today: tuple[NDArray[np.uint8], NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the ranks and rows of ids on both sides, pair by pair, the ranks of those gone, the rows of those new."""
    (old_digests, old_ranks), (new_digests, new_rows) = before, today
    try:
        left, right = matching.join(old_digests, new_digests)
    except ValueError as error:
        raise repeated() from error
    gone = np.delete(old_ranks, left)
    new = np.delete(new_rows, right)
    return old_ranks[left], new_rows[right], gone, new


def _fill_gone(path: Path, count: int) -> NDArray[np.uint32]:
    if count == 0:
        path.touch()
        return np.empty(0, np.uint32)
    rows = np.memmap(path, np.uint32, "w+", shape=(count,))
    rows[:] = GONE
    return rows


def _past_records(past: tuple[Past, ...]) -> Iterator[NDArray[np.uint8]]:
    """Yield a record for each rank whose id was there last time: digest, rank."""
    base = 0
    for layer in past:
        for start in range(0, len(layer), BATCH_ROWS):
            places = np.arange(start, min(start + BATCH_ROWS, len(layer)))
            alive = layer.rows.rows(places, 4).view(np.uint32).reshape(-1) != GONE
            yield _join_columns(layer.digests.rows(places[alive], DIGEST_BYTES), base + places[alive])
        base += len(layer)


def _records(batches: Iterable[Ids], key: bytes) -> Iterator[NDArray[np.uint8]]:
    """Yield a record for each row: digest, row."""
    start = 0
    for batch in batches:
        yield _join_columns(hashing.digest_ids(batch, key), np.arange(start, start + len(batch)))
        start += len(batch)


def _join_columns(digests: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.concatenate([digests, places.astype("<i8").view(np.uint8).reshape(-1, 8)], axis=1)


def _spread(folder: Path, count: int, records: Iterable[NDArray[np.uint8]]) -> list[Path]:
    """Append each record to the file of its bucket: the leading 32 bits of its digest, in `count` equal parts."""
    folder.mkdir()
    paths = [folder / str(bucket) for bucket in range(count)]
    for path in paths:
        path.touch()
    for block in records:
        leading = np.ascontiguousarray(block[:, :4]).view(">u4").reshape(-1).astype(np.uint64)
        buckets = (leading * np.uint64(count)) >> np.uint64(32)
        order = np.argsort(buckets, kind="stable")
        ends = np.searchsorted(buckets[order], np.arange(count + 1, dtype=np.uint64))
        grouped = block[order]
        for bucket in np.flatnonzero(np.diff(ends)).tolist():
            with paths[bucket].open("ab") as file:
                file.write(grouped[ends[bucket] : ends[bucket + 1]].tobytes())
    return paths


def _read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    records = np.fromfile(path, np.uint8).reshape(-1, RECORD_BYTES)
    path.unlink()
    places = np.ascontiguousarray(records[:, DIGEST_BYTES:]).view("<i8").reshape(-1)
    return np.ascontiguousarray(records[:, :DIGEST_BYTES]), places.astype(np.int64)
