import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.kernel import trees
from hanse.kernel.binning import MISSING, Binned, ColumnBins, Shape, as_numbers, bin_columns
from hanse.kernel.trees import OWN, Form, Growth, Rules, Sums, Trees, best_split, goes_left, left_bits, numeric_left

Reals = NDArray[np.float64]


def with_gaps(rows: int, columns: int = 3, seed: int = 1) -> Reals:
    draw = np.random.default_rng(seed)
    numbers = draw.standard_normal((columns, rows))
    numbers[0][draw.random(rows) < 0.2] = np.nan
    return numbers


def categories(rows: int, count: int, seed: int = 2) -> NDArray[np.uint8]:
    draw = np.random.default_rng(seed)
    codes = draw.integers(0, count, rows).astype(np.uint8)
    codes[draw.random(rows) < 0.1] = MISSING
    return codes


def names(count: int) -> ColumnBins:
    return ColumnBins(categories=tuple(f"c{code:03d}" for code in range(count)))


def mixed(rows: int = 600, seed: int = 1) -> tuple[Binned, Reals, Reals]:
    """Columns in bins, two of numbers with gaps and two of categories; the numbers that say the same; gradients."""
    numeric = bin_columns(with_gaps(rows, 2, seed), 8)
    texts = np.stack([categories(rows, 3, seed), categories(rows, 9, seed + 1)])
    columns = Binned(np.concatenate([numeric.codes, texts]), (*numeric.bins, names(3), names(9)))
    raw = np.concatenate([with_gaps(rows, 2, seed), as_numbers(texts)])
    draw = np.random.default_rng(seed + 2)
    g = np.nan_to_num(raw[0]) * np.where(texts[1] % 2, 1, -1) + (texts[0] == 1) + draw.standard_normal(rows) / 4
    return columns, raw, g


def grown(form: Form, rules: Rules | None = None, rows: int = 600, riders: int = 80) -> tuple[Growth, Reals]:
    columns, raw, g = mixed(rows + riders)
    growth = Growth(
        columns.take(np.arange(rows)),
        np.ascontiguousarray(g[:rows]),
        np.ones(rows),
        rules or Rules(),
        form,
        passengers=np.ascontiguousarray(columns.codes[:, rows:]),
    )
    growth.grow_alone()
    return growth, raw


FORMS = (Form(4), Form(6, "leaf", 11))


@pytest.mark.parametrize("form", FORMS)
def test_a_tree_says_of_raw_numbers_what_it_said_while_growing(form: Form) -> None:
    growth, raw = grown(form)
    tree = growth.finish(0.3)
    margins, riders = np.zeros(600), np.zeros(80)
    growth.add_to(margins, riders)
    assert set(tree.set_index[tree.party == OWN] >= 0) == {False, True}
    np.testing.assert_array_equal(trees.margins(tree, 1, np.zeros(1), raw)[0], np.concatenate([margins, riders]))


@pytest.mark.parametrize("form", FORMS)
def test_leaves_hold_every_row_and_passenger_once_with_the_weight_of_their_sums(form: Form) -> None:
    growth, _ = grown(form)
    tree = growth.finish(0.5)
    np.testing.assert_array_equal(np.sort(np.concatenate([leaf.rows for leaf in growth.leaves])), np.arange(600))
    np.testing.assert_array_equal(np.sort(np.concatenate([leaf.passengers for leaf in growth.leaves])), np.arange(80))
    for leaf in growth.leaves:
        assert np.all(np.diff(leaf.rows.astype(np.int64)) > 0)
        expected = -0.5 * growth.g[leaf.rows].sum() / (growth.h[leaf.rows].sum() + 1)
        assert tree.weight[leaf.number] == pytest.approx(expected, abs=1e-12)
        assert tree.cover[leaf.number] == len(leaf.rows)


def test_passengers_do_not_change_the_tree() -> None:
    columns, _, g = mixed()
    found = []
    for passengers in (None, columns.codes[:, ::-1].copy()):
        growth = Growth(columns, g, np.ones(600), Rules(), Form(4), passengers=passengers)
        growth.grow_alone()
        found.append(growth.finish(0.3).arrays)
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, found[1][name])


