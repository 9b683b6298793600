"""Files as people have them: in other encodings, in workbooks, packed; and packed by people who mean ill."""

import gzip
import io
import struct
import zipfile
from pathlib import Path

import pytest

from hanse.core.faults import Fault, HanseError
from hanse.core.specs import Artefact, Delimiter, Encoding, IngestSpec
from hanse.sdk import packing
from hanse.sdk.files import digest
from hanse.sdk.ingest import ingest

TEXT = "id,城市,age\n13800138000,北京,30\n13800138001,上海,\n"
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
CELLS: list[list[object]] = [["id", "城市", "age"], [13800138000, "北京", 30], [13800138001, "上海", None]]


def take_in(
    folder: Path,
    raw: bytes,
    name: str = "data.csv",
    *,
    encoding: Encoding = "",
    delimiter: Delimiter = "",
    sheet: str = "",
) -> Artefact:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(raw)
    order = IngestSpec(
        str(folder / name), "id", str(folder / "out"), encoding=encoding, delimiter=delimiter, sheet=sheet
    )
    return ingest(order)


def refusal(folder: Path, raw: bytes, name: str = "data.csv", encoding: Encoding = "", sheet: str = "") -> Fault:
    with pytest.raises(HanseError) as caught:
        take_in(folder, raw, name, encoding=encoding, sheet=sheet)
    assert list((folder / "out").glob("**/*")) == [], "a refused file leaves nothing behind"
    assert caught.value.fault.remedy
    return caught.value.fault


@pytest.fixture
def plain(tmp_path: Path) -> str:
    """The digest of the snapshot that all forms of the same table give."""
    return take_in(tmp_path / "plain", TEXT.encode()).sha256


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def workbook(sheets: dict[str, list[list[object]]], raw: str = "") -> bytes:
    """Return an xlsx file with these sheets; `raw` stands for the rows of all, as XML."""
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    links = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    listed, related, files = "", "", {}
    for number, (name, rows) in enumerate(sheets.items(), 1):
        lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
        files[f"xl/worksheets/sheet{number}.xml"] = SHEET.format(raw or lines).encode()
        listed += f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>'
        related += f'<Relationship Id="r{number}" Type="{links}/worksheet" Target="worksheets/sheet{number}.xml"/>'
    book = f'<workbook {space} xmlns:r="{links}"><sheets>{listed}</sheets></workbook>'
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    files["xl/workbook.xml"] = book.encode()
    files["xl/_rels/workbook.xml.rels"] = f'<Relationships xmlns="{package}">{related}</Relationships>'.encode()
    start = f'<Relationship Id="r0" Type="{links}/officeDocument" Target="xl/workbook.xml"/>'
    files["_rels/.rels"] = f'<Relationships xmlns="{package}">{start}</Relationships>'.encode()
    return zipped(files)


def cell(value: object) -> str:
    if value is None:
        return "<c/>"
    return f"<c><v>{value}</v></c>" if isinstance(value, int) else f'<c t="inlineStr"><is><t>{value}</t></is></c>'


# ---------------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (TEXT.encode("utf-8-sig"), ""),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("utf-16"), ""),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), ""),
        (TEXT.encode("utf-16-le"), "utf-16"),
        (TEXT.encode("gbk"), "gbk"),
        (TEXT.encode("gb18030"), "gb18030"),
    ],
)
def test_encodings_give_the_same_snapshot(tmp_path: Path, plain: str, raw: bytes, encoding: Encoding) -> None:
    assert take_in(tmp_path / "other", raw, encoding=encoding).sha256 == plain


def test_a_delimiter_that_is_said_is_not_guessed(tmp_path: Path) -> None:
    made = take_in(tmp_path / "x", b"id;a,b,c\n1;2\n", delimiter=";")
    assert made.schema is not None
    assert made.schema.names == ("id", "a,b,c")


@pytest.mark.parametrize("pack", [gzip.compress, lambda raw: zipped({"a/../../data.csv": raw, "a/": b""})])
def test_packed_files_give_what_is_in_them_and_write_nowhere_else(tmp_path: Path, plain: str, pack: object) -> None:
    assert callable(pack)
    made = take_in(tmp_path / "packed", pack(TEXT.encode()), "data.csv.gz")
    assert made.sha256 == plain
    assert sorted(path.name for path in tmp_path.iterdir()) == ["packed", "plain"]
    assert [path.name for path in (tmp_path / "packed" / "out").iterdir()] == ["table.parquet"]


def test_a_packed_parquet_file_is_a_parquet_file(tmp_path: Path, plain: str) -> None:
    raw = (tmp_path / "plain" / "out" / "table.parquet").read_bytes()
    made = take_in(tmp_path / "packed", gzip.compress(raw), "table.parquet.gz")
    assert made.rows == 2
    assert plain == digest(tmp_path / "plain" / "out" / "table.parquet")


