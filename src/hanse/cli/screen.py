"""What a command shows: one JSON document on standard output, or something made for eyes. Errors likewise."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Table

from hanse.cli.language import WORDS, Language, language
from hanse.client.refusal import Refusal
from hanse.client.resources import JobProblem
from hanse.core.errors import describe
from hanse.core.faults import HanseError
from hanse.core.words import disarm, escape_json

UNWRAPPED = 2_000
"""Width where lines are not to be wrapped: into a file or a pipe, somebody will search them."""


class Screen(Console):
    """A console that shows words of partners without what a terminal would obey in them; only its own codes go out."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=disarm(segment.text))


def screen() -> Console:
    """Return a console on standard output (looked up at each call, so that a redirection is seen)."""
    return Screen(highlight=False, width=None if sys.stdout.isatty() else UNWRAPPED)


def error_screen() -> Console:
    """Return a console on standard error."""
    return Screen(stderr=True, highlight=False, width=None if sys.stderr.isatty() else UNWRAPPED)


def say_json(value: Any) -> None:
    """Write one JSON document on a line of its own."""
    typer.echo(escape_json(msgspec.json.encode(value).decode()))


def show(value: Any, as_json: bool, draw: Callable[[Console], None]) -> None:
    """Show the answer of a command in the form that was asked for."""
    if as_json:
        say_json(value)
    else:
        draw(screen())


def draw_table(console: Console, heads: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Draw rows under heads, or say in words that there are none."""
    lines = [[escape("" if cell is None else str(cell)) for cell in row] for row in rows]
    if not lines:
        console.print(f"[dim]{escape(empty)}[/]")
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold")
    for line in lines:
        table.add_row(*line)
    console.print(table)


def draw_facts(console: Console, facts: Iterable[tuple[str, object]]) -> None:
    """Draw names and values, one pair a line; a value of None or "" is left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for name, value in facts:
        if value not in (None, ""):
            grid.add_row(f"[dim]{escape(name)}[/]", escape(str(value)))
    console.print(grid)


def say_error(error: HanseError, as_json: bool) -> None:
    """Show what, party, step, cause and remedy; as JSON on standard output, else on standard error."""
    if as_json:
        say_json(error_document(error))
        return
    console = error_screen()
    tongue = language()
    console.print(f"[bold red]✗[/] [bold]{escape(what_happened(error, tongue))}[/]  [dim]({error.fault.code})[/]")
    fault, words = error.fault, WORDS[tongue]
    facts = (
        ("party", fault.party),
        ("step", fault.step),
        ("cause", fault.cause),
        ("remedy", what_helps(error, tongue)),
    )
    draw_facts(console, [(f"  {words[name]}", value) for name, value in facts])
    for problem in problems_of(error):
        _draw_problem(console, problem)


def what_happened(error: HanseError, tongue: Language) -> str:
    """Return the catalogue's sentence for an error: the node's own words when the node said it."""
    said = error.text.get(tongue, "") if isinstance(error, Refusal) else ""
    return said or describe(error.fault.code).text[tongue]


def what_helps(error: HanseError, tongue: Language) -> str:
    """Return the remedy of this case, or else what the catalogue advises for its kind."""
    advice = describe(error.fault.code).advice
    remedy = error.fault.remedy
    return remedy if remedy and remedy != advice["en"] else advice[tongue]


def error_document(error: HanseError) -> dict[str, Any]:
    """Return an error as the JSON that REST uses too."""
    words = {tongue: what_happened(error, tongue) for tongue in WORDS}
    told = {**msgspec.to_builtins(error.fault), "remedy": what_helps(error, "en"), "text": words}
    document: dict[str, Any] = {"error": told}
    if problems := problems_of(error):
        document["problems"] = msgspec.to_builtins(problems)
    return document


def problems_of(error: HanseError) -> tuple[JobProblem, ...]:
    return error.problems if isinstance(error, Refusal) else ()


def _draw_problem(console: Console, problem: JobProblem) -> None:
    where = " · ".join(part for part in (problem.party, problem.task) if part)
    console.print(f"  [red]•[/] {escape(where)}{': ' if where else ''}{escape(problem.message)}")
    if problem.remedy:
        console.print(f"    [dim]→[/] {escape(problem.remedy)}")
