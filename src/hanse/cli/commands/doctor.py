"""`hanse doctor`: what stands between this node and a partner's."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.language import language
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import show
from hanse.client import connect
from hanse.client.resources import LinkCheck, LinkFinding

MARKS = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "bad": "[red]✗[/]"}


def doctor(
    target: Annotated[str, typer.Argument(help="Name or id of a member, or an address.", metavar="PARTNER|HOST:PORT")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Check the way to a partner's node, and say what is in the way and what to do about it.

    Looks at the name, the connection, TLS and certificate, proxies in between, latency, bandwidth, the largest bodies
    and frames, both clocks and both releases. Running jobs are not touched. Ends with code 1 when something is bad.
    """
    with connect(directory) as client:
        checked = client.check_link(target)
    show(checked, as_json, lambda console: _draw(console, checked))
    if checked.state == "bad":
        raise typer.Exit(1)


def _draw(console: Console, checked: LinkCheck) -> None:
    console.print(f"[bold]{escape(checked.target)}[/] [dim]{escape(checked.address)}[/]")
    for finding in checked.findings:
        _draw_finding(console, finding)


def _draw_finding(console: Console, finding: LinkFinding) -> None:
    spoken = language()
    value = "" if finding.value is None else f"{finding.value} {finding.unit}".strip()
    detail = f" [dim]({escape(finding.detail)})[/]" if finding.detail else ""
    console.print(f"{MARKS[finding.state]} {finding.name:<15} {escape(value)}{detail}", soft_wrap=True)
    if finding.state != "ok":
        console.print(f"  {escape(finding.cause.get(spoken, ''))}", soft_wrap=True)
        console.print(f"  [dim]{escape(finding.remedy.get(spoken, ''))}[/]", soft_wrap=True)
