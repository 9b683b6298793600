"""The noise has the distribution that is claimed; a wrong one is found out."""

import math
from collections import Counter

import numpy as np
import pytest

from hanse.core.profiles import ONE, margin
from hanse.sdk.noise import Below, discrete_laplace

DRAWS = 40_000
WORST = {8: 26.1, 10: 29.6, 12: 32.9, 16: 39.3, 20: 45.3, 24: 51.2}
"""Upper 0.1 % points of chi-square by degrees of freedom."""


def seeded(seed: int) -> Below:
    generator = np.random.default_rng(seed)
    return lambda stop: int(generator.integers(stop))


def chi_square(draws: list[int], epsilon: float, reach: int) -> float:
    """Return chi-square of draws against discrete Laplace, values beyond `reach` in two bins together."""
    base = math.exp(-epsilon)
    chances = {x: (1 - base) / (1 + base) * base ** abs(x) for x in range(-reach, reach + 1)}
    seen = Counter(draws)
    tail = (1 - sum(chances.values())) / 2
    beyond = [sum(n for x, n in seen.items() if x < -reach), sum(n for x, n in seen.items() if x > reach)]
    terms = [(seen[x] - len(draws) * p) ** 2 / (len(draws) * p) for x, p in chances.items()]
    terms += [(n - len(draws) * tail) ** 2 / (len(draws) * tail) for n in beyond]
    return sum(terms)


@pytest.mark.parametrize(("epsilon", "reach"), [(250, 11), (1000, 4), (1733, 3)])
def test_noise_has_the_probabilities_of_discrete_laplace(epsilon: int, reach: int) -> None:
    below = seeded(epsilon)
    draws = [discrete_laplace(epsilon, below) for _ in range(DRAWS)]
    freedom = 2 * reach + 2
    assert chi_square(draws, epsilon / ONE, reach) < WORST[freedom]
    assert chi_square(draws, 1.1 * epsilon / ONE, reach) > WORST[freedom], "the test would not notice a wrong epsilon"


def test_rounded_floating_point_noise_of_the_same_scale_is_found_out() -> None:
    draws = [round(x) for x in np.random.default_rng(1).laplace(scale=1.0, size=DRAWS)]
    assert chi_square(draws, 1.0, 4) > WORST[10]


def test_noise_of_neighbouring_counts_differs_by_the_factor_that_epsilon_allows() -> None:
    below = seeded(7)
    draws = Counter(discrete_laplace(500, below) for _ in range(DRAWS))
    ratios = [draws[x] / draws[x + 1] for x in range(4)]
    assert all(abs(math.log(ratio) - 0.5) < 0.12 for ratio in ratios), ratios


@pytest.mark.parametrize("epsilon", [50, 100, 1000, 5000])
def test_one_draw_of_twenty_may_pass_the_margin(epsilon: int) -> None:
    base = math.exp(-epsilon / ONE)
    found = margin(epsilon)
    beyond = [2 * base ** (m + 1) / (1 + base) for m in range(found + 1)]
    assert beyond[found] <= 0.05 + 1e-12
    assert found == 0 or beyond[found - 1] > 0.05


def test_no_noise_is_drawn_without_an_epsilon() -> None:
    with pytest.raises(ValueError, match="thousandths"):
        discrete_laplace(0, seeded(1))
