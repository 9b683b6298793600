import numpy as np
import pytest

from hanse.kernel.intervals import bin_columns, encode


def test_codes_and_edges_say_the_same_of_rows_never_seen() -> None:
    draw = np.random.default_rng(3)
    columns = bin_columns(draw.standard_normal((2, 1000)), 16)
    fresh = draw.standard_normal((2, 200)) * 3
    codes = encode(fresh, columns.edges)
    for column, edges in enumerate(columns.edges):
        for bin_, edge in enumerate(edges):
            np.testing.assert_array_equal(codes[column] <= bin_, fresh[column] <= edge)


def test_no_bin_has_fewer_rows_than_asked_for() -> None:
    numbers = np.random.default_rng(4).integers(0, 40, (3, 1000)).astype(np.float64)
    columns = bin_columns(numbers, 16, 90)
    for column in range(3):
        assert columns.rows_of(column).min() >= 90
        assert columns.rows_of(column).sum() == 1000


def test_a_missing_number_is_refused() -> None:
    with pytest.raises(ValueError, match="missing"):
        bin_columns(np.array([[1.0, np.nan]]), 4)


def test_no_columns_and_no_rows_are_no_trouble() -> None:
    assert bin_columns(np.empty((0, 5)), 4).bins.tolist() == []
    assert bin_columns(np.empty((2, 0)), 4).bins.tolist() == [1, 1]
