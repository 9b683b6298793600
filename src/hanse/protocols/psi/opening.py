"""Before any id is hashed: how many ids each party brings, one salt from all of them, and the terms of the guest.

guest → hosts  SetSize     hosts → guest  SetSize     (guest ⇄ host  Probe, Echo)     guest → hosts  Terms

The salt is a hash of one nonce from every party, so that no digest of this run can be computed before it, by anybody,
and none fits another run.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.kernel.vole import Width
from hanse.protocols.channel import Party, Peer
from hanse.protocols.messages import Message
from hanse.protocols.psi.choice import Choice, Link
from hanse.protocols.psi.sizes import WIDEST_FIELD_BYTES, field_bytes

Method = Literal["ecdh", "vole"]
Result = Literal["shared", "difference", "count"]
Code = Literal["conservative", "fast"]
Security = Literal["semi_honest", "malicious"]
Field = Literal["auto", "wide"]

NONCE_BYTES = 32
MOST_ITEMS = (1 << 32) - 1
PROBE_BYTES = 1 << 18
MOST_PROBES = 2
"""One for the round trip, one for the bandwidth."""


class SetSize(Message, frozen=True):
    """guest ⇄ host: how many ids I bring, and 32 fresh bytes for the salt."""

    items: Annotated[int, msgspec.Meta(ge=0, le=MOST_ITEMS)]
    nonce: NDArray[np.uint8]


class Probe(Message, frozen=True):
    """guest → host: send me so many zeros, and I measure the time that it takes; 0: none, the terms come next."""

    size_bytes: Annotated[int, msgspec.Meta(ge=0, le=PROBE_BYTES)]


class Echo(Message, frozen=True):
    """host → guest: the zeros asked for."""

    max_bytes: ClassVar[int] = PROBE_BYTES + 64
    zeros: NDArray[np.uint8]


class Terms(Message, frozen=True):
    """guest → host: the method and what it is to tell whom, whether a party has no ids; all nonces, guest's first."""

    method: Method
    result: Result
    share_result: bool
    code: Code
    security: Security
    field: Field
    empty: bool
    nonces: NDArray[np.uint8]


@dataclass(frozen=True)
class Wanted:
    """What a party's own settings say. `method` None leaves the choice to the guest."""

    method: Method | None
    result: Result
    share_result: bool
    code: Code
    bandwidth_mbit_s: float = 0.0
    security: Security = "semi_honest"
    field: Field = "auto"


@dataclass(frozen=True)
class Session:
    """What the parties have agreed on. `guest` and `hosts` are numbers of ids; a host knows the guest's and its own."""

    method: Method
    result: Result
    share_result: bool
    code: Code
    salt: bytes
    guest: int
    hosts: tuple[int, ...]
    several: bool
    empty: bool
    reason: str = ""
    security: Security = "semi_honest"
    field: Field = "auto"

    @property
    def malicious(self) -> bool:
        """Whether the parties are to be protected against one another's deviations."""
        return self.security == "malicious"

    def field_bytes(self, items: int) -> Width:
        """Return the bytes of an element of the encodings, 8 or 16, when `items` of the other side are compared."""
        return WIDEST_FIELD_BYTES if self.malicious or self.field == "wide" else field_bytes(items)

    def key(self, *purpose: str | int) -> bytes:
        """Return the 32-byte key of this run for one purpose: the same at every party, and no secret."""
        text = "/".join(map(str, purpose)).encode()
        return hashlib.blake2b(text, key=self.salt, digest_size=32, person=b"hanse/psi/2").digest()


Choose = Callable[[int, tuple[int, ...], Link | None], Choice | None]
"""(guest's ids, hosts' ids, link) → the method; None without a link when the choice depends on it."""


