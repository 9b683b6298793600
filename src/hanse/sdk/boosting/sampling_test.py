import numpy as np
import pytest

from hanse.core.faults import HanseError
from hanse.kernel.ids import Ids
from hanse.sdk.boosting.sampling import Lot, canonical_order, draw_columns
from hanse.sdk.boosting.settings import BoostSettings

IDS = Ids.from_strings(f"person {number}" for number in range(2000))


def turned(seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.random.default_rng(seed).permutation(len(IDS))


def test_the_canonical_order_is_that_of_the_ids_and_of_nothing_else() -> None:
    rows = turned(1)
    moved = IDS.take(rows)
    ordered, again = (ids.take(canonical_order(ids)).to_strings() for ids in (IDS, moved))
    assert ordered == again
    assert ordered != IDS.to_strings()
    assert sorted(ordered) == sorted(IDS.to_strings())


def test_the_same_rows_are_drawn_at_every_party_whatever_their_order() -> None:
    settings = BoostSettings(row_sample=0.3, sample_seed=11)
    moved = IDS.take(turned(2))
    here, there = Lot.draw(IDS, settings), Lot.draw(moved, settings)
    assert IDS.take(here.counted).to_strings() == moved.take(there.counted).to_strings()
    assert IDS.take(here.left_out).to_strings() == moved.take(there.left_out).to_strings()
    assert len(here.counted) == pytest.approx(600, abs=80)
    assert sorted([*here.counted.tolist(), *here.left_out.tolist()]) == list(range(len(IDS)))


def test_another_seed_draws_other_rows_and_a_larger_share_more_of_them() -> None:
    few, more, other = (
        set(Lot.draw(IDS, BoostSettings(row_sample=share, sample_seed=seed)).counted.tolist())
        for share, seed in ((0.3, 1), (0.6, 1), (0.3, 2))
    )
    assert few < more
    assert len(few & other) < 300


def test_all_rows_count_unless_a_share_is_asked_for() -> None:
    lot = Lot.draw(IDS, BoostSettings())
    assert len(lot.counted) == len(IDS)
    assert len(lot.left_out) == 0


def test_a_draw_of_nothing_is_refused() -> None:
    with pytest.raises(HanseError) as error:
        Lot.draw(IDS.take(np.arange(3)), BoostSettings(row_sample=1e-9))
    assert error.value.fault.code == "rows.too_few"


def test_values_go_back_to_their_rows() -> None:
    lot = Lot.draw(IDS, BoostSettings(row_sample=0.5))
    numbers = np.arange(2.0 * len(IDS)).reshape(2, -1)
    np.testing.assert_array_equal(lot.restore(numbers[:, lot.counted], numbers[:, lot.left_out]), numbers)


def test_of_each_partys_columns_a_share_is_drawn_anew_in_each_round() -> None:
    secret = bytes(range(32))
    rounds = [draw_columns(secret, number, [10, 3, 1, 0], 0.3) for number in range(20)]
    for drawn in rounds:
        assert [int(columns.sum()) for columns in drawn] == [3, 1, 1, 0]
        assert [len(columns) for columns in drawn] == [10, 3, 1, 0]
    assert len({drawn[0].tobytes() for drawn in rounds}) > 10
    again = draw_columns(secret, 7, [10, 3, 1, 0], 0.3)
    assert all(np.array_equal(left, right) for left, right in zip(rounds[7], again, strict=True))
    assert all(columns.all() for columns in draw_columns(secret, 0, [10, 3], 1.0))
