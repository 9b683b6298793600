import csv
from pathlib import Path

import pytest

from hanse.cli.demo.cast import Cast, Player, bring_files, consent, write_case
from hanse.cli.demo.play import batch_pipeline, mask, training_pipeline
from hanse.core.faults import HanseError
from hanse.core.roles import GUEST, host


def file(path: Path, rows: int, *columns: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream)
        lines.writerow(["id", *columns])
        lines.writerows([f"00{row}", *(row % 7 for _ in columns)] for row in range(rows))
    return path


def cast(limit: float | None = None) -> Cast:
    return Cast("?", "id", (Player(GUEST, "a", "d", Path("a"), "y"), Player(host(1), "b", "d", Path("b"))), limit)


def test_a_built_in_case_is_a_file_for_each_organisation(tmp_path: Path) -> None:
    made = write_case("credit", 500, tmp_path)
    assert [(one.party, one.organisation, one.label) for one in made.players] == [
        ("guest", "bank", "defaulted"),
        ("host-1", "operator", None),
        ("host-2", "retailer", None),
    ]
    assert all(one.file.stat().st_size > 10_000 for one in made.players)


def test_too_few_rows_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(HanseError) as refused:
        write_case("credit", 3, tmp_path)
    assert "at least 200" in refused.value.fault.cause


def test_own_files_name_their_organisations(tmp_path: Path) -> None:
    bank, operator = file(tmp_path / "bank.csv", 9, "y", "x"), file(tmp_path / "operator.csv", 9, "z")
    made = bring_files(bank, [operator], "id", "y", None, tmp_path)
    assert [(one.organisation, one.party, one.label) for one in made.players] == [
        ("bank", "guest", "y"),
        ("operator", "host-1", None),
    ]
    (tmp_path / "other").mkdir()
    again = bring_files(bank, [file(tmp_path / "other" / "bank.csv", 9, "z")], "id", "y", None, tmp_path)
    assert [one.organisation for one in again.players] == ["guest", "host-1"]


def test_fewer_rows_of_an_own_file_keep_its_ids_as_they_are(tmp_path: Path) -> None:
    import duckdb

    bank = file(tmp_path / "bank.csv", 50, "y")
    (tmp_path / "files").mkdir()
    made = bring_files(bank, [bank], "id", "y", 5, tmp_path / "files")
    ids = duckdb.read_parquet(str(made.guest.file)).project("id").fetchall()
    assert ids == [("000",), ("001",), ("002",), ("003",), ("004",)]


def test_the_platforms_default_holds_where_there_are_rows_enough() -> None:
    assert consent(cast(), 16_340).hosts_limit is None
    assert consent(cast(0.7), 100).hosts_limit == 0.7


def test_the_fewer_rows_the_more_the_hosts_must_allow() -> None:
    limits = [consent(cast(), shared).hosts_limit or 0 for shared in (5_000, 2_000, 200)]
    assert 0.1 < limits[0] < limits[1] < limits[2]


def test_the_pipelines_take_each_port_from_a_task_that_gives_it() -> None:
    training = training_pipeline(cast(), "binary").spec()
    assert list(training.tasks) == "data align split boost scores judge alone alone_scores alone_judge".split()
    batch = batch_pipeline(cast(), "model-1").spec()
    inputs = [task.inputs for task in batch.tasks.values()]
    assert inputs[-1] == {"model": "model:model-1", "table": "align.table"}


@pytest.mark.parametrize(("name", "shown"), [("99912345678", "999*****678"), ("abcd", "a**d"), ("ab", "**"), ("", "")])
def test_the_middle_of_an_id_cannot_be_read(name: str, shown: str) -> None:
    assert mask(name) == shown
