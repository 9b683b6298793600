"""Over processes and mTLS: what was made is not made again when a part is run; a filled template runs."""

from __future__ import annotations

import json

import pytest
from tests.e2e.federation import Federation, read_scores
from typer.testing import CliRunner

from hanse.cli.app import app
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


def run_template(federation: Federation, template: str, **more: str) -> Job:
    """Fill and run a template of two parties from the command line; return the job when both know its end."""
    values = {"project": "risk", "guest": "bank", "host": "telecom", "guest_data": "people", "host_data": "people"}
    said = [word for name, value in {**values, **more}.items() for word in ("--set", f"{name}={value}")]
    where = ["--directory", str(federation.guest.directory), "--json"]
    ran = CliRunner().invoke(app, ["job", "from-template", template, *said, *where])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    job = json.loads(ran.stdout)["id"]
    ended = [federation.end(federation.nodes[name], job) for name in ("bank", "telecom")]
    assert [end.state for end in ended] == ["succeeded", "succeeded"], ended
    return ended[0]


def test_templates_of_the_product_are_filled_and_run_from_the_command_line(federation: Federation) -> None:
    trained = run_template(federation, "boosting", trees="2", depth="2", host_columns="telecom_0")
    tested = read_scores(trained, "scores")
    assert len(tested) == 108  # a fifth of the 540 shared rows
    assert 0.5 < federation.guest.client.report(trained.id, "judge").values["auc"] < 1
    scored = read_scores(run_template(federation, "scoring", model=f"model-{trained.id[4:]}-boost"), "scores")
    assert len(scored) == 540
    assert {name: scored[name] for name in tested} == tested
