"""Bad input as a user meets it: a clear error at the right party, the same end at all, and nothing lost.

What went wrong in one house stays there: partners learn party, step and code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.federation import PARTIES, Federation, Node, raised, read_scores, wait

from hanse.client import Pipeline
from hanse.client.refusal import Refusal
from hanse.client.resources import JobProblem
from hanse.core.errors import describe

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROWS = 300
GOOD = "id,x\n" + "".join(f"p{n:06d},{n % 13}\n" for n in range(ROWS))

FILES: dict[str, tuple[bytes, str, str]] = {
    "an empty file": (b"", "dataset.empty", "0 bytes"),
    "a header only": (b"id,x\n", "dataset.empty", "no rows"),
    "no id column": (b"name,x\na,1\n", "dataset.id_column", "'id'"),
    "ids that occur twice": (b"id,x\nAnna,1\nBert,2\n anna ,3\n", "dataset.id_duplicate", "row"),
    "an id that is empty": (b"id,x\nanna,1\n,2\n", "dataset.id_missing", "row"),
    "NaN": (b"id,x\na,1\nb,nan\n", "dataset.not_finite", "row 2"),
    "infinity": (b"id,x\na,-inf\nb,2\n", "dataset.not_finite", "row 1"),
    "GBK": ("id,城市\na,北京\nb,上海\n".encode("gbk"), "dataset.encoding", "GBK"),
    "UTF-16 without a mark": ("id,x\na,1\n".encode("utf-16-le"), "dataset.encoding", "UTF-16"),
    "a line too long": (b"id,x\na,1\nb,2,3\n", "dataset.ragged", "3"),
    "a column name twice": (b"id,x,X\na,1,2\n", "dataset.header", "x"),
    "half an Excel file": (b"PK\x03\x04" + bytes(100), "dataset.damaged", ""),
    "half a Parquet file": (b"PAR1" + bytes(100), "dataset.damaged", ""),
}
LABELS: dict[str, tuple[bytes, str]] = {
    "a label of words": (b"id,y\na,yes\nb,no\n", "dataset.label_type"),
    "a label with gaps": (b"id,y\na,1\nb,\n", "dataset.label_missing"),
    "no such label": (b"id,x\na,1\nb,0\n", "dataset.label_column"),
}


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    with raised(tmp_path_factory.mktemp("bad"), rows=ROWS, disclosure_limit=50.0) as federation:
        yield federation


# ------------------------------------------------------------------ files


def offer_file(node: Node, path: Path, label: str | None = None) -> Refusal:
    """Register a file that must be refused; nothing of it may stay."""
    before = node.client.datasets(), sorted(path.name for path in (node.directory / "data").iterdir())
    with pytest.raises(Refusal) as caught:
        node.client.register_dataset("people", str(path), "id", label)
    assert (node.client.datasets(), sorted(path.name for path in (node.directory / "data").iterdir())) == before
    return caught.value


def demand_clear(refusal: Refusal, code: str) -> None:
    assert (refusal.fault.code, refusal.status) == (code, describe(code).status)
    assert refusal.fault.cause
    assert refusal.fault.remedy
    assert refusal.text.keys() >= {"zh", "en"}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_used_is_refused_with_its_reason(
    federation: Federation, tmp_path: Path, name: str
) -> None:
    content, code, word = FILES[name]
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    refusal = offer_file(federation.nodes["shop"], path)
    demand_clear(refusal, code)
    assert word in refusal.fault.cause


@pytest.mark.parametrize("name", LABELS)
def test_a_label_that_cannot_be_used_is_refused_with_its_reason(
    federation: Federation, tmp_path: Path, name: str
) -> None:
    content, code = LABELS[name]
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    demand_clear(offer_file(federation.guest, path, "y"), code)


@pytest.mark.parametrize("path", ["/nowhere/people.csv", "people.csv", "/dev"])
def test_a_path_that_the_node_cannot_read_is_refused(federation: Federation, path: str) -> None:
    demand_clear(offer_file(federation.nodes["shop"], Path(path)), "dataset.path")


def test_the_command_line_says_it_in_words_and_as_json(federation: Federation, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(FILES["GBK"][0])
    words = ["dataset", "register", "people", str(path), "--id", "id", "--directory", str(federation.guest.directory)]
    said = run_command(words)
    assert said.returncode == 1
    assert "GBK" in said.stderr
    assert "UTF-8" in said.stderr
    assert "Traceback" not in said.stderr
    said = run_command([*words, "--json"])
    assert said.returncode == 1
    error: dict[str, Any] = json.loads(said.stdout)["error"]
    assert error["code"] == "dataset.encoding"
    assert error["remedy"]


def run_command(words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "200"}
    command = [sys.executable, "-m", "hanse.cli", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


# ------------------------------------------------------------------ jobs


def add(node: Node, folder: Path, name: str, content: str, label: str | None = None) -> None:
    """Register a good file."""
    path = folder / f"{name}.csv"
    path.write_text(content, "utf-8")
    node.client.register_dataset(name, str(path), "id", label)


def project_of(federation: Federation) -> str:
    return federation.guest.client.projects()[0].id


def use(federation: Federation, name: str, columns: list[str] | None = None, **datasets: str) -> Pipeline:
    """Return a pipeline of alignment and training over `people`, with another dataset (and columns) at some parties."""
    made = federation.start(name)
    chosen = {"columns": columns} if columns else {}
    at = {party: {"dataset": datasets[name], **chosen} for party, name in PARTIES.items() if name in datasets}
    data = made.add("data", "dataset", {"dataset": "people"}, at=at)
    align = made.add("align", "psi", table=data["table"])
    made.add("boost", "hetero_boost", {"trees": 2, "depth": 2}, train=align["table"])
    return made


def demand_failure(federation: Federation, pipeline: Pipeline, code: str, party: str, step: str) -> str:
    """The job fails at all parties with one code, party and step; only the party that it is about knows why."""
    job = federation.run(pipeline)
    assert federation.ends(job) == {"failed"}, federation.explain(job)
    culprit = PARTIES[party]
    for node in federation.nodes.values():
        ended = federation.end(node, job)
        assert ended.fault is not None
        assert (ended.fault.code, ended.fault.party, ended.fault.step) == (code, party, step), node.name
        assert bool(ended.fault.cause) == (node.name == culprit), (node.name, ended.fault)
        assert {task.state for task in ended.tasks} <= {"succeeded", "failed", "skipped"}
        assert ended.task(step).state == "failed"
    mine = federation.end(federation.nodes[culprit], job).fault
    assert mine is not None
    assert mine.remedy
    return mine.cause or ""


def demand_rejection(federation: Federation, pipeline: Pipeline) -> JobProblem:
    """The job is rejected at all parties for one problem, of which a third party learns the party only."""
    with pytest.raises(Refusal) as caught:
        federation.run(pipeline)
    assert (caught.value.fault.code, caught.value.status) == ("job.rejected", 422)
    (problem,) = caught.value.problems
    assert problem.remedy
    job = federation.guest.client.jobs()[0].id
    assert federation.ends(job) == {"rejected"}, federation.explain(job)
    for node in federation.nodes.values():
        ended = federation.end(node, job)
        assert ended.fault is not None
        assert (ended.fault.code, ended.fault.party) == ("job.rejected", problem.party)
        if node.name not in ("bank", PARTIES[problem.party or "guest"]):
            assert not ended.fault.cause
            assert problem.message not in repr(ended)
    return problem


def demand_success(federation: Federation, pipeline: Pipeline) -> str:
    job = federation.run(pipeline)
    assert federation.ends(job) == {"succeeded"}, federation.explain(job)
    return job


def is_told(node: Node, words: str) -> bool:
    """Say whether words stand anywhere on a node's disk."""
    files = (path for path in node.directory.rglob("*") if path.is_file())
    return any(words.encode() in path.read_bytes() for path in files)


