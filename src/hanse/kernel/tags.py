"""Sets of truncated tags: sorted, coded for the wire at the price of a set, decoded, matched.

A tag is a row of 16 bytes. Its value is the little-endian number in them modulo 2^bits, bits from 1 to 128: truncation
keeps the first bytes, and leaves zeros above the bits. A set of n uniform tags takes about bits − log₂ n + 1.5 bits a
tag on the wire: gaps between sorted values in Rice's code (Golomb 1966, Rice 1979), its parameter a function of n and
bits (Kiely 2004). Every set has exactly one code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel

TAG_BYTES = 16

Tags = NDArray[np.uint8]


def sort(tags: Tags, bits: int) -> tuple[Tags, NDArray[np.uint32]]:
    """Truncated tags uint8[n, 16] in rising order, and the row each came from, uint32[n]; n below 2^32.

    Raises ``ValueError`` when two tags are equal after truncation; the text names the first such pair of rows.
    """
    _check(tags, "tags")
    sorted_tags = np.empty((len(tags), TAG_BYTES), dtype=np.uint8)
    order = np.empty(len(tags), dtype=np.uint32)
    equal = _kernel.sort_tags(np.ascontiguousarray(tags), bits, sorted_tags, order)
    if equal is not None:
        raise ValueError(f"the tags of rows {equal[0]} and {equal[1]} are equal in {bits} bits")
    return sorted_tags, order


def largest_size_bytes(count: int, bits: int) -> int:
    """The most bytes that the code of ``count`` tags of ``bits`` bits may have: what to allow a message."""
    return _kernel.tags_sizes(count, bits)[0]


def encode(sorted_tags: Tags, bits: int) -> NDArray[np.uint8]:
    """The code of what `sort` returned first: uint8[k]. Raises ``ValueError`` for tags that do not rise within bits."""
    _check(sorted_tags, "sorted tags")
    code = np.empty(_kernel.tags_sizes(len(sorted_tags), bits)[1], dtype=np.uint8)
    return code[: _kernel.encode_tags(np.ascontiguousarray(sorted_tags), bits, code)]


def decode(code: NDArray[np.uint8], count: int, bits: int) -> Tags:
    """The ``count`` sorted tags that `encode` made a code of: uint8[count, 16].

    What is returned rises strictly. Raises ``ValueError`` for everything else that a peer may send: a code that is too
    short or too long, tags that leave their bits, a stray bit. Memory is taken for ``count`` tags, at most 8 a byte of
    code.
    """
    if code.dtype != np.uint8 or code.ndim != 1:
        raise ValueError("a code must be uint8[bytes]")
    if 8 * len(code) < count:
        raise ValueError("the code ends before its last tag")
    sorted_tags = np.empty((count, TAG_BYTES), dtype=np.uint8)
    _kernel.decode_tags(np.ascontiguousarray(code), bits, sorted_tags)
    return sorted_tags


def match(
    mine_sorted: Tags, mine_order: NDArray[np.uint32], theirs_sorted: Tags
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What two sorted sets share, by rising place in theirs: my rows int64[k], and places in theirs int64[k].

    ``mine_sorted`` and ``mine_order`` are what `sort` returned.
    """
    _check(mine_sorted, "my tags")
    _check(theirs_sorted, "their tags")
    room = min(len(mine_sorted), len(theirs_sorted))
    rows, places = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    columns = (np.ascontiguousarray(mine_sorted), mine_order, np.ascontiguousarray(theirs_sorted))
    found = _kernel.match_tags(*columns, rows, places)
    return rows[:found], places[:found]


def _check(tags: Tags, name: str) -> None:
    if tags.dtype != np.uint8 or tags.ndim != 2 or tags.shape[1] != TAG_BYTES:
        raise ValueError(f"{name} must be uint8[n, {TAG_BYTES}]")
