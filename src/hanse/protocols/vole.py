"""Silent VOLE between two parties: a correlation of any length from one round trip and a half.

The guest gets a and c, the host Δ and b, with c = b + Δ·a in GF(2^128): see `hanse.kernel.vole` and
docs/protocols/vole.md.

Protocol  Boyle et al. (CCS 2019) with the expand-convolute code of Raghuraman, Rindal and Tanguy (CRYPTO 2023), over
          the correlated transfers of `hanse.protocols.ot.extension`: 512 noise positions for GF(2^64), 768 for
          GF(2^128).
Secure    against semi-honest parties, if the syndromes of the code are pseudorandom (learning parity with noise) and
          AES under a fixed key behaves like a random permutation. With `malicious` against all: the transfers are
          checked, and the host proves that every row holds (Wolverine, IEEE S&P 2021), one round trip more.
Bytes     0.3 MB in all for 2^20 correlations of GF(2^64), and 0.02 MB more for each doubling.
"""

import asyncio
import hmac
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import vole
from hanse.kernel.vole import Density, Width
from hanse.protocols.channel import Party, Peer
from hanse.protocols.messages import Message
from hanse.protocols.ot import extension

Octets = NDArray[np.uint8]

SEED_BYTES = 32


class Corrections(Message, frozen=True):
    """host → guest: masked sums of the trees' levels, and the trees' sums plus the host's part of Δ times a value."""

    blocks: NDArray[np.uint8]


@dataclass(frozen=True)
class Sender:
    """What the host holds: Δ, 16 bytes, and b, uint8[size·16]."""

    delta: bytes
    b: Octets


@dataclass(frozen=True)
class Receiver:
    """What the guest holds: a, uint8[size·width], and c, uint8[size·16]."""

    a: Octets
    c: Octets


class Challenge(Message, frozen=True):
    """guest → host, malicious only: a seed for coefficients, and the sum of a under them, hidden by the last row."""

    seed: NDArray[np.uint8]
    masked: NDArray[np.uint8]


class Proof(Message, frozen=True):
    """host → guest, malicious only: a hash of the same sum on the host's side, which only holds for true rows."""

    digest: NDArray[np.uint8]


async def host(
    me: Party, peer: Peer, size: int, width: Width, code: Density, salt: bytes, *, malicious: bool = False
) -> Sender:
    """Draw Δ and b with the guest, `peer`. `salt`, 32 bytes that both know, is of this call only.

    Raises ProtocolError naming the peer for a message that cannot be; ValueError above `vole.MOST` correlations, and
    for elements of 8 bytes with `malicious`.
    """
    run = _run(size, width, code, salt, malicious)
    delta, q = await extension.cot_sender(me, peer, run.choices, salt, malicious=malicious)
    message, leaves = await asyncio.to_thread(run.grow, me.rng.seed(), delta, q)
    await peer.send(Corrections(message))
    b = await asyncio.to_thread(run.send, leaves)
    if malicious:
        asked = await peer.recv(Challenge)
        peer.must(len(asked.seed) == SEED_BYTES, f"a seed of {SEED_BYTES} bytes")
        peer.must(len(asked.masked) == vole.BLOCK_BYTES, "the sum of one element")
        seed, masked = asked.seed.tobytes(), asked.masked.tobytes()
        digest = await asyncio.to_thread(vole.prove, seed, delta, b, masked)
        await peer.send(Proof(np.frombuffer(digest, np.uint8)))
    return Sender(delta, b[: size * vole.BLOCK_BYTES])


async def guest(
    me: Party, peer: Peer, size: int, width: Width, code: Density, salt: bytes, *, malicious: bool = False
) -> Receiver:
    """Draw a and c with the host, `peer`: see `host`."""
    begun = await begin(me, peer, size, width, code, salt, malicious=malicious)
    return Receiver(begun.a, await begun.finish())


async def begin(
    me: Party, peer: Peer, size: int, width: Width, code: Density, salt: bytes, *, malicious: bool = False
) -> "Begun":
    """Guest: as `guest`, but return once the transfers are answered and a is made, while the host goes on."""
    run = _run(size, width, code, salt, malicious)
    seed = me.rng.seed()
    choices = await asyncio.to_thread(run.choose, seed)
    t = await extension.cot_receiver(me, peer, choices, run.choices, salt, malicious=malicious)
    return Begun(me, peer, size, run, seed, t, await asyncio.to_thread(run.noise, seed))


@dataclass(frozen=True)
class Begun:
    """Guest: a run that lacks c only. `rows` are those of a, and one more against malice."""

    me: Party
    peer: Peer
    size: int
    run: vole.Run
    seed: bytes = field(repr=False)
    t: Octets = field(repr=False)
    rows: Octets = field(repr=False)

    @property
    def a(self) -> Octets:
        """uint8[size·width]."""
        return self.rows[: self.size * self.run.width]

    async def finish(self) -> Octets:
        """Receive the host's corrections, check them against malice, return c, uint8[size·16]. Raises ProtocolError."""
        message, due_bytes = (await self.peer.recv(Corrections)).blocks, self.run.message_size_bytes
        self.peer.must(len(message) == due_bytes, f"{due_bytes} bytes of corrections")
        c = await asyncio.to_thread(self.run.receive, self.seed, self.t, message)
        if self.run.checked:
            await _demand_proof(self.me.rng.seed(), self.peer, self.rows, c)
        return c[: self.size * vole.BLOCK_BYTES]


def _run(size: int, width: Width, code: Density, salt: bytes, malicious: bool) -> vole.Run:
    """Return the run for `size` correlations, and for one more that the proof uses up."""
    if malicious and width != vole.BLOCK_BYTES:
        raise ValueError("against malice the elements have 16 bytes: their sum is hidden by one of them")
    return vole.Run(size + malicious, width, code, salt, checked=malicious)


async def _demand_proof(seed: bytes, host: Peer, a: Octets, c: Octets) -> None:
    masked, expected = await asyncio.to_thread(vole.claim, seed, a, c)
    await host.send(Challenge(np.frombuffer(seed, np.uint8), np.frombuffer(masked, np.uint8)))
    digest = (await host.recv(Proof)).digest.tobytes()
    host.must(hmac.compare_digest(digest, expected), "a correlation that holds in every row")
