"""Which rows and columns a training uses: drawn alike at every party, without a message."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.kernel import matching
from hanse.kernel.hashing import digest_ids
from hanse.kernel.ids import Ids
from hanse.sdk.boosting.settings import BoostSettings

Reals = NDArray[np.float64]

_ORDER = hashlib.blake2b(b"order of rows", person=b"hanse boosting", digest_size=32).digest()


def canonical_order(ids: Ids) -> NDArray[np.int64]:
    """Return the rows, int64[rows], in rising order of a digest of their ids under a public key.

    The same rows come in the same order at every party and in every job, however their tables are ordered.
    """
    low, high = _halves(digest_ids(ids, _ORDER))
    order = np.argsort(high)
    ordered = high[order]
    return np.lexsort((low, high)) if np.any(ordered[1:] == ordered[:-1]) else order


@dataclass(frozen=True, eq=False)
class Lot:
    """Which training rows trees are grown on, and in which order. From ids and settings alone: the same at all parties.

    counted   int64, rows of the training table whose gradients count, in canonical order.
    left_out  int64, the others in canonical order: they are routed, but do not count.
    """

    counted: NDArray[np.int64]
    left_out: NDArray[np.int64]

    @classmethod
    def draw(cls, ids: Ids, settings: BoostSettings) -> Lot:
        """Draw the rows: those whose digest under the seed is below the share. Raises HanseError("rows.too_few")."""
        order = canonical_order(ids)
        if settings.row_sample < 1:
            drawn = _drawn(ids, settings.row_sample, settings.sample_seed)[order]
        else:
            drawn = np.ones(len(order), np.bool_)
        lot = cls(order[drawn], order[~drawn])
        if not len(lot.counted):
            cause = f"no row is left of {len(ids)}" if len(ids) else "there are no rows"
            raise fault("rows.too_few", cause, "give more rows, or a larger row_sample")
        return lot

    def restore(self, counted: Reals, left_out: Reals) -> Reals:
        """Return values [..., counted] and [..., left out] as [..., rows] in the order of the table."""
        found = np.empty((*counted.shape[:-1], len(self.counted) + len(self.left_out)), counted.dtype)
        found[..., self.counted], found[..., self.left_out] = counted, left_out
        return found


def draw_columns(secret: bytes, number: int, counts: Sequence[int], share: float) -> list[NDArray[np.uint8]]:
    """Return uint8[columns] for each party, 1 = used in round `number`: a share of its columns, at least one.

    `counts` has the number of columns of each party, one's own first. Each party's draw is of the same size in every
    round, so that what a round sends says nothing.
    """
    return [_pick(secret, number, party, count, share) for party, count in enumerate(counts)]


def _pick(secret: bytes, number: int, party: int, count: int, share: float) -> NDArray[np.uint8]:
    used = np.ones(count, np.uint8)
    if share < 1 and count:
        place = number.to_bytes(4, "little") + party.to_bytes(4, "little")
        seed = hashlib.blake2b(place, key=secret, person=b"hanse boost cols", digest_size=32).digest()
        used[matching.permutation(count, seed)[max(1, round(share * count)) :]] = 0
    return used


def _drawn(ids: Ids, share: float, seed: int) -> NDArray[np.bool_]:
    key = hashlib.blake2b(seed.to_bytes(8, "little"), person=b"hanse boost rows", digest_size=32).digest()
    _, high = _halves(digest_ids(ids, key))
    return high < np.uint64(int(share * (1 << 64)))


def _halves(digests: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the low and high halves of digests as numbers."""
    numbers = digests.view(">u8").reshape(-1, 2).astype(np.uint64)
    return numbers[:, 1], numbers[:, 0]
