"""1-of-2 oblivious transfers of random keys and of given messages, from correlated ones.

A hash of q_i and of q_i ⊕ Δ gives the sender two keys, a hash of t_i the receiver the one of its choice; to it, the
other is a hash under the unknown Δ (Ishai, Kilian, Nissim and Petrank, CRYPTO 2003). The hash takes the number of the
transfer and a salt, so that no two keys are related; it is modelled as a random oracle.
"""

import asyncio
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import hashing
from hanse.protocols.channel import Party, Peer
from hanse.protocols.messages import Message
from hanse.protocols.ot import extension
from hanse.protocols.ot.labels import derive

Octets = NDArray[np.uint8]

MOST_BYTES = 64
"""Longest message of a transfer; for longer ones transfer a key."""


class Sealed(Message, frozen=True):
    """sender → receiver: both messages of every transfer, each under its key; all zeros first, then all ones."""

    max_bytes: ClassVar[int] = (1 << 31) - 1
    zeros: NDArray[np.uint8]
    ones: NDArray[np.uint8]


def both_keys(delta: bytes, q: Octets, salt: bytes, width: int) -> tuple[Octets, Octets]:
    """Return the sender's keys for choice 0 and for choice 1, uint8[n, width] each, from uint8[n, 16]."""
    return _hash(q, salt, width), _hash(q ^ np.frombuffer(delta, np.uint8), salt, width)


def chosen_keys(t: Octets, salt: bytes, width: int) -> Octets:
    """Return the receiver's keys, uint8[n, width], each the one of its choice, from uint8[n, 16]."""
    return _hash(t, salt, width)


async def send(me: Party, peer: Peer, zeros: Octets, ones: Octets, salt: bytes, *, malicious: bool = False) -> None:
    """Offer two messages for each transfer, uint8[n, width] each, of which the peer gets one and I learn not which.

    Raises ProtocolError naming the peer for what cannot be; ValueError for columns unlike one another or too wide.
    """
    count, width = zeros.shape
    if ones.shape != zeros.shape or not 0 < width <= MOST_BYTES:
        raise ValueError(f"messages must be two columns of one shape, of 1 to {MOST_BYTES} bytes")
    delta, q = await extension.cot_sender(me, peer, count, salt, malicious=malicious)
    keys = await asyncio.to_thread(both_keys, delta, q, salt, width)
    await peer.send(Sealed((zeros ^ keys[0]).reshape(-1), (ones ^ keys[1]).reshape(-1)))


async def receive(
    me: Party, peer: Peer, choices: Octets, count: int, width: int, salt: bytes, *, malicious: bool = False
) -> Octets:
    """Return the chosen messages, uint8[count, width]; `choices` are packed bits, uint8[⌈count/8⌉].

    Raises ProtocolError naming the peer for what cannot be.
    """
    t = await extension.cot_receiver(me, peer, choices, count, salt, malicious=malicious)
    keys = await asyncio.to_thread(chosen_keys, t, salt, width)
    sealed = await peer.recv(Sealed)
    sizes = {len(sealed.zeros), len(sealed.ones)}
    peer.must(sizes == {count * width}, f"two messages of {width} bytes for each of {count} transfers")
    mask = (0 - np.unpackbits(choices, count=count, bitorder="little"))[:, None]
    zeros, ones = (column.reshape(count, width) for column in (sealed.zeros, sealed.ones))
    return keys ^ zeros ^ ((zeros ^ ones) & mask)


def _hash(rows: Octets, salt: bytes, width: int) -> Octets:
    numbers = np.arange(len(rows), dtype="<u8").view(np.uint8).reshape(-1, 8)
    return hashing.hash_rows(np.hstack([rows, numbers]), derive(b"transfers", salt), width)
