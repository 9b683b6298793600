"""Figures in bounded memory equal the plain ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.core.profiles import QUANTILES
from hanse.sdk.sketches import KEPT, Distinct, held, quantiles, ranked

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def hashed(values: np.ndarray) -> np.ndarray:
    hashes: np.ndarray = np.random.default_rng(5).permutation(1 << 20)[values].astype(np.uint64) << np.uint64(44)
    return hashes


@settings(max_examples=30, deadline=None)
@given(st.lists(FINITE, min_size=1, max_size=60), st.integers(1, 20))
def test_the_number_of_each_rank_is_that_of_the_sorted_ones(numbers: list[float], piece: int) -> None:
    column = np.array(numbers)
    pieces = [column[start : start + piece] for start in range(0, len(column), piece)]
    found = ranked(lambda: pieces, range(len(column)))
    assert np.array_equal([found[rank] for rank in range(len(column))], np.sort(column))


def test_a_rank_beyond_the_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="none has rank"):
        ranked(lambda: [np.zeros(3)], [3])


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_are_those_of_numpy(seed: int) -> None:
    column = np.random.default_rng(seed).normal(size=10_001) ** 3
    pieces = np.array_split(column, 7)
    assert held(lambda: pieces, len(column), len(column) - 1) is None
    for rising in (None, held(lambda: pieces, len(column), len(column))):
        found = quantiles(lambda: pieces, len(column), QUANTILES, rising)
        assert np.allclose(found, np.quantile(column, QUANTILES), rtol=1e-12, atol=0)


def test_few_distinct_values_are_counted_and_many_estimated() -> None:
    few, many = Distinct(), Distinct()
    values = np.random.default_rng(1).integers(0, KEPT - 1, 200_000)
    for part in np.array_split(values, 9):
        few.add(hashed(part))
    assert (few.count, few.is_estimate) == (len(np.unique(values)), False)
    values = np.random.default_rng(2).integers(0, 1 << 20, 900_000)
    for part in np.array_split(values, 9):
        many.add(hashed(part))
    truth = len(np.unique(values))
    assert many.is_estimate
    assert abs(many.count / truth - 1) < 0.03
