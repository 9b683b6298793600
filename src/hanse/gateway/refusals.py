"""Audit lines for what is refused, held to a rate so that a peer cannot fill the disk with them."""

import time
from collections.abc import Callable

BURST = 30
LINES_A_SECOND = 1.0
SOURCES = 1024


class Refusals:
    """Hands on at most 30 lines at once and one a second for each source; the next line says how many were left out."""

    def __init__(self, write: Callable[[str, str], None]) -> None:
        self._write = write
        self._sources: dict[str, tuple[float, float, int]] = {}

    def add(self, source: str, reason: str) -> None:
        """Write an audit line about an organisation, or count it."""
        now = time.monotonic()
        if source not in self._sources and len(self._sources) >= SOURCES:
            self._sources.clear()
        tokens, at, left_out = self._sources.get(source, (float(BURST), now, 0))
        tokens = min(BURST, tokens + (now - at) * LINES_A_SECOND)
        if tokens < 1:
            self._sources[source] = (tokens, now, left_out + 1)
            return
        self._sources[source] = (tokens - 1, now, 0)
        self._write(source, f"{reason} (and {left_out} more before it)" if left_out else reason)
