"""What guest and hosts say to each other."""

import hashlib
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from hanse.kernel.ids import Ids
from hanse.sdk import Message

Count = Annotated[int, Meta(ge=0, le=1 << 40)]
Octets32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
LARGEST = 2 << 30


class Offer(Message, frozen=True):
    """host → guest: my share of the public seed, my rows, and the shape of my binned features.

    bins, omitted   bins of each feature, and which of them (the largest) is not answered for.
    smallest, largest   samples of the smallest and largest row that I shall answer for.
    rho, limit      the disclosure figure for all planned queries, and what the dataset's grant allows.
    """

    nonce: Octets32
    rows: Count
    valid_rows: Count
    bins: NDArray[np.int32]
    omitted: NDArray[np.int32]
    smallest: Count
    largest: Count
    rho: Annotated[float, Meta(ge=0, le=1e12)]
    limit: Annotated[float, Meta(ge=0, le=1e12)]


class Opening(Message, frozen=True):
    """guest → hosts: everybody's shares of the public seed (guest first), the parameter set, and what my rows are."""

    nonces: tuple[Octets32, ...]
    parameters: Annotated[str, Meta(max_length=16)]
    alignment: Octets32


class Hint(Message, frozen=True):
    """host → guest: pseudorandom, once; with it answers can be opened."""

    max_bytes: ClassVar[int] = LARGEST

    data: bytes


class Query(Message, frozen=True):
    """guest → hosts: encrypted gradients of the rows of one node, of zeros where there is no node to ask for."""

    max_bytes: ClassVar[int] = LARGEST

    ciphertext: bytes


class Answer(Message, frozen=True):
    """host → guest: one flooded sum for each row of my matrix."""

    max_bytes: ClassVar[int] = LARGEST

    sums: bytes


class Splits(Message, frozen=True):
    """guest → one host: the splits taken on its features at this level, and the rows to be split.

    cuts      the bin after which each split cuts, counted over all bins of all features.
    members   for each split one bit for every training row (whole bytes, first row lowest): 1 = in the node.
    members_valid   the same for the validation rows.
    """

    max_bytes: ClassVar[int] = LARGEST

    cuts: NDArray[np.int32]
    members: NDArray[np.uint8]
    members_valid: NDArray[np.uint8]


class Sides(Message, frozen=True):
    """host → guest: for each split, in the layout of `Splits`, which of the members go left."""

    max_bytes: ClassVar[int] = LARGEST

    left: NDArray[np.uint8]
    left_valid: NDArray[np.uint8]


class TreeDone(Message, frozen=True):
    """guest → hosts: the tree is finished; whether another follows, and how many the model keeps so far."""

    more: bool
    kept: Annotated[int, Meta(ge=0, le=2000)]


class Rows(Message, frozen=True):
    """guest → hosts: when scoring, the rows to be scored are these."""

    nonce: Octets32
    rows: Count
    alignment: Octets32


class LeftBits(Message, frozen=True):
    """host → guest: when scoring, for each of my splits, which rows of a block go left, in the layout of `Splits`."""

    max_bytes: ClassVar[int] = LARGEST

    left: NDArray[np.uint8]


def public_seed(nonces: tuple[bytes, ...]) -> bytes:
    """Return the seed of the public ring elements: all parties' shares, hashed."""
    return hashlib.blake2b(b"".join(nonces), digest_size=32, person=b"hanse hetero A").digest()


def alignment(seed: bytes, *tables: Ids) -> bytes:
    """Return what must agree at all parties when their rows are the same rows in the same order."""
    digest = hashlib.blake2b(key=seed, digest_size=32, person=b"hanse hetero id")
    for ids in tables:
        digest.update(len(ids).to_bytes(8, "little"))
        digest.update(ids.offsets.astype("<i8").tobytes())
        digest.update(ids.data.tobytes())
    return digest.digest()


def pack(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return bits, first row lowest, each row of a 2-axis mask in whole bytes."""
    return np.packbits(mask, axis=-1, bitorder="little")


def unpack(bits: NDArray[np.uint8], masks: int, rows: int) -> NDArray[np.bool_]:
    """Return bool[masks, rows] of packed bits of exactly that size."""
    stride = -(-rows // 8)
    return np.unpackbits(bits.reshape(masks, stride), axis=1, count=rows, bitorder="little").astype(np.bool_)


def packed_size(masks: int, rows: int) -> int:
    """Bytes of `masks` packed masks."""
    return masks * -(-rows // 8)