def test_a_label_of_one_class_ends_the_training_and_only_the_guest_knows_the_label(
    federation: Federation, tmp_path: Path
) -> None:
    ones = "id,y,x\n" + "".join(f"p{n:06d},1,{n % 7}\n" for n in range(ROWS))
    add(federation.guest, tmp_path, "one_class", ones, "y")
    federation.guest.client.add_grant("one_class", project_of(federation))
    cause = demand_failure(
        federation, use(federation, "one class", bank="one_class"), "label.one_class", "guest", "boost"
    )
    assert "label 1" in cause
    assert not any(is_told(node, cause) for node in federation.hosts)


def test_nobody_in_common_ends_the_alignment(federation: Federation, tmp_path: Path) -> None:
    strangers = "id,y,x\n" + "".join(f"q{n:06d},{n % 2},{n % 7}\n" for n in range(ROWS))
    add(federation.guest, tmp_path, "strangers", strangers, "y")
    federation.guest.client.add_grant("strangers", project_of(federation))
    cause = demand_failure(federation, use(federation, "strangers", bank="strangers"), "psi.empty", "guest", "align")
    assert "all 2 hosts" in cause


def test_a_gap_in_a_hosts_column_is_a_missing_value(federation: Federation, tmp_path: Path) -> None:
    telecom = federation.nodes["telecom"]
    gaps = "id,patchy\n" + "".join(f"p{n:06d},{n % 7 or ''}\n" for n in range(ROWS))
    add(telecom, tmp_path, "gaps", gaps)
    telecom.client.add_grant("gaps", project_of(federation), disclosure_limit=50.0)
    job = federation.run(use(federation, "gaps", telecom="gaps"))
    assert federation.ends(job) == {"succeeded"}, federation.explain(job)


def test_a_host_without_a_column_to_split_is_told_so_alone(federation: Federation, tmp_path: Path) -> None:
    telecom = federation.nodes["telecom"]
    add(telecom, tmp_path, "flat", "id,flat_9be1\n" + "".join(f"p{n:06d},4\n" for n in range(ROWS)))
    telecom.client.add_grant("flat", project_of(federation), disclosure_limit=50.0)
    cause = demand_failure(federation, use(federation, "flat", telecom="flat"), "disclosure.limit", "host-1", "boost")
    assert "no column has two groups" in cause
    assert is_told(telecom, cause)
    assert not is_told(federation.guest, cause)
    assert not is_told(federation.nodes["shop"], cause)


