"""Digests in buckets: parted alike by all parties, and how full a bucket may get."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel

DIGEST_BYTES = 16


def split(
    digests: NDArray[np.uint8], count: int, first_row: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.int64]]:
    """Groups digests uint8[n, 16] into ``count`` buckets, 1 to 2^16: grouped digests, their rows, starts.

    The bucket of a digest is ⌊count · f⌋, where its first eight bytes are the little-endian number f · 2^64. Bucket b
    has the places ``starts[b]`` to ``starts[b + 1]``, starts int64[count + 1], in the order of ``digests``. Rows,
    uint32[n], are counted from ``first_row``.

    Raises ``ValueError`` for digests of another shape, for a row of 2^32 and beyond, and without a bucket.
    """
    if digests.dtype != np.uint8 or digests.ndim != 2 or digests.shape[1] != DIGEST_BYTES:
        raise ValueError(f"digests must be uint8[n, {DIGEST_BYTES}]")
    grouped = np.empty((len(digests), DIGEST_BYTES), dtype=np.uint8)
    rows = np.empty(len(digests), dtype=np.uint32)
    starts = np.empty(max(count, 0) + 1, dtype=np.int64)
    _kernel.split_digests(np.ascontiguousarray(digests), count, first_row, grouped, rows, starts)
    return grouped, rows, starts


def bound(items: int, count: int) -> int:
    """A size that none of ``count`` buckets exceeds when ``items`` random digests are split, but for a chance of 2⁻⁴⁰.

    The least such size by a union bound over the buckets, or one more; ``items`` for one bucket. All machines agree.
    """
    return _kernel.bucket_bound(items, count)
