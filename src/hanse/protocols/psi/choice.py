"""Which method takes least time: rates measured once, the sizes, and the link between the parties.

Time is taken as the computing of the slower side, spread over its threads, plus the bytes over the link, plus the round
trips. That is an upper bound, computing and sending overlap; it is the same for all methods, and only compared.
"""

from typing import Literal, NamedTuple

from hanse.kernel import _kernel
from hanse.protocols.psi.sizes import cut, field_bytes

Method = Literal["ecdh", "vole"]

LADDER_NS = {"avx512": 4500.0, "avx2": 17000.0, "portable": 36000.0}
"""One id hashed to the curve and multiplied, or one point multiplied: ns on one thread, the core's other one busy."""

ENCODED_NS = {"avx512": 350.0, "avx2": 450.0, "portable": 900.0}
"""One id of the guest, method vole, at the slower side: encoding, its part of the VOLE, its tag."""

TAG_NS = {"avx512": 100.0, "avx2": 130.0, "portable": 300.0}
"""One id of the host, either method: tag made, sorted, coded, decoded, looked up."""

SET_UP_S = {"avx512": 0.05, "avx2": 0.055, "portable": 0.065}
"""Oblivious transfers and trees of one bucket, method vole."""

SET_UP_BYTES = 300_000
POINT_BYTES = 32
PLACES_PER_ITEM = 1.24
ROUND_TRIPS = {"ecdh": 2, "vole": 6}


class Link(NamedTuple):
    """What lies between guest and hosts: bytes a second, and seconds for a byte there and back."""

    bytes_s: float
    round_trip_s: float


class Choice(NamedTuple):
    """A method, and why, in one sentence."""

    method: Method
    reason: str


class Cost(NamedTuple):
    """What a method takes: seconds of computing, bytes in all, round trips."""

    seconds: float
    size_bytes: float
    round_trips: int

    def over(self, link: Link) -> float:
        """Return the seconds over a link."""
        return self.seconds + self.size_bytes / link.bytes_s + self.round_trips * link.round_trip_s


CORNERS = [Link(bytes_s, round_trip_s) for bytes_s in (1e5, 1e10) for round_trip_s in (0.0, 0.5)]
"""The difference of two costs is linear in 1 / bytes_s and round_trip_s: where the corners agree, every link does."""


def choose(guest: int, hosts: tuple[int, ...], threads: int, link: Link | None) -> Choice | None:
    """Return the method that takes least time, or None when that depends on the link and it is not known."""
    prices = {method: price(method, guest, hosts, threads) for method in ROUND_TRIPS}
    if link is None:
        winners = {_least(prices, corner) for corner in CORNERS}
        if len(winners) > 1:
            return None
        (method,) = winners
        return Choice(method, f"{method}: least time on any link for {_sizes(guest, hosts)}")
    method = _least(prices, link)
    times = ", ".join(f"{name} about {cost.over(link):.2g} s" for name, cost in prices.items())
    speed = f"{link.bytes_s * 8e-6:.3g} Mbit/s and {link.round_trip_s * 1e3:.3g} ms"
    return Choice(method, f"{method}: least time for {_sizes(guest, hosts)} at {speed} ({times})")


def price(method: str, guest: int, hosts: tuple[int, ...], threads: int, path: str | None = None) -> Cost:
    """Return what a method takes for so many ids, with this processor's instructions or those that `path` names."""
    path = path or _kernel.simd_path()
    seconds = size_bytes = 0.0
    for host in hosts:
        size = cut(guest, host)
        seconds += host * TAG_NS[path] * 1e-9 / threads
        size_bytes += host * (size.bits - max(0, host.bit_length() - 1) + 1.5) / 8 + host / 8
        if method == "ecdh":
            seconds += max(2 * guest, guest + host) * LADDER_NS[path] * 1e-9 / threads
            size_bytes += 2 * guest * POINT_BYTES
        else:
            seconds += guest * ENCODED_NS[path] * 1e-9 / threads + size.buckets * SET_UP_S[path]
            size_bytes += guest * PLACES_PER_ITEM * field_bytes(host) + size.buckets * SET_UP_BYTES
    return Cost(seconds, size_bytes, ROUND_TRIPS[method])


def _least(prices: dict[str, Cost], link: Link) -> Method:
    return "ecdh" if prices["ecdh"].over(link) <= prices["vole"].over(link) else "vole"


def _sizes(guest: int, hosts: tuple[int, ...]) -> str:
    return " × ".join(f"{size:,}" for size in (guest, *hosts)) + " ids"
