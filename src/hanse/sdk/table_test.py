import csv
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pytest

from hanse.core.faults import HanseError
from hanse.core.schema import Column, Schema
from hanse.kernel.ids import Ids
from hanse.sdk.engine import Bounds, connect, parquet, quote
from hanse.sdk.table import Table

TABLE = Table.of(
    {"id": ["a", "bb", "", "汉字"], "y": [1, 0, 1, 0], "x": [1.5, None, 3.0, -0.0], "word": ["p", None, "q", "r"]},
    id="id",
    label="y",
)


def saved(table: Table, folder: Path) -> Table:
    artefact = table.save(folder)
    assert artefact.schema is not None
    return Table.open(Path(artefact.path), artefact.schema)


def test_columns_come_as_numpy_and_ids_packed() -> None:
    assert TABLE.ids().to_strings() == ["a", "bb", "", "汉字"]
    numbers = TABLE.numbers(["x", "y"])
    assert numbers.shape == (2, 4)
    assert numbers.flags.c_contiguous
    assert np.array_equal(numbers, np.array([[1.5, np.nan, 3, 0], [1, 0, 1, 0]]), equal_nan=True)
    assert TABLE.label().tolist() == [1, 0, 1, 0]
    assert TABLE.missing(["x", "word", "y"]) == {"x": 1, "word": 1, "y": 0}
    assert TABLE.numbers([]).shape == (0, 4)


def test_rows_are_taken_in_the_order_asked_for(tmp_path: Path) -> None:
    taken = TABLE.take(np.array([3, 0, 0]))
    assert taken.ids().to_strings() == ["汉字", "a", "a"]
    assert taken.take(np.array([1])).numbers(["x"]).tolist() == [[1.5]]
    again = saved(taken, tmp_path)
    assert again.ids().to_strings() == ["汉字", "a", "a"]
    assert again.numbers(["y", "x"]).tolist() == [[0, 1, 1], [0, 1.5, 1.5]]
    assert taken.missing(["word"]) == {"word": 0}


def test_no_row_and_a_row_that_is_not_there() -> None:
    none = TABLE.take(np.empty(0, np.int64))
    assert len(none) == len(none.ids()) == none.numbers(["x"]).shape[1] == 0
    with pytest.raises(IndexError):
        TABLE.take(np.array([4]))
    with pytest.raises(IndexError):
        TABLE.take(np.array([-1]))


def test_an_exported_csv_file_is_what_people_expect(tmp_path: Path) -> None:
    scored = TABLE.take(np.array([3, 1, 0])).with_column("score", np.array([0.25, np.nan, 1e20]))
    scored.export(tmp_path / "out.csv")
    written = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert written == "id,y,x,word,score\n汉字,0,-0.0,r,0.25\nbb,0,,,\na,1,1.5,p,1e+20\n"
    TABLE.export(tmp_path / "whole.csv")
    assert (tmp_path / "whole.csv").read_text().count("\n") == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "whole.csv"]


