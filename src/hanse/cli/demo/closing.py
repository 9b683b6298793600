"""The end of the demonstration: what came out, what it cost, who learnt what, and what is left running."""

from collections.abc import Iterable

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hanse.cli.demo.play import Outcome
from hanse.cli.demo.stage import NodeProcess
from hanse.cli.demo.story import Story
from hanse.cli.units import bytes_text, seconds_text

HEADS = {"auc": "AUC", "ks": "KS", "rmse": "RMSE"}
MEASURES = {"binary": ("auc", "ks"), "regression": ("rmse",)}


def draw_outcome(story: Story, outcome: Outcome, seconds: float, peak_bytes: int) -> None:
    """Draw all that was found."""
    _draw_table(story, outcome)
    _draw_customers(story, outcome)
    _draw_learns(story, outcome)
    _draw_costs(story, outcome, seconds, peak_bytes)


def draw_kept(story: Story, nodes: Iterable[NodeProcess]) -> None:
    """Say what is left running, how to speak to it and how to end it."""
    story.console.print("\n[bold]The nodes go on running[/]")
    for node in nodes:
        story.line(f"[bold]{escape(node.organisation)}[/]  hanse job list --directory {escape(str(node.directory))}")
    pids = " ".join(str(node.pid) for node in nodes)
    story.line(f"[dim]stop them:[/] kill {pids}")


def _draw_table(story: Story, outcome: Outcome) -> None:
    measures = MEASURES[outcome.objective]
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("")
    for measure in measures:
        table.add_column(HEADS[measure], justify="right")
    for who, numbers in outcome.table.items():
        style = "bold green" if who == "federated" else ""
        cells = (f"{numbers[measure]:.4f}" for measure in measures)
        table.add_row(Text(who, style=style), *(Text(cell, style=style) for cell in cells))
    story.console.print(f"\n[bold]{outcome.test:,} customers that no model was trained on[/]")
    story.indented(table)


def _draw_customers(story: Story, outcome: Outcome) -> None:
    story.console.print(f"\n[bold]Five of {outcome.scored_rows:,} customers scored in a batch[/]")
    story.facts(((one.id, f"{one.score:.4f}") for one in outcome.scored), ("", "bold"))
    for check in outcome.checks:
        mark = "[green]✓[/]" if check.holds else "[red]✗[/]"
        apart = "exactly" if check.farthest == 0 else f"to {check.farthest:.0e}"
        story.line(f"{mark} equal to the scores of the {check.rows:,} {check.against}, {apart}")


def _draw_learns(story: Story, outcome: Outcome) -> None:
    story.console.print("\n[bold]What each party learnt[/]")
    lines: dict[tuple[str, str], list[str]] = {}
    for task, roles in outcome.learns.items():
        for role, texts in roles.items():
            for text in texts:
                lines.setdefault((role, text), []).append(task)
    for role in dict.fromkeys(role for role, _ in lines):
        story.line(f"[cyan]{escape(role)}[/]")
        for (whose, text), tasks in lines.items():
            if whose == role:
                line = Text.assemble(text, " ", (f"({', '.join(tasks)})", "dim"))
                story.indented(Padding(line, (0, 0, 0, 2), expand=False))
    for organisation, uses in outcome.disclosure.items():
        for use in uses:
            told = f"{use['used']:,} of the {use['ceiling']:,} that the disclosure figure {use['limit']:g} allows"
            story.line(f"[dim]exact sums of {escape(organisation)}'s {escape(use['dataset'])}:[/] {told}")


def _draw_costs(story: Story, outcome: Outcome, seconds: float, peak_bytes: int) -> None:
    sent = ", ".join(f"{name} {bytes_text(size)}" for name, size in outcome.bytes_sent.items())
    steps = ", ".join(f"{name} {seconds_text(took)}" for name, took in story.seconds.items())
    story.console.print("\n[bold]What it took[/]")
    rows = (("seconds", f"{seconds_text(seconds)} in all: {steps}"), ("bytes sent", sent))
    story.facts((*rows, ("memory", f"{bytes_text(peak_bytes)} at most, all processes together")), ("dim", ""))
