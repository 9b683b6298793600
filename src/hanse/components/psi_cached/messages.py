"""What guest and hosts say to each other, beside asking for values (`hanse.protocols.oprf`)."""

from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from hanse.kernel.filters import MOST_LOW_BITS
from hanse.sdk import Message

Octets32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
MOST_IDS = (1 << 32) - 2
LARGEST = 1 << 28
BLOCK_RANKS = 1 << 20


class Offer(Message, frozen=True):
    """host → guest: what I have prepared for you.

    epoch      the public name of my key's life.
    state      the name of this preparation.
    previous   that of the one it adds to; zeros where it begins anew.
    ids        the ids that this preparation adds.
    removed    the ids of earlier ones that are gone.
    low_bits   bits of a tag that the filter keeps beside its place.
    """

    epoch: Octets32
    state: Octets32
    previous: Octets32
    ids: Annotated[int, Meta(ge=0, le=MOST_IDS)]
    removed: Annotated[int, Meta(ge=0, le=MOST_IDS)]
    low_bits: Annotated[int, Meta(ge=1, le=MOST_LOW_BITS)]


class Held(Message, frozen=True):
    """guest → host: how many of the shards of this preparation I hold already, from an attempt that ended."""

    shards: Annotated[int, Meta(ge=0, le=MOST_IDS)]


class Shard(Message, frozen=True):
    """host → guest: the next pages of the filter, and how many tags each has."""

    max_bytes: ClassVar[int] = LARGEST

    counts: NDArray[np.uint32]
    pages: NDArray[np.uint8]


class Removed(Message, frozen=True):
    """host → guest: ranks in earlier filters, rising, whose ids are gone; in blocks of at most 2^20."""

    max_bytes: ClassVar[int] = LARGEST

    ranks: NDArray[np.uint64]


class Question(Message, frozen=True):
    """guest → host: I am about to ask, and hold this preparation."""

    state: Octets32


class Named(Message, frozen=True):
    """guest → host: the ranks, rising, at which ids of mine seem to be that all hosts have."""

    max_bytes: ClassVar[int] = LARGEST

    ranks: NDArray[np.uint64]


class Checks(Message, frozen=True):
    """host → guest: the other half of the value of each id that was named; 16 bytes each."""

    max_bytes: ClassVar[int] = LARGEST

    halves: NDArray[np.uint8]


class Kept(Message, frozen=True):
    """guest → host: which of the named ranks all parties share (bits, first lowest), and the key of their order."""

    max_bytes: ClassVar[int] = LARGEST

    bits: NDArray[np.uint8]
    order: Octets32