def test_a_column_that_is_granted_to_nobody_is_refused(federation: Federation, tmp_path: Path) -> None:
    shop = federation.nodes["shop"]
    content = "id,open,secret_column\n" + "".join(f"p{n:06d},{n % 5},{n}.25\n" for n in range(ROWS))
    add(shop, tmp_path, "partly", content)
    shop.client.add_grant("partly", project_of(federation), ["open"])
    columns = ("secret_column", "no_such_column")
    told = [demand_rejection(federation, use(federation, name, [name], shop="partly")) for name in columns]
    assert {(problem.party, problem.task) for problem in told} == {("host-2", "data")}
    assert told[0].message.startswith("secret_column")
    assert told[0].message.replace(*columns) == told[1].message


def test_an_ungranted_dataset_is_refused_in_the_same_words_as_one_that_is_not_there(
    federation: Federation, tmp_path: Path
) -> None:
    add(federation.nodes["shop"], tmp_path, "private", GOOD)
    told = [demand_rejection(federation, use(federation, name, shop=name)).message for name in ("private", "nothing")]
    assert told[0].replace("private", "nothing") == told[1]


def test_the_guests_own_ungranted_dataset_is_refused_before_anybody_is_asked(
    federation: Federation, tmp_path: Path
) -> None:
    add(federation.guest, tmp_path, "unshared", "id,y\n" + "".join(f"p{n:06d},{n % 2}\n" for n in range(ROWS)), "y")
    before = [node.client.jobs() for node in federation.nodes.values()]
    with pytest.raises(Refusal) as caught:
        federation.run(use(federation, "unshared", bank="unshared"))
    assert {(problem.party, problem.task) for problem in caught.value.problems} == {("guest", "data")}
    assert [node.client.jobs() for node in federation.nodes.values()] == before


def test_a_grant_that_is_revoked_between_two_jobs_stops_the_second_and_a_new_one_lets_the_third_run(
    federation: Federation,
) -> None:
    shop = federation.nodes["shop"]
    demand_success(federation, use(federation, "granted"))
    shop.client.revoke_grant(federation.grants["shop"])
    try:
        problem = demand_rejection(federation, use(federation, "revoked"))
        assert (problem.party, problem.task) == ("host-2", "data")
        assert "'people'" in problem.message
    finally:
        federation.grants["shop"] = shop.client.add_grant("people", project_of(federation), disclosure_limit=50.0).id
    demand_success(federation, use(federation, "granted again"))


def test_a_grant_that_has_ended_is_refused_with_its_date(federation: Federation, tmp_path: Path) -> None:
    shop, project = federation.nodes["shop"], project_of(federation)
    add(shop, tmp_path, "brief", GOOD)
    until = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    shop.client.add_grant("brief", project, until=until)
    wait(lambda: not any(d.name == "brief" for d in shop.client.project_datasets(project)), 30, "the grant ends")
    problem = demand_rejection(federation, use(federation, "brief", shop="brief"))
    assert (problem.party, problem.task) == ("host-2", "data")
    assert "ended" in problem.message


def test_repeated_jobs_use_up_what_a_dataset_may_disclose(federation: Federation, tmp_path: Path) -> None:
    telecom, project = federation.nodes["telecom"], project_of(federation)
    fine = "id,fine\n" + "".join(f"p{n:06d},{n}\n" for n in range(ROWS))
    add(telecom, tmp_path, "fine", fine)
    grant = telecom.client.add_grant("fine", project, disclosure_limit=0.17)
    used = []
    for _ in range(6):
        job = federation.run(use(federation, "again and again", telecom="fine"))
        ends = federation.ends(job)
        assert len(ends) == 1, federation.explain(job)
        if ends == {"failed"}:
            break
        (use_of,) = telecom.client.job(job).disclosure
        used.append(use_of.used)
    assert 1 <= len(used) <= 4
    assert used == sorted(set(used))
    for node in federation.nodes.values():
        fault = federation.end(node, job).fault
        assert fault is not None
        assert (fault.code, fault.party, fault.step) == ("disclosure.limit", "host-1", "boost")
        assert bool(fault.cause) == (node is telecom), (node.name, fault)
    telecom.client.revoke_grant(grant.id)
    grant = telecom.client.add_grant("fine", project, disclosure_limit=0.01)
    problem = demand_rejection(federation, use(federation, "much too much", telecom="fine"))
    assert (problem.party, problem.task) == ("host-1", "boost")
    assert f"{used[-1]} were told before" in problem.message
    telecom.client.revoke_grant(grant.id)
    telecom.client.add_grant("fine", project, disclosure_limit=50.0)
    job = demand_success(federation, use(federation, "with a higher limit", telecom="fine"))
    assert telecom.client.job(job).disclosure[0].used > used[-1]


def test_after_all_of_this_a_correct_job_succeeds(federation: Federation) -> None:
    job = demand_success(federation, federation.pipeline())
    assert len(read_scores(federation.guest.client.job(job), "again")) > ROWS // 2
