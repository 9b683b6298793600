"""Tables that tasks have made, written to files for people. It loads the engine, so commands import it late."""

from pathlib import Path
from typing import Any

import msgspec

from hanse.core.faults import fault
from hanse.core.specs import Artefact
from hanse.sdk import artefacts
from hanse.sdk.table import Table

SUFFIXES = (".csv", ".parquet")


def read_table(said: dict[str, Any], name: str) -> Table:
    """Open what the node says of an output. Raises HanseError: no table, damaged, or not on this machine."""
    if said.get("kind") != "table":
        raise fault("job.no_table", f"{name} is no table", step="read the output")
    artefact = msgspec.convert(said, Artefact)
    if not Path(artefact.path).is_file():
        raise fault(
            "file.unreadable",
            f"{artefact.path} cannot be read from here",
            "run this on the machine of the node, as the user that the node runs as",
            step="read the output",
        )
    table = artefacts.load(artefact)
    if not isinstance(table, Table):
        raise TypeError(f"{name} was read as {type(table).__name__}")
    return table


def export(table: Table, file: Path, *, overwrite: bool) -> None:
    """Write a table to a .csv or .parquet file. Raises HanseError when that cannot be."""
    if file.suffix.lower() not in SUFFIXES:
        raise _unwritable(f"{file.name} ends neither in .csv nor in .parquet", "choose one of the two")
    if file.exists() and not overwrite:
        raise _unwritable(f"{file} is there already", "choose another name, or say --overwrite")
    if not file.absolute().parent.is_dir():
        raise _unwritable(f"there is no folder {file.absolute().parent}", "make it first")
    try:
        table.export(file.absolute())
    except OSError as error:
        raise _unwritable(f"{file}: {error.strerror or error}", "choose a folder that may be written to") from error


def _unwritable(cause: str, remedy: str) -> Exception:
    return fault("file.unwritable", cause, remedy, step="write the file")
