"""`hanse dataset`: register one's own files."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_table, show
from hanse.client import connect
from hanse.client.resources import Dataset, SourceTable

commands = typer.Typer(no_args_is_help=True, help="Register your own files. Rows never leave your node.")


@commands.command(epilog="Example: hanse dataset add loans loans.csv --id phone --label defaulted")
def add(
    name: Annotated[str, typer.Argument(help="What the dataset is to be called.")],
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file with a header.", exists=True, dir_okay=False)],
    id_column: Annotated[str, typer.Option("--id", help="Column that says who a row is about.", metavar="COLUMN")],
    label: Annotated[str | None, typer.Option(help="Column to be predicted, if you have it.", metavar="COLUMN")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Register a file.

    The node reads it once, checks it (ids present and unique, numbers finite, …) and keeps a snapshot. The file itself
    is left alone. The same name again makes the next version.
    """
    with connect(directory) as client:
        dataset = client.add_dataset(name, str(file.absolute()), id_column, label)
    show(dataset, as_json, lambda console: draw_dataset(console, dataset))


@commands.command(epilog="Example: hanse dataset register loans --source core --table public.loans --id phone")
def register(
    name: Annotated[str, typer.Argument(help="What the dataset is to be called.")],
    source: Annotated[str, typer.Option(help="A source: hanse source list.", metavar="NAME")],
    id_column: Annotated[str, typer.Option("--id", help="Column that says who a row is about.", metavar="COLUMN")],
    table: Annotated[str | None, typer.Option(help="A table of it: hanse source tables.", metavar="TABLE")] = None,
    query: Annotated[str, typer.Option(help="Or one SELECT, which changes nothing.", metavar="SELECT")] = "",
    label: Annotated[str | None, typer.Option(help="Column to be predicted, if you have it.", metavar="COLUMN")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Register a table of a database, or the rows of a query."""
    space, _, last = (table or "").rpartition(".")
    wanted = SourceTable(space, last) if table else None
    with connect(directory) as client:
        dataset = client.read_dataset(name, source, id_column, label, table=wanted, query=query)
    show(dataset, as_json, lambda console: draw_dataset(console, dataset))


@commands.command("list", epilog="Example: hanse dataset list")
def list_datasets(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List your datasets."""
    with connect(directory) as client:
        found = client.datasets()
    heads = ("name", "version", "rows", "id", "label", "columns", "registered")
    rows = [
        (d.name, d.version, f"{d.rows:,}", d.schema.id, d.schema.label, len(d.schema.features), d.created_at)
        for d in found
    ]
    empty = "No datasets yet. Start with: hanse dataset add NAME FILE --id COLUMN"
    show(found, as_json, lambda console: draw_table(console, heads, rows, empty))


def draw_dataset(console: Console, dataset: Dataset) -> None:
    schema = dataset.schema
    label = "" if schema.label is None else f", label {escape(schema.label)}"
    console.print(
        f"[green]✓[/] [bold]{escape(dataset.name)}[/] version {dataset.version}: {dataset.rows:,} rows,"
        f" id {escape(schema.id)}{label}, {len(schema.features)} columns"
    )
    console.print(f"  [dim]{escape(', '.join(schema.features))}[/]")
