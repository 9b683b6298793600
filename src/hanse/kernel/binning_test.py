import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.kernel import binning
from hanse.kernel.binning import (
    MISSING,
    ColumnBins,
    bin_categories,
    bin_columns,
    bin_numbers,
    encode_categories,
    encode_columns,
    encode_numbers,
)


def numbers_with_gaps(rows: int = 1000, columns: int = 3) -> NDArray[np.float64]:
    draw = np.random.default_rng(3)
    numbers = draw.standard_normal((columns, rows))
    numbers[draw.random((columns, rows)) < 0.1] = np.nan
    return numbers


def test_codes_and_edges_say_the_same_of_rows_never_seen() -> None:
    columns = bin_columns(numbers_with_gaps(), 16)
    fresh = numbers_with_gaps(200) * 3
    codes = encode_columns(fresh, columns.bins)
    for column, bins in enumerate(columns.bins):
        present = ~np.isnan(fresh[column])
        assert set(codes[column][~present]) == {MISSING}
        for bin_, edge in enumerate(bins.edges):
            np.testing.assert_array_equal((codes[column] <= bin_)[present], fresh[column][present] <= edge)


def test_one_column_is_binned_as_among_many() -> None:
    numbers = numbers_with_gaps()
    columns = bin_columns(numbers, 12, 40)
    for column in range(3):
        bins = bin_numbers(numbers[column], 12, 40)
        assert bins == columns.bins[column]
        np.testing.assert_array_equal(encode_numbers(numbers[column], bins), columns.codes[column])


def test_bins_are_quantiles_as_numpy_has_them() -> None:
    column = np.random.default_rng(9).standard_normal(100_000)
    bins = bin_numbers(column, 20)
    np.testing.assert_allclose(bins.edges, np.quantile(column, np.arange(1, 20) / 20), atol=1e-3)


def test_no_cell_has_fewer_rows_than_asked_for() -> None:
    numbers = np.random.default_rng(4).integers(0, 40, (3, 1000)).astype(np.float64)
    numbers[0, :100], numbers[1, :50] = np.nan, np.nan
    columns = bin_columns(numbers, 16, 90)
    assert columns.shape.missing.tolist() == [1, 0, 0]
    for column, bins in enumerate(columns.bins):
        counts = columns.counts(column)
        assert counts.sum() == 1000
        assert counts[counts > 0].min() >= 90
        assert np.all(counts[: bins.bins] > 0)


def test_cells_follow_one_another_with_missing_values_last() -> None:
    columns = bin_columns(np.array([[1.0, 2.0, np.nan], [3.0, 3.0, 4.0]]), 8)
    assert columns.shape.cells.tolist() == [3, 2]
    assert columns.shape.starts.tolist() == [0, 3, 5]
    assert columns.shape.width == 5
    picked = columns.pick([1])
    assert picked.shape.missing.tolist() == [0]
    assert columns.take(np.array([0, 1])).shape.missing.tolist() == [0, 0]


def test_no_columns_and_no_rows_are_no_trouble() -> None:
    assert bin_columns(np.empty((0, 5)), 4).bins == ()
    assert bin_columns(np.empty((2, 0)), 4).shape.bins.tolist() == [1, 1]
    assert bin_numbers(np.empty(0), 4) == ColumnBins()


@pytest.mark.parametrize("edges", [(1.0, 1.0), (2.0, 1.0), (np.nan,), (np.inf,), tuple(np.arange(254.0))])
def test_edges_that_are_none_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="edges"):
        encode_numbers(np.zeros(3), ColumnBins(edges))


TOWNS = ("Bremen", "Danzig", "Hamburg", "Lübeck", "Riga", "Visby")


def people(*counts: int, missing: int = 0) -> NDArray[np.int32]:
    """Rows of each town, in order, and some without one."""
    codes = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return np.concatenate([codes, np.full(missing, -1, np.int32)])


