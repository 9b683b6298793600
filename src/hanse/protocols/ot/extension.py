"""Correlated oblivious transfers: many from 128 base transfers, in one round trip.

The sender gets a secret Δ of 128 bits and rows q_i; the receiver has bits c_i and gets rows t_i with q_i = t_i ⊕ c_i·Δ.
Base transfers run the other way round: the sender of the correlation chooses in them, by the bits of its Δ.

Protocol  SoftSpokenOT (Roy 2022, eprint 2022/192) over endemic base transfers (Masny and Rindal 2019): see
          `hanse.kernel.ot`, `hanse.protocols.ot.bases` and docs/protocols/ot.md.
Secure    against semi-honest parties; with `malicious` against all: a cheating receiver can at most guess bits of Δ,
          and is named when one guess is wrong. Under gap Diffie-Hellman on Curve25519, in the random-oracle model.
Bytes     8.2 kB from the sender; 3.6 kB and two bytes a transfer from the receiver (four above 2^18 transfers);
          0.9 kB more with `malicious`.
"""

import asyncio
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import curve, ot
from hanse.protocols.channel import Party, Peer, ProtocolError
from hanse.protocols.messages import Message
from hanse.protocols.ot import bases

Octets = NDArray[np.uint8]


class Offer(Message, frozen=True):
    """sender → receiver: two field elements for each base transfer, as uniform as each other."""

    pairs: NDArray[np.uint8]


class Answer(Message, frozen=True):
    """receiver → sender: a point for the base transfers, corrections of trees, the choices under streams, proofs."""

    max_bytes: ClassVar[int] = 1 << 27
    point: NDArray[np.uint8]
    levels: NDArray[np.uint8]
    folded: NDArray[np.uint8]
    seal: NDArray[np.uint8]
    proof: NDArray[np.uint8]


async def cot_sender(
    me: Party, peer: Peer, count: int, salt: bytes, *, malicious: bool = False
) -> tuple[bytes, Octets]:
    """Return a fresh Δ of 16 bytes and q, uint8[count, 16]. `salt` is known to both and used for this call only.

    Raises ProtocolError naming the peer for an answer that cannot be; ValueError above `ot.MOST` transfers.
    """
    sizes = ot.reply_sizes(count, checked=malicious)
    delta = me.rng.seed()[: ot.ROW_BYTES]
    others = 1 - np.unpackbits(np.frombuffer(delta, np.uint8), bitorder="little")
    chosen, pairs = await asyncio.to_thread(bases.offer, me.rng.seed(), others, salt)
    await peer.send(Offer(pairs.reshape(-1)))
    said = await peer.recv(Answer)
    reply = ot.Reply(said.levels, said.folded, said.seal, said.proof)
    peer.must(len(said.point) == curve.POINT_BYTES, "one point for the base transfers")
    peer.must(tuple(map(len, reply)) == sizes, f"a reply for {count} transfers, no more and no less")
    try:
        keys = await asyncio.to_thread(bases.choose, chosen, pairs, said.point, salt)
        session = bases.transcript(pairs, said.point, salt)
        rows = await asyncio.to_thread(ot.accept, count, session, keys, delta, reply, checked=malicious)
    except (bases.InvalidOffer, ot.Inconsistent) as error:
        raise ProtocolError(peer.id, f"sent {error}") from error
    return delta, rows


async def cot_receiver(
    me: Party, peer: Peer, choices: Octets, count: int, salt: bytes, *, malicious: bool = False
) -> Octets:
    """Return t, uint8[count, 16], for `choices`, packed bits uint8[⌈count/8⌉], the lowest of each byte first.

    Raises ProtocolError naming the peer for an offer that cannot be; ValueError above `ot.MOST` transfers.
    """
    ot.reply_sizes(count, checked=malicious)
    offered = (await peer.recv(Offer)).pairs
    peer.must(len(offered) == ot.BASES * bases.PAIR_BYTES, f"{ot.BASES} pairs for the base transfers")
    pairs = offered.reshape(ot.BASES, 2, curve.POINT_BYTES)
    try:
        point, keys = await asyncio.to_thread(bases.answer, me.rng.seed(), pairs, salt)
    except bases.InvalidOffer as error:
        raise ProtocolError(peer.id, f"sent {error}") from error
    session = bases.transcript(pairs, point, salt)
    seed = me.rng.seed()
    reply, rows = await asyncio.to_thread(ot.answer, count, session, seed, keys, choices, checked=malicious)
    await peer.send(Answer(point, *reply))
    return rows
