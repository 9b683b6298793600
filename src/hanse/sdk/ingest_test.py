from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanse.core.faults import Fault, HanseError
from hanse.core.specs import Artefact, IngestSpec, Limits
from hanse.kernel.cells import survey
from hanse.kernel.ids import Ids
from hanse.sdk.files import digest
from hanse.sdk.ingest import ID_BYTES, ingest, normalise_id
from hanse.sdk.survey import Repeats
from hanse.sdk.table import Table

GOOD = b"id,y,age,name\n a1 ,1,30,ann\nB2,0,,bob\n"


def take_in(folder: Path, raw: bytes, *, name: str = "data.csv", label: str | None = None) -> Artefact:
    source = folder / name
    source.write_bytes(raw)
    return ingest(IngestSpec(str(source), "id", str(folder / "out"), label))


def refusal(folder: Path, raw: bytes, *, label: str | None = None) -> Fault:
    with pytest.raises(HanseError) as caught:
        take_in(folder, raw, label=label)
    left = [path.name for path in (folder / "out").glob("*")] if (folder / "out").exists() else []
    assert left == [], "a refused file leaves nothing behind"
    assert caught.value.fault.remedy
    return caught.value.fault


def opened(artefact: Artefact) -> Table:
    assert artefact.schema is not None
    return Table.open(Path(artefact.path), artefact.schema)


def test_a_csv_file_becomes_a_typed_snapshot_with_normalised_ids(tmp_path: Path) -> None:
    artefact = take_in(tmp_path, GOOD, label="y")
    table = opened(artefact)
    assert table.ids().to_strings() == ["a1", "b2"]
    assert [(c.name, c.type, c.use) for c in table.schema.columns] == [
        ("id", "text", "id"),
        ("y", "integer", "label"),
        ("age", "integer", "feature"),
        ("name", "text", "feature"),
    ]
    assert artefact.rows == len(table) == 2
    assert artefact.sha256 == digest(Path(artefact.path))
    assert table.label().tolist() == [1, 0]
    assert np.array_equal(table.numbers(["age"]), [[30, np.nan]], equal_nan=True)
    assert table.missing(["age", "name"]) == {"age": 1, "name": 0}


@pytest.mark.parametrize(
    "raw",
    [GOOD, b"\xef\xbb\xbf" + GOOD, GOOD.replace(b"\n", b"\r\n"), GOOD.replace(b",", b"\t"), GOOD.replace(b",", b";")],
    ids=["plain", "byte order mark", "CRLF", "tab", "semicolon"],
)
def test_the_usual_forms_of_csv_give_the_same_snapshot(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "plain").mkdir()
    assert take_in(tmp_path, raw, label="y").sha256 == take_in(tmp_path / "plain", GOOD, label="y").sha256


def test_a_parquet_file_gives_what_its_csv_gives(tmp_path: Path) -> None:
    duckdb.execute(
        f"COPY (SELECT * FROM (VALUES (' a1 ', 1, 30, 'ann'), ('B2', 0, NULL, 'bob')) t(id, y, age, name)) "
        f"TO '{tmp_path}/made.parquet'"
    )
    (tmp_path / "csv").mkdir()
    of_parquet = take_in(tmp_path, (tmp_path / "made.parquet").read_bytes(), name="data.parquet", label="y")
    of_csv = take_in(tmp_path / "csv", GOOD, label="y")
    assert of_parquet.schema == of_csv.schema
    numbers = opened(of_csv).numbers(["y", "age"])
    assert np.array_equal(opened(of_parquet).numbers(["y", "age"]), numbers, equal_nan=True)
    assert opened(of_parquet).ids().to_strings() == opened(of_csv).ids().to_strings()


@pytest.mark.parametrize(
    ("expression", "ids"),
    [
        ("(1e10 + i)::DOUBLE", ["10000000000", "10000000001"]),
        ("(7 + i)::UTINYINT", ["7", "8"]),
        ("printf('%05d', i)", ["00000", "00001"]),
    ],
    ids=["whole reals", "small integers", "leading zeros"],
)
def test_ids_of_a_parquet_file_become_plain_texts(tmp_path: Path, expression: str, ids: list[str]) -> None:
    duckdb.execute(f"COPY (SELECT {expression} AS id FROM range(2) r(i)) TO '{tmp_path}/made.parquet'")
    artefact = take_in(tmp_path, (tmp_path / "made.parquet").read_bytes(), name="data.parquet")
    assert opened(artefact).ids().to_strings() == ids


