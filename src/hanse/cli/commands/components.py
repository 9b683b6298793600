"""`hanse component`: what a pipeline can be made of."""

from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.language import language
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, show
from hanse.client import connect
from hanse.core.planning import ComponentCard

commands = typer.Typer(no_args_is_help=True, help="What a pipeline can be made of.")


@commands.command("list", epilog="Example: hanse component list")
def list_components(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the components that this node has."""
    with connect(directory) as client:
        found = client.components()
    tongue = language()
    rows = [(c.name, c.version, ", ".join(c.roles), c.title.get(tongue, c.title["en"])) for c in found]
    heads = ("name", "version", "roles", "title")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "No components."))


@commands.command("show", epilog="Example: hanse component show psi")
def show_component(
    name: Annotated[str, typer.Argument(help="Name of the component: hanse component list.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show a component: its settings, its ports, and what each role learns. With --json: settings as JSON Schema."""
    with connect(directory) as client:
        found = client.component(name)
    show(found, as_json, lambda console: _draw(console, found))


def _draw(console: Console, card: ComponentCard) -> None:
    tongue = language()
    ports = [f"{role}: {_ports(card.inputs[role])} → {_ports(card.outputs[role])}" for role in card.roles]
    facts = [("component", f"{card.name} {card.version}"), ("title", card.title.get(tongue, card.title["en"]))]
    facts += [("protocol", card.protocol), ("secure", card.secure)]
    facts += [("ports" if not number else "", line) for number, line in enumerate(ports)]
    draw_facts(console, facts)
    for line in card.learns:
        console.print(f"  [dim]learns[/] {escape(line.role)}: {escape(line.text)}")
    rows = [
        (name, shape.get("type", ""), shape.get("default", ""), _title(shape, tongue))
        for name, shape in card.params.get("properties", {}).items()
    ]
    draw_table(console, ("setting", "type", "default", "title"), rows, "No settings.")


def _ports(ports: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in ports.items()) or "nothing"


def _title(shape: dict[str, object], tongue: str) -> str:
    chinese = shape.get("x-zh")
    said = chinese if tongue == "zh" and isinstance(chinese, dict) else shape
    return str(said.get("title", ""))
