"""`hanse derived`: tables that jobs made, kept to be read again without aligning."""

from typing import Annotated

import typer
from rich.markup import escape

from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_table, show
from hanse.client import connect

commands = typer.Typer(no_args_is_help=True, help="Tables that jobs made, kept to be read by later jobs.")


@commands.command(epilog="Example: hanse derived save job-5f2c9a7d01b4e6c8 align --name customers-aligned")
def save(
    job: Annotated[str, typer.Argument(help="Id of the job: hanse job list.")],
    task: Annotated[str, typer.Argument(help="The task whose table is kept.")],
    name: Annotated[str, typer.Option(help="What it is to be called here.")],
    keep_stale: Annotated[bool, typer.Option(help="May still be used when a source has a newer version.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Keep your part of a table. The other parties save theirs; pipelines name its reference as `dataset`."""
    with connect(directory) as client:
        found = client.save_derived(name, job, task, "stale" if keep_stale else "invalid")
    show(found, as_json, lambda console: console.print(f"[green]✓[/] {escape(name)}: {found.reference}"))


@commands.command("list", epilog="Example: hanse derived list")
def list_derived(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List derived datasets, and whether they may still be used."""
    with connect(directory) as client:
        found = client.derived()
    heads = ("name", "state", "rows", "job", "task", "reference", "why")
    rows = [(d.name, d.state, d.rows, d.job, d.task, d.reference, d.reason) for d in found]
    show(found, as_json, lambda console: draw_table(console, heads, rows, "Nothing is kept yet: hanse derived save"))


@commands.command(epilog="Example: hanse derived remove customers-aligned")
def remove(
    name: Annotated[str, typer.Argument(help="Its name.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Forget your part: no job reads it any more."""
    with connect(directory) as client:
        client.remove_derived(name)
    show({"removed": name}, as_json, lambda console: console.print(f"[green]✓[/] {escape(name)} removed"))
