"""`hanse dataset`: one's own tables, from a file to a version that is given up."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory, Yes
from hanse.cli.screen import draw_facts, draw_table, error_screen, screen, show
from hanse.client import Client, connect
from hanse.client.resources import Consequences, Dataset, DatasetChange, Receipt, SourceTable, Upload

commands = typer.Typer(no_args_is_help=True, help="Register your own files. Rows never leave your node.")

HEADS = ("name", "version", "rows", "id", "label", "columns", "sensitivity", "registered")

Name = Annotated[str, typer.Argument(help="Name of the dataset: hanse dataset list.")]
NewName = Annotated[str, typer.Argument(help="What the dataset is to be called.")]
IdColumn = Annotated[str, typer.Option("--id", help="Column that says who a row is about.", metavar="COLUMN")]
Label = Annotated[str | None, typer.Option(help="Column to be predicted, if you have it.", metavar="COLUMN")]
IdKind = Literal["free", "phone", "national_id", "email", "device"]
IdType = Annotated[IdKind, typer.Option(help="What the ids are; partners must say the same.")]
Encoding = Annotated[
    Literal["", "utf-8", "utf-16", "gbk", "gb18030"], typer.Option(help="Encoding of a CSV file. Without: look.")
]
Delimiter = Annotated[
    Literal["", "comma", "semicolon", "tab", "bar"], typer.Option(help="What separates cells. Without: look.")
]
Sheet = Annotated[str, typer.Option(help="Sheet of a workbook. Without: its only one.", metavar="NAME")]
Local = Annotated[Path, typer.Argument(help="A file with a header.", exists=True, dir_okay=False)]
Number = Annotated[int, typer.Argument(help="Number of a version: hanse dataset versions.", min=1)]
Policy = Annotated[
    Literal["same", "extend", "force"],
    typer.Option(help="What may change: no column, more columns, or anything (grants of what is gone end)."),
]
DELIMITERS = {"": "", "comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}


@commands.command(epilog="Example: hanse dataset register loans loans.csv --id phone --id-type phone --label defaulted")
def register(
    name: NewName,
    file: Local,
    id_column: IdColumn,
    label: Label = None,
    id_type: IdType = "free",
    encoding: Encoding = "",
    delimiter: Delimiter = "",
    sheet: Sheet = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Register a file of the node's machine: CSV, Excel or Parquet.

    The node reads it once, checks it (ids present and unique, numbers finite, …) and keeps a snapshot. The file itself
    is left alone. The same name again makes the next version.
    """
    reading = {"encoding": encoding, "delimiter": DELIMITERS[delimiter], "sheet": sheet, "id_type": id_type}
    with connect(directory) as client:
        dataset = client.register_dataset(name, str(file.absolute()), id_column, label, **reading)
    show(dataset, as_json, lambda console: draw_dataset(console, dataset))


