"""Rounding a gradient adds nothing on average, and no two rows, sides or seeds round alike."""

import numpy as np
import pytest

from hanse.kernel.gradients import quantise

ROWS, SEEDS = 400, 1500


@pytest.fixture(scope="module")
def rounded() -> tuple[np.ndarray, np.ndarray]:
    """Return what is left by rounding to 5 and 4 bits: float64[seeds, rows] of g and of h, in steps of the grid."""
    draw = np.random.default_rng(1)
    g, h = draw.standard_normal(ROWS), draw.random(ROWS)
    rest_g, rest_h = np.empty((SEEDS, ROWS)), np.empty((SEEDS, ROWS))
    for number in range(SEEDS):
        found = quantise(g, h, 5, 4, number.to_bytes(32, "little"))
        rest_g[number], rest_h[number] = found.g - g * found.g_scale, found.h - h * found.h_scale
    return rest_g, rest_h


def test_rounding_is_unbiased_and_within_one_step(rounded: tuple[np.ndarray, np.ndarray]) -> None:
    for rest in rounded:
        assert np.abs(rest).max() < 1
        part = np.mod(-rest, 1).mean(axis=0)  # how far the value lies above the step below: the same for every seed
        spread = np.sqrt(part * (1 - part) / SEEDS)
        sigmas = rest.mean(axis=0)[spread > 0.002] / spread[spread > 0.002]
        assert np.abs(sigmas).max() < 5
        assert 0.85 < float((sigmas**2).mean()) < 1.15


def test_what_is_left_is_as_wide_as_independent_rounding_makes_it(rounded: tuple[np.ndarray, np.ndarray]) -> None:
    rest_g, rest_h = rounded
    for rest in rounded:
        part = np.mod(-rest, 1).mean(axis=0)
        sums = rest.sum(axis=1) / np.sqrt((part * (1 - part)).sum())
        assert 0.85 < float(sums.std()) < 1.15  # rows that round alike would make the sum wider
    alike = np.corrcoef(rest_g.sum(axis=1), rest_h.sum(axis=1))[0, 1]
    assert abs(alike) < 5 / np.sqrt(SEEDS)
    steps = np.corrcoef(rest_g[:-1].ravel(), rest_g[1:].ravel())[0, 1]
    assert abs(steps) < 5 / np.sqrt(rest_g.size)
