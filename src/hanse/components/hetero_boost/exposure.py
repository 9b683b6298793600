"""How much exact sums say of a small group of rows: rule R1 of docs/protocols/histogram.md.

Each answered query is an equation on the members of every row of the host's matrix. A solver finds the k members of a
row among n samples from about 2k·ln(n/k) equations, so the figure is

    rho = Q / (k · ln(n / k)),   Q = all queries of that guest on that dataset, k = samples of the smallest row sent,

and it may not pass the limit of the owner's grant. The host counts Q and merges bins until the rule holds.
"""

import math

from hanse.components.hetero_boost.settings import Settings
from hanse.core.faults import HanseError, fault

RESERVED_ROUNDS = 2
"""Rounds that a job may have to ask for again after a restart, planned for from the start."""


def rho(queries: int, row: int, samples: int) -> float:
    """Return the figure for a smallest row of `row` samples; infinite when the row holds all samples."""
    weight = row * math.log(samples / row) if 0 < row < samples else 0.0
    return queries / weight if weight else math.inf


def most_queries(row: int, samples: int, limit: float) -> int:
    """Return how many queries may be answered in all when the smallest row has `row` samples: rho(most) <= limit."""
    weight = row * math.log(samples / row) if 0 < row < samples else 0.0
    most = math.floor(min(limit * weight, 1 << 53))
    return most if not most or rho(most, row, samples) <= limit else most - 1


def least_row(queries: int, samples: int, limit: float) -> int | None:
    """Return the smallest allowed row, or None when not even two halves of the samples satisfy the rule.

    k·ln(n/k) rises up to n/e and is never below that of a half between there and n/2, so every row of at least the
    returned size, and at most half of the samples, satisfies the rule.
    """
    if samples < 2 or rho(queries, samples // 2, samples) > limit or rho(queries, -(-samples // 2), samples) > limit:
        return None
    low, high = 0, max(1, math.floor(samples / math.e))  # rho(low) > limit >= rho(high)
    if rho(queries, high, samples) > limit:
        return samples // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if rho(queries, middle, samples) <= limit else (middle, high)
    return high


def refusal(used: int, planned: int, samples: int, limit: float, cause: str = "") -> HanseError:
    """Return the error for a job that asks for more than the owner of the dataset allows."""
    queries = used + planned
    figure = rho(queries, max(1, samples // 2), samples)
    counted = f"{planned} planned queries on {samples} rows, {used} answered before: rho is at least {figure:.3g}"
    remedy = "train fewer or shallower trees, use more rows, or have the owner grant a higher disclosure limit"
    return fault("disclosure.limit", f"{cause or counted}; the grant allows {limit:g}", remedy, step="binning")


def planned_queries(settings: Settings) -> int:
    """Return how many queries a host plans to answer for a job with these settings."""
    return (settings.trees + RESERVED_ROUNDS) * settings.queries_per_round
