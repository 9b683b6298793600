import numpy as np
import pytest

from hanse.kernel import heaps as trees
from hanse.kernel.heaps import Growth, Rules, Sums, Trees
from hanse.kernel.intervals import bin_columns, encode


def grown(depth: int = 3, rows: int = 500) -> tuple[Growth, np.ndarray]:
    draw = np.random.default_rng(1)
    numbers = draw.standard_normal((3, rows))
    g = np.where(numbers[0] * numbers[1] > 0, -1.0, 1.0) + 0.1 * draw.standard_normal(rows)
    columns = bin_columns(numbers, 8)
    valid = draw.standard_normal((3, 50))
    growth = Growth(columns, encode(valid, columns.edges), g, np.ones(rows), Rules(), depth)
    growth.grow_alone()
    return growth, np.concatenate([numbers, valid], axis=1)


def test_a_tree_says_of_raw_numbers_what_it_said_while_growing() -> None:
    growth, numbers = grown()
    tree = growth.finish(0.3)
    margins, valid_margins = np.zeros(500), np.zeros(50)
    growth.add_to(margins, valid_margins)
    np.testing.assert_array_equal(trees.margins(tree, 0.0, numbers), np.concatenate([margins, valid_margins]))


def test_leaves_hold_every_row_once_with_the_weight_of_its_sums() -> None:
    growth, _ = grown()
    tree = growth.finish(0.5)
    rows = np.concatenate([leaf.rows for leaf in growth.leaves])
    np.testing.assert_array_equal(np.sort(rows), np.arange(500))
    for leaf in growth.leaves:
        expected = -0.5 * growth.g[leaf.rows].sum() / (growth.h[leaf.rows].sum() + 1)
        assert tree.weight[0, leaf.place] == pytest.approx(expected, abs=1e-12)


def test_subtracted_sums_are_those_of_the_rows_counted() -> None:
    growth, _ = grown(depth=0)
    rows = np.arange(500, dtype=np.uint32)
    whole = trees.histogram(growth.columns, growth.g, growth.h, rows)
    part = trees.histogram(growth.columns, growth.g, growth.h, rows[:200])
    rest = trees.histogram(growth.columns, growth.g, growth.h, rows[200:])
    np.testing.assert_allclose(whole.less(part).g, rest.g, atol=1e-12)
    assert whole.less(part).rows is not None
    np.testing.assert_array_equal(whole.less(part).rows, rest.rows)


def test_nothing_is_left_in_a_bin_whose_rows_are_all_taken_away() -> None:
    one = np.array([1], np.uint32)
    rest = Sums(np.array([0.3]), np.array([0.3]), one).less(Sums(np.array([0.1 + 0.2]), np.array([0.1]), one))
    assert rest.g.tolist() == [0.0]
    assert rest.h.tolist() == [0.0]


def test_other_parties_bits_route_rows() -> None:
    tree = Trees.empty(1, 1)
    tree.party[0, 0], tree.index[0, 0] = 2, 1
    tree.weight[0, 1:] = 1.0, 2.0
    left = [np.zeros((3, 1), np.uint8), np.array([[0], [0b101]], np.uint8)]
    assert trees.margins(tree, 0.0, np.empty((0, 3)), left).tolist() == [1.0, 2.0, 1.0]


def test_a_split_that_nobody_knows_is_refused() -> None:
    tree = Trees.empty(1, 1)
    tree.party[0, 0], tree.index[0, 0] = 1, 4
    with pytest.raises(ValueError, match="does not know"):
        trees.margins(tree, 0.0, np.empty((0, 3)), [np.zeros((4, 1), np.uint8)])
    with pytest.raises(ValueError, match="gave no bits"):
        trees.margins(tree, 0.0, np.empty((0, 3)))


def test_equal_gains_go_to_the_first_column_and_bin() -> None:
    column = np.array([0.0, 1.0, 2.0, 3.0])
    columns = bin_columns(np.stack([column, column]), 4)
    growth = Growth(columns, np.empty((2, 0), np.uint8), np.array([1.0, 0.0, 0.0, -1.0]), np.ones(4), Rules(0.0), 1)
    split = growth.own_split(growth.nodes[0])  # type: ignore[arg-type]
    assert split is not None
    assert (split.column, split.bin) == (0, 0)
