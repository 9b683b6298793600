import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from hanse.cli.demo.cast import Cast
from hanse.cli.demo.closing import draw_outcome
from hanse.cli.demo.play import Check, Outcome, Scored
from hanse.cli.demo.show import give
from hanse.cli.demo.story import Story
from hanse.core.faults import HanseError, fault

OUTCOME = Outcome(
    story="who",
    objective="binary",
    rows={"bank": 100, "operator": 120},
    shared=80,
    train=64,
    test=16,
    table={"guest alone": {"auc": 0.7, "ks": 0.3}, "federated": {"auc": 0.81236, "ks": 0.5}},
    bytes_sent={"bank": 4_200_000, "operator": 900},
    learns={"align": {"guest": ["how many"], "host": ["which"]}, "again": {"guest": ["how many"]}},
    disclosure={
        "bank": [],
        "operator": [{"dataset": "calls", "guest": "bank", "used": 160, "limit": 0.1, "ceiling": 800}],
    },
    scored=[Scored("999*****123", 0.25)],
    scored_rows=80,
    checks=[Check("training rows", 64, 0.0), Check("test rows", 16, 0.5)],
)


def drawn(outcome: Outcome) -> str:
    file = io.StringIO()
    story = Story(Console(file=file, width=200, color_system=None))
    with story.step("files", "The [files]"):
        pass
    draw_outcome(story, outcome, 61.0, 1_300_000_000)
    return file.getvalue()


def test_the_outcome_is_told_whole() -> None:
    shown = drawn(OUTCOME)
    for part in ("The [files]", "0.8124", "999*****123", "4.2 MB", "900 B", "1 min 01 s", "1.3 GB", "160 of the 800"):
        assert part in shown
    assert shown.count("how many") == 1
    assert "(align, again)" in shown


def test_scores_that_differ_are_marked() -> None:
    lines = [line for line in drawn(OUTCOME).splitlines() if "equal to the scores" in line]
    assert [line.split()[0] for line in lines] == ["✓", "✗"]


def test_a_regression_is_judged_by_its_error() -> None:
    table = {"federated": {"rmse": 1.5}}
    assert "RMSE" in drawn(msgspec.structs.replace(OUTCOME, objective="regression", table=table))


def test_a_folder_to_keep_must_be_empty(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    with pytest.raises(HanseError) as refused:
        give(_never, Story(Console(quiet=True)), tmp_path, as_json=True)
    assert "is not empty" in refused.value.fault.cause


def test_an_error_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(HanseError):
        give(_never, Story(Console(quiet=True)), None, as_json=True)
    assert list(tmp_path.iterdir()) == []


def _never(directory: Path) -> Cast:
    (directory / "half written").touch()
    raise fault("demo.settings", "no")
