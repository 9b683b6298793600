"""kill -9 of every attempt at every message and every checkpoint: the job ends right, or in a clean error everywhere.

The matrix is complete by construction: each point is tried with the next number until nothing dies any more. One job
carries three points, one in each task, each at another party.
"""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from tests.e2e.federation import PARTIES, Federation
from tests.e2e.jobs_test import demand_success

pytestmark = [pytest.mark.deep, pytest.mark.timeout(1800)]

TASKS = ("align", "split", "boost")
RIGHT, CLEAN = "right", "clean error"


def break_tasks(federation: Federation, turn: int, at: str, nth: int) -> None:
    """Let the first attempt of each task die at one of the parties, which take turns."""
    names = list(PARTIES.items())
    for place, task in enumerate(TASKS):
        party, name = names[(turn + place) % len(names)]
        federation.nodes[name].break_attempts([{"party": party, "task": task, "at": at, "nth": nth}])


def judge(federation: Federation, job: str) -> str:
    """Return how the job has ended. Anything but `right` and the same clean error everywhere is an assertion."""
    states = federation.ends(job)
    if states == {"succeeded"}:
        demand_success(federation, job)
        return RIGHT
    assert states == {"failed"}, federation.explain(job)
    faults = [federation.end(node, job).fault for node in federation.nodes.values()]
    told = {(fault.code, fault.party, fault.step) for fault in faults if fault is not None}
    assert len(told) == 1, federation.explain(job)
    ((code, party, step),) = told
    assert code, federation.explain(job)
    assert party in PARTIES, federation.explain(job)
    assert step, federation.explain(job)
    return CLEAN


@pytest.mark.parametrize("at", ["message", "received", "checkpoint"])
@pytest.mark.parametrize("turn", range(len(PARTIES)))
def test_whatever_dies_the_job_ends_right_or_in_a_clean_error(federation: Federation, turn: int, at: str) -> None:
    outcomes: Counter[str] = Counter()
    died = 0
    for nth in itertools.count(1):
        break_tasks(federation, turn, at, nth)
        job = federation.run(federation.pipeline(trees=1, depth=2))
        outcomes[judge(federation, job)] += 1
        tried = [task.attempt for task in federation.guest.client.job(job).tasks]
        died += sum(attempt > 1 for attempt in tried)
        if max(tried) == 1:
            break
    assert set(outcomes) == {RIGHT}, federation.explain(job)
    if at != "checkpoint":
        assert died >= 3
