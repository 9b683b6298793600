"""Silent VOLE between two parties: a correlation of any length from one round trip and a half.

The guest gets a and c, the host Δ and b, with c = b + Δ·a in GF(2^128): see `hanse.kernel.vole` and
docs/protocols/vole.md.

Protocol  Boyle et al. (CCS 2019) with the expand-convolute code of Raghuraman, Rindal and Tanguy (CRYPTO 2023), over
          the correlated transfers of `hanse.protocols.ot.extension`: 512 noise positions for GF(2^64), 768 for
          GF(2^128).
Secure    against semi-honest parties, if the syndromes of the code are pseudorandom (learning parity with noise) and
          AES under a fixed key behaves like a random permutation.
Bytes     0.3 MB in all for 2^20 correlations of GF(2^64), and 0.02 MB more for each doubling.
"""

import asyncio
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import vole
from hanse.kernel.vole import Density, Width
from hanse.protocols.channel import Party, Peer
from hanse.protocols.messages import Message
from hanse.protocols.ot import extension

Octets = NDArray[np.uint8]


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


async def host(me: Party, peer: Peer, size: int, width: Width, code: Density, salt: bytes) -> Sender:
    """Draw Δ and b with the guest, `peer`. `salt`, 32 bytes that both know, is of this call only.

    Raises ProtocolError naming the peer for a message that cannot be; ValueError above `vole.MOST` correlations.
    """
    run = vole.Run(size, width, code, salt)
    delta, q = await extension.cot_sender(me, peer, run.choices, salt)
    message, b = await asyncio.to_thread(run.send, me.rng.seed(), delta, q)
    await peer.send(Corrections(message))
    return Sender(delta, b)


async def guest(me: Party, peer: Peer, size: int, width: Width, code: Density, salt: bytes) -> Receiver:
    """Draw a and c with the host, `peer`: see `host`."""
    run = vole.Run(size, width, code, salt)
    seed = me.rng.seed()
    choices = await asyncio.to_thread(run.choose, seed)
    t = await extension.cot_receiver(me, peer, choices, run.choices, salt)
    message = (await peer.recv(Corrections)).blocks
    peer.must(len(message) == run.message_size_bytes, f"{run.message_size_bytes} bytes of corrections")
    return Receiver(*await asyncio.to_thread(run.receive, seed, t, message))
