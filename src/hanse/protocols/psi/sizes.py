"""How the work is cut into buckets, and how long each list and tag is: a function of the two numbers of ids alone."""

from typing import NamedTuple

from hanse.kernel import buckets
from hanse.kernel.vole import Width

GUEST_BUCKET = 1 << 20
HOST_PIECE = 1 << 21
FALSE_MATCH_BITS = 40
MOST_TAG_BITS = 128
WIDEST_FIELD_BYTES: Width = 16
SMALL_FIELD_ITEMS = 1 << 24
"""Up to here 64-bit values miss a false match with at most 2^-40; above, 128-bit ones are used."""


class Cut(NamedTuple):
    """Buckets by the guest's ids, the host's part of each in `pieces`; places in each list; ids of the host in all."""

    buckets: int
    pieces: int
    guest_places: int
    host_places: int
    host: int

    @property
    def host_count(self) -> int:
        """How many buckets the host sorts its ids into."""
        return self.buckets * self.pieces

    @property
    def bits(self) -> int:
        """How long tags must be, so that none of all these meets another's but for a chance of 2^-40."""
        return tag_bits(self.buckets * self.guest_places, self.host_count * self.host_places)


def cut(guest: int, host: int) -> Cut:
    """Return how to cut a guest's and a host's ids; into nothing when one of them has none.

    Where there is one bucket its list is as long as the set: nothing is filled up, the sizes are known anyway.
    """
    if guest == 0 or host == 0:
        return Cut(0, 0, 0, 0, host)
    count = -(-guest // GUEST_BUCKET)
    pieces = -(-host // (count * HOST_PIECE))
    return Cut(count, pieces, buckets.bound(guest, count), buckets.bound(host, count * pieces), host)


def tag_bits(guest: int, host: int) -> int:
    """Return 40 + log2(n·m), rounded up: two different ids meet among all pairs with probability 2^-40 at most."""
    return min(MOST_TAG_BITS, FALSE_MATCH_BITS + (guest * host - 1).bit_length())


def field_bytes(items: int) -> Width:
    """Return the bytes of an element of the encoding's field, 8 or 16: 2^-64 for each of `items`, 2^-40 in all."""
    return 8 if items <= SMALL_FIELD_ITEMS else 16
