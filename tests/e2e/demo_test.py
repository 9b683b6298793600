"""The demonstration as a user runs it: what it finds, and that nothing of it is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from hanse.client import Refusal, connect

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROWS = 6_000
FINISH_S = 240
START_S = 60


def environment(folder: Path) -> dict[str, str]:
    """Everything temporary goes below `folder`, so that what is left can be seen; messages are in English."""
    return {**os.environ, "TMPDIR": str(folder), "LC_ALL": "C.UTF-8", "COLUMNS": "160"}


def hanse(*words: str, folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hanse.cli", *words]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=FINISH_S, check=check
    )


def processes_below(folder: Path) -> list[psutil.Process]:
    """Processes that name `folder` in their command line or work in it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.pid != os.getpid() and any(str(folder) in word for word in [*process.cmdline(), process.cwd()]):
                found.append(process)
    return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What one kept demonstration said; its nodes run until the tests of this module have ended."""
    folder = tmp_path_factory.mktemp("kept")
    try:
        said = hanse("demo", "--rows", str(ROWS), "--json", "--keep-in", str(folder / "stage"), folder=folder)
        assert said.stderr == ""
        yield json.loads(said.stdout)
    finally:
        running = processes_below(folder)
        for process in running:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, stubborn = psutil.wait_procs(running, timeout=20)
        for process in stubborn:
            process.kill()
        assert stubborn == []


def test_the_federation_is_above_the_guest_alone_and_beside_all_data_in_one_place(kept: dict[str, Any]) -> None:
    alone, federated, pooled = (kept["table"][who] for who in ("guest alone", "federated", "all data in one place"))
    assert federated["auc"] > alone["auc"] + 0.04
    assert federated["ks"] > alone["ks"]
    assert abs(federated["auc"] - pooled["auc"]) <= 0.01
    assert kept["train"] + kept["test"] == kept["shared"] == kept["scored_rows"]


def test_batch_scores_equal_the_scores_of_the_training_job(kept: dict[str, Any]) -> None:
    assert [check["rows"] for check in kept["checks"]] == [kept["train"], kept["test"]]
    assert all(check["farthest"] <= 1e-6 for check in kept["checks"])


def test_the_cost_is_told_for_every_party(kept: dict[str, Any]) -> None:
    assert set(kept["bytes_sent"]) == {"bank", "operator", "retailer"}
    assert min(kept["bytes_sent"].values()) > 100_000
    assert 100e6 < kept["peak_memory_bytes"] < 2e9
    assert kept["seconds"]["total"] >= sum(value for name, value in kept["seconds"].items() if name != "total") - 0.1


def test_it_says_what_each_role_learns_and_shows_no_whole_id(kept: dict[str, Any]) -> None:
    assert {role for roles in kept["learns"].values() for role in roles} == {"guest", "host"}
    assert kept["disclosure"]["operator"][0]["used"] > 0
    assert len(kept["scored"]) == 5
    assert all("***" in one["id"] for one in kept["scored"])
    scores = [one["score"] for one in kept["scored"]]
    assert scores == sorted(scores, reverse=True)


def test_the_kept_nodes_answer_the_command_line(kept: dict[str, Any], tmp_path: Path) -> None:
    bank = kept["kept"]["bank"]["directory"]
    operator = kept["kept"]["operator"]["directory"]

    def ask(*words: str, directory: str = bank) -> Any:
        return json.loads(hanse(*words, "--directory", directory, "--json", folder=tmp_path).stdout)

    assert ask("node", "status")["organisation"] == "bank"
    assert {one["organisation"]: one["state"] for one in ask("member", "list")} == {
        "operator": "active",
        "retailer": "active",
    }
    jobs = ask("job", "list")
    assert [one["state"] for one in jobs] == ["succeeded", "succeeded"]
    assert {one["component"] for one in ask("model", "list")} == {"hetero_boost", "local_boost"}
    (held,) = ask("model", "list", directory=operator)
    assert ask("model", "show", held["id"], directory=operator)["manifest"]["component"] == "hetero_boost"
    assert [one["dataset"] for one in ask("grant", "list", directory=operator)] == ["subscribers"]
    shown = hanse("job", "show", jobs[-1]["id"], "--directory", bank, folder=tmp_path).stdout
    assert "Who learns what" in shown
    assert "hetero_boost" in shown


def test_the_python_client_speaks_to_a_real_node(kept: dict[str, Any]) -> None:
    with connect(kept["kept"]["bank"]["directory"]) as bank:
        (job, *_) = [one for one in bank.jobs() if one.name == "train and judge"]
        ended = bank.watch(job.id)
        report = bank.output(job.id, "judge", "report")
        (offered,) = [one for one in bank.project_datasets(bank.projects()[0].id) if one.organisation == "operator"]
        with pytest.raises(Refusal) as refused:
            bank.job("job-0000000000000000")
    assert ended.state == "succeeded"
    assert ended.task("boost").attempt == 1
    assert ended.task("boost").bytes_sent["host-1"] > 0
    assert report["values"]["auc"] == kept["table"]["federated"]["auc"]
    assert (offered.name, offered.schema.id) == ("subscribers", "phone")
    assert (refused.value.status, refused.value.fault.code) == (404, "job.unknown")


def test_a_wrong_pipeline_is_refused_by_the_node_with_problems(kept: dict[str, Any], tmp_path: Path) -> None:
    bank = kept["kept"]["bank"]["directory"]
    pipeline = {
        "name": "wrong",
        "project": "demo",
        "parties": {"guest": "bank", "host-1": "operator"},
        "tasks": {"data": {"component": "no_such_component"}},
    }
    (tmp_path / "wrong.json").write_text(json.dumps(pipeline))
    refused = hanse("job", "run", "wrong.json", "--directory", bank, "--json", folder=tmp_path, check=False)
    assert refused.returncode == 1
    said = json.loads(refused.stdout)
    assert "no_such_component" in json.dumps(said["problems"])
    assert refused.stderr == ""


def test_nothing_is_left_after_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hanse.cli", "demo", "--rows", "2000"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + START_S
    while len(list(tmp_path.glob("hanse-demo-*/*/node.json"))) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert processes_below(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_files_with_nobody_in_common_end_in_words_and_leave_nothing(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "bank.csv").write_text("id,y,x\n" + "".join(f"{n},{n % 2},{n % 5}\n" for n in range(50)))
    (files / "operator.csv").write_text("id,z\n" + "".join(f"{n},{n % 3}\n" for n in range(50, 90)))
    folder = tmp_path / "temporary"
    folder.mkdir()
    own = ("--guest", str(files / "bank.csv"), "--host", str(files / "operator.csv"), "--label", "y")
    failed = hanse("demo", *own, folder=folder, check=False)
    assert failed.returncode == 1
    assert "no id is in the files of all: bank, operator" in failed.stderr
    assert processes_below(folder) == []
    assert list(folder.iterdir()) == []


def test_the_real_files_run_unchanged(data: Path, tmp_path: Path) -> None:
    guest, host = (data / f"default_credit_hetero_{role}.csv" for role in ("guest", "host"))
    said = hanse("demo", "--guest", str(guest), "--host", str(host), "--label", "y", "--json", folder=tmp_path)
    found = json.loads(said.stdout)
    alone, federated, pooled = (found["table"][who] for who in ("guest alone", "federated", "all data in one place"))
    assert federated["auc"] > alone["auc"]
    assert abs(federated["auc"] - pooled["auc"]) <= 0.005
    assert processes_below(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
