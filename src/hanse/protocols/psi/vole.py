"""The oblivious function of Raghuraman and Rindal (CCS 2022) for one bucket, on a silent VOLE and an OKVS.

The guest encodes H(x) of its digests into P, so that Decode(P, x) = H(x), and sends A + P, with A of the VOLE
C = B + Δ·A. F(y) = H2(Decode(B + Δ·(A + P), y) + Δ·H(y), y); for the guest's own digests that is H2(Decode(C, x), x).
Row and H of a digest come from one hash block under a key that the guest draws with P and sends beside it.

Against malice (docs/protocols/malicious.md) the VOLE is checked, and H2 gets a key that both toss: the host commits to
its half before anything else, the guest sends its half with A + P, then the host shows the one it committed to.
"""

import asyncio
import hashlib
import hmac
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.kernel import okvs
from hanse.kernel.vole import Width
from hanse.protocols import vole
from hanse.protocols.channel import Party, Peer
from hanse.protocols.messages import Message
from hanse.protocols.psi.tags import demand_distinct

Bytes = NDArray[np.uint8]
Keys = tuple[bytes, ...]
Code = Literal["conservative", "fast"]

KEY_BYTES = 32
ENCODINGS = 8
"""An encoding fails with less than 2^-40; each try has a key of its own, and nothing was sent before."""


class EncodedSet(Message, frozen=True):
    """guest → host: the encoding of the guest's digests, masked by its half of the VOLE, and the key of its rows."""

    max_bytes: ClassVar[int] = 1 << 28
    key: NDArray[np.uint8]
    elements: NDArray[np.uint8]
    half: NDArray[np.uint8]


class Commitment(Message, frozen=True):
    """host → guest, malicious only: a hash of my half of the coin."""

    digest: NDArray[np.uint8]


class Half(Message, frozen=True):
    """host → guest, malicious only: my half of the coin, the one that I committed to."""

    half: NDArray[np.uint8]


class Bucket(NamedTuple):
    """What both sides know of the exchange for one bucket: the guest's places, the bytes of an element, code, salt."""

    places: int
    width: Width
    code: Code
    salt: bytes
    malicious: bool = False


async def evaluate(me: Party, host: Peer, digests: Bytes, bucket: Bucket, keys: Keys) -> list[Bytes]:
    """Guest: return F(x) of the digests under each key, uint8[n, 16]. Raises ProtocolError."""
    layout = okvs.layout(bucket.places, bucket.width)
    committed = (await host.recv(Commitment)).digest.tobytes() if bucket.malicious else b""
    begun = await vole.begin(me, host, layout.size, *bucket[1:4], malicious=bucket.malicious)
    row_key, encoded = await _encode(me, digests, layout)
    masked = np.bitwise_xor(encoded, begun.a, out=encoded)
    # against malice nothing of my set leaves before every row of the VOLE is proven; else the host need not wait
    c = await begun.finish() if bucket.malicious else None
    half = me.rng.seed() if bucket.malicious else b""
    await host.send(EncodedSet(np.frombuffer(row_key, np.uint8), masked, np.frombuffer(half, np.uint8)))
    if c is None:
        c = await begun.finish()
    if bucket.malicious:
        theirs = (await host.recv(Half)).half.tobytes()
        host.must(hmac.compare_digest(_commit(theirs, bucket.salt), committed), "the half that it committed to")
        keys = _toss(keys, theirs, half)
    return [await asyncio.to_thread(okvs.receiver_tags, c, digests, row_key, layout, key) for key in keys]


async def _encode(me: Party, digests: Bytes, layout: okvs.Layout) -> tuple[bytes, Bytes]:
    for _ in range(ENCODINGS):
        key = me.rng.seed()
        try:
            return key, await asyncio.to_thread(okvs.encode, digests, key, layout, me.rng.seed())
        except okvs.EncodingFailed:
            continue
    await asyncio.to_thread(demand_distinct, digests)
    raise fault("psi.unlucky", f"{ENCODINGS} encodings of this party's ids have failed", "run the task again")


class Function:
    """Host: F of one bucket. `values` waits until `serve` has had the guest's part."""

    def __init__(self, me: Party, guest: Peer, bucket: Bucket) -> None:
        self._me, self._guest, self._bucket = me, guest, bucket
        self._layout = okvs.layout(bucket.places, bucket.width)
        self._halves: tuple[bytes, bytes] | None = None
        self._served = asyncio.Event()

    async def serve(self) -> None:
        """Take part in the VOLE and receive the guest's encoding. Raises ProtocolError."""
        _, width, code, salt, malicious = self._bucket
        half = self._me.rng.seed() if malicious else b""
        if malicious:
            await self._guest.send(Commitment(np.frombuffer(_commit(half, salt), np.uint8)))
        size = self._layout.size
        sender = await vole.host(self._me, self._guest, size, width, code, salt, malicious=malicious)
        message = await self._guest.recv(EncodedSet)
        self._guest.must(len(message.key) == KEY_BYTES, f"a key of {KEY_BYTES} bytes")
        self._guest.must(len(message.elements) == size * width, "an encoding of the agreed size")
        self._guest.must(len(message.half) == len(half), "a half of the coin where one is tossed")
        if malicious:
            await self._guest.send(Half(np.frombuffer(half, np.uint8)))
            self._halves = half, message.half.tobytes()
        self._parts = sender, message.elements, message.key.tobytes()
        self._served.set()

    async def values(self, digests: Bytes, keys: Keys) -> list[Bytes]:
        """Return F(y) of my digests under each key, uint8[n, 16]."""
        await self._served.wait()
        sender, elements, row_key = self._parts
        parts = sender.b, sender.delta, elements, digests, row_key, self._layout
        keys = _toss(keys, *self._halves) if self._halves else keys
        return [await asyncio.to_thread(okvs.sender_tags, *parts, key) for key in keys]


def _commit(half: bytes, salt: bytes) -> bytes:
    return hashlib.blake2b(half, key=salt, digest_size=32, person=b"hanse/psi/commit").digest()


def _toss(keys: Keys, host: bytes, guest: bytes) -> Keys:
    """Return the keys bound to both halves of the coin."""
    coin = host + guest
    return tuple(hashlib.blake2b(coin, key=key, digest_size=32, person=b"hanse/psi/toss").digest() for key in keys)
