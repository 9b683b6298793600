"""Oblivious key-value stores over GF(2^64) and GF(2^128), and the tags of the oblivious PRF made of them.

What is computed, and why it may be trusted: ``docs/protocols/okvs.md``. Keys are distinct digests, uint8[n, 16];
elements and values are little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel
from hanse.kernel._kernel import EncodingFailed

__all__ = ["EncodingFailed", "Layout", "decode", "encode", "encode_values", "layout", "receiver_tags", "sender_tags"]

Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Layout:
    """How an encoding is laid out: a pure function of ``items`` and ``width``, so that each party computes it alone.

    items     most keys that it holds.
    width     bytes of a value and of an element: 8 is GF(2^64), 16 is GF(2^128).
    size      number of elements.
    clusters  groups of ``slots`` elements that solve by themselves; ``dense`` elements more belong to all.
    """

    items: int
    width: Literal[8, 16]
    size: int
    clusters: int
    slots: int
    dense: int


def layout(items: int, width: Literal[8, 16]) -> Layout:
    """The layout for ``items`` keys. Raises ``ValueError`` below 1 and above 2^26 keys, and for another width."""
    if items < 1:
        raise ValueError(f"an encoding holds 1 to 2^26 keys, not {items}")
    clusters, slots, dense = _kernel.okvs_layout(items, width)
    return Layout(items, width, clusters * slots + dense, clusters, slots, dense)


def encode(digests: Octets, key: bytes, layout: Layout, seed: bytes) -> Octets:
    """An encoding in which every digest decodes to its own hash: uint8[size * width].

    ``key`` (32 bytes, public) makes the rows; ``seed`` (32 bytes, secret, fresh) what the rows leave open. Raises
    ``EncodingFailed`` about once in 2^40 keys: draw another key, before anything of this one has been sent.
    """
    return _encode(digests, None, key, layout, seed)


def encode_values(digests: Octets, values: Octets, key: bytes, layout: Layout, seed: bytes) -> Octets:
    """As :func:`encode`, but digest i decodes to ``values[i]``: uint8[n, width].

    Only an encoding of values that look random hides its keys.
    """
    if values.shape != (len(digests), layout.width):
        raise ValueError(f"values must be uint8[{len(digests)}, {layout.width}], one for each digest")
    return _encode(digests, _column(values, "values"), key, layout, seed)


def _encode(digests: Octets, values: Octets | None, key: bytes, layout: Layout, seed: bytes) -> Octets:
    out = np.empty(layout.size * layout.width, dtype=np.uint8)
    _kernel.okvs_encode(_rows(digests), values, key, layout.items, layout.width, seed, out)
    return out


def decode(elements: Octets, digests: Octets, key: bytes, layout: Layout) -> Octets:
    """What each digest decodes to: uint8[n, width]; as good as random for a digest that was not encoded."""
    out = np.empty((len(digests), layout.width), dtype=np.uint8)
    _kernel.okvs_decode(_column(elements, "elements"), _rows(digests), key, layout.items, layout.width, out)
    return out


def receiver_tags(c: Octets, digests: Octets, key: bytes, layout: Layout, tag_key: bytes) -> Octets:
    """The receiver's PRF values of its own keys: uint8[n, 16].

    Keyed BLAKE3 under ``tag_key`` of what the digest decodes to in C, then the digest. ``c`` is uint8[size * 16],
    elements of GF(2^128), whatever the layout's width.
    """
    out = np.empty((len(digests), 16), dtype=np.uint8)
    columns = _column(c, "c"), _rows(digests)
    _kernel.okvs_receiver_tags(*columns, key, layout.items, layout.width, tag_key, out)
    return out


def sender_tags(
    b: Octets, delta: bytes, a: Octets | None, digests: Octets, key: bytes, layout: Layout, tag_key: bytes
) -> Octets:
    """The sender's PRF values of its keys: uint8[n, 16].

    Keyed BLAKE3 under ``tag_key`` of what the digest decodes to in B + Δ·A, plus Δ times the digest's own hash, then
    the digest. ``b`` is uint8[size * 16], ``delta`` 16 secret bytes, ``a`` uint8[size * width], or nothing where B has
    Δ·A in it already.
    """
    out = np.empty((len(digests), 16), dtype=np.uint8)
    shift = None if a is None else _column(a, "a")
    arguments = _column(b, "b"), delta, shift, _rows(digests)
    _kernel.okvs_sender_tags(*arguments, key, layout.items, layout.width, tag_key, out)
    return out


def _rows(digests: Octets) -> Octets:
    if digests.ndim != 2 or digests.shape[1] != 16:
        raise ValueError("digests must be uint8[rows, 16]")
    return _column(digests, "digests")


def _column(octets: Octets, name: str) -> Octets:
    if octets.dtype != np.uint8:
        raise ValueError(f"{name} must be uint8")
    return np.ascontiguousarray(octets)
