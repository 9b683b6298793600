"""Sums over several binnings of a column tell, by difference, of no fewer rows than a cell of the first has."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.kernel.binning import ColumnBins, bin_categories, bin_numbers, encode_categories, encode_numbers

Codes = NDArray[np.uint8]

ROWS = 5000
JOBS = [(16, 200), (10, 300), (7, 90), (32, 400), (2, 250), (5, 600)]
"""Most bins and fewest rows of a cell, job after job; the first makes the cells that all others are made of."""


def number_columns() -> dict[str, NDArray[np.float64]]:
    draw = np.random.default_rng(3)
    normal = draw.standard_normal(ROWS)
    return {
        "smooth": normal,
        "tied": np.round(normal, 1),
        "mostly nought": np.where(draw.random(ROWS) < 0.7, 0.0, normal),
        "with gaps": np.where(draw.random(ROWS) < 0.1, np.nan, normal),
        "with few gaps": np.where(draw.random(ROWS) < 0.01, np.nan, normal),
    }


def atoms(binnings: list[Codes]) -> NDArray[np.int64]:
    """Return how many rows each group has that some signed combination of cells of all binnings tells apart."""
    return np.unique(np.array(binnings), axis=1, return_counts=True)[1]


@pytest.mark.parametrize("name", number_columns())
@pytest.mark.parametrize("chained", [False, True])
def test_later_bins_of_numbers_part_no_earlier_cell(name: str, *, chained: bool) -> None:
    column = number_columns()[name]
    first = bin_numbers(column, *JOBS[0])
    all_bins = [first]
    for job in JOBS[1:]:
        all_bins.append(bin_numbers(column, *job, within=all_bins[-1] if chained else first))
    codes = [encode_numbers(column, bins) for bins in all_bins]
    assert np.array_equal(np.sort(atoms(codes)), np.sort(atoms(codes[:1])))
    assert atoms(codes).min() >= JOBS[0][1]
    for (_, fewest), one in zip(JOBS, codes, strict=True):
        assert atoms([one]).min() >= min(fewest, ROWS)


def test_bins_that_know_nothing_of_one_another_do() -> None:
    column = number_columns()["smooth"]
    codes = [encode_numbers(column, bin_numbers(column, *job)) for job in JOBS]
    assert min(atoms([one]).min() for one in codes) >= 90
    assert atoms(codes).min() < 10


@pytest.mark.parametrize("missing", [0.0, 0.01, 0.1])
def test_later_sets_of_categories_part_no_earlier_cell(missing: float) -> None:
    draw = np.random.default_rng(5)
    values = [f"town {number}" for number in range(30)]
    codes = draw.geometric(0.15, ROWS).clip(max=30).astype(np.int32) - 1
    codes[draw.random(ROWS) < missing] = -1
    bins: list[ColumnBins] = [bin_categories(codes, values, *JOBS[0])]
    for job in JOBS[1:]:
        bins.append(bin_categories(codes, values, *job, within=bins[-1]))
    found = [encode_categories(codes, values, each) for each in bins]
    assert np.array_equal(np.sort(atoms(found)), np.sort(atoms(found[:1])))
    for earlier, later in pairwise(found):
        assert len(atoms([earlier, later])) == len(atoms([earlier]))
