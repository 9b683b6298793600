from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.core.faults import HanseError
from hanse.kernel.binning import MISSING
from hanse.sdk.boosting import features
from hanse.sdk.boosting.features import Features, list_categories
from hanse.sdk.boosting.sampling import Lot
from hanse.sdk.boosting.settings import BoostSettings
from hanse.sdk.table import Table

ROWS = 600
DRAW = np.random.default_rng(3)
NUMBERS = {f"n{index}": DRAW.standard_normal(ROWS) for index in range(20)}
CITIES = np.array(["Bern", "Oslo", "Riga", "Rome"])[DRAW.integers(0, 4, ROWS)].tolist()
PLANS = DRAW.integers(0, 5, ROWS)


def table(rows: slice = slice(None), **changed: Any) -> Table:
    count = len(range(ROWS)[rows])
    columns: dict[str, Any] = {"city": CITIES, "plan": PLANS, "w": np.ones(ROWS), **NUMBERS}
    columns = {name: values[rows] for name, values in columns.items()} | changed
    return Table.of({"id": [f"r{row}" for row in range(count)], **columns}, id="id")


SETTINGS = BoostSettings(weight="w", categorical=("plan",), max_bins=8, monotone_increasing=("n3",))
TABLE = table()
LOT = Lot.draw(TABLE.ids(), BoostSettings(row_sample=0.7))
FITTED = Features.fit(TABLE, LOT, SETTINGS)


def test_texts_and_named_columns_are_categories_and_the_weight_is_no_feature() -> None:
    kinds = {name: bins.categories for name, bins in zip(FITTED.names, FITTED.bins, strict=True)}
    assert kinds["city"] == ("Bern", "Oslo", "Riga", "Rome")
    assert kinds["plan"] == ("0", "1", "2", "3", "4")
    assert kinds["n0"] is None
    assert "w" not in kinds
    assert len(kinds) == 22


def test_codes_are_those_of_the_rows_asked_for_in_their_order() -> None:
    every = FITTED.encode(TABLE)
    np.testing.assert_array_equal(FITTED.encode(TABLE, LOT.counted), every[:, LOT.counted])
    binned = FITTED.columns(TABLE, LOT, SETTINGS)
    np.testing.assert_array_equal(binned.codes, every[:, LOT.counted])
    assert binned.monotone[FITTED.names.index("n3")] == 1
    place = FITTED.names.index("city")
    assert [FITTED.bins[place].categories[code] for code in every[place]] == CITIES  # type: ignore[index]
    place = FITTED.names.index("n7")
    expected = np.searchsorted(np.array(FITTED.bins[place].edges), NUMBERS["n7"])
    np.testing.assert_array_equal(every[place], expected)


def test_bins_are_of_equal_size_on_the_counted_rows() -> None:
    counts = FITTED.columns(TABLE, LOT, SETTINGS).counts(FITTED.names.index("n0"))
    assert np.count_nonzero(counts) == 8
    assert counts[:8].max() - counts[:8].min() <= 2


@pytest.mark.parametrize("share", [0.7, 1.0])
def test_one_reading_gives_what_two_give(share: float) -> None:
    lot = Lot.draw(TABLE.ids(), BoostSettings(row_sample=share))
    alone = Features.fit(TABLE, lot, SETTINGS)
    fitted, codes = Features.fit_encode(TABLE, lot, SETTINGS)
    assert fitted == alone
    np.testing.assert_array_equal(codes, alone.encode(TABLE))
    columns, again = fitted.columns(TABLE, lot, SETTINGS, codes), alone.columns(TABLE, lot, SETTINGS)
    np.testing.assert_array_equal(columns.codes, again.codes)
    valid = table(slice(0, 9))
    with_codes, without = (fitted.passengers(TABLE, lot, valid, given) for given in (codes, None))
    np.testing.assert_array_equal(with_codes, without)


def test_bins_are_unions_of_earlier_ones_where_there_are_some() -> None:
    fine = Features.fit(TABLE, LOT, SETTINGS, max_bins=40)
    for known in (fine.names, fine.names[::2]):
        within = {name: fine.bins[fine.names.index(name)] for name in known}
        coarse = Features.fit(TABLE, LOT, SETTINGS, least_rows=90, within=within)
        for name in known:
            bins = coarse.bins[coarse.names.index(name)]
            assert set(bins.edges) <= set(within[name].edges)
        counts = coarse.columns(TABLE, LOT, SETTINGS).counts(coarse.names.index("n2"))
        assert counts[counts > 0].min() >= 90


