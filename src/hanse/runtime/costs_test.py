import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.core.costs import Cost, Size
from hanse.core.ids import TaskName
from hanse.core.planning import CheckPipeline
from hanse.core.roles import GUEST, PartyId, host, role_of
from hanse.core.specs import PipelineSpec, TaskSpec
from hanse.runtime import catalogue, costs, pipelines
from hanse.sdk.costs import Costs, Work

PARTIES = (GUEST, host(1), host(2))
DATA = TaskSpec("dataset", {"dataset": "people"})
ALIGNED = {
    TaskName("data"): DATA,
    TaskName("align"): TaskSpec("psi", inputs={"table": "data.table"}),
    TaskName("split"): TaskSpec("split", {"test_ratio": 0.25}, inputs={"table": "align.table"}),
    TaskName("boost"): TaskSpec("hetero_boost", {"trees": 5, "depth": 3}, inputs={"train": "split.train"}),
    TaskName("score"): TaskSpec("predict", inputs={"model": "boost.model", "table": "split.test"}),
    TaskName("judge"): TaskSpec("evaluation", inputs={"scores": "score.scores"}),
}


def asked(party: PartyId = GUEST, sizes: dict[PartyId, dict[str, Size]] | None = None) -> CheckPipeline:
    parties = dict(zip(PARTIES, ("bank", "telecom", "shop"), strict=True))
    known = {one: {"people": Size(10_000, 8)} for one in PARTIES} if sizes is None else sizes
    return CheckPipeline(PipelineSpec("credit", "risk", parties, dict(ALIGNED)), party, {}, sizes=known)


def steps(question: CheckPipeline) -> list[costs.Step]:
    checker = pipelines.Checker(question, catalogue.load_all())
    checker.check()
    return list(checker.steps.values())


def foreseen(question: CheckPipeline) -> costs.Foreseen:
    return costs.foresee(question, steps(question))


def test_what_one_party_sends_the_others_receive() -> None:
    found = {party: foreseen(asked(party)).costs for party in PARTIES}
    for task in ("align", "boost", "score"):
        sent = sum(found[party][task].bytes_sent for party in PARTIES)
        received = sum(found[party][task].bytes_received for party in PARTIES)
        assert sent == pytest.approx(received, rel=0.05), task


def test_sizes_go_from_task_to_task() -> None:
    large = {party: {"people": Size(1_000_000, 8)} for party in PARTIES}
    few, many = (
        foreseen(asked(sizes={**large, GUEST: {"people": Size(rows, 8)}})).costs for rows in (10_000, 1_000_000)
    )
    assert few["align"].bytes_sent < many["align"].bytes_sent / 5
    assert few["boost"].bytes_sent < many["boost"].bytes_sent / 5  # no more rows can be shared than the guest has
    assert few["judge"].seconds < many["judge"].seconds


def test_a_task_in_which_a_party_has_no_part_takes_time_alone() -> None:
    cost = foreseen(asked(host(1))).costs["judge"]
    assert cost.seconds >= costs.START_S
    assert (cost.bytes_sent, cost.bytes_received, cost.memory_bytes) == (0, 0, 0)


def test_hosts_are_asked_for_the_sums_that_the_settings_plan() -> None:
    assert foreseen(asked()).costs["boost"].sums == {host(1): 28, host(2): 28}


def test_a_table_of_unknown_size_is_taken_for_one_like_the_own_and_said_so() -> None:
    found = foreseen(asked(sizes={GUEST: {"people": Size(10_000, 8)}}))
    assert found.guessed == (host(1), host(2))
    assert found.costs == foreseen(asked()).costs
    assert foreseen(asked()).guessed == ()


def test_a_cost_model_that_fails_keeps_no_pipeline_from_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_work: Work) -> Costs:
        raise ZeroDivisionError

    made = steps(asked())
    broken = next(step for step in made if step.name == "align").component
    monkeypatch.setitem(broken.__dict__, "cost", fail)
    assert costs.foresee(asked(), made).costs["align"].seconds == costs.START_S


def models() -> list[tuple[str, bool, Callable[[Work], Costs]]]:
    found = []
    for component in catalogue.load_all().values():
        assert component.cost is not None
        found += [(component.name, apply, component.cost) for apply in (False, True) if component.apply or not apply]
    return found


@pytest.mark.parametrize(("name", "apply", "model"), models(), ids=lambda value: "" if callable(value) else str(value))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_cost_model_answers_for_tables_of_any_size(
    name: str, apply: bool, model: Callable[[Work], Costs], data: st.DataObject
) -> None:
    component = catalogue.load(name)
    size = st.builds(Size, st.integers(0, 2_000_000_000), st.integers(0, 3_000))
    parties = tuple(party for party in PARTIES if role_of(party) in (component.apply if apply else component.roles))
    sizes = {
        party: {port: data.draw(size) for port in component.takes(role_of(party), apply=apply)} for party in parties
    }
    given_settings = dict.fromkeys(parties, component.params())
    for me in parties:
        told: Cost = model(Work(me, parties, sizes, given_settings, data.draw(st.integers(1, 64)), apply)).cost
        assert 0 <= told.seconds < math.inf
        assert min(told.bytes_sent, told.bytes_received, told.memory_bytes, told.round_trips) >= 0