def test_subtracted_sums_are_those_of_the_rows_counted() -> None:
    columns, _, g = mixed()
    rows = np.arange(600, dtype=np.uint32)
    whole = trees.histogram(columns, g, np.ones(600))
    part = trees.histogram(columns, g, np.ones(600), rows[:200])
    rest = trees.histogram(columns, g, np.ones(600), rows[200:])
    np.testing.assert_allclose(whole.less(part).g, rest.g, atol=1e-12)
    assert whole.rows is not None
    assert whole.rows.sum() == 4 * 600
    np.testing.assert_array_equal(whole.less(part).rows, rest.rows)


def test_sums_are_those_of_each_cell() -> None:
    columns, _, g = mixed()
    rows = np.flatnonzero(g > 0).astype(np.uint32)
    h = np.abs(g) + 1
    sums = trees.histogram(columns, g, h, rows, np.array([1, 0, 1, 1], np.uint8))
    starts = columns.shape.starts
    for column, bins in enumerate(columns.bins):
        codes = columns.codes[column][rows]
        for cell in range(int(columns.shape.cells[column])):
            here = rows[codes == (cell if cell < bins.bins else MISSING)] if column != 1 else rows[:0]
            place = starts[column] + cell
            assert sums.g[place] == pytest.approx(g[here].sum(), abs=1e-12)
            assert sums.h[place] == pytest.approx(h[here].sum(), abs=1e-12)
            assert sums.rows is not None
            assert sums.rows[place] == len(here)


def test_nothing_is_left_in_a_cell_whose_rows_are_all_taken_away() -> None:
    one = np.array([1], np.uint32)
    rest = Sums(np.array([0.3]), np.array([0.3]), one).less(Sums(np.array([0.1 + 0.2]), np.array([0.1]), one))
    assert rest.g.tolist() == [0.0]
    assert rest.h.tolist() == [0.0]


def saved(g: float, h: float, rules: Rules, bounds: tuple[float, float]) -> float:
    """Twice what the best weight saves, by looking at the loss itself on both sides of its least point."""
    weight = rules.weight((g, h), bounds)

    def loss(w: float) -> float:
        return g * w + (h + rules.reg_lambda) * w * w / 2 + rules.reg_alpha * abs(w)

    for other in (weight - 1e-4, weight + 1e-4):
        if rules.bounded(other, bounds) == other:
            assert loss(other) >= loss(weight)
    return -2 * loss(weight)


def every_set(codes: list[int], *, ordered: bool) -> list[set[int]]:
    """All sets of codes that may go left of a numeric column (prefixes) or of a categorical one (any)."""
    if ordered:
        return [set(codes[:count]) for count in range(len(codes) + 1)]
    return [set(some) for count in range(len(codes) + 1) for some in itertools.combinations(codes, count)]


@pytest.mark.parametrize("seed", range(60))
def test_the_best_split_is_the_best_of_all_sets_of_codes(seed: int) -> None:
    draw = np.random.default_rng(seed)
    bins = draw.integers(1, 7, 4).astype(np.uint32)
    monotone = draw.integers(-1, 2, 4).astype(np.int8) * (seed % 2)
    categorical = np.array([0, 1, 0, 1], np.uint8)
    shape = Shape(
        bins, draw.integers(0, 2, 4).astype(np.uint8), categorical, monotone * (1 - categorical.astype(np.int8))
    )
    # with λ = α = 0 and free weights Fisher's order has the best set; penalties and bounds for columns of numbers only
    plain = seed % 3 == 0
    rules = Rules(0.0, 0.0, 0.0, max_onehot=0) if plain else Rules(0.7, 0.4, 0.5, 0.1, 0.9 * (seed % 4 == 1), 0)
    bounds = (-math.inf, math.inf) if plain else (-0.4, 0.6)
    chosen = None if plain else (1 - categorical)
    starts = shape.starts
    sums = Sums(draw.normal(0, 3, shape.width), draw.uniform(0.1, 3, shape.width))
    for start, end in itertools.pairwise(starts):  # every column has all rows
        sums.g[start] += 5 - sums.g[start:end].sum()
        sums.h[end - 1] += 40 - sums.h[start:end].sum()
    whole, best = saved(5, 40, rules, bounds), 1e-6
    for column in range(4) if plain else (0, 2):
        cells = range(int(shape.cells[column]))
        values = [cell for cell in cells if cell < bins[column]]
        for lefts in every_set(values, ordered=not categorical[column]):
            for missing in every_set([int(bins[column])] * int(shape.missing[column]), ordered=True):
                places = [starts[column] + cell for cell in lefts | missing]
                g, h = float(sums.g[places].sum()), float(sums.h[places].sum())
                if min(h, 40 - h) < max(rules.min_child_weight, 1e-9):
                    continue
                rise = rules.weight((5 - g, 40 - h), bounds) - rules.weight((g, h), bounds)
                if rise * shape.monotone[column] < 0 and 0 < len(lefts) < bins[column]:
                    continue
                best = max(best, saved(g, h, rules, bounds) + saved(5 - g, 40 - h, rules, bounds) - whole)
    found = best_split(sums, shape, (5.0, 40.0), rules, bounds, chosen)
    if best <= max(rules.min_split_gain, 1e-6):
        assert found is None
        return
    assert found is not None
    assert found.gain == pytest.approx(best, rel=1e-9)
    taken = [code for code in range(int(bins[found.column])) if goes_left(found.left, code)]
    if shape.missing[found.column] and goes_left(found.left, MISSING):
        taken.append(int(bins[found.column]))
    places = [starts[found.column] + cell for cell in taken]
    g, h = sums.g[places].sum(), sums.h[places].sum()
    assert found.weights == pytest.approx((rules.weight((g, h), bounds), rules.weight((5 - g, 40 - h), bounds)))


