"""How the demonstration is told: numbered steps with their seconds, and the facts of each below it."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hanse.cli.units import seconds_text

INDENT = "     "


class Story:
    """Tells steps as they end, and keeps their seconds."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, title: str, *, live: bool = False) -> Iterator[None]:
        """Do one step. `live` when the step draws something that moves itself."""
        start = time.monotonic()
        number = len(self.seconds) + 1
        if live or not self.console.is_terminal:
            self.console.print(f"[cyan]▸[/] [bold]{number}  {escape(title)}[/]")
            yield
        else:
            with self.console.status(f"[bold]{number}  {escape(title)}[/]"):
                yield
            self.console.print(f"[green]✓[/] [bold]{number}  {escape(title)}[/]")
        self.seconds[name] = time.monotonic() - start

    def facts(self, rows: Iterable[Sequence[str]], styles: Sequence[str] = ("bold", "", "dim")) -> None:
        """Draw columns of facts below a step. Cells are plain text, styled by column."""
        grid = Table.grid(padding=(0, 3, 0, 0))
        for row in rows:
            grid.add_row(*(Text(cell, style=style) for cell, style in zip(row, styles, strict=False)))
        self.indented(grid)

    def indented(self, drawing: RenderableType) -> None:
        """Draw something below a step."""
        self.console.print(Padding(drawing, (0, 0, 0, len(INDENT)), expand=False))

    def line(self, text: str) -> None:
        """Write one line below a step; `text` is markup."""
        self.console.print(INDENT + text)

    def took(self, name: str) -> None:
        """Say how long a step took."""
        self.line(f"[dim]{seconds_text(self.seconds[name])}[/]")
