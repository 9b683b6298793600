"""Audit lines for what is refused, held to a rate so that a peer cannot fill the disk with them."""

from collections.abc import Callable

from hanse.core.throttle import Throttle


class Refusals:
    """Hands on at most 30 lines at once and one a second for each source; the next line says how many were left out."""

    def __init__(self, write: Callable[[str, str], None]) -> None:
        self._write = write
        self._throttle = Throttle()

    def add(self, source: str, reason: str) -> None:
        """Write an audit line about an organisation, or count it."""
        left_out = self._throttle.admit(source)
        if left_out is not None:
            self._write(source, f"{reason} (and {left_out} more before it)" if left_out else reason)
