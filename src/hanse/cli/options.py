"""Options that many commands have."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_DIRECTORY = Path("~/.hanse")

Directory = Annotated[
    Path,
    typer.Option(
        "--directory",
        "-d",
        envvar="HANSE_DIRECTORY",
        help="The node's directory: its keys, database and data. It also says which node a command speaks to.",
        metavar="FOLDER",
    ),
]

AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document (or JSON lines) and nothing else.")]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

Fingerprint = Annotated[
    str | None,
    typer.Option("--fingerprint", help="Compare with this fingerprint and do not ask.", metavar="FINGERPRINT"),
]