def test_the_folders_above_a_file_are_no_data(tmp_path: Path) -> None:
    folder = tmp_path / "age=3" / "year=2024"
    folder.mkdir(parents=True)
    source = folder / "data.parquet"
    duckdb.execute(f"COPY (SELECT 'a' AS id, 30 AS age) TO '{source}'")
    table = opened(ingest(IngestSpec(str(source), "id", str(folder / "out"))))
    assert table.schema.names == ("id", "age")
    kept = table.take(np.array([0])).save(folder / "kept")
    assert table.numbers(["age"]).tolist() == opened(kept).numbers(["age"]).tolist() == [[30]]


def test_a_parquet_file_with_a_fraction_as_id_or_a_list_as_column_is_refused(tmp_path: Path) -> None:
    for columns, code in (("1.5::DOUBLE AS id", "dataset.id_type"), ("1 AS id, [1] AS x", "dataset.column_type")):
        duckdb.execute(f"COPY (SELECT {columns}) TO '{tmp_path}/made.parquet'")
        assert refusal(tmp_path, (tmp_path / "made.parquet").read_bytes()).code == code


def test_a_parquet_file_cut_short_or_damaged_is_refused(tmp_path: Path) -> None:
    duckdb.execute(f"COPY (SELECT i AS id, random() AS x FROM range(5000) r(i)) TO '{tmp_path}/made.parquet'")
    raw = (tmp_path / "made.parquet").read_bytes()
    assert refusal(tmp_path, raw[: len(raw) // 2]).code == "dataset.damaged"
    assert refusal(tmp_path, raw[:200] + bytes(100) + raw[300:]).code == "dataset.damaged"


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (b"", "dataset.empty", "0 bytes"),
        (b"id,x\n", "dataset.empty", "no rows"),
        (b"id,x", "dataset.empty", "no rows"),
        (b"\n\n", "dataset.header", "no header"),
        (b"key,x\n1,2\n", "dataset.id_column", "the file has key, x"),
        (b"id,x,x\n1,2,3\n", "dataset.header", "occurs twice"),
        (b"id,x,X\n1,2,3\n", "dataset.header", "occurs twice"),
        (b"id,,x\n1,2,3\n", "dataset.header", "column 2 has no name"),
        (b"id,file_row_number\n1,2\n", "dataset.header", "cannot be used"),
        (b"id,x\n1,2\n1,2,3\n", "dataset.ragged", "line 3 has 3 columns, the header 2"),
        (b"id,x\n1,2\n1\n", "dataset.ragged", "line 3 has 1 columns, the header 2"),
        (b'id,x\n1,"2\n3,4\n', "dataset.ragged", "line 2 has a quotation mark"),
        (b"id,x\n1," + b"x" * (5 << 20) + b"\n", "dataset.ragged", "longer than"),
        (b"id,x\nA,2\nb,3\n a,4\nB,1\nb ,1\n", "dataset.id_duplicate", "2 ids of 'id' occur more than once (3 rows"),
        (b"id,x\nA,2\nb,3\n a,4\n", "dataset.id_duplicate", "rows 1 and 3"),
        (b"id,x\n1,2\n ,3\n,4\n", "dataset.id_missing", "2 rows, first in row 2"),
        ("id,x\n1,2\n\u200b,3\n".encode(), "dataset.id_missing", "row 2"),
        (b"id,x\n1,2\n2,nan\n3,NaN\n", "dataset.not_finite", "'x' holds NaN"),
        (b"id,x\n1,2\n2,-inf\n", "dataset.not_finite", "1 rows, first in row 2"),
        (b"id,x\n1,2\n2,1e400\n", "dataset.not_finite", "row 2"),
        ("id,x\n1,张\n2,三\n".encode("gbk"), "dataset.encoding", "line 2 looks like GBK"),
        ("id,x\n1,2\n".encode("utf-16-le"), "dataset.encoding", "UTF-16"),
        ("id,x\n1,é\n".encode("latin-1"), "dataset.encoding", "line 2"),
        (b"id,x\n1,a\x00b\n", "dataset.encoding", "NUL byte in line 2"),
        (b"PK\x03\x04....", "dataset.damaged", "cannot be unpacked"),
        (b"id\n" + b"x" * (ID_BYTES + 1) + b"\n", "dataset.id_long", "row 1"),
    ],
)
def test_bad_files_are_refused_in_words(tmp_path: Path, raw: bytes, code: str, words: str) -> None:
    fault = refusal(tmp_path, raw)
    assert fault.code == code
    assert words in fault.cause


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (b"id,y\n1,0\n2,good\n", "dataset.label_type", "first in row 2"),
        (b"id,y\n1,0\n2,\n", "dataset.label_missing", "1 rows"),
        (b"id,z\n1,0\n", "dataset.label_column", "the file has id, z"),
        (b"id,y\n1,0\n2,nan\n", "dataset.not_finite", "'y'"),
    ],
)
def test_a_label_that_cannot_be_used_is_refused(tmp_path: Path, raw: bytes, code: str, words: str) -> None:
    fault = refusal(tmp_path, raw, label="y")
    assert fault.code == code
    assert words in fault.cause


