"""What guest and hosts say to each other."""

import hashlib
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from hanse.kernel.ids import Ids
from hanse.sdk import Message

Count = Annotated[int, Meta(ge=0, le=1 << 40)]
Figure = Annotated[float, Meta(ge=0, le=1e12)]
Octets16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Octets32 = Annotated[bytes, Meta(min_length=32, max_length=32)]

HINT_PIECE_BYTES = 16 << 20
BLOCK_BYTES = 64 << 20
MOST_SETUPS = 4
MOST_FEATURES = 1 << 16


class Offer(Message, frozen=True):
    """host → guest: my share of the public seed, my rows, and the shape of my binned features.

    rows, passengers   training rows that count; rows that are only routed (validation, and those not sampled).
    bins, missing      bins of each feature; 1 where one more cell is for missing values.
    categorical, monotone   1 for categories; 1 or −1 where the score may only rise or fall with the feature.
    omitted            which cell of each feature (the largest) is not answered for.
    smallest, largest  samples of the smallest and largest cell that I shall answer for.
    rho, limit         the disclosure figure for all planned queries, and what the dataset's grant allows.
    setups             earlier set-ups of these very rows and cells that I still have, newest first.
    """

    max_bytes: ClassVar[int] = 4 << 20

    nonce: Octets32
    rows: Count
    passengers: Count
    bins: NDArray[np.int32]
    missing: NDArray[np.uint8]
    categorical: NDArray[np.uint8]
    monotone: NDArray[np.int8]
    omitted: NDArray[np.int32]
    smallest: Count
    largest: Count
    rho: Figure
    limit: Figure
    setups: Annotated[tuple[Octets16, ...], Meta(max_length=MOST_SETUPS)]


class Opening(Message, frozen=True):
    """guest → hosts: everybody's shares of the public seed (guest first), the parameter set, and what my rows are.

    setup   which earlier set-up goes on; empty for a new one under the seed of these shares.
    """

    nonces: tuple[Octets32, ...]
    setup: Annotated[bytes, Meta(max_length=16)]
    parameters: Annotated[str, Meta(max_length=16)]
    alignment: Octets32


class Hint(Message, frozen=True):
    """host → guest: the next piece of what is needed to open answers: pseudorandom, once a set-up."""

    max_bytes: ClassVar[int] = HINT_PIECE_BYTES + 64

    piece: bytes


class Step(Message, frozen=True):
    """guest → one host: the next queries begin; what they share of the ciphertexts, and which features are drawn.

    drawn   one bit for each feature (whole bytes, first feature lowest): 1 = answer for it. The same in a whole round.
    """

    max_bytes: ClassVar[int] = BLOCK_BYTES

    dummies: bytes
    drawn: NDArray[np.uint8]


class Block(Message, frozen=True):
    """guest → hosts: encrypted gradients of the next samples, for all queries of the step; zeros where none count."""

    max_bytes: ClassVar[int] = BLOCK_BYTES

    data: bytes


class Answers(Message, frozen=True):
    """host → guest: for each query of the step one flooded sum for each cell of the drawn features."""

    max_bytes: ClassVar[int] = 1 << 30

    sums: bytes


class Splits(Message, frozen=True):
    """guest → one host: the splits taken on its features at this step, if any.

    outputs, features   for each split, whose tree of the round it is in, and the feature.
    left      for each split 32 bytes: bit c (lowest first) is 1 where code c goes left; 255 is a missing value.
    members   route=host: for each split one bit for every training row (whole bytes, first row lowest): 1 = in the
              node. route=bitmap: nothing.
    passengers   the same for the rows that are only routed.
    """

    max_bytes: ClassVar[int] = 1 << 30

    outputs: NDArray[np.int32]
    features: NDArray[np.int32]
    left: NDArray[np.uint8]
    members: NDArray[np.uint8]
    passengers: NDArray[np.uint8]


class Sides(Message, frozen=True):
    """host → guest: for each split, in the layout of `Splits`, which members (route=bitmap: which rows) go left.

    Sent where there is a split.
    """

    max_bytes: ClassVar[int] = 1 << 30

    left: NDArray[np.uint8]
    passengers: NDArray[np.uint8]


class RoundDone(Message, frozen=True):
    """guest → hosts: a tree of each output is finished; whether another round follows, and how many are kept."""

    more: bool
    kept: Annotated[int, Meta(ge=0, le=1 << 20)]


class Scored(Message, frozen=True):
    """guest → hosts: when scoring, the rows to be scored are these."""

    nonce: Octets32
    rows: Count
    alignment: Octets32


class LeftBits(Message, frozen=True):
    """host → guest: for each of my splits in a fitted model, which rows of a block go left, in the layout of `Splits`.

    When scoring, and at the start of a training that goes on from a model.
    """

    max_bytes: ClassVar[int] = 1 << 30

    left: NDArray[np.uint8]


def public_seed(nonces: tuple[bytes, ...]) -> bytes:
    """Return the seed of the public ring elements: all parties' shares, hashed."""
    return hashlib.blake2b(b"".join(nonces), digest_size=32, person=b"hanse hetero A").digest()


def alignment(seed: bytes, *tables: Ids) -> bytes:
    """Return what must agree at all parties when their rows are the same rows in the same order."""
    digest = hashlib.blake2b(key=seed, digest_size=32, person=b"hanse hetero id")
    for ids in tables:
        digest.update(len(ids).to_bytes(8, "little"))
        digest.update(ids.offsets.astype("<i8", copy=False).data)
        digest.update(ids.data.data)
    return digest.digest()


def pack(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return bits, first row lowest, each row of a 2-axis mask in whole bytes."""
    return np.packbits(mask, axis=-1, bitorder="little")


def unpack(bits: NDArray[np.uint8], masks: int, rows: int) -> NDArray[np.bool_]:
    """Return bool[masks, rows] of packed bits of exactly that size."""
    stride = -(-rows // 8)
    return np.unpackbits(bits.reshape(masks, stride), axis=1, count=rows, bitorder="little").view(np.bool_)


def packed_size(masks: int, rows: int) -> int:
    """Bytes of `masks` packed masks."""
    return masks * -(-rows // 8)
