"""Figures of columns of any length in a memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

KEPT = 1 << 16
DIGIT_BITS = 16
DIGITS = 1 << DIGIT_BITS

Reals = NDArray[np.float64]
Hashes = NDArray[np.uint64]


@dataclass
class Distinct:
    """Counts distinct values by their hashes of 64 bits: exactly up to `KEPT`, beyond that to about 1 in 100.

    The `KEPT` smallest hashes that were seen are kept: k values whose greatest is the fraction u of the range stand for
    (k - 1) / u, with a relative standard error of 1 / sqrt(k - 2) (Bar-Yossef et al., RANDOM 2002).
    """

    _smallest: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))

    def add(self, hashes: Hashes) -> None:
        """Look at more values."""
        if self.is_estimate:
            hashes = hashes[hashes < self._smallest[-1]]
        if len(hashes):
            every = np.sort(np.concatenate([self._smallest, hashes]))
            self._smallest = every[np.append(True, every[1:] != every[:-1])][:KEPT]

    @property
    def is_estimate(self) -> bool:
        return len(self._smallest) == KEPT

    @property
    def count(self) -> int:
        if not self.is_estimate:
            return len(self._smallest)
        return round((KEPT - 1) / ((float(self._smallest[-1]) + 1) / 2.0**64))


def ranked(read: Callable[[], Iterable[Reals]], ranks: Iterable[int]) -> dict[int, float]:
    """Return the values at `ranks`, counted from 0, of all numbers that `read` yields, none of them NaN.

    Exactly, by a search from the highest digits to the lowest: `read` is called four times, and each time the numbers
    are counted that agree with a wanted one in the digits found so far. Raises ValueError for a rank beyond the end.
    """
    found = {rank: (np.uint64(0), rank) for rank in ranks}  # the digits so far, and the rank among those that agree
    for place in range(4):
        shift = np.uint64(64 - DIGIT_BITS * (place + 1))
        counts = {prefix: np.zeros(DIGITS, np.int64) for prefix, _ in found.values()}
        for numbers in read():
            keys = _ordered(numbers) >> shift
            for prefix in counts:
                part = keys if place == 0 else keys[keys >> np.uint64(DIGIT_BITS) == prefix]
                counts[prefix] += np.bincount((part & np.uint64(DIGITS - 1)).astype(np.int64), minlength=DIGITS)
        for rank, (prefix, left) in found.items():
            sums = np.cumsum(counts[prefix])
            digit = int(np.searchsorted(sums, left, side="right"))
            if digit == DIGITS:
                raise ValueError(f"there are {sums[-1]} numbers, none has rank {left}")
            before = int(sums[digit - 1]) if digit else 0
            found[rank] = (prefix << np.uint64(DIGIT_BITS) | np.uint64(digit), left - before)
    return {rank: _number(key) for rank, (key, _) in found.items()}


_SIGN = np.uint64(1 << 63)


def _ordered(numbers: Reals) -> Hashes:
    """Return whole numbers in the order of the floating ones: of negative ones all bits turned, of others the sign."""
    bits = np.ascontiguousarray(numbers).view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _number(key: np.uint64) -> float:
    bits = key ^ _SIGN if key & _SIGN else ~key
    return float(np.array([bits], np.uint64).view(np.float64)[0])


def held(read: Callable[[], Iterable[Reals]], count: int, most: int) -> Reals | None:
    """Return the `count` numbers that `read` yields in rising order, or None when they are more than `most`."""
    if count > most:
        return None
    numbers, start = np.empty(count, np.float64), 0
    for piece in read():
        numbers[start : start + len(piece)] = piece
        start += len(piece)
    numbers.sort()
    return numbers


def quantiles(
    read: Callable[[], Iterable[Reals]], count: int, shares: Iterable[float], rising: Reals | None = None
) -> list[float]:
    """Return the quantiles of `count` numbers, between two of them by straight line (Hyndman and Fan 1996, type 7).

    `rising` are all of them in order, where they are held; else `read` yields them.
    """
    places = [share * (count - 1) for share in shares]
    lower = [int(place) for place in places]
    ranks = {*lower, *(min(rank + 1, count - 1) for rank in lower)}
    values = ranked(read, ranks) if rising is None else {rank: float(rising[rank]) for rank in ranks}
    return [
        between(values[low], values[min(low + 1, count - 1)], place - low)
        for low, place in zip(lower, places, strict=True)
    ]


def between(low: float, high: float, part: float) -> float:
    """Return the number at `part` of the way from `low` to `high`, which may be far apart."""
    return low + (high - low) * part if abs(high - low) < np.inf else low * (1 - part) + high * part
