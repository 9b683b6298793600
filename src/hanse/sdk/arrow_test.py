import gc

import duckdb
import pytest
from arro3.core import Array, DataType
from arro3.core import Table as ArrowTable

from hanse.kernel.ids import Ids
from hanse.sdk import arrow

TEXTS = ["", "a", "身份证", "x" * 300, ""]


@pytest.mark.parametrize("texts", [TEXTS, [""], []])
def test_texts_pass_through_duckdb_without_a_change(texts: list[str]) -> None:
    column = arrow.strings(Ids.from_strings(texts))
    assert column.type == DataType.large_string()
    assert column.to_pylist() == texts
    with duckdb.connect() as engine:
        engine.register("given", ArrowTable.from_arrays([column], names=["text"]))
        assert [text for (text,) in engine.execute("SELECT text FROM given").fetchall()] == texts


def test_buffers_live_as_long_as_an_arrow_column_that_looks_at_them() -> None:
    before = len(arrow._lent)
    column = arrow.strings(Ids.from_strings(TEXTS))
    part = column.slice(1, 2)
    del column
    gc.collect()
    assert part.to_pylist() == TEXTS[1:3]
    assert len(arrow._lent) == before + 1
    del part
    gc.collect()
    assert len(arrow._lent) == before


def test_a_part_of_an_arrow_column_is_packed_without_the_rest() -> None:
    column = Array([*TEXTS, None, "z"], type=DataType.string())
    assert arrow.packed(column).to_strings() == [*TEXTS, "", "z"]
    assert arrow.packed(column.slice(2, 2)).to_strings() == TEXTS[2:4]
    assert arrow.packed(column.slice(4, 2)).to_strings() == ["", ""]
    assert len(arrow.packed(column.slice(0, 0))) == 0
    with pytest.raises(TypeError, match="expected an Arrow string column"):
        arrow.packed(Array([1], type=DataType.int64()))
