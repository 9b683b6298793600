"""What one job leaves for the next: set-ups, and the grid of cells that all jobs share."""

import numpy as np
import pytest

from hanse.components.hetero_boost import cells, exposure, setups
from hanse.components.hetero_boost.hetero_boost import component
from hanse.components.hetero_boost.hetero_boost_test import (
    BASE,
    OPEN,
    ROWS,
    Inputs,
    Outputs,
    figures,
    parties,
    population,
    scores,
    two,
)
from hanse.components.hetero_boost.settings import Settings
from hanse.core.faults import HanseError
from hanse.core.roles import PartyId
from hanse.core.specs import Disclosure
from hanse.protocols.simulation import MemoryAttempt, Recorder
from hanse.sdk import Report, Table, run

Attempts = dict[PartyId, MemoryAttempt]


def later(before: Attempts | None = None, names: tuple[str, ...] = ("guest", "host-1")) -> Attempts:
    return {PartyId(name): MemoryAttempt(after=before[PartyId(name)] if before else None) for name in names}


def job(
    inputs: Inputs, attempts: Attempts, settings: dict[str, object] | None = None, disclosure: Disclosure = OPEN
) -> tuple[Outputs, Recorder]:
    recorder = Recorder(payloads=True)
    chosen = Settings.parse({**BASE, **(settings or {})})
    outputs = run(component, chosen, inputs, disclosure=disclosure, attempts=attempts, wrap=recorder, seed=len(inputs))
    return outputs, recorder


def kinds(recorder: Recorder) -> set[str]:
    return {sent.kind for sent in recorder.sent}


def test_a_later_job_on_the_same_rows_needs_no_hint_and_gives_the_same_model() -> None:
    first, second = later(), None
    outputs, recorder = job(two(parties()), first)
    assert "Hint" in kinds(recorder)
    second = later(first)
    again, recorder = job(two(parties()), second)
    assert "Hint" not in kinds(recorder)
    for made, reused in ((outputs, False), (again, True)):
        for party in ("guest", "host-1"):
            report = made[party]["report"]
            assert isinstance(report, Report)
            assert report.values["setup_reused"] is reused
    np.testing.assert_allclose(scores(again), scores(outputs), rtol=0, atol=1e-9)


def test_other_settings_and_rows_in_another_order_go_on_with_the_set_up_too() -> None:
    first = later()
    job(two(parties()), first)
    turned: Inputs = {
        party: {
            port: value.take(np.arange(ROWS)[::-1].copy()) if isinstance(value, Table) else None
            for port, value in ports.items()
        }
        for party, ports in two(parties()).items()
    }
    _, recorder = job(turned, later(first), {"depth": 3, "learning_rate": 0.1, "growth": "leaf", "leaves": 5})
    assert "Hint" not in kinds(recorder)


