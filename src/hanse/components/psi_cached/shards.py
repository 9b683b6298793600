"""The host's evaluation: runs of values on disk, then shards of the filter in the order of the tags.

A *run* is 2^20 ids of the table, their values grouped by the shard into which they fall; a *shard* is 128 pages of the
filter, about 2^20 tags, made of its parts of all runs. Memory is that of a run or a shard, however large the table.
Runs and shards are whole or absent on disk: what an ended attempt has finished is not computed again.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanse.components.psi_cached.journal import Journal
from hanse.components.psi_cached.rows import list_groups, repeated
from hanse.kernel import filters, hashing
from hanse.kernel.ids import Ids
from hanse.protocols.oprf import Key
from hanse.sdk import Party, Table
from hanse.sdk.files import write_whole

RUN_IDS = 1 << 20
SHARD_PAGES = 128
TAG_BYTES = filters.TAG_BYTES
WIDTHS = (TAG_BYTES, hashing.DIGEST_BYTES, 4)
"""Bytes of a tag, of a digest and of a row in a run."""

FILTER, COUNTS, ROWS, DIGESTS = "filter", "counts", "rows", "digests"


@dataclass(frozen=True)
class Shape:
    """How the filter of so many ids is divided."""

    ids: int
    low_bits: int

    @property
    def pages(self) -> int:
        return filters.page_count(self.ids)

    @property
    def shards(self) -> int:
        return -(-self.pages // SHARD_PAGES) if self.ids else 0

    @property
    def runs(self) -> int:
        return -(-self.ids // RUN_IDS)

    def pages_in(self, shard: int) -> int:
        """Return how many pages a shard has."""
        return min(SHARD_PAGES, self.pages - shard * SHARD_PAGES)

    def shards_in(self, pages: int) -> int:
        """Return how many whole shards the first `pages` pages are."""
        return self.shards if pages >= self.pages else pages // SHARD_PAGES


@dataclass(frozen=True)
class Work:
    """One preparation at the host: which rows of the table (None: all), under which key, into which folder."""

    table: Table
    rows: NDArray[np.uint32] | None
    key: Key
    digest_key: bytes
    shape: Shape
    folder: Path

    def run_path(self, run: int) -> Path:
        return self.folder / "runs" / f"{run:06d}"

    def rows_of(self, run: int, count: int) -> NDArray[np.uint32]:
        start = run * RUN_IDS
        return np.arange(start, start + count, dtype=np.uint32) if self.rows is None else self.rows[start:][:count]


async def evaluate(me: Party, work: Work) -> None:
    """Write all runs that are not there yet. While one is written the next is computed."""
    (work.folder / "runs").mkdir(parents=True, exist_ok=True)
    total = work.shape.runs + work.shape.shards
    groups = list_groups(work.table, work.rows, RUN_IDS)
    writing: asyncio.Task[None] | None = None
    try:
        for run in range(work.shape.runs):
            ids = await asyncio.to_thread(next, groups)
            if not work.run_path(run).exists():
                columns = await asyncio.to_thread(_compute, work, ids, run)
                if writing is not None:
                    await writing
                writing = asyncio.create_task(asyncio.to_thread(_write, work.run_path(run), columns))
            me.progress(run + 1, total, "evaluated")
        if writing is not None:
            await writing
    finally:
        if writing is not None and not writing.done():
            writing.cancel()


def list_shards(work: Work, journal: Journal) -> Iterator[filters.Pages]:
    """Make the shards that `journal` does not hold yet, in order, and yield each after it was written.

    Raises HanseError("psi.duplicate_ids").
    """
    runs = [_Run(work.run_path(run), work.shape.shards) for run in range(work.shape.runs)]
    done = work.shape.shards_in(journal.size_bytes(COUNTS) // 4)
    for shard in range(done, work.shape.shards):
        tags, digests, rows = (_join(column) for column in zip(*(run.part(shard) for run in runs), strict=True))
        count = work.shape.pages_in(shard)
        try:
            pages = filters.encode(tags, shard * SHARD_PAGES, count, work.shape.pages, work.shape.low_bits)
        except filters.RepeatedTag as error:
            raise repeated() from error
        journal.append(FILTER, pages.data)
        journal.append(COUNTS, pages.counts)
        journal.append(ROWS, rows[pages.order])
        journal.append(DIGESTS, digests[pages.order])
        journal.commit()
        yield pages


def _compute(work: Work, ids: Ids, run: int) -> list[NDArray[np.uint8]]:
    """Return the run's columns: where the part of each shard ends, then tags, digests and rows, shard by shard."""
    tags = np.ascontiguousarray(work.key.evaluate(ids)[:, :TAG_BYTES])
    columns: list[NDArray[Any]] = [tags, hashing.digest_ids(ids, work.digest_key), work.rows_of(run, len(ids))]
    ends = np.array([len(ids)])
    if work.shape.shards > 1:
        shards = (filters.pages_of(tags, work.shape.pages) // SHARD_PAGES).astype(np.uint16)
        order = np.argsort(shards, kind="stable")
        ends = np.cumsum(np.bincount(shards, minlength=work.shape.shards))
        columns = [column[order] for column in columns]
    return [np.ascontiguousarray(column).view(np.uint8).reshape(-1) for column in (ends.astype("<i8"), *columns)]


def _join(columns: tuple[NDArray[np.uint8], ...]) -> NDArray[np.uint8]:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _write(path: Path, columns: list[NDArray[np.uint8]]) -> None:
    def fill(beside: Path) -> None:
        with beside.open("wb") as file:
            for column in columns:
                file.write(column.data)

    write_whole(path, fill)


def read_shards(work: Work, done: int) -> Iterator[filters.Pages]:
    """Yield the first `done` shards, which an earlier attempt made, as maps of its file."""
    if done == 0:
        return
    counts = np.fromfile(work.folder / COUNTS, np.uint32)
    starts = filters.Index.of(counts, work.shape.low_bits).starts
    data = np.memmap(work.folder / FILTER, np.uint8, "r")
    for shard in range(done):
        first = shard * SHARD_PAGES
        last = first + work.shape.pages_in(shard)
        yield filters.Pages(data[starts[first] : starts[last]], counts[first:last], np.empty(0, np.uint32))


class _Run:
    """A run that was written. Its parts are read, not mapped: mapped pages of all runs would stay in memory."""

    def __init__(self, path: Path, shards: int) -> None:
        self._path = path
        self._start = 8 * shards
        self._ends = [0, *np.fromfile(path, "<i8", shards).tolist()]

    def part(self, shard: int) -> tuple[NDArray[np.uint8], ...]:
        """Return tags uint8[n, 16], digests uint8[n, 16] and rows uint8[n, 4] of a shard."""
        first, count = self._ends[shard], self._ends[shard + 1] - self._ends[shard]
        columns, start = [], self._start
        with self._path.open("rb") as file:
            for width in WIDTHS:
                file.seek(start + first * width)
                columns.append(np.fromfile(file, np.uint8, count * width).reshape(count, width))
                start += self._ends[-1] * width
        return tuple(columns)
