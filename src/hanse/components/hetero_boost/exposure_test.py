import math

import numpy as np
import pytest

from hanse.components.hetero_boost import exposure


@pytest.mark.parametrize("samples", [10, 569, 20_000, 1_000_000])
@pytest.mark.parametrize("queries", [1, 80, 176, 1600])
@pytest.mark.parametrize("limit", [0.05, 0.1, 1.0])
def test_every_row_of_the_least_size_and_more_keeps_the_limit(samples: int, queries: int, limit: float) -> None:
    least = exposure.least_row(queries, samples, limit)
    if least is None:
        assert exposure.rho(queries, samples // 2, samples) > limit
        return
    rows = np.unique(np.linspace(least, samples // 2, 50).astype(int))
    assert all(exposure.rho(queries, int(row), samples) <= limit for row in rows)
    assert least == 1 or least == samples // 2 or exposure.rho(queries, least - 1, samples) > limit


@pytest.mark.parametrize("samples", [10, 569, 20_000, 1_000_000])
@pytest.mark.parametrize("limit", [0.05, 0.1, 1.0])
def test_the_most_queries_keep_the_limit_and_one_more_does_not(samples: int, limit: float) -> None:
    for row in {1, samples // 10, samples // 3, samples // 2}:
        most = exposure.most_queries(row, samples, limit)
        assert most == 0 or exposure.rho(most, row, samples) <= limit
        assert exposure.rho(most + 1, row, samples) > limit
    assert exposure.most_queries(samples, samples, limit) == 0


def test_the_figures_of_the_argument_come_out() -> None:
    # 100 trees of depth 5 at the default limit of 0.1
    least_of_million = exposure.least_row(1600, 1_000_000, 0.1)
    least_of_hundred_thousand = exposure.least_row(1600, 100_000, 0.1)
    assert least_of_million is not None
    assert 2500 < least_of_million < 2900
    assert least_of_hundred_thousand is not None
    assert 5200 < least_of_hundred_thousand < 5800
    assert exposure.rho(10, 100, 100) == math.inf


def recovered(samples: int, queries: int, row: int, draw: np.random.Generator) -> bool:
    """Whether a guest finds all members of a row from its exact sums of g and h, a quarter of the samples a query.

    The attack: least squares over the box 0 ≤ x ≤ 1 with Σ x = row, by accelerated projected gradients, rounded.
    """
    members = np.zeros(samples)
    members[draw.choice(samples, row, replace=False)] = 1
    node = draw.random((queries, samples)) < 0.25
    chance, label = draw.random((queries, samples)) * 0.8 + 0.1, draw.random(samples) < 0.5
    equations = np.concatenate([node * (chance - label), node * chance * (1 - chance)])
    equations /= np.linalg.norm(equations, axis=1, keepdims=True)
    sums = equations @ members
    widths = np.maximum(np.linalg.norm(equations, axis=0), 1e-9)
    equations /= widths
    step = 1 / np.linalg.norm(equations @ equations.T, 2)
    now = before = np.full(samples, row / samples) * widths
    for turn in range(300):
        ahead = now + turn / (turn + 3) * (now - before)
        moved = (ahead + step * equations.T @ (sums - equations @ ahead)) / widths
        now, before = _into_box(moved, row) * widths, now
    guess = np.argsort(-now / widths)[:row]
    return bool(members[guess].all())


def _into_box(values: np.ndarray, total: int) -> np.ndarray:
    low, high = float(values.min()) - 1, float(values.max())
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if np.clip(values - middle, 0, 1).sum() > total else (low, middle)
    return np.clip(values - low, 0, 1)


def share_recovered(limit: float, trials: int, samples: int = 2000, queries: int = 40) -> float:
    row = exposure.least_row(queries, samples, limit)
    assert row is not None
    draw = np.random.default_rng(11)
    return sum(recovered(samples, queries, row, draw) for _ in range(trials)) / trials


def test_the_attack_finds_rows_far_beyond_the_limit_and_none_within_it() -> None:
    assert share_recovered(2.0, trials=5) >= 0.8
    assert share_recovered(0.1, trials=5) == 0


@pytest.mark.deep
def test_the_attack_finds_less_than_one_row_in_a_hundred_at_the_default_limit() -> None:
    assert share_recovered(0.1, trials=120) < 0.01
