"""Estimates of real jobs, over processes and mTLS: the models beforehand, and what one run has taught the nodes."""

from __future__ import annotations

import pytest
from tests.e2e.federation import Federation, Node

from hanse.client.resources import Job
from hanse.core.estimates import Estimate, TaskEstimate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FACTOR, FEW_BYTES = 2.0, 4096
"""How far the bytes of a cost model may be off before any run, and what openings and greetings may add."""


def by_task(estimate: Estimate | None) -> dict[str, TaskEstimate]:
    assert estimate is not None
    return {task.task: task for task in estimate.tasks}


def sent(job: Job, task: str) -> int:
    return sum(job.task(task).bytes_sent.values())


def assert_bytes_are_near(node: Node, job: str) -> None:
    found = node.client.job(job)
    for name, task in by_task(found.estimate).items():
        if task.takes_part:
            measured = sent(found, name)
            assert task.bytes_sent.likely <= FACTOR * measured + FEW_BYTES, (node.name, name)
            assert measured <= FACTOR * task.bytes_sent.likely + FEW_BYTES, (node.name, name)


def test_one_run_teaches_every_node_what_the_next_one_takes(federation: Federation) -> None:
    client, made = federation.guest.client, federation.pipeline()
    before = client.estimate_job(made.spec(), fresh=True)
    assert (before.party, before.history, before.guessed) == ("guest", 0, ())
    assert before.sums == {"host-1": 8, "host-2": 8}  # 2 trees of depth 2, and 2 rounds held in reserve
    first = federation.run(made)
    assert federation.ends(first) == {"succeeded"}, federation.explain(first)
    for node in federation.nodes.values():
        assert_bytes_are_near(node, first)
    ran, after = client.job(first), by_task(client.estimate_job(made.spec(), fresh=True))
    assert {task.history for task in after.values()} == {1}
    for name, task in after.items():
        assert task.bytes_sent.likely == pytest.approx(sent(ran, name), rel=0.01)
        peak = ran.task(name).peak_memory_bytes
        assert peak is not None
        assert task.memory_bytes.likely == pytest.approx(peak, rel=0.01)
    second = federation.run(made)
    assert federation.ends(second) == {"succeeded"}, federation.explain(second)
    for node in federation.nodes.values():
        again = node.client.job(second)
        for name, task in by_task(again.estimate).items():
            if task.takes_part and task.bytes_sent.likely > FEW_BYTES:
                assert task.history == 1
                assert task.bytes_sent.least <= sent(again, name) <= task.bytes_sent.most, (node.name, name)


def test_the_part_that_earlier_jobs_have_made_takes_nothing(federation: Federation) -> None:
    client, made = federation.guest.client, federation.pipeline(trees=3)
    found = by_task(client.estimate_job(made.spec(), part="to", task="align"))
    assert set(found) == {"data", "align"}
    assert all(task.reused and task.seconds.most == 0 for task in found.values())