def test_no_value_of_the_file_is_in_a_fault(tmp_path: Path) -> None:
    for raw in (b"id,x\ncanary7,2\ncanary7,3\n", b"id,x\n1,canary7,3\n", b'id,x\n1,"canary7\n'):
        assert "canary7" not in repr(refusal(tmp_path, raw))


def test_an_absent_file_and_an_id_that_is_the_label_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HanseError, match=r"dataset\.absent"):
        ingest(IngestSpec(str(tmp_path / "none.csv"), "id", str(tmp_path / "out")))
    assert refusal(tmp_path, GOOD, label="id").code == "dataset.label_column"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ("1 -2 +3 9223372036854775807", "integer"),
        ("1 2.0", "real"),
        ("1 1e5", "real"),
        ("1 99999999999999999999", "real"),
        ("-0.0 1e308 5e-324", "real"),
        ("1 two", "text"),
        ("1 1_000", "text"),
        ("nan word", "text"),
        ("0x10 1", "text"),
    ],
)
def test_the_type_of_a_column_follows_from_all_its_cells(tmp_path: Path, cells: str, kind: str) -> None:
    raw = "id,x\n" + "".join(f"{row},{cell}\n" for row, cell in enumerate(cells.split()))
    artefact = take_in(tmp_path, raw.encode())
    assert artefact.schema is not None
    assert artefact.schema.columns[1].type == kind


def test_a_column_without_any_value_is_a_real_column_of_missing_values(tmp_path: Path) -> None:
    table = opened(take_in(tmp_path, b"id,x,z\n1,, \n2,,\n"))
    assert {column.type for column in table.schema.columns[1:]} == {"real"}
    assert table.missing(["x", "z"]) == {"x": 2, "z": 2}


def test_quoted_and_padded_cells_are_read_like_bare_ones(tmp_path: Path) -> None:
    raw = b'id,x,y,z\n A ,"1"," 2.5",\nb,"",\t,""\n"C", 3 ,4," "\n'
    table = opened(take_in(tmp_path, raw))
    assert [column.type for column in table.schema.columns] == ["text", "integer", "real", "real"]
    assert table.ids().to_strings() == ["a", "b", "c"]
    wanted = [[1, np.nan, 3], [2.5, np.nan, 4], [np.nan] * 3]
    assert np.array_equal(table.numbers(["x", "y", "z"]), wanted, equal_nan=True)


def test_ids_beyond_ascii_and_plain_ones_keep_their_rows(tmp_path: Path) -> None:
    raw = "id,x\nB,1\nＡ１,2\nc\x1d,3\n\u00e9,4\n".encode()
    table = opened(take_in(tmp_path, raw))
    assert table.ids().to_strings() == ["b", "a1", "c", "é"]
    assert table.numbers(["x"]).tolist() == [[1, 2, 3, 4]]
    (tmp_path / "again").mkdir()
    fault = refusal(tmp_path / "again", raw + "\uff22,5\n".encode())
    assert "rows 1 and 5" in fault.cause


@pytest.mark.parametrize("columns", [3, 1_200])
def test_more_rows_than_a_batch_stay_in_order(tmp_path: Path, columns: int) -> None:
    count = 150_000 if columns == 3 else 500
    head = ",".join(f"c{index}" for index in range(columns))
    cells = ",".join(str(index) for index in range(columns))
    body = "".join(f"k{row},{row},{cells}\n" for row in range(count))
    table = opened(take_in(tmp_path, f"id,row,{head}\n{body}".encode()))
    assert np.array_equal(table.numbers(["row"])[0], np.arange(count))
    assert table.ids().to_strings() == [f"k{row}" for row in range(count)]
    assert {column.type for column in table.schema.columns[1:]} == {"integer"}
    last = f"k{count - 1}"
    (tmp_path / "again").mkdir()
    fault = refusal(tmp_path / "again", f"id,row,{head}\n{body}{last},1,{cells}\n".encode())
    assert f"rows {count} and {count + 1}" in fault.cause


