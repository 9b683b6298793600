import io

import pytest

from hanse.cli.commands.jobs import draw_job
from hanse.cli.screen import Screen
from hanse.client.resources import Failure, Job, Task


def shown(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    file = io.StringIO()
    task = Task("boost", "hetero_boost", "1", "failed", fault=failure)
    draw_job(Screen(file=file, width=200, color_system=None), Job("j", "risk", "failed", fault=failure, tasks=(task,)))
    return file.getvalue()


def test_a_fault_that_a_job_has_from_its_task_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(Failure("peer.lost", "host-1", "boost", "no answer"), monkeypatch).count("no answer") == 1


def test_a_fault_of_which_only_the_code_arrived_is_told_in_words_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(Failure("disclosure.limit", "host-1", "boost"), monkeypatch)
    assert "host-1 · boost: The limit of what a dataset may disclose" in text
    assert "→ Train fewer or shallower trees" in text
