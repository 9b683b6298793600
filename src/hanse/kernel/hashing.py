"""Keyed BLAKE3 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn 2020) of columns: one call for all ids or rows.

A hash of w bytes is the first w bytes of the extended output in keyed mode, as every implementation computes it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel
from hanse.kernel.ids import Ids

DIGEST_BYTES = 16
KEY_BYTES = 32
MAX_ROW_BYTES = 64


def digest_ids(ids: Ids, key: bytes) -> NDArray[np.uint8]:
    """Digests of all ids under a key of 32 bytes: uint8[n, 16].

    Different ids have different digests but for a chance of n² · 2⁻¹²⁹. Raises ``ValueError`` for other keys.
    """
    digests = np.empty((len(ids), DIGEST_BYTES), dtype=np.uint8)
    _kernel.hash_texts(ids.data, ids.offsets, key, DIGEST_BYTES, digests)
    return digests


def hash_rows(rows: NDArray[np.uint8], key: bytes, width: int) -> NDArray[np.uint8]:
    """Hashes of uint8[n, w], w from 1 to 64, under a key of 32 bytes: uint8[n, width], width from 1 to 64.

    Raises ``ValueError`` for rows, a key or a width that are not so.
    """
    if rows.dtype != np.uint8 or rows.ndim != 2:
        raise ValueError("rows must be uint8[rows, width]")
    hashes = np.empty((len(rows), max(width, 0)), dtype=np.uint8)
    _kernel.hash_rows(np.ascontiguousarray(rows), rows.shape[1], key, width, hashes)
    return hashes
