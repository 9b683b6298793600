import csv
from pathlib import Path

import numpy as np
import pytest

from hanse.samples import credit
from hanse.samples.population import Holding, Population, Values, write

ROWS = 4_000


@pytest.fixture(scope="module")
def population() -> Population:
    return credit.generate(ROWS)


def shared_rows(population: Population) -> list[Values]:
    """Row numbers of the customers that everybody has, in one order, per holding."""
    places = [{name: row for row, name in enumerate(held.values[held.id].tolist())} for held in population.holdings]
    shared = sorted(set.intersection(*(set(place) for place in places)))
    return [np.array([place[name] for name in shared]) for place in places]


def ranks(values: Values) -> Values:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable") / len(values)


def auc(label: Values, score: Values) -> float:
    place = np.argsort(np.argsort(score, kind="stable"), kind="stable") + 1
    positives = int(label.sum())
    return float((place[label == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(label) - positives)))


def judged(features: list[Values], label: Values) -> float:
    """AUC on every fourth row of a ridge regression on ranked columns, fitted on the others: no library needed."""
    x = np.column_stack([np.ones(len(label)), *(ranks(column) for column in features)])
    test = np.arange(len(label)) % 4 == 0
    normal = x[~test].T @ x[~test] + 0.1 * np.eye(x.shape[1])
    return auc(label[test], x[test] @ np.linalg.solve(normal, x[~test].T @ label[~test]))


def features_of(held: Holding, rows: Values) -> list[Values]:
    return [held.values[name][rows].astype(float) for name in held.features]


def test_the_same_seed_gives_the_same_population_and_another_seed_another() -> None:
    first, again, other = credit.generate(500), credit.generate(500), credit.generate(500, seed=8)
    for one, two in zip(first.holdings, again.holdings, strict=True):
        assert all(np.array_equal(one.values[name], two.values[name]) for name in one.values)
    assert not np.array_equal(first.holdings[0].values[credit.ID], other.holdings[0].values[credit.ID])


def test_the_label_depends_on_the_columns_of_all_three(population: Population) -> None:
    rows = shared_rows(population)
    bank, operator, retailer = (features_of(held, r) for held, r in zip(population.holdings, rows, strict=True))
    label = population.holdings[0].values[credit.LABEL][rows[0]]
    alone = judged(bank, label)
    together = judged(bank + operator + retailer, label)
    assert together > alone + 0.06
    assert together > judged(bank + operator, label) + 0.01
    assert together > judged(bank + retailer, label) + 0.01
    assert min(judged(operator, label), judged(retailer, label)) > 0.6


def test_the_true_probability_beats_what_can_be_learnt_and_is_calibrated(population: Population) -> None:
    bank = population.holdings[0]
    chances = credit.chances(ROWS)
    chance = np.array([chances[name] for name in bank.values[credit.ID].tolist()])
    label = bank.values[credit.LABEL]
    assert 0.84 < auc(label, chance) < 0.90
    assert abs(label.mean() - chance.mean()) < 0.02
    assert 0.12 < label.mean() < 0.25


def test_about_four_in_five_of_the_banks_customers_are_known_to_all(population: Population) -> None:
    bank, operator, retailer = (set(held.values[credit.ID].tolist()) for held in population.holdings)
    assert len(bank) == ROWS
    assert 0.77 < len(bank & operator & retailer) / ROWS < 0.86
    assert len(operator - bank) == round(ROWS * credit.OPERATOR_OWN)
    assert len(retailer - bank) == round(ROWS * credit.RETAILER_OWN)


def test_nobody_is_listed_twice_and_no_number_could_be_somebodys(population: Population) -> None:
    for held in population.holdings:
        names = held.values[held.id].tolist()
        assert len(set(names)) == len(names)
        assert all(len(name) == 11 and name.startswith("999") and name.isdigit() for name in names)


def test_values_stay_within_what_their_units_allow(population: Population) -> None:
    for held in population.holdings:
        for column in held.columns[1:]:
            values = held.values[column.name]
            assert np.isfinite(values).all()
            assert values.min() >= 0
            assert len(np.unique(values)) > 1
            assert column.unit
            if column.unit == "share":
                assert values.max() <= 1


def test_a_file_holds_exactly_what_the_arrays_hold(population: Population, tmp_path: Path) -> None:
    held = population.holdings[1]
    path = write(held, tmp_path / "operator.csv")
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == [column.name for column in held.columns]
    assert len(lines) == len(held)
    for number, name in enumerate(header[1:], 1):
        assert [float(line[number]) for line in lines] == held.values[name].tolist()
    assert [line[0] for line in lines] == held.values[credit.ID].tolist()


def test_too_few_customers_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="at least 200"):
        credit.generate(20)