async def open_as_guest(me: Party, items: int, wanted: Wanted, choose: Choose) -> Session:
    """Exchange sizes and nonces with every host, choose the method, tell them. Raises ProtocolError."""
    nonce = np.frombuffer(me.rng.seed(), np.uint8)
    await me.hosts.send(SetSize(items, nonce))
    openings = await me.hosts.gather(SetSize)
    for host, opening in zip(me.hosts, openings, strict=True):
        _check_nonce(host, opening)
    sizes = tuple(opening.items for opening in openings)
    choice = choose(items, sizes, None) or choose(items, sizes, await _measure(me, wanted))
    if choice is None:
        raise ValueError("with a known link there is a choice")
    await me.hosts.send(Probe(0))
    empty = 0 in (items, *sizes)
    nonces = np.concatenate([nonce, *(opening.nonce for opening in openings)])
    agreed = (wanted.result, wanted.share_result, wanted.code, wanted.security, wanted.field)
    await me.hosts.send(Terms(choice.method, *agreed, empty, nonces))
    return _session(choice.method, wanted, nonces, items, sizes, empty=empty, reason=choice.reason)


async def open_as_host(me: Party, items: int, wanted: Wanted) -> Session:
    """Answer with my size and nonce; check the guest's terms against my own settings. Raises ProtocolError."""
    guest = me.guest
    theirs = await guest.recv(SetSize)
    _check_nonce(guest, theirs)
    nonce = np.frombuffer(me.rng.seed(), np.uint8)
    await guest.send(SetSize(items, nonce))
    probes = 0
    while size_bytes := (await guest.recv(Probe)).size_bytes:
        probes += 1
        guest.must(probes <= MOST_PROBES, f"at most {MOST_PROBES} measurements of the link")
        await guest.send(Echo(np.zeros(size_bytes, np.uint8)))
    terms = await guest.recv(Terms)
    guest.must(wanted.method in (None, terms.method), f"the method {wanted.method}, as my settings say")
    for name in ("result", "share_result", "code", "security", "field"):
        said, mine = getattr(terms, name), getattr(wanted, name)
        guest.must(said == mine, f"{name} = {mine}, as my settings say")
    parties = 2 + len(me.hosts)
    guest.must(len(terms.nonces) == parties * NONCE_BYTES, "one nonce of each party")
    nonces = terms.nonces.reshape(parties, NONCE_BYTES)
    guest.must(np.array_equal(nonces[0], theirs.nonce), "the nonce that it opened with, first")
    guest.must(np.all(nonces[1:] == nonce, axis=1).sum() == 1, "my own nonce, once")
    known = 0 in (items, theirs.items)
    guest.must(terms.empty == known if parties == 2 else terms.empty >= known, "whether a party has no ids")
    return _session(terms.method, wanted, terms.nonces, theirs.items, (items,), empty=terms.empty)


async def _measure(me: Party, wanted: Wanted) -> Link:
    """Time the way to the slowest host and back: a byte for the round trip, the rest for the bandwidth."""
    trips = await asyncio.gather(*(_time_echo(host, 1) for host in me.hosts))
    round_trip_s = max(trips)
    if wanted.bandwidth_mbit_s:
        return Link(wanted.bandwidth_mbit_s * 1e6 / 8, round_trip_s)
    longer = await asyncio.gather(*(_time_echo(host, PROBE_BYTES) for host in me.hosts))
    return Link(PROBE_BYTES / max(max(longer) - round_trip_s, 1e-6), round_trip_s)


async def _time_echo(host: Peer, size_bytes: int) -> float:
    began = time.perf_counter()
    await host.send(Probe(size_bytes))
    echo = await host.recv(Echo)
    host.must(len(echo.zeros) == size_bytes and not echo.zeros.any(), "as many zeros as were asked for")
    return time.perf_counter() - began


def _check_nonce(peer: Peer, opening: SetSize) -> None:
    peer.must(len(opening.nonce) == NONCE_BYTES, f"a nonce of {NONCE_BYTES} bytes")


def _session(
    method: Method,
    wanted: Wanted,
    nonces: NDArray[np.uint8],
    guest: int,
    hosts: tuple[int, ...],
    *,
    empty: bool,
    reason: str = "",
) -> Session:
    several = len(nonces) > 2 * NONCE_BYTES
    salt = hashlib.blake2b(nonces.tobytes(), digest_size=32, person=b"hanse/psi/salt").digest()
    agreed = (wanted.result, wanted.share_result, wanted.code, salt)
    return Session(method, *agreed, guest, hosts, several, empty, reason, wanted.security, wanted.field)
