"""Oblivious transfer extension: from 128 base transfers to many correlated ones (SoftSpokenOT, Roy 2022).

Rows are 16 bytes, bits are packed from the lowest of each byte up. ``docs/protocols/ot.md`` has the argument.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel

Octets = NDArray[np.uint8]

BASES = 128
"""Base transfers, one for each bit of Δ."""
ROW_BYTES = 16
MOST = 1 << 24
"""Most transfers of one extension."""


class Reply(NamedTuple):
    """What the receiver sends: corrections of the trees, its choices under streams, a proof of each (or nothing)."""

    levels: Octets
    folded: Octets
    seal: Octets
    proof: Octets


class Inconsistent(ValueError):
    """A reply whose proofs do not hold. What failed is not told: it would say more of Δ."""


def reply_sizes(count: int, *, checked: bool) -> tuple[int, int, int, int]:
    """Bytes of the four parts of a reply for ``count`` transfers. Raises ``ValueError`` above `MOST`."""
    return _kernel.ot_sizes(count, checked)


def answer(
    count: int, session: bytes, seed: bytes, pairs: Octets, choices: Octets, *, checked: bool
) -> tuple[Reply, Octets]:
    """The receiver's reply and its rows t, uint8[count, 16].

    ``session`` is 32 public bytes used once, ``seed`` 32 fresh secret ones, ``pairs`` both keys of every base transfer,
    uint8[128, 2, 16], ``choices`` packed bits, uint8[⌈count/8⌉]. Raises ``ValueError`` for other sizes.
    """
    parts = [np.empty(size, dtype=np.uint8) for size in reply_sizes(count, checked=checked)]
    rows = np.empty((count, ROW_BYTES), dtype=np.uint8)
    pairs, choices = np.ascontiguousarray(pairs), np.ascontiguousarray(choices)
    _kernel.ot_answer(count, checked, session, seed, pairs, choices, parts, rows)
    return Reply(*parts), rows


def accept(count: int, session: bytes, keys: Octets, delta: bytes, reply: Reply, *, checked: bool) -> Octets:
    """The sender's rows q, uint8[count, 16]: q_i = t_i ⊕ c_i·Δ.

    ``keys`` is uint8[128, 16], for each bit of ``delta`` the key of the base transfer for the *other* bit. Raises
    `Inconsistent` when a checked reply's proofs do not hold, ``ValueError`` for other sizes.
    """
    rows = np.empty((count, ROW_BYTES), dtype=np.uint8)
    if not _kernel.ot_accept(count, checked, session, np.ascontiguousarray(keys), delta, list(reply), rows):
        raise Inconsistent("the proofs of a reply do not hold")
    return rows
