"""Jobs over processes and mTLS: run, refused, broken by kill -9 of attempts and nodes, cancelled."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.e2e.federation import PARTIES, Federation, Node, read_scores

from hanse.client.refusal import Refusal

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def demand_success(federation: Federation, job: str) -> None:
    """The job has succeeded at every party, each has its part of the model, and the model gives its scores again."""
    assert federation.ends(job) == {"succeeded"}, federation.explain(job)
    models = {tuple(m.id for m in node.client.models() if m.job == job) for node in federation.nodes.values()}
    assert models == {(f"model-{job.removeprefix('job-')}-boost",)}
    found = federation.guest.client.job(job)
    trained, again = read_scores(found, "boost"), read_scores(found, "again")
    assert trained.keys() == again.keys()
    assert max(abs(score - again[person]) for person, score in trained.items()) <= 1e-6


def test_three_organisations_train_a_model_together(federation: Federation) -> None:
    job = federation.run(federation.pipeline())
    demand_success(federation, job)
    for party, name in PARTIES.items():
        found = federation.nodes[name].client.job(job)
        assert found.role == party
        assert [task.attempt for task in found.tasks] == [1] * 5
        boost = found.task("boost")
        assert sum(boost.bytes_sent.values()) > 1000
        assert boost.digests
        assert boost.peak_memory_bytes is not None
        assert found.learns["align"]["guest"]
    for host in federation.hosts:
        (used,) = host.client.job(job).disclosure
        assert used.used >= 4
        assert used.guest == "bank"


def hanse(node: Node, *words: str) -> str:
    """What a command of `hanse` prints at a node."""
    command = [sys.executable, "-m", "hanse.cli", *words, "--directory", str(node.directory)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_reports_are_shown_and_tables_fetched_by_those_who_have_them(federation: Federation, tmp_path: Path) -> None:
    job = federation.run(federation.pipeline())
    demand_success(federation, job)
    found = federation.guest.client.job(job)
    report = federation.guest.client.report(job, "boost")
    assert report.view == "boost"
    assert json.loads(hanse(federation.guest, "job", "report", job, "boost", "--json")) == msgspec.to_builtins(report)
    assert "importance" in hanse(federation.guest, "job", "report", job)
    file = tmp_path / "scores.csv"
    told = json.loads(hanse(federation.guest, "job", "fetch", job, "boost", "scores", str(file), "--json"))
    with file.open(newline="") as lines:
        scores = {line["id"]: float(line["score"]) for line in csv.DictReader(lines)}
    assert scores == pytest.approx(read_scores(found, "boost"))
    assert told["rows"] == len(scores)
    with pytest.raises(Refusal, match=r"job\.no_output"):
        federation.guest.client.report(job, "data")
    with pytest.raises(Refusal, match=r"job\.no_output"):
        federation.hosts[0].client.output(job, "boost", "scores")


def test_a_later_job_on_the_same_rows_goes_on_with_the_set_up_of_an_earlier_one(federation: Federation) -> None:
    def train() -> bool:
        made = federation.start("again")
        split = made.add("split", "split", {"test_ratio": 0.2, "seed": "spring"}, table=federation.align(made))
        made.add("boost", "hetero_boost", {"trees": 1, "depth": 2}, train=split["train"])
        job = federation.run(made)
        assert federation.ends(job) == {"succeeded"}
        told = {bool(node.client.report(job, "boost").values["setup_reused"]) for node in federation.nodes.values()}
        assert len(told) == 1
        return told.pop()

    assert [train(), train()] == [False, True]


def test_events_reach_every_party_in_order(federation: Federation) -> None:
    job = federation.run(federation.pipeline())
    for node in federation.nodes.values():
        events = list(node.client.events(job))
        assert [event.number for event in events] == sorted(event.number for event in events)
        assert (events[-1].kind, events[-1].data["state"]) == ("job", "succeeded")
        assert "progress" in {event.kind for event in events}


def test_a_dataset_that_is_not_granted_is_refused_with_party_and_task(federation: Federation) -> None:
    made = federation.start("wrong")
    made.add("data", "dataset", {"dataset": "people"}, at={"host-2": {"dataset": "secrets"}})
    with pytest.raises(Refusal) as caught:
        federation.run(made)
    (problem,) = caught.value.problems
    assert (problem.party, problem.task) == ("host-2", "data")
    assert "secrets" in problem.message


def test_attempts_killed_in_the_middle_are_tried_again(federation: Federation) -> None:
    plans = {
        "bank": {"party": "guest", "task": "align", "at": "message", "nth": 2},
        "telecom": {"party": "host-1", "task": "boost", "at": "checkpoint", "nth": 1},
        "shop": {"party": "host-2", "task": "split", "at": "received", "nth": 1},
    }
    for name, plan in plans.items():
        federation.nodes[name].break_attempts([plan])
    try:
        job = federation.run(federation.pipeline())
        demand_success(federation, job)
    finally:
        for node in federation.nodes.values():
            node.break_attempts([])
    attempts = {task.name: task.attempt for task in federation.guest.client.job(job).tasks}
    assert attempts == {"data": 1, "align": 2, "split": 2, "boost": 2, "again": 1}


@pytest.mark.parametrize("name", ["telecom", "bank"])
def test_a_node_killed_in_the_middle_of_training_comes_back_and_the_job_goes_on(
    federation: Federation, name: str
) -> None:
    node = federation.nodes[name]
    job = federation.run(federation.pipeline(trees=12, depth=3))
    federation.wait_for_progress(node, job, "boost")
    node.kill()
    node.start()
    demand_success(federation, job)


def test_a_host_cancels_and_the_job_ends_for_everybody(federation: Federation) -> None:
    job = federation.run(federation.pipeline(trees=12, depth=3))
    shop = federation.nodes["shop"]
    federation.wait_for_task(shop, job, "align")
    shop.client.cancel_job(job)
    assert federation.ends(job) == {"cancelled"}


def test_a_grant_taken_back_stops_a_job_that_runs(federation: Federation) -> None:
    telecom = federation.nodes["telecom"]
    project = telecom.client.projects()[0].id
    job = federation.run(federation.pipeline(trees=12, depth=3))
    federation.wait_for_task(telecom, job, "align")
    telecom.client.revoke_grant(federation.grants["telecom"])
    try:
        assert federation.ends(job) == {"failed"}
        for node in federation.nodes.values():
            fault = federation.end(node, job).fault
            assert fault is not None
            assert (fault.code, fault.party) == ("grant.missing", "host-1")
    finally:
        federation.grants["telecom"] = telecom.client.add_grant("people", project, disclosure_limit=5.0).id


def test_a_dataset_discloses_no_more_than_its_owner_allows(federation: Federation) -> None:
    telecom = federation.nodes["telecom"]
    project = telecom.client.projects()[0].id
    telecom.client.revoke_grant(federation.grants["telecom"])
    telecom.client.add_grant("people", project, disclosure_limit=0.001)
    try:
        with pytest.raises(Refusal) as caught:
            federation.run(federation.pipeline())
        (problem,) = caught.value.problems
        assert (problem.party, problem.task) == ("host-1", "boost")
        assert "limit 0.001 allow 0" in problem.message
    finally:
        grants = [grant for grant in telecom.client.grants() if grant.revoked_at is None]
        telecom.client.revoke_grant(grants[0].id)
        federation.grants["telecom"] = telecom.client.add_grant("people", project, disclosure_limit=5.0).id


def test_no_process_outlives_its_node(tmp_path_factory: pytest.TempPathFactory, federation: Federation) -> None:
    job = federation.run(federation.pipeline(trees=12, depth=3))
    shop = federation.nodes["shop"]
    federation.wait_for_progress(shop, job, "boost")
    assert shop.stop() == []
    shop.start()
    demand_success(federation, job)
