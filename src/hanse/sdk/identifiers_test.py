"""Ids of each type have one form, whether one by one or as a column, at whatever organisation."""

from pathlib import Path

import duckdb
import pytest

from hanse.core.faults import HanseError
from hanse.core.schema import IdType
from hanse.core.specs import IngestSpec
from hanse.sdk.identifiers import count_misfits, looks_right, normalise_id, typed_form
from hanse.sdk.ingest import ingest

VECTORS: list[tuple[IdType, str, str, bool]] = [
    ("free", "  Ab-1 ", "ab-1", True),
    ("phone", "138 0013-8000", "13800138000", True),
    ("phone", "+86 (138) 0013.8000", "13800138000", True),
    ("phone", "008613800138000", "13800138000", True),
    ("phone", "8613800138000", "13800138000", True),
    ("phone", "013800138000", "13800138000", True),
    ("phone", "+1 415 555 2671", "+14155552671", True),
    ("phone", "0014155552671", "+14155552671", True),
    ("phone", "010-6552-9988", "01065529988", True),
    ("phone", "1３8００1３8０００", "13800138000", True),
    ("phone", "\u200b+86\u00a013800138000", "13800138000", True),
    ("phone", "12345", "12345", False),
    ("national_id", "11010519491231002x", "11010519491231002X", True),
    ("national_id", "110105 19491231 002X", "11010519491231002X", True),
    ("national_id", "１１０１０５１９４９１２３１００２Ｘ", "11010519491231002X", True),
    ("national_id", "110105194912310021", "110105194912310021", False),
    ("national_id", "110105491231002", "110105491231002", False),
    ("email", " Zhang.San@Example.COM ", "zhang.san@example.com", True),
    ("email", "zhang.san", "zhang.san", False),
    ("device", "AA:BB:CC:DD:EE:0F", "aabbccddee0f", True),
    ("device", "aabb.ccdd.ee0f", "aabbccddee0f", True),
    ("device", "49-015420-323751-8", "490154203237518", True),
    ("device", "{6D92078A-8246-4BA4-AE5B-76104861E7DC}", "6d92078a82464ba4ae5b76104861e7dc", True),
    ("device", "00000000-0000-0000-0000-000000000000", "0" * 32, False),
]


@pytest.mark.parametrize(("id_type", "written", "form", "fits"), VECTORS)
def test_an_id_has_the_form_and_the_looks_of_the_table(id_type: IdType, written: str, form: str, fits: bool) -> None:
    assert normalise_id(written, id_type) == form
    assert normalise_id(form, id_type) == form
    engine = duckdb.connect()
    row = engine.execute(f"SELECT {typed_form('v', id_type)} FROM (SELECT ?::VARCHAR AS v)", [written]).fetchall()[0]
    assert row[0] == (form if written.isascii() else written)
    assert engine.execute(f"SELECT {looks_right('v', id_type)} FROM (SELECT ? AS v)", [form]).fetchall() == [(fits,)]


@pytest.mark.parametrize("id_type", ["phone", "national_id", "email", "device"])
def test_a_file_is_written_with_ids_in_the_form_of_their_type(tmp_path: Path, id_type: IdType) -> None:
    vectors = {form: (written, fits) for kind, written, form, fits in VECTORS if kind == id_type}
    lines = "".join(f'"{written}",{place}\n' for place, (written, _) in enumerate(vectors.values()))
    (tmp_path / "people.csv").write_text(f"id,x\n{lines}", "utf-8")
    spec = IngestSpec(str(tmp_path / "people.csv"), "id", str(tmp_path / "out"), id_type=id_type)
    artefact = ingest(spec)
    read = duckdb.connect().execute(f"SELECT id FROM '{artefact.path}' ORDER BY x").fetchall()
    assert [form for (form,) in read] == list(vectors)
    assert artefact.schema is not None
    assert artefact.schema.id_type == (id_type, 1)
    assert count_misfits(artefact, spec) == sum(not fits for _, fits in vectors.values())


def test_two_ways_to_write_one_phone_are_one_id_twice(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,x\n+86 13800138000,1\n138-0013-8000,2\n", "utf-8")
    with pytest.raises(HanseError, match=r"dataset\.id_duplicate.*rows 1 and 2"):
        ingest(IngestSpec(str(tmp_path / "people.csv"), "id", str(tmp_path / "out"), id_type="phone"))