def test_rows_of_long_texts_are_read_a_few_columns_at_a_time(tmp_path: Path) -> None:
    raw = "id,a,b,n\n" + "".join(f"{row},{'x' * 3000},{'é' * 2000},{row}\n" for row in range(50))
    table = opened(take_in(tmp_path, raw.encode()))
    assert [column.type for column in table.schema.columns] == ["text", "text", "text", "integer"]
    assert table.numbers(["n"]).tolist() == [list(range(50))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("0159.eE+-_xnaif ,", max_size=6) | st.floats().map(repr) | st.integers().map(str)))
def test_the_kernel_and_duckdb_agree_on_what_a_number_is(texts: list[str]) -> None:
    for text in texts:
        found = survey(Ids.from_strings([text]))
        query = (
            "SELECT v IS NOT NULL, n IS NOT NULL AND isfinite(n), n IS NOT NULL AND try_cast(v AS BIGINT) IS NOT NULL "
            "AND translate(v, '.eE', '') = v FROM (SELECT v, CASE WHEN NOT contains(v, '_') THEN try_cast(v AS DOUBLE) "
            "END AS n FROM (SELECT nullif(trim(?), '') AS v))"
        )
        ((filled, numeric, whole),) = duckdb.execute(query, [text]).fetchall()
        assert found.filled == filled
        if not found.doubtful:
            assert (found.numbers, found.wholes, found.texts) == (numeric, whole, filled and not numeric), text


@pytest.mark.parametrize("most", [4, 10, 1000])
@pytest.mark.parametrize("repeated", [False, True])
def test_repeats_are_found_in_any_memory(most: int, repeated: bool) -> None:
    numbers = np.random.default_rng(most).integers(0, 1 << 64, 200, np.uint64)
    numbers[:2] = 0, (1 << 64) - 1
    if repeated:
        numbers[150] = numbers[20]
    repeats, passes = Repeats(most), 0
    again = True
    while again:
        for start in range(0, 200, 7):
            repeats.add(numbers[start : start + 7])
        again, passes = repeats.again(), passes + 1
    assert repeats.found == repeated
    assert repeated or passes >= -(-200 // most)


def test_one_number_many_times_is_found_in_little_memory() -> None:
    repeats = Repeats(4)
    repeats.add(np.full(1000, 7, np.uint64))
    assert not repeats.again()
    assert repeats.found


def test_a_table_of_ids_alone_is_fine(tmp_path: Path) -> None:
    assert opened(take_in(tmp_path, b"id\n001\n1\n")).ids().to_strings() == ["001", "1"]


def test_a_failed_registration_leaves_an_earlier_snapshot_as_it_was(tmp_path: Path) -> None:
    before = take_in(tmp_path, GOOD, label="y")
    with pytest.raises(HanseError):
        take_in(tmp_path, b"id\n1\n1\n")
    assert digest(Path(before.path)) == before.sha256


def test_two_thousand_columns_fit_into_the_memory_given(tmp_path: Path) -> None:
    names = ",".join(f"c{index}" for index in range(1_999))
    rows = "".join(f"{row}{',1' * 1_999}\n" for row in range(20))
    (tmp_path / "wide.csv").write_text(f"id,{names}\n{rows}")
    artefact = ingest(IngestSpec(str(tmp_path / "wide.csv"), "id", str(tmp_path / "out"), limits=Limits()))
    assert artefact.rows == 20
    assert opened(artefact).numbers(["c1998"]).tolist() == [[1.0] * 20]


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("ＡＢ１２３", "ab123"),
        ("e\u0301", "\u00e9"),
        ("  \u3000X\u00a0 ", "x"),
        ("a\u200bb\ufeff", "ab"),
        ("ﬁ", "fi"),
        ("007", "007"),
        ("İ", normalise_id(normalise_id("İ"))),
    ],
)
def test_the_form_of_an_id(written: str, form: str) -> None:
    assert normalise_id(written) == form


@given(st.text(max_size=30))
def test_the_form_of_an_id_is_stable(text: str) -> None:
    once = normalise_id(text)
    assert normalise_id(once) == once


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12), min_size=1))
def test_duckdb_and_the_rule_agree_on_every_id(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("ids")
    forms = list(dict.fromkeys(form for text in texts if (form := normalise_id(text))))
    kept = [next(text for text in texts if normalise_id(text) == form) for form in forms]
    if not kept:
        return
    quoted = "".join('"' + text.replace('"', '""') + '"\n' for text in kept)
    artefact = take_in(folder, f"id\n{quoted}".encode())
    assert opened(artefact).ids().to_strings() == forms
