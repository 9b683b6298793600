"""A saved pipeline is run, then a part of it, over processes and mTLS: what was made is not made again."""

from __future__ import annotations

import pytest
from tests.e2e.federation import Federation

from hanse.client.resources import Job

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def taken(job: Job) -> dict[str, str | None]:
    return {task.name: task.reused_from for task in job.tasks}


def test_a_part_of_a_saved_pipeline_goes_on_from_what_an_earlier_job_made(federation: Federation) -> None:
    made = federation.start("parts")
    made.add("split", "split", {"test_ratio": 0.2}, table=federation.align(made))
    client = federation.guest.client
    saved = client.create_pipeline(made.spec())
    first = client.run_pipeline("parts", fresh=True).id
    assert federation.ends(first) == {"succeeded"}, federation.explain(first)
    second = client.run_pipeline(saved.id, 1, part="only", task="split").id
    assert federation.ends(second) == {"succeeded"}, federation.explain(second)
    for node in federation.nodes.values():
        old, new = node.client.job(first), node.client.job(second)
        assert taken(new) == {"data": first, "align": first, "split": None}
        assert new.task("align").bytes_sent == {}
        assert new.task("align").outputs["table"].sha256 == old.task("align").outputs["table"].sha256
        assert new.task("split").bytes_sent or node is not federation.guest
    assert (client.job(second).pipeline, client.job(second).pipeline_version) == (saved.id, 1)
    assert client.job(second).fragment == "only split"