def test_missing_rows_go_where_they_fit_and_where_there_are_none_with_the_larger_child() -> None:
    shape = bin_columns(np.array([[1.0, 2.0, np.nan]]), 2).shape
    rows = np.array([4, 4, 4], np.uint32)
    for missing, goes in ((-9.0, True), (9.0, False)):
        sums = Sums(np.array([-9.0, 9.0, missing]), np.array([4.0, 4.0, 4.0]), rows)
        split = best_split(sums, shape, (missing, 12.0), Rules())
        assert split is not None
        assert (split.bin, goes_left(split.left, MISSING)) == (0, goes)
    for left_h, goes in ((3.0, False), (7.0, True)):
        sums = Sums(np.array([-9.0, 9.0, 0.0]), np.array([left_h, 10 - left_h, 0.0]), np.array([4, 4, 0], np.uint32))
        split = best_split(sums, shape, (0.0, 10.0), Rules())
        assert split is not None
        assert goes_left(split.left, MISSING) == goes


def test_missing_rows_can_be_parted_from_all_others() -> None:
    numbers = np.array([[1.0, 2.0, 3.0, np.nan, np.nan, np.nan]])
    growth = Growth(bin_columns(numbers, 8), np.array([1.0, 1, 1, -1, -1, -1]), np.ones(6), Rules(), Form(1))
    growth.grow_alone()
    tree = growth.finish(1.0)
    assert (tree.threshold[0], tree.missing_left[0]) == (math.inf, 0)
    scored = trees.margins(tree, 1, np.zeros(1), np.array([[99.0, np.inf, -np.inf, np.nan]]))
    assert scored.tolist() == [[-0.75, -0.75, -0.75, 0.75]]


def test_missing_rows_that_share_a_bin_are_scored_with_it() -> None:
    numbers = np.concatenate([np.arange(100) % 10, [np.nan]])[None]
    columns = bin_columns(numbers, 10, 10)
    assert columns.bins[0].missing == 0
    growth = Growth(columns, np.where(columns.codes[0] < 5, 1.0, -1.0), np.ones(101), Rules(), Form(1))
    growth.grow_alone()
    margins = np.zeros(101)
    tree = growth.finish(1.0)
    growth.add_to(margins, np.empty(0))
    np.testing.assert_array_equal(trees.margins(tree, 1, np.zeros(1), numbers)[0], margins)
    assert margins[100] == margins[0] != margins[9]


def test_few_categories_are_parted_one_from_the_rest() -> None:
    columns = Binned(np.array([[0, 1, 2, 3]], np.uint8), (names(4),))
    g = np.array([-5.0, 5.0, 3.0, -4.0])
    splits = [
        best_split(trees.histogram(columns, g, np.ones(4)), columns.shape, (-1.0, 4.0), Rules(0.0, max_onehot=most))
        for most in (4, 3)
    ]
    lefts = [[code for code in range(4) if split and goes_left(split.left, code)] for split in splits]
    assert lefts == [[1], [0, 3]]


def test_categories_of_no_row_in_a_node_go_with_the_larger_child() -> None:
    columns = Binned(np.array([[0, 0, 0, 1, 1]], np.uint8), (names(7),))
    g = np.array([-1.0, -1, -1, 1, 1])
    split = best_split(trees.histogram(columns, g, np.ones(5)), columns.shape, (-1.0, 5.0), Rules())
    assert split is not None
    assert [goes_left(split.left, code) for code in (0, 1, 2, 6, MISSING)] == [True, False, True, True, True]


