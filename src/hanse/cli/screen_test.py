"""Words of partners reach the terminal as words."""

import io
import json
from collections.abc import Callable

import pytest
from rich.console import Console
from rich.live import Live
from rich.text import Text

from hanse.cli import screen
from hanse.cli.screen import Screen
from hanse.client.refusal import Refusal
from hanse.client.resources import JobProblem
from hanse.core.faults import Fault
from hanse.core.words import disarm

EVIL = "ope\x1b[2Jra\x9b31mtor\x07\r \u202egnp"
TOLD = "ope[2Jra31mtor gnp"


def in_live(console: Console) -> None:
    with Live(Text(EVIL), console=console, auto_refresh=False):
        pass


DRAWINGS: list[Callable[[Console], None]] = [
    lambda console: console.print(EVIL),
    lambda console: console.print(EVIL, soft_wrap=True),
    lambda console: screen.draw_table(console, ["name"], [[EVIL]], "none"),
    lambda console: screen.draw_table(console, ["name"], [], EVIL),
    lambda console: screen.draw_facts(console, [("name", EVIL)]),
    in_live,
]


@pytest.mark.parametrize("draw", DRAWINGS)
def test_nothing_that_a_terminal_obeys_is_printed(draw: Callable[[Console], None]) -> None:
    file = io.StringIO()
    draw(Screen(file=file, width=80, color_system=None))
    assert TOLD in file.getvalue()
    assert disarm(file.getvalue()) == file.getvalue()


def test_colours_of_our_own_still_arrive() -> None:
    file = io.StringIO()
    Screen(file=file, width=80, force_terminal=True, color_system="standard").print("[red]x[/]")
    assert file.getvalue() == "\x1b[31mx\x1b[0m\n"


@pytest.mark.parametrize("as_json", [True, False])
def test_an_error_is_told_without_it_in_every_form(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    error = Refusal(422, Fault("job.rejected", cause=EVIL), problems=(JobProblem(EVIL),))
    screen.say_error(error, as_json)
    said = capsys.readouterr()
    assert disarm(said.out + said.err) == said.out + said.err
    if as_json:
        assert json.loads(said.out)["problems"][0]["message"] == EVIL
    else:
        assert said.err.count(TOLD) == 2
