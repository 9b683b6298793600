"""What the exact sums of a training tell of a small cell: rule R1 against the best solver known for such sums."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.components.hetero_boost import exposure

pytestmark = pytest.mark.deep

Reals = NDArray[np.float32]

SAMPLES = 20_000
TURNS = 100


@dataclass(frozen=True)
class Attack:
    """A guest that asks `queries` honest queries, each about a quarter of the samples, to read a cell of `size`."""

    queries: int
    size: int

    def share(self, draw: np.random.Generator) -> float:
        """Return the share of true members among as many guesses as the cell has members.

        Approximate message passing (Donoho, Maleki and Montanari 2009) with the exact prior of the cell; entries of
        the equations have mean zero in each class, since the guest is also given how many members each class has.
        """
        members = np.zeros(SAMPLES, np.float32)
        members[draw.choice(SAMPLES, self.size, replace=False)] = 1
        equations = self._equations(draw)
        prior = self.size / SAMPLES
        guess = np.full(SAMPLES, prior, np.float32)
        rest = equations @ members - equations @ guess
        for turn in range(TURNS):
            variance = float(rest @ rest) / len(rest)
            if variance < 1e-10:
                break
            seen = guess + equations.T @ rest
            odds = np.clip((1 - 2 * seen) / (2 * variance) + np.log(1 / prior - 1), -60, 60)
            now = (1 / (1 + np.exp(odds))).astype(np.float32)
            reaction = float((now * (1 - now)).sum()) / variance / len(rest)
            now = now if turn < 20 else np.float32(0.7) * now + np.float32(0.3) * guess
            guess, rest = now, equations @ (members - now) + rest * np.float32(reaction)
        named = np.argpartition(-guess, self.size)[: self.size]
        return float(members[named].mean())

    def _equations(self, draw: np.random.Generator) -> Reals:
        """Return two equations a query, of g and of h: each column of length about 1."""
        label = draw.random(SAMPLES, np.float32) < 0.5
        rows = np.empty((2 * self.queries, SAMPLES), np.float32)
        for query in range(self.queries):
            node = draw.random(SAMPLES, np.float32) < 0.25
            chance = draw.random(SAMPLES, np.float32) * 0.8 + 0.1
            rows[2 * query], rows[2 * query + 1] = node * (chance - label), node * chance * (1 - chance)
        for part in (label, ~label):
            rows[:, part] -= rows[:, part].mean(axis=1, keepdims=True)
        rows *= np.sqrt(SAMPLES / len(rows)) / np.linalg.norm(rows, axis=1, keepdims=True)
        return rows


@pytest.mark.parametrize(("size", "queries"), [(10, 60), (30, 150), (100, 350)])
def test_a_guest_reads_a_small_cell_from_as_many_sums_as_the_argument_says(size: int, queries: int) -> None:
    draw = np.random.default_rng(size)
    assert exposure.rho(queries, size, SAMPLES) < 1
    assert [Attack(queries, size).share(draw) for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(("queries", "most"), [(20, 0.2), (80, 0.2), (320, 0.3)])
def test_at_the_default_limit_a_guest_reads_no_cell_and_guesses_few_members(queries: int, most: float) -> None:
    size = exposure.least_row(queries, SAMPLES, 0.1)
    assert size is not None
    draw = np.random.default_rng(queries)
    shares = [Attack(queries, size).share(draw) for _ in range(1280 // queries // 4)]
    assert max(shares) < 2 * most
    assert np.mean(shares) < most  # better than chance all the same: 0.06 for 31 members, 0.2 for 1,106


def test_between_the_two_more_queries_tell_more() -> None:
    draw = np.random.default_rng(4)
    few, some, many = (Attack(queries, 100).share(draw) for queries in (50, 200, 350))
    assert few < some < many == 1
