"""`hanse template`: pipelines with blanks, those of the product and one's own."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.language import language
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, show
from hanse.client import Client, connect
from hanse.client.resources import Blank, TemplateOutline
from hanse.core.documents import demand_single_keys, write_pipeline
from hanse.core.faults import fault
from hanse.core.specs import PipelineSpec
from hanse.core.templates import TemplateSpec

commands = typer.Typer(no_args_is_help=True, help="Pipelines with blanks: show them, keep your own, fill them.")

Name = Annotated[str, typer.Argument(metavar="TEMPLATE", help="Id or name of the template: hanse template list.")]

Values = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="The value of a blank; columns as a,b,c.")
]


@commands.command("list", epilog="Example: hanse template list")
def list_templates(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List templates: those that come with the product, then those that people keep."""
    found: list[TemplateOutline] = []
    with connect(directory) as client:
        after: str | None = ""
        while after is not None:
            page = client.templates(after, 1000)
            found += page.templates
            after = page.next
    rows = [(t.id, t.name, _said(t.title), "built in" if t.built_in else t.owner, t.created_at) for t in found]
    heads = ("id", "name", "what it does", "from", "added")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "No templates."))


@commands.command("show", epilog="Example: hanse template show boosting")
def show_template(template: Name, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show a template: what it does, and what each of its blanks takes."""
    with connect(directory) as client:
        found = client.template(template)
    facts = [("id", found.id), ("name", found.name), ("title", _said(found.title))]
    facts += [("what it does", _said(found.description))] if found.description else []
    rows = [(blank.name, blank.kind, _said(blank.title), _default(blank), _bounds(blank)) for blank in found.blanks]

    def draw(console: Console) -> None:
        draw_facts(console, facts)
        draw_table(console, ("blank", "kind", "what it is", "if not said", "may be"), rows, "It has no blanks.")

    show(found, as_json, draw)


@commands.command(epilog="Example: hanse template add ours.json --project risk")
def add(
    file: Annotated[Path, typer.Argument(help="A template as JSON.", exists=True, dir_okay=False)],
    project: Annotated[str, typer.Option("--project", help="Who works in it sees the template.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Keep a template for who works in a project."""
    spec = _read(file)
    with connect(directory) as client:
        found = client.add_template(project, spec)
    show(found, as_json, lambda console: console.print(f"[green]✓[/] {escape(found.name)} [dim]({found.id})[/]"))


@commands.command(epilog="Example: hanse template fill ours --set data=loans > risk.json")
def fill(
    template: Name, values: Values = None, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False
) -> None:
    """Write the pipeline of a template with these values to the standard output, as canonical JSON."""
    with connect(directory) as client:
        spec = fill_blanks(client, template, values or [])
    show(spec, as_json, lambda _: typer.echo(write_pipeline(spec).decode(), nl=False))


@commands.command(epilog="Example: hanse template remove template-5f2c9a7d01b4e6c8")
def remove(template: Name, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Remove a template that somebody keeps. Pipelines and jobs made from it stay."""
    with connect(directory) as client:
        client.remove_template(template)
    show(None, as_json, lambda console: console.print(f"[green]✓[/] {escape(template)} is removed"))


def fill_blanks(client: Client, template: str, said: list[str]) -> PipelineSpec:
    """Return the pipeline of a template. Raises `template.values`: what is wrong, in the language of the user."""
    values = read_values(said)
    problems = client.check_template_values(template, values)
    if problems:
        raise fault("template.values", "; ".join(f"{one.blank}: {_said(one.message)}" for one in problems))
    return client.fill_template(template, values).pipeline


def read_values(said: list[str]) -> dict[str, str]:
    """Return the values of `--set name=value`. Raises `template.values` for what says none, or a name twice."""
    values: dict[str, str] = {}
    problems = []
    for text in said:
        name, sign, value = text.partition("=")
        if not sign or not name:
            problems.append(f"{text!r} is not name=value")
        elif name in values:
            problems.append(f"{name}: it is said twice")
        values[name] = value
    if problems:
        raise fault("template.values", "; ".join(problems))
    return values


def _read(file: Path) -> TemplateSpec:
    raw = file.read_bytes()
    demand_single_keys(raw)
    try:
        return msgspec.json.decode(raw, type=TemplateSpec)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise fault("template.invalid", str(error)) from error


def _said(words: dict[str, str]) -> str:
    return words.get(language()) or next(iter(words.values()), "")


def _default(blank: Blank) -> str:
    if blank.default is None:
        return "left out" if blank.optional else "it must be said"
    return ",".join(blank.default) if isinstance(blank.default, list) else str(blank.default)


def _bounds(blank: Blank) -> str:
    if blank.choices:
        return ", ".join(blank.choices)
    edges = ((blank.at_least, "at least"), (blank.at_most, "at most"))
    return ", ".join(f"{words} {edge:g}" for edge, words in edges if edge is not None)