def test_frequent_categories_have_codes_and_the_rest_share_one() -> None:
    rows = people(50, 3, 40, 30, 2, 1, missing=9)
    bins = bin_categories(rows, TOWNS, 4)
    assert (bins.categories, bins.other, bins.missing) == (("Bremen", "Hamburg", "Lübeck"), True, MISSING)
    counts = np.bincount(encode_categories(rows, TOWNS, bins), minlength=256)
    assert counts[[0, 1, 2, 3, MISSING]].tolist() == [50, 40, 30, 6, 9]


def test_all_categories_have_codes_when_there_is_room_and_strangers_are_missing() -> None:
    bins = bin_categories(people(5, 4, 3), TOWNS[:3], 3)
    assert (bins.categories, bins.other) == (TOWNS[:3], False)
    assert encode_categories(np.array([2, 0, 1], np.int32), ("Riga", "Visby", "Danzig"), bins).tolist() == [1, 255, 255]


def test_rare_categories_are_put_together_until_there_are_enough_rows() -> None:
    bins = bin_categories(people(50, 40, 12, 3), TOWNS[:4], 8, 10)
    assert (bins.categories, bins.other) == (("Bremen", "Danzig"), True)
    bins = bin_categories(people(50, 2, missing=3), TOWNS[:2], 8, 10)
    assert (bins.categories, bins.other, bins.missing) == ((), True, 0)


def test_too_few_missing_rows_join_the_largest_category() -> None:
    rows = people(20, 50, missing=4)
    bins = bin_categories(rows, TOWNS[:2], 8, 10)
    assert (bins.categories, bins.other, bins.missing) == (TOWNS[:2], False, 1)
    assert np.bincount(encode_categories(rows, TOWNS[:2], bins)).tolist() == [20, 54]


def test_too_few_categories_beside_missing_rows_are_one_cell_with_them() -> None:
    rows = people(4, missing=50)
    bins = bin_categories(rows, TOWNS[:1], 8, 10)
    assert set(encode_categories(rows, TOWNS[:1], bins)) == {0}


def test_a_later_binning_of_categories_is_made_of_the_cells_of_the_earlier() -> None:
    draw = np.random.default_rng(5)
    for _ in range(300):
        counts = draw.integers(0, 30, 6)
        rows = people(*counts.tolist(), missing=int(draw.integers(0, 12)))
        seen = draw.random(len(rows)) < draw.choice([0.2, 1.0])
        first, second, few, more = draw.integers(1, 7, 4) * [1, 1, 3, 5]
        earlier = bin_categories(rows[seen], TOWNS, int(first), int(few))
        later = bin_categories(rows, TOWNS, int(second), int(more), earlier)
        assert 1 <= later.bins <= second
        fine, coarse = encode_categories(rows, TOWNS, earlier), encode_categories(rows, TOWNS, later)
        pairs = set(zip(fine.tolist(), coarse.tolist(), strict=True))
        assert len(pairs) == len({code for code, _ in pairs})
        counts = np.bincount(coarse, minlength=256)
        assert len(rows) == 0 or np.count_nonzero(counts) == 1 or counts[counts > 0].min() >= more


def test_bins_of_one_kind_are_not_bins_of_the_other() -> None:
    with pytest.raises(ValueError, match="categories"):
        encode_numbers(np.zeros(1), ColumnBins(categories=("a",)))
    with pytest.raises(ValueError, match="numbers"):
        encode_categories(np.zeros(1, np.int32), ("a",), ColumnBins())
    with pytest.raises(ValueError, match="numbers"):
        bin_categories(np.zeros(1, np.int32), ("a",), 4, 1, ColumnBins())
    with pytest.raises(ValueError, match="categories"):
        bin_numbers(np.zeros(1), 4, 1, ColumnBins(categories=("a",)))


def test_bins_survive_being_written() -> None:
    for bins in (ColumnBins((-1.5, 2.0), missing=1), ColumnBins(categories=("a", "b"), other=True)):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(bins), type=ColumnBins) == bins


def test_scoring_takes_codes_as_numbers_and_missing_ones_as_nan() -> None:
    found = binning.as_numbers(np.array([[0, 7, MISSING]], np.uint8))
    np.testing.assert_array_equal(found, [[0.0, 7.0, np.nan]])
