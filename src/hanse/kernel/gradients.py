"""Gradients of boosting and their stochastic rounding, with the same bits on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hanse.kernel import _kernel

Objective = Literal["binary", "regression"]
"""binary: labels 0 and 1, logistic loss, margins are log-odds. regression: squared loss."""

Reals = NDArray[np.float64]


def base_margin(objective: Objective, labels: Reals) -> float:
    """Return the margin that all rows start from: the constant of least loss. Binary labels need both classes."""
    return _kernel.boosting_base_margin(objective, labels)


def gradients(objective: Objective, labels: Reals, margins: Reals) -> tuple[Reals, Reals]:
    """Return first and second derivative of the loss by each row's margin (regression: margin − label, and 1)."""
    g, h = np.empty_like(margins), np.empty_like(margins)
    _kernel.boosting_gradients(objective, labels, margins, g, h)
    return g, h


def loss(objective: Objective, labels: Reals, margins: Reals) -> float:
    """Return the mean log-loss (binary) or the mean squared error (regression)."""
    return _kernel.boosting_loss(objective, labels, margins)


def scores(objective: Objective, margins: Reals) -> Reals:
    """Return what a user reads: the probability of label 1, or the predicted value."""
    found = np.empty_like(margins)
    _kernel.boosting_scores(objective, margins, found)
    return found


@dataclass(frozen=True)
class Rounded:
    """Gradients as small integers: value ≈ integer / scale, exactly so on average."""

    g: NDArray[np.int32]
    h: NDArray[np.int32]
    g_scale: float
    h_scale: float

    def total(self, rows: NDArray[np.uint32]) -> tuple[int, int]:
        """Return the sums of the integers over the named rows."""
        return int(self.g[rows].sum(dtype=np.int64)), int(self.h[rows].sum(dtype=np.int64))

    def real(self, g_sums: NDArray[np.int64], h_sums: NDArray[np.int64]) -> tuple[Reals, Reals]:
        """Return sums of the integers as sums of gradients."""
        return g_sums / self.g_scale, h_sums / self.h_scale


def quantise(g: Reals, h: Reals, gradient_bits: int, hessian_bits: int, seed: bytes) -> Rounded:
    """Round stochastically: |g| below 2^(gradient_bits − 1), h in [0, 2^hessian_bits); unbiased, from 32 bytes of seed.

    Source: Gupta et al. 2015 for the rounding, Shi et al. 2022 (arXiv 2207.09682) for its use in boosting.
    """
    g_out, h_out = np.empty(len(g), np.int32), np.empty(len(h), np.int32)
    g_scale, h_scale = _kernel.quantise_gradients(g, h, (gradient_bits, hessian_bits), seed, g_out, h_out)
    return Rounded(g_out, h_out, g_scale, h_scale)
