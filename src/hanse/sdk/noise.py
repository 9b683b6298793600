"""Noise for counts: discrete Laplace, drawn exactly with whole numbers alone.

Laplace noise of floating point has holes that give away what it was added to (Mironov, "On significance of the least
significant bits for differential privacy", CCS 2012), so nothing here is a float. The geometric mechanism is that of
Ghosh, Roughgarden and Sundararajan, "Universally utility-maximizing privacy mechanisms" (STOC 2009); it is drawn by
algorithms 1 and 2 of Canonne, Kamath and Steinke, "The discrete Gaussian for differential privacy" (NeurIPS 2020).
"""

from collections.abc import Callable

from hanse.core.profiles import ONE

Below = Callable[[int], int]
"""Returns a uniform whole number from 0 to below the one given; `secrets.randbelow` except in tests."""


def discrete_laplace(epsilon: int, below: Below) -> int:
    """Return x with probability proportional to exp(-|x| epsilon / 1000), for `epsilon` in thousandths, at least 1.

    Added to a count that one row changes by at most 1, the sum is (epsilon / 1000)-differentially private.
    """
    if epsilon < 1:
        raise ValueError(f"epsilon is {epsilon} thousandths")
    while True:
        part = below(ONE)
        if not _is_exponential(part, ONE, below):
            continue
        whole = 0
        while _is_exponential(1, 1, below):
            whole += 1
        size = (part + ONE * whole) // epsilon
        negative = below(2) == 1
        if not (negative and size == 0):  # zero has one sign
            return -size if negative else size


def _is_exponential(top: int, bottom: int, below: Below) -> bool:
    """Return True with probability exp(-top / bottom), for 0 <= top <= bottom."""
    tries = 1
    while below(bottom * tries) < top:
        tries += 1
    return tries % 2 == 1
