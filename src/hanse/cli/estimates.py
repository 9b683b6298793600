"""Estimates as people read them: an interval, and how much history stands behind it."""

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.markup import escape

from hanse.cli.screen import draw_table
from hanse.cli.units import bytes_text, seconds_text
from hanse.core.estimates import Estimate, Range, TaskEstimate

HEADS = ("task", "takes", "sends", "memory", "exact sums", "history")


def draw_estimate(console: Console, estimate: Estimate) -> None:
    """Draw what a job takes at this party, task by task and in all."""
    rows = [_row(task) for task in estimate.tasks]
    rows.append(("in all", *_figures(estimate), _sums(estimate.sums), _say_history(estimate.history)))
    draw_table(console, HEADS, rows, "Nothing runs.")
    if estimate.guessed:
        parties = escape(", ".join(estimate.guessed))
        console.print(
            f"[dim]The sizes of the tables of {parties} are not known here: taken to be like this party's.[/]"
        )
    console.print(f"[dim]{escape(estimate.machine)}[/]")


def range_text(found: Range, text: Callable[[float | None], str]) -> str:
    """Return `3.2 s (2.1 s to 4.8 s)`, and `–` for nothing."""
    return f"{text(found.likely)} ({text(found.least)} to {text(found.most)})" if found.most else "–"


def _row(task: TaskEstimate) -> tuple[Any, ...]:
    if task.reused:
        return (task.task, "taken from an earlier job", "–", "–", "–", "")
    history = _say_history(task.history) if task.takes_part else "no part in it"
    return (task.task, *_figures(task), _sums(task.sums), history)


def _figures(found: TaskEstimate | Estimate) -> tuple[str, str, str]:
    seconds, sent = range_text(found.seconds, seconds_text), range_text(found.bytes_sent, bytes_text)
    return seconds, sent, range_text(found.memory_bytes, bytes_text)


def _sums(sums: dict[Any, int]) -> str:
    return ", ".join(f"{party} {count:,}" for party, count in sums.items()) or "–"


def _say_history(runs: int) -> str:
    return f"{runs} run{'s' if runs > 1 else ''}" if runs else "no history yet"
