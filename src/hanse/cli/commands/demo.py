"""`hanse demo`: everything at once, on this machine."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hanse.cli.options import AsJson
from hanse.cli.screen import screen
from hanse.core.faults import fault

KEEP_IN = Path("hanse-demo")


class Case(StrEnum):
    """Built-in populations."""

    credit = "credit"
    breast = "breast"


File = Annotated[
    Path | None,
    typer.Option(
        "--guest",
        help="Your own: the file with the label (CSV or Parquet).",
        metavar="FILE",
        exists=True,
        dir_okay=False,
    ),
]
Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--host", help="Your own: a file of a host; once for each.", metavar="FILE", exists=True, dir_okay=False
    ),
]


def demo(
    case: Annotated[Case, typer.Option(help="A built-in population.")] = Case.credit,
    guest: File = None,
    host: Files = None,
    id_column: Annotated[str, typer.Option("--id", help="Column that all files have.", metavar="COLUMN")] = "id",
    label: Annotated[str | None, typer.Option(help="Column of the guest to predict.", metavar="COLUMN")] = None,
    rows: Annotated[int | None, typer.Option(help="How many customers the guest has.", min=1)] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave nodes running and files in ./hanse-demo.")] = False,
    keep_in: Annotated[Path | None, typer.Option(help="The same, in this folder.", file_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Show it all: three organisations on this machine, from raw files to scored customers.

    Starts a node for each (own keys, database and folder), pairs them over mutual TLS, registers files, agrees on a
    project, trains gradient-boosted trees over everybody's columns, judges them against the guest alone and against all
    data in one place, and scores customers. Then everything is stopped and removed.

    Cases: credit (a bank, a telecom operator and a retailer, made up), breast (real, public), or files of your own.
    """
    from hanse.cli.demo import cast, show, story  # noqa: PLC0415 (loads the engine, which no other command needs)

    own = (guest, host, label)
    if any(own) and not all(own):
        raise fault("demo.settings", "files of your own need --guest, --host and --label", "hanse demo --help")

    def make(directory: Path) -> cast.Cast:
        if guest is not None and host and label is not None:
            return cast.bring_files(guest, host, id_column, label, rows, directory)
        return cast.write_case(case.value, rows, directory)

    console = Console(quiet=True) if as_json else screen()
    show.give(make, story.Story(console), keep_in or (KEEP_IN if keep else None), as_json)