def test_a_sheet_of_a_workbook_is_read_with_ids_as_they_look(tmp_path: Path, plain: str) -> None:
    assert take_in(tmp_path / "one", workbook({"clients": CELLS}), "data.xlsx").sha256 == plain
    two = workbook({"notes": [["x"]], "clients": [*CELLS, [None, None, None]]})
    assert take_in(tmp_path / "two", two, "data.xlsx", sheet="clients").sha256 == plain
    assert take_in(tmp_path / "packed", gzip.compress(two), "data.xlsx.gz", sheet="clients").sha256 == plain
    told = refusal(tmp_path / "none", two, "data.xlsx")
    assert (told.code, "notes, clients" in told.remedy) == ("dataset.sheet", True)
    assert refusal(tmp_path / "other", two, "data.xlsx", sheet="absent").code == "dataset.sheet"
    assert refusal(tmp_path / "csv", TEXT.encode(), sheet="clients").code == "dataset.sheet"


# ------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("raw", "encoding", "where"),
    [
        (TEXT.encode("gbk"), "", "GBK"),
        (TEXT.encode("gbk") + b"\xff\xff\n", "gbk", "line 4"),
        (b"id,x\n1,", "utf-16", "utf-16: see line 1"),
        (TEXT.encode("utf-16-le"), "", "line 1"),
        (TEXT.encode("utf-16"), "utf-8", "UTF-16"),
        (TEXT.encode("utf-32"), "", "UTF-32"),
        ((TEXT + "\0").encode("utf-16"), "", "line 4"),
    ],
)
def test_another_encoding_than_was_said_is_told_with_its_line(
    tmp_path: Path, raw: bytes, encoding: Encoding, where: str
) -> None:
    told = refusal(tmp_path / "x", raw, encoding=encoding)
    assert told.code == "dataset.encoding"
    assert where in told.cause


def lying(raw: bytes, count: int) -> bytes:
    """Return a zip file that says it has `count` entries."""
    at = raw.rfind(b"PK\x05\x06")
    return raw[: at + 8] + struct.pack("<2H", count, count) + raw[at + 12 :]


def linked() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        entry = zipfile.ZipInfo("data.csv")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return made.getvalue()


ONE = zipped({"data.csv": TEXT.encode()})
BAD: dict[str, tuple[bytes, str]] = {
    "two files": (zipped({"a.csv": b"id\n1\n", "b.csv": b"id\n2\n"}), "dataset.archive"),
    "no file": (zipped({"a/": b""}), "dataset.archive"),
    "a symbolic link": (linked(), "dataset.archive"),
    "a zip in a zip": (zipped({"data.zip": ONE}), "dataset.archive"),
    "a gzip in a gzip": (gzip.compress(gzip.compress(TEXT.encode())), "dataset.archive"),
    "another method": (zipped({"data.csv": TEXT.encode()}, zipfile.ZIP_LZMA), "dataset.archive"),
    "too many entries": (lying(ONE, 60_000), "dataset.archive"),
    "a gzip file cut off": (gzip.compress(TEXT.encode())[:-9], "dataset.damaged"),
    "a gzip file of nothing": (b"\x1f\x8b" + bytes(40), "dataset.damaged"),
    "a zip file cut off": (ONE[:-30], "dataset.damaged"),
    "a zip file with a wrong sum": (ONE.replace(b"\x03\x04", b"\x03\x04", 1)[:40] + b"!" + ONE[41:], "dataset.damaged"),
    "an empty file, packed": (gzip.compress(b""), "dataset.empty"),
    "no workbook under its name": (b"\xd0\xcf\x11\xe0" + bytes(600), "dataset.damaged"),
    "an Arrow file": (b"ARROW1" + bytes(40), "dataset.format"),
    "a PDF file, packed": (gzip.compress(b"%PDF-1.7 " + bytes(40)), "dataset.format"),
    "half a Parquet file, packed": (gzip.compress(b"PAR1" + bytes(40)), "dataset.damaged"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_packed_badly_is_refused_in_words(tmp_path: Path, name: str) -> None:
    raw, code = BAD[name]
    assert refusal(tmp_path / "x", raw).code == code


@pytest.mark.parametrize("pack", [gzip.compress, lambda raw: zipped({"data.csv": raw})])
def test_a_bomb_ends_at_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: object) -> None:
    assert callable(pack)
    monkeypatch.setattr(packing, "EASY_BYTES", 1 << 20)
    raw = pack(b"id\n" + b"a\n" * (4 << 20))
    assert len(raw) * packing.RATIO < 8 << 20
    assert refusal(tmp_path / "x", raw).code == "dataset.bomb"


def test_a_workbook_that_spans_more_cells_than_it_has_is_refused(tmp_path: Path) -> None:
    far = f'<row r="1">{cell("id")}</row><row r="30000"><c r="ALL30000"><v>1</v></c></row>'
    told = refusal(tmp_path / "x", workbook({"wide": []}, far), "data.xlsx")
    assert told.code == "dataset.bomb"


def test_faults_of_a_sheet_name_its_row(tmp_path: Path) -> None:
    told = refusal(tmp_path / "x", workbook({"clients": [["id", "x"], ["a", 1], [None, 2]]}), "data.xlsx")
    assert (told.code, "row 2" in told.cause) == ("dataset.id_missing", True)
