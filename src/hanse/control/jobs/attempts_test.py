"""Attempts are real processes here: small programs that end in every way a process can."""

import asyncio
import os
import stat
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from hanse.control.jobs.attempts import (
    AttemptKey,
    Attempts,
    Child,
    kill_orphan,
    read_result,
    spawn,
    started_at,
)
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.roles import GUEST
from hanse.core.specs import AttemptResult, AttemptSpec

KEY = AttemptKey(JobId("job-0123456789abcdef"), TaskName("fit"), 1)
LEAVES_A_RESULT = """
import pathlib, sys
task = pathlib.Path(sys.argv[2])
print("hello from", sys.argv[1])
(task.parent / "result.json").write_text('{"state": "succeeded"}')
"""
DIES = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
STAYS = """
import pathlib, subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with (pathlib.Path(sys.argv[2]).parent / "pipe").open("w") as pipe:
    pipe.write(str(grandchild.pid))
time.sleep(600)
"""


class Ends:
    """Collects how attempts ended."""

    def __init__(self) -> None:
        self.seen: list[tuple[AttemptKey, AttemptResult | None]] = []
        self.first = asyncio.Event()

    async def note(self, key: AttemptKey, result: AttemptResult | None) -> None:
        self.seen.append((key, result))
        self.first.set()


def spec_in(folder: Path) -> AttemptSpec:
    return AttemptSpec(
        job=KEY.job,
        task=KEY.task,
        attempt=KEY.number,
        component="x",
        version="1",
        party=GUEST,
        parties={GUEST: OrganisationId("a" * 32)},
        settings={},
        inputs={},
        directory=str(folder / "1"),
        checkpoints=str(folder / "checkpoints"),
        token="secret",
    )


def make(folder: Path, program: str) -> tuple[Attempts, Ends]:
    ends = Ends()
    return Attempts(folder / "log", ends.note, [sys.executable, "-c", program]), ends


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_result_comes_back_and_the_output_is_in_the_log(tmp_path: Path) -> None:
    attempts, ends = make(tmp_path, LEAVES_A_RESULT)
    child = await attempts.start(spec_in(tmp_path))
    assert child.started > 0
    await ends.first.wait()
    assert ends.seen == [(KEY, AttemptResult("succeeded"))]
    (log,) = (tmp_path / "log").iterdir()
    assert log.read_text() == "hello from run\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


async def test_the_task_file_with_its_token_is_for_this_user_only(tmp_path: Path) -> None:
    attempts, ends = make(tmp_path, LEAVES_A_RESULT)
    spec = spec_in(tmp_path)
    await attempts.start(spec)
    await ends.first.wait()
    path = Path(spec.directory) / "task.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert msgspec.json.decode(path.read_bytes(), type=AttemptSpec) == spec


async def test_a_process_that_dies_leaves_no_result(tmp_path: Path) -> None:
    attempts, ends = make(tmp_path, DIES)
    await attempts.start(spec_in(tmp_path))
    await ends.first.wait()
    assert ends.seen == [(KEY, None)]


async def test_stopping_kills_what_the_attempt_has_started_as_well(tmp_path: Path) -> None:
    attempts, ends = make(tmp_path, STAYS)
    pipe = tmp_path / "1" / "pipe"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    child = await attempts.start(spec_in(tmp_path))
    grandchild = psutil.Process(int(await asyncio.to_thread(pipe.read_text)))
    await attempts.stop(KEY)
    assert ends.seen == [(KEY, None)]
    assert attempts.keys() == frozenset()
    assert not is_running(child.pid)
    _, alive = await asyncio.to_thread(psutil.wait_procs, [grandchild], 30)
    assert alive == []


async def test_stopping_what_does_not_run_is_nothing(tmp_path: Path) -> None:
    attempts, ends = make(tmp_path, DIES)
    await attempts.stop(KEY)
    assert ends.seen == []


async def test_an_orphan_is_killed_only_when_it_is_that_very_process(tmp_path: Path) -> None:
    process = await spawn([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "log", {})
    began = started_at(process.pid)
    kill_orphan(Child(process.pid, began - 1.0))
    kill_orphan(Child(os.getpid(), 0.0))
    assert is_running(process.pid)
    kill_orphan(Child(process.pid, began))
    assert await process.wait() == -9


@pytest.mark.parametrize("content", [b"", b"{", b'{"state": "won"}', b'{"state": "succeeded", "more": 1}'])
def test_what_is_no_result_counts_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    assert read_result(path) is None


async def test_temporary_files_lie_in_the_folder_of_the_attempt(tmp_path: Path) -> None:
    attempts, ends = make(tmp_path, "import os; print(os.environ['TMPDIR'])")
    spec = spec_in(tmp_path)
    await attempts.start(spec)
    await ends.first.wait()
    (log,) = (tmp_path / "log").iterdir()
    assert log.read_text().strip() == spec.directory


async def test_the_nodes_secrets_are_not_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANSE_DATABASE", "postgresql://hanse:hush@db/hanse")
    process = await spawn(
        [sys.executable, "-c", "import os; print(dict(os.environ))"], tmp_path / "log", {"MORE": "yes"}
    )
    await process.wait()
    text = (tmp_path / "log").read_text()
    assert "hush" not in text
    assert "'MORE': 'yes'" in text