def test_passengers_are_the_rows_left_out_and_then_the_validation_rows() -> None:
    valid = table(slice(10, 25))
    found = FITTED.passengers(TABLE, LOT, valid)
    np.testing.assert_array_equal(found[:, : len(LOT.left_out)], FITTED.encode(TABLE, LOT.left_out))
    np.testing.assert_array_equal(found[:, len(LOT.left_out) :], FITTED.encode(TABLE)[:, 10:25])
    assert FITTED.passengers(TABLE, LOT, None).shape == (22, len(LOT.left_out))


def test_what_fitting_did_not_see_is_missing() -> None:
    strange = table(slice(0, 3), city=["Bern", "Kyiv", None], n0=[0.0, np.nan, 1e300])
    codes = FITTED.encode(strange)
    assert codes[FITTED.names.index("city")].tolist() == [0, MISSING, MISSING]
    assert codes[FITTED.names.index("n0")].tolist()[1:] == [MISSING, 7]
    numbers = FITTED.numbers(strange, [FITTED.names.index("city"), FITTED.names.index("n0")])
    np.testing.assert_array_equal(numbers[FITTED.names.index("city")], [0, np.nan, np.nan])
    np.testing.assert_array_equal(numbers[FITTED.names.index("n0")], [0, np.nan, 1e300])
    assert np.isnan(numbers[FITTED.names.index("n1")]).all()


def test_no_more_than_some_columns_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    read = Table.numbers

    def count(self: Table, names: Sequence[str]) -> NDArray[np.float64]:
        asked.append(len(names))
        return read(self, names)

    monkeypatch.setattr(Table, "numbers", count)
    monkeypatch.setattr(features, "HELD_NUMBERS", 20 * len(TABLE))
    np.testing.assert_array_equal(FITTED.encode(TABLE)[:, :5], FITTED.encode(table(slice(0, 5))))
    assert asked == [20, 20]
    asked.clear()
    monkeypatch.setattr(features, "HELD_NUMBERS", 1)
    FITTED.encode(TABLE)
    assert asked == [features.AT_ONCE, 20 - features.AT_ONCE]


def test_named_columns_are_told_apart_from_those_of_others() -> None:
    settings = BoostSettings(categorical=("plan",), monotone_increasing=("n3", "late"), monotone_decreasing=("n4",))
    assert FITTED.named(settings) == {
        "named_columns_here": ["plan", "n3", "n4"],
        "named_columns_not_here": ["late"],
    }


def test_features_survive_a_model_as_json() -> None:
    plain = msgspec.json.decode(msgspec.json.encode(FITTED))
    assert msgspec.convert(plain, Features) == FITTED


def test_columns_that_earlier_features_had_come_first_and_keep_their_categories() -> None:
    before = FITTED.pick([FITTED.names.index(name) for name in ("n5", "city")])
    later = table(city=["Kyiv" if row % 3 else city for row, city in enumerate(CITIES)])
    again = Features.fit(later, LOT, SETTINGS, before=before)
    assert again.names[:2] == ("n5", "city")
    assert again.bins[1] == before.bins[1]
    assert set(again.names) == set(FITTED.names)


def test_splits_are_said_in_words() -> None:
    city, number = FITTED.names.index("city"), FITTED.names.index("n0")
    left = np.zeros(32, np.uint8)
    left[0] = 0b1010
    assert FITTED.describe(city, left) == {"feature": "city", "one_of": ["Oslo", "Rome"], "missing": "right"}
    left[0], left[31] = 0b0111, 128
    said = FITTED.describe(number, left)
    assert said == {"feature": "n0", "at_most": FITTED.bins[number].edges[2], "missing": "left"}


def test_rare_categories_are_listed_as_others() -> None:
    names = [f"town {row:03d}" for row in range(ROWS)]
    fitted = Features.fit(table(city=names), LOT, SETTINGS)
    bins = fitted.bins[fitted.names.index("city")]
    assert bins.bins <= 8
    assert bins.other
    assert list_categories(bins, np.full(32, 255, np.uint8))[-1] == "…"


def test_fractions_are_no_names() -> None:
    with pytest.raises(HanseError) as error:
        Features.fit(TABLE, LOT, BoostSettings(categorical=("n1",)))
    assert error.value.fault.code == "column.categories"
    assert "n1" in error.value.fault.cause
