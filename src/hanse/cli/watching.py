"""A job as it runs: a bar per task, what it is doing, its newest metric, what this node has sent for it."""

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from hanse.cli.units import bytes_text, number_text, seconds_text
from hanse.client.resources import Job, JobEvent, Task

MARKS = {
    "waiting": "[dim]·[/]",
    "running": "[cyan]▸[/]",
    "succeeded": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "cancelled": "[yellow]–[/]",
    "skipped": "[dim]–[/]",
}


class Board:
    """Live bars on a terminal; elsewhere one plain line for each task that begins or ends. Use it as a context."""

    def __init__(self, console: Console, indent: str = "") -> None:
        self._console = console
        self._indent = indent
        self._rows: dict[str, TaskID] = {}
        self._metrics: dict[str, dict[str, float]] = {}
        self._told: set[tuple[str, str]] = set()
        self._bars = Progress(
            TextColumn(indent + "{task.fields[mark]} {task.description}"),
            BarColumn(bar_width=24, complete_style="cyan", finished_style="green"),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}[/]"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def event(self, event: JobEvent) -> None:
        """Take in what happened. Unknown kinds are ignored: a newer node may tell more."""
        match event.kind, event.task:
            case "progress", str(task) if task in self._rows:
                self._progress(task, event.data)
            case "metric", str(task) if task in self._rows:
                self._metric(task, event.data)
            case _:
                pass

    def job(self, job: Job) -> None:
        """Take in how all tasks are."""
        for task in job.tasks:
            if task.name not in self._rows:
                title = f"[bold]{escape(task.name):<12}[/] [dim]{escape(task.component):<12}[/]"
                self._rows[task.name] = self._bars.add_task(
                    title, start=False, total=1, visible=False, mark=MARKS["waiting"], note=""
                )
            self._state(task)

    def _state(self, task: Task) -> None:
        row = self._rows[task.name]
        if task.state == "waiting" or (task.name, task.state) in self._told:
            return
        self._told.add((task.name, task.state))
        mark = MARKS.get(task.state, "·")
        if task.state == "running":
            self._bars.start_task(row)
            self._bars.update(row, visible=True, mark=mark)
            self._line(f"{mark} {task.name} {task.component}")
            return
        if task.state == "succeeded":
            self._bars.update(row, total=1, completed=1)
        self._bars.update(row, visible=True, mark=mark, note=escape(self._result(task)))
        self._bars.stop_task(row)
        took = [seconds_text(task.seconds)] if task.seconds is not None else []
        self._line(f"{mark} {task.name} {escape(' · '.join([*took, self._result(task)]).removesuffix(' · '))}")

    def _result(self, task: Task) -> str:
        """Return what is worth knowing of a task that has ended."""
        parts = [] if task.state == "succeeded" else [task.state]
        parts += [f"sent {bytes_text(sum(task.bytes_sent.values()))}"] if task.bytes_sent else []
        parts += [f"{name} {number_text(value)}" for name, value in self._metrics.get(task.name, {}).items()]
        return " · ".join(parts)

    def _progress(self, task: str, data: dict[str, Any]) -> None:
        done, total, note = data.get("done", 0), data.get("total") or 1, str(data.get("note", ""))
        self._bars.update(self._rows[task], completed=done, total=total, note=self._note(task, note))

    def _metric(self, task: str, data: dict[str, Any]) -> None:
        self._metrics.setdefault(task, {})[str(data.get("name"))] = float(data.get("value", 0.0))
        self._bars.update(self._rows[task], note=self._note(task, ""))

    def _note(self, task: str, note: str) -> str:
        numbers = [f"{name} {number_text(value)}" for name, value in self._metrics.get(task, {}).items()]
        return escape(" · ".join(part for part in [note, *numbers] if part))

    def _line(self, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(self._indent + text)