def test_weights_rise_with_a_monotone_column_whatever_the_others_do() -> None:
    draw = np.random.default_rng(6)
    numbers = draw.standard_normal((2, 3000))
    g = -(np.sin(3 * numbers[0]) + numbers[0] / 2 + numbers[1] * numbers[0]) + draw.standard_normal(3000) / 10
    for sign in (1, -1):
        binned = bin_columns(numbers, 32)
        growth = Growth(Binned(binned.codes, binned.bins, (sign, 0)), g * sign, np.ones(3000), Rules(), Form(6))
        growth.grow_alone()
        tree = growth.finish(1.0)
        assert set(tree.index[tree.party == OWN]) == {0, 1}
        grid, rises = np.linspace(-3, 3, 101), False
        for other in np.linspace(-2, 2, 9):
            scored = trees.margins(tree, 1, np.zeros(1), np.stack([grid, np.full(101, other)]))[0]
            assert np.all(np.diff(scored) * sign >= 0)
            rises |= bool(scored[0] != scored[-1])
        assert rises


def test_leaf_mode_splits_the_best_leaf_until_there_are_enough() -> None:
    growth, _ = grown(Form(12, "leaf", 7))
    tree = growth.finish(1.0)
    assert len(growth.leaves) == 7
    assert len(tree.party) == 13
    inner = tree.party == OWN
    made = tree.gain[inner][np.argsort(tree.left[inner])]
    for leaf in growth.leaves:
        refused = growth.own_split(leaf) if leaf.sums else None
        later = made[(leaf.number + 1) // 2 :]  # the nth split makes the nodes 2n + 1 and 2n + 2
        assert refused is None or np.all(later >= refused.gain)


def test_leaf_mode_with_room_for_all_leaves_makes_the_leaves_of_level_mode() -> None:
    found = []
    for form in (Form(3), Form(3, "leaf", 8)):
        growth, raw = grown(form)
        found.append(trees.margins(growth.finish(1.0), 1, np.zeros(1), raw))
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("form", [Form(0), Form(5, "leaf", 1)])
def test_a_tree_without_room_is_one_leaf(form: Form) -> None:
    growth, raw = grown(form)
    assert growth.finished
    tree = growth.finish(0.5)
    assert len(tree.party) == 1
    np.testing.assert_allclose(trees.margins(tree, 1, np.ones(1), raw), 1 - 0.5 * growth.g.sum() / 601)


def test_another_partys_split_is_routed_by_its_bits_and_numbered() -> None:
    columns, raw, g = mixed()
    host = bin_columns(with_gaps(680, 1, 9), 6)
    own = columns.take(np.arange(600)).pick([0])
    growth = Growth(own, g[:600], np.ones(600), Rules(), Form(3), passengers=host.codes[:, 600:] * 0)
    numbering = itertools.count()
    sent: list[NDArray[np.uint8]] = []
    while not growth.finished:
        for node in growth.open:
            sums = trees.histogram(host.take(np.arange(600)), g[:600], np.ones(600), node.rows)
            growth.offer(node, 1, best_split(sums, host.shape, node.total, Rules()))
        for due in growth.due():
            bits = left_bits(np.ascontiguousarray(host.codes[0]), due.split.left)
            whole = np.unpackbits(bits, bitorder="little")[:680]
            sides = [np.packbits(part, bitorder="little") for part in (whole[:600], whole[600:])]
            growth.apply(due, sides[0], sides[1], index=next(numbering))
            sent.append(bits)
    tree = growth.finish(1.0)
    margins, riders = np.zeros(600), np.zeros(80)
    growth.add_to(margins, riders)
    assert tree.used(1).tolist() == list(range(len(sent)))
    scored = trees.margins(tree, 1, np.zeros(1), np.empty((0, 680)), [np.stack(sent)])
    np.testing.assert_array_equal(scored[0], np.concatenate([margins, riders]))
    del raw


def test_bits_that_leave_a_child_empty_or_are_too_few_are_refused() -> None:
    columns, _, g = mixed()
    for bits in (np.zeros(75, np.uint8), np.full(75, 255, np.uint8), np.zeros(74, np.uint8), None):
        growth = Growth(columns, g, np.ones(600), Rules(), Form(2))
        root = growth.open[0]
        growth.offer(root, 1, growth.own_split(root))
        (due,) = growth.due()
        with pytest.raises(ValueError, match="row"):
            growth.apply(due, bits, np.empty(0, np.uint8))


def test_of_equal_gains_the_first_party_column_and_cell_wins() -> None:
    column = np.array([0.0, 1.0, 2.0, 3.0])
    columns = bin_columns(np.stack([column, column]), 4)
    growth = Growth(columns, np.array([1.0, 0.0, 0.0, -1.0]), np.ones(4), Rules(0.0), Form(1))
    split = growth.own_split(growth.open[0])
    assert split is not None
    assert (split.column, split.bin) == (0, 0)
    np.testing.assert_array_equal(split.left, numeric_left(0, missing_left=False))
    growth.offer(growth.open[0], 3, split)
    growth.offer(growth.open[0], 1, split)
    assert [due.party for due in growth.due()] == [3]


def test_slots_and_members_say_which_rows_a_node_has() -> None:
    growth, _ = grown(Form(2))
    slots = growth.slots(growth.leaves[1:])
    for place, leaf in enumerate(growth.leaves[1:]):
        np.testing.assert_array_equal(np.flatnonzero(slots == place), leaf.rows)
        rows, riders = (np.flatnonzero(np.unpackbits(bits, bitorder="little")) for bits in growth.members(leaf))
        np.testing.assert_array_equal(rows, leaf.rows)
        np.testing.assert_array_equal(riders, leaf.passengers)
    np.testing.assert_array_equal(np.flatnonzero(slots == trees.NOWHERE), growth.leaves[0].rows)


def test_leaves_take_other_values_when_asked_to() -> None:
    growth, _ = grown(Form(2), Rules(max_delta_step=0.4))
    tree = growth.finish(0.5, lambda leaf: float(np.median(growth.g[leaf.rows])))
    for leaf in growth.leaves:
        assert tree.weight[leaf.number] == 0.5 * np.clip(np.median(growth.g[leaf.rows]), -0.4, 0.4)


def test_forests_are_joined_and_cut() -> None:
    parts = [grown(form)[0].finish(0.3) for form in (Form(2), Form(3), Form(9, "leaf", 9))]
    _, raw = grown(Form(0))
    forest = parts[0].then(parts[1]).then(parts[2])
    assert len(forest) == 3
    base = np.array([1.0, 2.0])
    found = trees.margins(forest, 2, base, raw)
    each = [trees.margins(part, 1, np.zeros(1), raw)[0] for part in parts]
    np.testing.assert_allclose(found, [1 + each[0] + each[2], 2 + each[1]], rtol=0, atol=1e-15)
    np.testing.assert_array_equal(
        trees.margins(forest.first(2), 2, base, raw), trees.margins(parts[0].then(parts[1]), 2, base, raw)
    )
    assert len(Trees.empty().then(forest).first(0)) == 0
    for name, array in Trees.parse(forest.arrays).arrays.items():
        np.testing.assert_array_equal(array, forest.arrays[name])
    assert forest.party[forest.nodes(2)].size == 17


def test_arrays_that_are_no_trees_are_refused() -> None:
    arrays = grown(Form(3))[0].finish(0.3).arrays
    for spoilt in (
        {"left": arrays["left"].astype(np.int64)},
        {"sets": arrays["sets"][:, :31]},
        {"sets": arrays["sets"][:0]},
        {"gain": arrays["gain"][1:]},
        {"starts": arrays["starts"] + 1},
        {"more": arrays["gain"]},
    ):
        with pytest.raises(ValueError, match="tree"):
            Trees.parse(arrays | spoilt)


def test_nodes_that_test_what_is_not_there_are_refused() -> None:
    tree = grown(Form(2))[0].finish(0.3)

    def score(**spoilt: NDArray[np.generic]) -> Reals:
        return trees.margins(Trees(**(tree.arrays | spoilt)), 1, np.zeros(1), np.zeros((4, 5)))

    assert score().shape == (1, 5)
    for name, value, rule in (
        ("index", 4, "not there"),
        ("left", 0, "children"),
        ("right", 7, "children"),
        ("right", 1, "children"),
        ("set_index", 9, "set"),
    ):
        with pytest.raises(ValueError, match=rule):
            score(**{name: np.full_like(getattr(tree, name), value)})
    foreign = np.where(tree.party == OWN, 1, tree.party).astype(np.int16)
    with pytest.raises(ValueError, match="gave no bits"):
        score(party=foreign)
    with pytest.raises(ValueError, match="does not know"):
        trees.margins(
            Trees(**(tree.arrays | {"party": foreign})), 1, np.zeros(1), np.zeros((4, 5)), [np.zeros((0, 1), np.uint8)]
        )


def xgboost_tree(
    columns: Binned, g: Reals, h: Reals, depth: int, rules: Rules, **more: object
) -> tuple[Reals, list[float]]:
    """Return what one tree of xgboost adds to each row, and its gains, for given gradients of integer columns."""
    xgboost = pytest.importorskip("xgboost", reason="xgboost is in the extra [ml]")
    kinds = ["c" if bins.is_categorical else "q" for bins in columns.bins]
    matrix = xgboost.DMatrix(
        as_numbers(columns.codes).T, np.zeros(len(g)), feature_types=kinds, enable_categorical=True
    )
    options = {
        "max_depth": depth,
        "eta": 1.0,
        "lambda": rules.reg_lambda,
        "alpha": rules.reg_alpha,
        "min_child_weight": rules.min_child_weight,
        "max_cat_to_onehot": rules.max_onehot + 1,
        "tree_method": "hist",
        "max_bin": 256,
        "nthread": 1,
        "base_score": 0.0,
        **more,
    }
    booster = xgboost.train(options, matrix, 1, obj=lambda *_: (g, h))
    gains = [
        float(line.split("gain=")[1].split(",")[0])
        for line in booster.get_dump(with_stats=True)[0].splitlines()
        if "gain=" in line
    ]
    return booster.predict(matrix, output_margin=True).astype(np.float64), gains


def compare(columns: Binned, g: Reals, h: Reals, depth: int, rules: Rules, **more: object) -> None:
    theirs, gains = xgboost_tree(columns, g, h, depth, rules, **more)
    form = Form(32, "leaf", int(str(more["max_leaves"]))) if "max_leaves" in more else Form(depth)
    growth = Growth(columns, g, h, rules, form)
    growth.grow_alone()
    tree = growth.finish(1.0)
    ours = np.zeros(len(g))
    growth.add_to(ours, np.empty(0))
    np.testing.assert_allclose(np.sort(tree.gain[tree.party == OWN]), np.sort(gains), rtol=2e-4, atol=1e-3)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def gradients(rows: int, signal: Reals, seed: int = 3) -> tuple[Reals, Reals]:
    draw = np.random.default_rng(seed)
    return (signal + draw.standard_normal(rows)).astype(np.float32).astype(np.float64), draw.uniform(
        0.1, 1, rows
    ).astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("rules", [Rules(), Rules(3.0, 2.5), Rules(0.0, 0.0, 25.0)])
def test_trees_are_those_of_xgboost_on_numbers_with_gaps(rules: Rules) -> None:
    numbers = with_gaps(2000, 4)
    g, h = gradients(2000, np.nan_to_num(numbers[0], nan=2.0) + numbers[1] * numbers[2])
    compare(bin_columns(numbers, 16), g, h, 4, rules)


def test_trees_are_those_of_xgboost_by_leaves() -> None:
    numbers = with_gaps(2000, 4)
    g, h = gradients(2000, np.nan_to_num(numbers[0], nan=2.0) + numbers[1] * numbers[2])
    compare(bin_columns(numbers, 16), g, h, 0, Rules(), grow_policy="lossguide", max_leaves=13)


@pytest.mark.parametrize("sign", [1, -1])
def test_trees_are_those_of_xgboost_with_monotone_columns(sign: int) -> None:
    numbers = np.random.default_rng(5).standard_normal((3, 2000))
    g, h = gradients(2000, np.sin(4 * numbers[0]) - sign * numbers[0] + numbers[1] * numbers[2])
    binned = bin_columns(numbers, 16)
    columns = Binned(binned.codes, binned.bins, (sign, -sign, 0))
    compare(columns, g, h, 4, Rules(), monotone_constraints=f"({sign},{-sign},0)")


@pytest.mark.parametrize("count", [3, 12])
def test_trees_are_those_of_xgboost_on_categories(count: int) -> None:
    codes = np.random.default_rng(7).integers(0, count, (2, 3000)).astype(np.uint8)
    effect = np.random.default_rng(8).standard_normal((2, count)) * 3
    g, h = gradients(3000, effect[0][codes[0]] + effect[1][codes[1]] * (codes[0] % 2))
    compare(Binned(codes, (names(count), names(count))), g, h, 3, Rules())
