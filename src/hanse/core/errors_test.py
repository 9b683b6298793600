"""The catalogue has every code that the source raises, and says each in both languages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from hanse.core.errors import CATALOGUE, advise, describe
from hanse.core.faults import Fault

SOURCE = Path(__file__).resolve().parents[1]
MAKERS = frozenset({"fault", "Fault"})


def list_codes(tree: ast.AST) -> Iterator[str]:
    """Yield the codes of `fault("x.y", …)`, `Fault(code="x.y")` and `{"error": {"code": "x.y"}}`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(str(code)), *_]):
                if name in MAKERS:
                    yield code
            case ast.Call(func=ast.Name(id="Fault"), keywords=[ast.keyword("code", ast.Constant(str(code))), *_]):
                yield code
            case ast.Dict(keys=[ast.Constant("code")], values=[ast.Constant(str(code))]):
                yield code


def test_the_scan_finds_codes_however_they_are_written() -> None:
    written = 'fault("a.b", "x")\nfaults.Fault("c.d")\nFault(code="e.f")\n{"error": {"code": "g.h"}}'
    assert sorted(list_codes(ast.parse(written))) == ["a.b", "c.d", "e.f", "g.h"]


def test_every_code_that_is_raised_is_in_the_catalogue() -> None:
    absent = {
        f"{code} ({path.relative_to(SOURCE)})"
        for path in SOURCE.rglob("*.py")
        if not path.name.endswith("_test.py")
        for code in list_codes(ast.parse(path.read_text("utf-8")))
        if code not in CATALOGUE
    }
    assert absent == set()


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_entry_speaks_both_languages_and_has_a_status(code: str) -> None:
    entry = CATALOGUE[code]
    assert 400 <= entry.status < 600
    for words in (entry.text, entry.advice):
        assert words["en"].isascii() or "…" in words["en"]
        assert any("\u4e00" <= character <= "\u9fff" for character in words["zh"])


def test_a_code_of_another_release_is_described_as_a_failure() -> None:
    assert describe("something.new") is CATALOGUE["node.failed"]


def test_what_to_do_is_the_remedy_of_the_case_or_else_of_the_code() -> None:
    assert advise(Fault("grant.over", remedy="ask Anna")) == "ask Anna"
    assert advise(Fault("grant.over")) == CATALOGUE["grant.over"].advice["en"]
