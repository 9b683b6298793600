"""How often somebody may cause something that costs us: at once a few times, then at a rate."""

import time

SOURCES = 1024


class Throttle:
    """Admits `burst` occasions of each source at once and then `each_second`; counts those that it turns away."""

    def __init__(self, burst: int = 30, each_second: float = 1.0) -> None:
        self._burst = float(burst)
        self._each_second = each_second
        self._sources: dict[str, tuple[float, float, int]] = {}

    def admit(self, source: str) -> int | None:
        """Return how many of this source were turned away since the last that was admitted; None turns this one away.

        Sources must not be of the sender's choice: with fresh ones it would start anew each time.
        """
        now = time.monotonic()
        if source not in self._sources and len(self._sources) >= SOURCES:
            self._sources.clear()
        left, at, turned_away = self._sources.get(source, (self._burst, now, 0))
        left = min(self._burst, left + (now - at) * self._each_second)
        if left < 1:
            self._sources[source] = (left, now, turned_away + 1)
            return None
        self._sources[source] = (left - 1, now, 0)
        return turned_away
