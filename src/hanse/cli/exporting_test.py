from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from hanse.cli.exporting import export, read_table
from hanse.core.faults import HanseError
from hanse.sdk.table import Table

TABLE = Table.of({"id": ["a", "b"], "score": [0.5, np.nan]}, id="id")


def said_of(table: Table, folder: Path) -> dict[str, Any]:
    """What a node answers when it is asked for an output."""
    said: dict[str, Any] = msgspec.to_builtins(table.save(folder))
    return said


@pytest.mark.parametrize(("name", "begins"), [("out.csv", b"id,score\na,0.5\nb,\n"), ("out.PARQUET", b"PAR1")])
def test_a_tables_rows_are_written_as_the_files_name_asks(tmp_path: Path, name: str, begins: bytes) -> None:
    table = read_table(said_of(TABLE, tmp_path / "made"), "boost.scores")
    export(table, tmp_path / name, overwrite=False)
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_file_that_is_there_is_left_alone_unless_it_may_be_replaced(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    file.write_text("mine")
    with pytest.raises(HanseError, match=r"file\.unwritable.*there already"):
        export(TABLE, file, overwrite=False)
    assert file.read_text() == "mine"
    export(TABLE, file, overwrite=True)
    assert file.read_text() == "id,score\na,0.5\nb,\n"


@pytest.mark.parametrize(("name", "words"), [("out.xlsx", "neither in"), ("none/out.csv", "no folder")])
def test_where_nothing_can_be_written_the_reason_is_said(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(HanseError, match=rf"file\.unwritable.*{words}"):
        export(TABLE, tmp_path / name, overwrite=False)


def test_only_a_whole_table_of_this_machine_is_read(tmp_path: Path) -> None:
    said = said_of(TABLE, tmp_path / "made")
    with pytest.raises(HanseError, match=r"job\.no_table"):
        read_table({"view": "boost", "values": {}}, "boost.report")
    with pytest.raises(HanseError, match=r"file\.unreadable"):
        read_table(said | {"path": str(tmp_path / "elsewhere")}, "boost.scores")
    Path(said["path"]).write_bytes(b"PAR1 and no more")
    with pytest.raises(HanseError, match=r"artefact\.damaged"):
        read_table(said, "boost.scores")
