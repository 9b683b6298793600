import json

import msgspec
import pytest

from hanse.core.words import Label, Title, disarm, escape_json, flatten

OBEYED = ["\x1b[2J", "\x9b31m", "a\rb", "\x07", "\x7f", "\u202egnp.exe", "\u2066", "\u2028"]


@pytest.mark.parametrize("name", [*OBEYED, "a\nb", "a\n", "a\tb", "", "n" * 65])
def test_a_name_is_one_printable_line(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(name, Title)


@pytest.mark.parametrize("name", ["Bank of Zürich", "银行", "Γ’ [bold]x[/]"])
def test_names_in_any_script_are_names(name: str) -> None:
    assert msgspec.convert(name, Title) == msgspec.convert(name, Label) == name
    assert disarm(name) == flatten(name) == name


@pytest.mark.parametrize("text", OBEYED)
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert msgspec.convert(flatten(text), Label) == flatten(text)
    assert msgspec.convert(disarm(text), Label) == disarm(text)
    document = escape_json(json.dumps([text], ensure_ascii=False))
    assert msgspec.convert(document, Label) == document
    assert json.loads(document) == [text]


def test_lines_stay_lines_where_there_may_be_several() -> None:
    assert disarm("one\ntwo\r\n") == "one\ntwo\n"
    assert flatten("one\ntwo") == "one two"