@commands.command(epilog="Example: hanse dataset upload loans loans.csv --id phone --id-type phone --label defaulted")
def upload(
    name: NewName,
    file: Local,
    id_column: IdColumn,
    label: Label = None,
    id_type: IdType = "free",
    encoding: Encoding = "",
    delimiter: Delimiter = "",
    sheet: Sheet = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Send a file of this machine to the node, and register it there.

    What was sent stays sent: the same command goes on where an earlier one was interrupted.
    """
    reading = {"encoding": encoding, "delimiter": DELIMITERS[delimiter], "sheet": sheet, "id_type": id_type}
    with connect(directory) as client:
        sent = send(client, file, as_json)
        dataset = client.register_dataset(name, "", id_column, label, upload=sent.id, **reading)
    show(dataset, as_json, lambda console: draw_dataset(console, dataset))


@commands.command(epilog="Example: hanse dataset read loans --source core --table public.loans --id phone")
def read(
    name: NewName,
    source: Annotated[str, typer.Option(help="A source: hanse source list.", metavar="NAME")],
    id_column: IdColumn,
    table: Annotated[str | None, typer.Option(help="A table of it: hanse source tables.", metavar="TABLE")] = None,
    of_store: Annotated[
        str, typer.Option("--object", help="Of a store: an object, or a folder with / at its end.", metavar="NAME")
    ] = "",
    query: Annotated[str, typer.Option(help="Or one SELECT, which changes nothing.", metavar="SELECT")] = "",
    label: Label = None,
    id_type: IdType = "free",
    encoding: Encoding = "",
    delimiter: Delimiter = "",
    sheet: Sheet = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Register a table of a database, the rows of a query, or objects of a store."""
    space, _, last = ("", "", of_store) if of_store else (table or "").rpartition(".")
    wanted = SourceTable(space, last) if last else None
    reading = {"encoding": encoding, "delimiter": DELIMITERS[delimiter], "sheet": sheet, "id_type": id_type}
    with connect(directory) as client:
        dataset = client.read_dataset(name, source, id_column, label, table=wanted, query=query, **reading)
    show(dataset, as_json, lambda console: draw_dataset(console, dataset))


@commands.command("list", epilog="Example: hanse dataset list")
def list_datasets(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List your datasets."""
    with connect(directory) as client:
        found = client.datasets()
    empty = "No datasets yet. Start with: hanse dataset register NAME FILE --id COLUMN"
    show(found, as_json, lambda console: draw_table(console, HEADS, [_row(dataset) for dataset in found], empty))


@commands.command("show", epilog="Example: hanse dataset show loans")
def show_dataset(name: Name, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show a dataset with its columns."""
    with connect(directory) as client:
        found = client.dataset(name)
    show(found, as_json, lambda console: draw_columns(console, found))


@commands.command(epilog="Example: hanse dataset versions loans")
def versions(name: Name, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the versions of a dataset, oldest first."""
    with connect(directory) as client:
        found = client.dataset_versions(name)
    heads = ("version", "rows", "columns", "registered", "retired", "SHA-256")
    rows = [(v.version, f"{v.rows:,}", len(v.schema.names), v.created_at, v.retired_at, v.sha256[:16]) for v in found]
    show(found, as_json, lambda console: draw_table(console, heads, rows, ""))


@commands.command(epilog="Example: hanse dataset compare loans 1 2")
def compare(
    name: Name, old: Number, new: Number, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """Say how two versions of a dataset differ."""
    with connect(directory) as client:
        found = client.compare_dataset_versions(name, old, new)
    show(found, as_json, lambda console: draw_facts(console, _facts_of_change(found)))


@commands.command(epilog="Example: hanse dataset refresh loans --policy extend")
def refresh(
    name: Name,
    policy: Policy = "same",
    path: Annotated[
        Path | None, typer.Option(help="Another file of the node's machine.", exists=True, dir_okay=False)
    ] = None,
    upload: Annotated[
        Path | None, typer.Option(help="A file of this machine, to be sent.", exists=True, dir_okay=False)
    ] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Read where a dataset came from again, or another file: the next version, if anything has changed."""
    if path is not None and upload is not None:
        raise typer.BadParameter("say --path or --upload, not both")
    with connect(directory) as client:
        sent = "" if upload is None else send(client, upload, as_json).id
        place = "" if path is None else str(path.absolute())
        found = client.refresh_dataset(name, policy, path=place, upload=sent)
    show(found, as_json, lambda console: draw_dataset(console, found))


@commands.command(
    epilog="Example: hanse dataset describe loans --tag risk --sensitivity sensitive --column phone=public"
)
def describe(
    name: Name,
    text: Annotated[str | None, typer.Option(help="What the dataset is.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; once for each. They replace those there were.")] = None,
    sensitivity: Annotated[
        Literal["public", "internal", "sensitive", "identifier"] | None, typer.Option(help="How sensitive it is.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="A column that differs from it; once for each.", metavar="NAME=SENSITIVITY"),
    ] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Say what a dataset is and how sensitive it and its columns are. What is not said stays."""
    pairs = [said.rpartition("=") for said in column or ()]
    columns = {name: level for name, _, level in pairs} if pairs else None
    with connect(directory) as client:
        found = client.describe_dataset(name, text, tag or None, sensitivity, columns)
    show(found, as_json, lambda console: draw_columns(console, found))


@commands.command(epilog="Example: hanse dataset retire loans 1")
def retire(name: Name, number: Number, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Give up an old version: its record stays, its rows go."""
    with connect(directory) as client:
        found = client.retire_dataset_version(name, number)
    said = f"[green]✓[/] {escape(found.name)} version {found.version} has no rows any more"
    show(found, as_json, lambda console: console.print(said))


@commands.command(epilog="Example: hanse dataset delete loans")
def delete(name: Name, yes: Yes = False, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Delete a dataset, after showing what goes with it."""
    with connect(directory) as client:
        seen = client.foresee_dataset_deletion(name)
        if not yes:
            draw_facts(error_screen() if as_json else screen(), _facts_of_end(seen))
            typer.confirm(f"Delete {seen.name} with all of this?", abort=True, err=True)
        gone = client.delete_dataset(name, seen.digest)
    show(gone, as_json, lambda console: console.print(f"[green]✓[/] {escape(gone.name)} is gone"))


@commands.command(epilog="Example: hanse dataset receipt loans 1 --json")
def receipt(name: Name, number: Number, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show what the node has read for a version, under its signature."""
    with connect(directory) as client:
        found = client.dataset_receipt(name, number)
    show(found, as_json, lambda console: draw_facts(console, _facts_of_receipt(found)))


def send(client: Client, file: Path, as_json: bool) -> Upload:
    """Send a file to the node, with a bar where somebody watches."""
    console = error_screen()
    columns = (BarColumn(bar_width=24), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=as_json or not console.is_terminal, transient=True) as bars:
        row = bars.add_task(file.name, total=file.stat().st_size)
        return client.send_file(file, lambda done, total: bars.update(row, completed=done, total=total))


def draw_dataset(console: Console, dataset: Dataset) -> None:
    schema = dataset.schema
    label = "" if schema.label is None else f", label {escape(schema.label)}"
    console.print(
        f"[green]✓[/] [bold]{escape(dataset.name)}[/] version {dataset.version}: {dataset.rows:,} rows,"
        f" id {escape(schema.id)}{label}, {len(schema.features)} columns"
    )
    console.print(f"  [dim]{escape(', '.join(schema.features))}[/]")
    if dataset.misfits:
        console.print(f"  [yellow]{dataset.misfits:,} ids do not look like a {escape(dataset.id_type)}[/]")


def draw_columns(console: Console, dataset: Dataset) -> None:
    """Draw all that is known of a dataset."""
    draw_facts(
        console,
        (
            ("name", dataset.name),
            ("version", dataset.version),
            ("rows", f"{dataset.rows:,}"),
            ("owner", dataset.owner),
            ("description", dataset.description),
            ("tags", ", ".join(dataset.tags)),
            ("sensitivity", dataset.sensitivity),
            ("ids", dataset.id_type),
            ("misfits", dataset.misfits or None),
            ("registered", dataset.created_at),
        ),
    )
    rows = [(c.name, c.type, c.use, dataset.sensitivities.get(c.name, "")) for c in dataset.schema.columns]
    draw_table(console, ("column", "type", "use", "sensitivity"), rows, "")


def _row(dataset: Dataset) -> tuple[object, ...]:
    schema = dataset.schema
    numbers = (dataset.version, f"{dataset.rows:,}")
    rest = (len(schema.features), dataset.sensitivity, dataset.created_at)
    return (dataset.name, *numbers, schema.id, schema.label, *rest)


def _facts_of_change(change: DatasetChange) -> list[tuple[str, object]]:
    names = [("added", change.added), ("removed", change.removed), ("of another type", change.retyped)]
    return [("rows", f"{change.rows:+,}"), *((what, ", ".join(columns) or "none") for what, columns in names)]


def _facts_of_end(seen: Consequences) -> list[tuple[str, object]]:
    return [
        ("versions", seen.versions),
        ("rows", f"{seen.rows:,}"),
        ("grants that end", ", ".join(seen.grants) or "none"),
        ("derived datasets that nobody can use any more", ", ".join(seen.derived) or "none"),
        ("kept by components", ", ".join(seen.kept) or "nothing"),
    ]


def _facts_of_receipt(receipt: Receipt) -> list[tuple[str, object]]:
    return [("statement", receipt.statement), ("signature", receipt.signature)]