def test_an_exported_csv_file_holds_no_formula(tmp_path: Path) -> None:
    cells = ["=1+1", "+8613800000000", "-5", "-cmd|x", "@sum", "\tx", 'a,"b', "a=b", "", "-"]
    table = Table.of({"id": [str(row) for row in range(10)], "=x": cells}, id="id")
    table.export(tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        read = [row[1] for row in csv.reader(file)]
    assert read == ["'=x", "'=1+1", "+8613800000000", "-5", "'-cmd|x", "'@sum", "'\tx", 'a,"b', "a=b", "", "'-"]


def test_an_exported_parquet_file_holds_the_same_values(tmp_path: Path) -> None:
    TABLE.take(np.array([2, 3])).export(tmp_path / "out.parquet")
    again = Table.open(tmp_path / "out.parquet", TABLE.schema)
    assert again.ids().to_strings() == ["", "汉字"]
    assert again.numbers(["x", "y"]).tolist() == [[3.0, -0.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match="exported as"):
        TABLE.export(tmp_path / "out.xlsx")


def test_a_table_without_rows_is_saved_and_opened(tmp_path: Path) -> None:
    none = saved(TABLE.take(np.empty(0, np.int64)), tmp_path)
    assert (len(none), none.schema) == (0, TABLE.schema)
    assert none.ids().to_strings() == []


@pytest.mark.parametrize("memory_mib", [1024, 48], ids=["in memory", "spilled"])
def test_rows_in_any_order_are_saved_with_all_their_columns(tmp_path: Path, memory_mib: int) -> None:
    count = 400_000
    random = np.random.default_rng(7)
    given = Table.of(
        {
            "id": Ids.from_strings(f"id {row}" for row in range(count)),
            "whole": [None if row % 7 == 0 else row for row in range(count)],
            "real": np.where(np.arange(count) % 5 == 0, np.nan, np.arange(count) / 8),
            "word": [None if row % 3 == 0 else "" if row % 3 == 1 else f"w{row}" for row in range(count)],
        },
        id="id",
    )
    table = Table.open(given.path, given.schema, bounds=Bounds(memory_bytes=memory_mib << 20))
    for name, rows in {
        "some": random.permutation(count)[: count // 2],
        "twice": random.integers(0, count, count),
    }.items():
        scores = random.normal(size=len(rows))
        again = saved(table.take(rows).with_column("score", scores), tmp_path / name)
        assert again.ids().to_strings() == [f"id {row}" for row in rows]
        assert np.array_equal(again.numbers(["score"])[0], scores)
        wanted = np.where(rows % 7 == 0, np.nan, rows), np.where(rows % 5 == 0, np.nan, rows / 8)
        assert np.array_equal(again.numbers(["whole", "real"]), wanted, equal_nan=True)
        with connect([again.path]) as engine:
            words = engine.execute(f"SELECT word FROM {parquet(again.path)}").fetchall()
        assert words == [(None if row % 3 == 0 else "" if row % 3 == 1 else f"w{row}",) for row in rows.tolist()]


def test_numbers_of_taken_rows_come_in_their_order_whatever_the_files_batches() -> None:
    count = 300_000
    random = np.random.default_rng(3)
    table = Table.of(
        {"id": Ids.from_strings(map(str, range(count))), "x": np.arange(count), "y": -np.arange(count)}, id="id"
    )
    for rows in (random.permutation(count)[:1000], random.integers(0, count, count), np.array([count - 1])):
        taken = table.take(rows).with_column("z", rows / 2)
        assert np.array_equal(taken.numbers(["z", "y", "x", "y"]), [rows / 2, -rows, rows, -rows])


def test_categories_are_the_different_values_in_order_and_a_code_for_each_row(tmp_path: Path) -> None:
    words = ["汉", None, "", "b", "B", "b", "a\x00c", "'; --", None, "10", "9"]
    whole = [10, -3, None, 10, 2**62 + 1, 2**62, 0, -(2**62), 7, 7, 9]
    rows = list(zip(range(11), words, whole, strict=True))
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE t (id VARCHAR, word VARCHAR, whole BIGINT)")
        engine.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        engine.execute(f"COPY t TO '{tmp_path}/t.parquet'")
    columns = Column("id", "text", "id"), Column("word", "text"), Column("whole", "integer")
    table = Table.open(tmp_path / "t.parquet", Schema(columns))
    found = table.categories("word")
    assert found.values == tuple(sorted({word for word in words if word is not None}))
    assert found.codes.dtype == np.int32
    assert [None if code < 0 else found.values[code] for code in found.codes.tolist()] == words
    numbers = table.categories("whole")
    assert numbers.values == tuple(map(str, sorted({value for value in whole if value is not None})))
    assert [None if code < 0 else int(numbers.values[code]) for code in numbers.codes.tolist()] == whole


@pytest.mark.parametrize("memory_mib", [1024, 16], ids=["in memory", "joined by the engine"])
def test_categories_of_taken_rows_are_theirs_alone(memory_mib: int) -> None:
    count = 200_000
    random = np.random.default_rng(5)
    texts = [None if row % 3 == 0 else f"v{row % 1009}" for row in range(count)]
    given = Table.of({"id": [str(row) for row in range(count)], "word": texts}, id="id")
    table = Table.open(given.path, given.schema, bounds=Bounds(memory_bytes=memory_mib << 20))
    rows = random.integers(0, count, count // 2)
    rows = rows[rows % 1009 < 500]
    for taken in (table.take(rows), table.take(rows).with_column("number", rows % 5)):
        found = taken.categories("word")
        wanted = [texts[row] for row in rows]
        assert found.values == tuple(sorted({text for text in wanted if text is not None}))
        assert [None if code < 0 else found.values[code] for code in found.codes.tolist()] == wanted
    assert taken.categories("number").values == ("0", "1", "2", "3", "4")
    assert np.array_equal(taken.categories("number").codes, rows % 5)


def test_a_column_without_values_or_rows_has_no_categories() -> None:
    table = Table.of({"id": ["a", "b"], "word": ["p", None]}, id="id")
    assert table.take(np.array([1, 1])).categories("word").values == ()
    assert table.take(np.array([1, 1])).categories("word").codes.tolist() == [-1, -1]
    assert len(table.take(np.empty(0, np.int64)).categories("word").codes) == 0


def test_a_column_that_is_no_set_of_categories_says_so() -> None:
    table = Table.of({"id": ["a", "b", "c"], "x": [0.5, 1.5, 2.5], "word": ["p", "q", "r"]}, id="id")
    assert len(table.categories("word", most=3).values) == 3
    for name, most, cause in (("x", 9, "holds real numbers"), ("word", 2, "more than 2 different values")):
        with pytest.raises(HanseError, match=rf"column\.categories.*{cause}"):
            table.categories(name, most)
    with pytest.raises(HanseError, match=r"column\.unknown"):
        Table.open(table.path, table.schema, columns=["x"]).categories("word")


def test_added_columns_follow_the_rows_and_are_saved(tmp_path: Path) -> None:
    scored = TABLE.take(np.array([2, 1, 0])).select([]).with_column("score", np.array([0.2, np.nan, 0.9]))
    assert scored.schema.names == ("id", "y", "score")
    turned = scored.take(np.array([2, 0]))
    assert turned.numbers(["score"]).tolist() == [[0.9, 0.2]]
    assert scored.missing(["score"]) == {"score": 1}
    again = saved(scored, tmp_path)
    assert again.ids().to_strings() == ["", "bb", "a"]
    assert np.array_equal(again.numbers(["score"]), [[0.2, np.nan, 0.9]], equal_nan=True)
    assert again.missing(["score"]) == {"score": 1}
    with pytest.raises(ValueError, match="is there already"):
        scored.with_column("score", np.zeros(3))
    with pytest.raises(ValueError, match="expected 3 numbers"):
        scored.with_column("other", np.zeros(2))


def test_only_granted_columns_can_be_read() -> None:
    granted = Table.open(TABLE.path, TABLE.schema, columns=["word"])
    assert granted.schema.names == ("id", "y", "word")
    for read in (granted.numbers, granted.missing, granted.select):
        with pytest.raises(HanseError, match=r"column\.unknown"):
            read(["x"])


def test_text_is_no_number_and_no_label_is_said() -> None:
    with pytest.raises(HanseError, match=r"column\.text"):
        TABLE.numbers(["word"])
    with pytest.raises(HanseError, match=r"label\.absent"):
        Table.of({"id": ["a"]}, id="id").label()


def test_a_file_that_is_no_snapshot_of_the_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(HanseError, match=r"artefact\.damaged"):
        Table.open(tmp_path / "broken.parquet", TABLE.schema)
    other = Table.of({"id": ["a"]}, id="id")
    with pytest.raises(HanseError, match=r"artefact\.damaged.*lacks y"):
        Table.open(other.path, TABLE.schema)


def test_names_that_sql_would_trip_over_are_only_names(tmp_path: Path) -> None:
    odd = Table.of({'i"d': ["a", "b"], "select; --": [1, 2], "x'y": [0.5, 1.5]}, id='i"d')
    again = saved(odd.take(np.array([1])), tmp_path / "it's here")
    assert again.ids().to_strings() == ["b"]
    assert again.numbers(["select; --", "x'y"]).tolist() == [[2], [1.5]]


def test_a_table_in_memory_cleans_up_after_the_last_that_reads_it() -> None:
    table = Table.of({"id": ["a", "b"]}, id="id")
    path, first = table.path, table.take(np.array([0]))
    del table
    assert first.ids().to_strings() == ["a"]
    del first
    assert not path.exists()


def test_ids_of_many_batches_come_whole() -> None:
    count = 300_000
    texts = np.char.mod("%d", np.arange(count))
    table = Table.of({"id": texts.tolist(), "x": np.arange(count)}, id="id")
    ids = table.ids()
    assert isinstance(ids, Ids)
    assert len(ids) == count
    assert ids.take(np.array([0, 131_071, 131_072, count - 1])).to_strings() == ["0", "131071", "131072", "299999"]
    assert np.array_equal(table.numbers(["x"])[0], np.arange(count))


def test_ids_come_in_batches_of_one_size_and_in_order() -> None:
    count = 300_000
    texts = [str(row) for row in range(count)]
    table = Table.of({"id": texts}, id="id")
    found = list(table.id_batches(70_001))
    assert [len(batch) for batch in found] == [70_001] * 4 + [count - 4 * 70_001]
    assert Ids.joined(found).to_strings() == texts
    turned = table.take(np.arange(count)[::-1])
    assert Ids.joined(list(turned.id_batches(1 << 17))).to_strings() == texts[::-1]
    assert list(table.take(np.empty(0, np.int64)).id_batches()) == []


def test_batches_may_be_read_by_several_threads_and_left_early() -> None:
    texts = [str(row) for row in range(300_000)]
    found = Table.of({"id": texts}, id="id").id_batches(100_000)
    with ThreadPoolExecutor(2) as pool:
        batches = [pool.submit(next, found).result(), next(found)]
    assert Ids.joined(batches).to_strings() == texts[:200_000]
    assert isinstance(found, Generator)
    found.close()


def test_the_engine_reads_the_named_file_and_no_other(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")
    with connect([TABLE.path], bounds=Bounds(memory_bytes=1 << 28)) as engine:
        for statement in (
            f"SELECT * FROM read_csv({quote(str(other))})",
            f"COPY (SELECT 1) TO {quote(str(tmp_path / 'out.csv'))}",
            f"ATTACH {quote(str(tmp_path / 'x.db'))}",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            "SET memory_limit = '100GB'",
        ):
            with pytest.raises(Exception, match=r"(?i)permission|disabled|locked|cannot"):
                engine.execute(statement)
