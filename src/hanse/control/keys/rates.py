"""How often a key may be used: a bucket of a minute's requests for each, filled at its rate (in this process)."""

import math
import time
from collections.abc import Callable

from hanse.core.faults import Fault, Waits

KEPT = 4096
"""Buckets kept at most. Keys are made by people, so this is never reached by strangers."""


class Rates:
    """The buckets of all keys. Each node process has its own, so that several admit that many times the rate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str, per_minute: int) -> None:
        """Take one request out of a key's bucket. Raises Waits with `key.rate` when there is none."""
        now = self._clock()
        if key not in self._buckets and len(self._buckets) >= KEPT:
            self._buckets.clear()
        left, at = self._buckets.get(key, (float(per_minute), now))
        left = min(float(per_minute), left + (now - at) * per_minute / 60)
        if left < 1:
            self._buckets[key] = (left, now)
            seconds = math.ceil((1 - left) * 60 / per_minute)
            raise Waits(Fault("key.rate", cause=f"more than {per_minute} requests a minute"), seconds)
        self._buckets[key] = (left - 1, now)
