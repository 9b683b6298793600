"""What federation costs in accuracy: AUC together, with the guest's own columns, and with all columns in one place."""

from functools import reduce
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.components.hetero_boost.hetero_boost import component as hetero_boost
from hanse.components.local_boost.local_boost import component as local_boost
from hanse.core.roles import GUEST, host
from hanse.core.specs import Disclosure
from hanse.kernel.metrics import auc
from hanse.samples import breast, credit
from hanse.samples.population import Holding, Population
from hanse.sdk import Table, run

pytestmark = pytest.mark.deep

Rows = NDArray[Any]


def at(holding: Holding, people: Rows) -> dict[str, Rows]:
    """Return a holding's columns for these people, in their order."""
    ids = holding.values[holding.id]
    order = np.argsort(ids)
    rows = order[np.searchsorted(ids, people, sorter=order)]
    return {name: values[rows] for name, values in holding.values.items()}


def table(columns: dict[str, Rows], guest: Holding, *, labelled: bool) -> Table:
    texts = [str(one) for one in columns[guest.id]]
    return Table.of({**columns, guest.id: texts}, id=guest.id, label=guest.label if labelled else None)


def pooled(population: Population, people: Rows) -> Table:
    """Return all columns in one place, the hosts' under names of their own."""
    guest, *hosts = population.holdings
    columns = at(guest, people)
    for holding in hosts:
        own = {f"{holding.organisation} {name}": values for name, values in at(holding, people).items()}
        columns |= {name: values for name, values in own.items() if not name.endswith(f" {holding.id}")}
    return table(columns, guest, labelled=True)


def judge_alone(train: Table, test: Table) -> float:
    model = run(local_boost, local_boost.params(), {GUEST: {"train": train}})[GUEST]["model"]
    scores = run(local_boost, local_boost.params(), {GUEST: {"model": model, "table": test}}, apply=True)
    return judge(scores[GUEST]["scores"])


def judge(scores: Any) -> float:
    return auc(scores.label(), scores.numbers(["score"])[0])


def compare(population: Population, split: int) -> tuple[float, float, float]:
    """Return AUC on a fifth of the shared people that was not trained on: guest alone, federated, in one place."""
    guest, *hosts = population.holdings
    shared = reduce(np.intersect1d, [holding.values[holding.id] for holding in population.holdings])
    people = np.random.default_rng(split).permutation(shared)
    parts = people[: len(people) * 4 // 5], people[len(people) * 4 // 5 :]
    parties: dict[str, Holding] = {GUEST: guest, **{host(n): one for n, one in enumerate(hosts, start=1)}}
    train, test = (
        {party: table(at(holding, part), guest, labelled=party == GUEST) for party, holding in parties.items()}
        for part in parts
    )
    limit = Disclosure(limit=population.disclosure_limit or Disclosure().limit)
    settings = hetero_boost.params()
    fitted = run(hetero_boost, settings, {p: {"train": train[p]} for p in parties}, seed=split, disclosure=limit)
    models: dict[str, dict[str, Any]] = {
        party: {"model": fitted[party]["model"], "table": test[party]} for party in parties
    }
    scores = run(hetero_boost, settings, models, apply=True, seed=split)[GUEST]["scores"]
    in_one_place = judge_alone(pooled(population, parts[0]), pooled(population, parts[1]))
    return judge_alone(train[GUEST], test[GUEST]), judge(scores), in_one_place


def test_together_is_as_good_as_in_one_place_on_the_made_up_customers() -> None:
    found = [compare(credit.generate(), split) for split in range(3)]
    assert all(together > alone + 0.05 for alone, together, _ in found)
    assert abs(np.mean([together - pool for _, together, pool in found])) <= 0.005


def test_together_is_as_good_as_in_one_place_on_real_tumours_over_five_splits() -> None:
    pytest.importorskip("sklearn", reason="the data set is scikit-learn's (extra ml)")
    found = [compare(breast.load(), split) for split in range(5)]
    assert np.mean([abs(together - pool) for _, together, pool in found]) <= 0.005
    assert np.mean([together - alone for alone, together, _ in found]) > 0
