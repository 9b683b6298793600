"""Bytes that were sent and received, by whatever they are counted by."""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Meter(Generic[K]):
    """Counts bytes both ways, by key. Message bytes only: what heads, TLS and repetition add is in `Link`."""

    def __init__(self) -> None:
        self.sent: Counter[K] = Counter()
        self.received: Counter[K] = Counter()