CHANGES: dict[str, dict[str, object]] = {
    "fewer bins": {"max_bins": 4},
    "fewer rows": {"row_sample": 0.8},
    "no keeping": {"keep_hint": False},
    "another precision": {"precision": "coarse"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_cells_rows_or_precision_take_a_new_set_up(change: str) -> None:
    first = later()
    _, recorder = job(two(parties()), first)
    openings = [raw for sent, raw in zip(recorder.sent, recorder.raw, strict=True) if sent.kind == "Opening"]
    _, recorder = job(two(parties()), later(first), CHANGES[change])
    assert "Hint" in kinds(recorder)
    assert openings[0] not in recorder.raw


def test_without_keeping_nothing_lies_in_the_folder_but_the_grid() -> None:
    attempts = later()
    job(two(parties()), attempts, {"keep_hint": False})
    assert list(attempts[PartyId("guest")].kept.iterdir()) == []
    names = {path.name for path in attempts[PartyId("host-1")].kept.iterdir()}
    assert names == {cells.GRID, cells.LOCK}


def test_another_partner_in_the_job_takes_a_new_set_up() -> None:
    first = later(names=("guest", "host-1", "host-2"))
    job(parties(), first)
    _, recorder = job(two(parties()), later(first))
    assert "Hint" in kinds(recorder)
    _, recorder = job(parties(), later(first, ("guest", "host-1", "host-2")))
    assert "Hint" not in kinds(recorder)


@pytest.mark.parametrize("party", ["guest", "host-1"])
def test_what_one_side_lost_is_made_anew(party: str) -> None:
    first = later()
    job(two(parties()), first)
    for path in first[PartyId(party)].kept.iterdir():
        if path.suffix in (".hint", ".setup"):
            path.unlink()
    outputs, recorder = job(two(parties()), later(first))
    assert "Hint" in kinds(recorder)
    _, recorder = job(two(parties()), later(first))
    assert "Hint" not in kinds(recorder)
    assert len(scores(outputs)) == ROWS


def test_a_set_up_serves_no_more_answers_than_its_cap() -> None:
    first = later()
    job(two(parties()), first)
    used = Disclosure(used=1 << 28, limit=1e12)
    _, recorder = job(two(parties()), later(first), disclosure=used)
    assert "Hint" in kinds(recorder)


class Busy(MemoryAttempt):
    """An attempt beside which others answer the same guest, so that the queries of one round are left to the set-up."""

    cells: int

    async def spend(self, queries: int, most: int | None = None) -> None:
        self.spent = max(self.spent, (1 << 28) // self.cells - 2)
        await super().spend(queries, most)


def test_jobs_at_once_on_one_set_up_are_counted_together_against_its_cap() -> None:
    first = later()
    job(two(parties()), first)
    host = Busy(after=first[PartyId("host-1")])
    (setup,) = setups.list_setups(first[PartyId("guest")].kept, setups.GuestSetup)
    (host.cells,) = setup.cells
    recorder = Recorder()
    attempts = {**later(first), PartyId("host-1"): host}
    with pytest.raises(HanseError, match=r"disclosure\.limit"):
        run(component, Settings.parse(BASE), two(parties()), disclosure=OPEN, attempts=attempts, wrap=recorder)
    assert "Hint" not in kinds(recorder)
    assert "Answers" in kinds(recorder), "those of the first round"


def grid(attempts: Attempts) -> cells.Grid:
    found = cells._read(attempts[PartyId("host-1")].kept / cells.GRID)
    assert found is not None
    return found


def edges_of(attempts: Attempts) -> dict[str, set[float]]:
    return {name: set(bins.edges) for name, bins in grid(attempts).bins.items()}


def seen_features(outputs: Outputs) -> list[str]:
    report = outputs["host-1"]["report"]
    assert isinstance(report, Report)
    return [line["feature"] for line in report.values["features"]]


def test_cells_of_later_jobs_are_unions_of_those_of_the_first() -> None:
    first = later()
    job(two(parties()), first, {"max_bins": 6})
    before = edges_of(first)
    for max_bins in (4, 16, 5):
        outputs, _ = job(two(parties()), later(first), {"max_bins": max_bins})
        assert edges_of(first) == before
        report = outputs["host-1"]["report"]
        assert isinstance(report, Report)
        cut = {line["at_most"] for line in report.values["cuts"]}
        assert cut <= set().union(*before.values())


def test_where_the_grid_is_too_fine_for_all_queries_it_becomes_coarser_for_good() -> None:
    first = later()
    job(two(parties()), first, {"max_bins": 16}, Disclosure(limit=0.6))
    fine = edges_of(first)
    used = Disclosure(used=60, limit=0.6)
    job(two(parties()), later(first), {"max_bins": 16}, used)
    coarse = edges_of(first)
    assert coarse != fine
    assert all(coarse[name] <= fine[name] for name in fine)
    job(two(parties()), later(first), {"max_bins": 16}, Disclosure(limit=0.6))
    assert edges_of(first) == coarse


def test_the_figure_counts_the_cells_of_the_grid_below_those_now_answered() -> None:
    first = later()
    fine, _ = job(two(parties()), first, {"max_bins": 6})
    coarse, _ = job(two(parties()), later(first), {"max_bins": 2})
    smallest = figures(fine)["hosts"][0]["smallest_row"]  # type: ignore[index]
    line = figures(coarse)["hosts"][0]  # type: ignore[index]
    planned = (3 + exposure.RESERVED_ROUNDS) * 2
    assert line["smallest_row"] > smallest
    assert line["rho"] == pytest.approx(exposure.rho(planned, smallest, ROWS))


def test_the_order_of_features_is_random_and_stays() -> None:
    first = later()
    one, _ = job(two(parties()), first)
    again, _ = job(two(parties()), later(first), {"depth": 3})
    assert seen_features(one) == seen_features(again)
    orders = set()
    for seed in range(12):
        outputs = run(component, Settings.parse(BASE), two(parties()), disclosure=OPEN, seed=seed)
        orders.add(tuple(seen_features(outputs)))
    assert len(orders) > 2


def test_a_damaged_grid_is_no_new_start() -> None:
    first = later()
    job(two(parties()), first)
    (first[PartyId("host-1")].kept / cells.GRID).write_bytes(b"\xc1")
    with pytest.raises(HanseError) as error:
        job(two(parties()), later(first))
    assert error.value.fault.code == "artefact.damaged"


def test_a_column_of_numbers_in_one_job_is_no_column_of_categories_in_the_next() -> None:
    columns = population()
    columns["a3"] = columns["a3"].astype(np.int64)
    first = later()
    job(two(parties(columns)), first)
    with pytest.raises(HanseError) as error:
        job(two(parties(columns)), later(first), {"categorical": ["a3"]})
    assert error.value.fault.code == "column.kind"


def test_a_column_that_is_left_out_of_a_first_job_may_be_cut_by_a_later_one() -> None:
    columns = population()
    columns["a1"] = (np.arange(ROWS) % 12 == 0).astype(np.float64)
    first = later()
    few: dict[str, object] = {"trees": 2, "depth": 2}
    job(two(parties(columns)), first, few, Disclosure(limit=0.05))
    assert "a1" not in grid(first).bins
    after = later(first)
    job(two(parties(columns)), after, few, OPEN)
    assert grid(after).bins["a1"].bins == 2
