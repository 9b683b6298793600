"""Silent VOLE: correlations c = b + Δ·a, made locally from a batch of correlated transfers and one short message.

The receiver gets a, of GF(2^64) or GF(2^128), and c; the sender Δ and b, of GF(2^128). Boyle et al. (CCS 2019) with the
expand-convolute code of Raghuraman, Rindal and Tanguy (CRYPTO 2023); docs/protocols/vole.md has the whole of it.
Elements are rows of 8 or 16 bytes, little-endian; the thread count is that of `hanse.kernel.threads`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel

BLOCK_BYTES = 16
SALT_BYTES = 32
MOST = 1 << 26
"""Correlations of one run."""

Width = Literal[8, 16]
Density = Literal["conservative", "fast"]
Octets = NDArray[np.uint8]


class Leaves(NamedTuple):
    """What the sender's trees have grown, secret: two halves of words, the first of which becomes b."""

    first: NDArray[np.uint64]
    second: NDArray[np.uint64]


@dataclass(frozen=True)
class Run:
    """One run of at least ``size`` correlations, the same at both sides.

    ``width`` is the size of an element of a in bytes; ``density`` that of the code: 21 terms a row, or 7 (``fast``);
    ``salt``, 32 public bytes, must be of this run alone; ``checked`` makes the trees whole, against a receiver that may
    cheat. Raises ``ValueError`` for values that are none of these.
    """

    size: int
    width: Width
    density: Density
    salt: bytes
    checked: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MOST:
            raise ValueError(f"{self.size} correlations: a run gives 0 to {MOST}")
        if self.width not in (8, 16) or self.density not in ("conservative", "fast") or len(self.salt) != SALT_BYTES:
            raise ValueError("a run has a width of 8 or 16, a density of its code, and a salt of 32 bytes")

    @property
    def choices(self) -> int:
        """Correlated transfers that the run uses up."""
        return self._sizes()[1]

    @property
    def message_size_bytes(self) -> int:
        return self._sizes()[2] * BLOCK_BYTES

    def choose(self, seed: bytes) -> Octets:
        """The receiver's choice bits, the lowest of each byte first: uint8[⌈choices/8⌉], from a fresh secret seed."""
        bits = np.empty(-(-self.choices // 8), dtype=np.uint8)
        _kernel.vole_choices(self.size, self.width, self.checked, seed, bits)
        return bits

    def grow(self, seed: bytes, delta: bytes, q: Octets) -> tuple[Octets, Leaves]:
        """The sender's message and its leaves, from a fresh secret seed, Δ and q, uint8[choices, 16]."""
        rows, _, blocks = self._sizes()
        message = np.empty(2 * blocks, np.uint64)
        leaves = Leaves(np.empty(2 * rows, np.uint64), np.empty(2 * rows, np.uint64))
        _kernel.vole_grow(*self._public(), seed, delta, np.ascontiguousarray(q), message, *leaves)
        return message.view(np.uint8), leaves

    def send(self, leaves: Leaves) -> Octets:
        """The sender's b, uint8[size·16], out of its leaves, which are used up."""
        _kernel.vole_send(*self._public(), *leaves)
        return self._cut(leaves.first, BLOCK_BYTES)

    def noise(self, seed: bytes) -> Octets:
        """The receiver's a, uint8[size·width], from the seed of `choose` alone."""
        a = np.empty(self._sizes()[0] * self.width // 8, np.uint64)
        _kernel.vole_noise(*self._public(), seed, a)
        return self._cut(a, self.width)

    def receive(self, seed: bytes, t: Octets, message: Octets) -> Octets:
        """The receiver's c, uint8[size·16].

        From the seed of `choose`, t, uint8[choices, 16], and the sender's message, uint8[message_size_bytes]. Any
        message of that length gives a result: a wrong one, if the sender did not make it by `grow`.
        """
        c = np.empty(2 * self._sizes()[0], np.uint64)
        _kernel.vole_receive(*self._public(), seed, np.ascontiguousarray(t), np.ascontiguousarray(message), c)
        return self._cut(c, BLOCK_BYTES)

    def _sizes(self) -> tuple[int, int, int]:
        return _kernel.vole_sizes(self.size, self.width, self.checked)

    def _public(self) -> tuple[int, int, bool, str, bytes]:
        return self.size, self.width, self.checked, self.density, self.salt

    def _cut(self, column: NDArray[np.uint64], width: int) -> Octets:
        return column.view(np.uint8)[: self.size * width]


def claim(seed: bytes, a: Octets, c: Octets) -> tuple[bytes, bytes]:
    """The receiver's challenge over a correlation of elements of 16 bytes: a masked sum, 16 bytes, and the answer, 32.

    ``seed`` is drawn when the sender's message is there, and sent with the sum. The last row is then used up. If
    c = b + Δ·a in every row, `prove` gives that answer; if not, nobody can but by guessing.
    """
    return _kernel.vole_claim(seed, a, c)


def prove(seed: bytes, delta: bytes, b: Octets, masked: bytes) -> bytes:
    """The sender's answer to the challenge of `claim`, 32 bytes."""
    return _kernel.vole_prove(seed, delta, b, masked)
