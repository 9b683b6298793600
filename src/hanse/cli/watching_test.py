import io

from rich.console import Console

from hanse.cli.watching import Board
from hanse.client.resources import Failure, Job, JobEvent, Task


def told(terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=160, color_system=None)
    done = Task("align", "psi", "1", "succeeded", seconds=1.25, bytes_sent={"host-1": 2_500_000})
    running = Task("boost", "hetero_boost", "1", "running")
    failed = Task("boost", "hetero_boost", "1", "failed", fault=Failure("peer.lost"))
    with Board(console, "  ") as board:
        board.job(Job("j", "risk", "running", tasks=(done, running)))
        board.event(JobEvent(1, "", "progress", "boost", data={"done": 3, "total": 20, "note": "tree"}))
        board.event(JobEvent(2, "", "metric", "boost", data={"name": "train_auc", "value": 0.81234, "step": 3}))
        board.event(JobEvent(3, "", "progress", "nobody", data={"done": 1}))
        board.event(JobEvent(4, "", "a newer kind", "boost", data={}))
        board.job(Job("j", "risk", "failed", tasks=(done, failed)))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_without_a_terminal_each_beginning_and_end_is_one_line() -> None:
    assert told(terminal=False).splitlines() == [
        "  ✓ align 1.2 s · sent 2.5 MB",
        "  ▸ boost hetero_boost",
        "  ✗ boost failed · train_auc 0.8123",
    ]


def test_on_a_terminal_there_are_bars_with_the_newest_metric() -> None:
    shown = told(terminal=True)
    assert "align" in shown
    assert "train_auc 0.8123" in shown
