"""`hanse grant change|show|uses`, `hanse application`: the clauses of a grant, and asking for one."""

from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from hanse.cli.commands.projects import find_project
from hanse.cli.commands.projects import grants as commands
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_table, show
from hanse.client import connect
from hanse.core.clauses import Clauses
from hanse.core.faults import fault

applications = typer.Typer(no_args_is_help=True, help="Ask a partner for data, and answer what partners ask.")

Clause = Annotated[
    list[str] | None,
    typer.Option(help="A clause, once for each: uses=3, rate=10, window=day, minimum_group=50, components=psi,predict"),
]
Column = Annotated[list[str] | None, typer.Option(help="A column; once for each. Without: all of them.")]
Until = Annotated[str | None, typer.Option(help="Last day or moment, ISO 8601.", metavar="TIME")]
Limit = Annotated[float | None, typer.Option(help="Disclosure limit, above 0.", min=0.0)]
LISTS = frozenset({"components", "organisations"})


@commands.command(epilog="Example: hanse grant change grant-5f2c9a7d01b4e6c8 --clause uses=3 --clause components=psi")
def change(
    grant: Annotated[str, typer.Argument(help="Id of the grant: hanse grant list.")],
    column: Column = None,
    until: Until = None,
    disclosure_limit: Limit = None,
    clause: Clause = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Put a grant under new terms: say all that is to hold. Jobs that these do not cover end."""
    with connect(directory) as client:
        found = client.change_grant(grant, column, until, disclosure_limit, read_clauses(clause))
    show(found, as_json, lambda console: console.print(f"[green]✓[/] {escape(grant)}, version {found.version}"))


@commands.command("show", epilog="Example: hanse grant show grant-5f2c9a7d01b4e6c8")
def show_grant(
    grant: Annotated[str, typer.Argument(help="Id of the grant: hanse grant list.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show a grant with all of its clauses, and how often it was used."""
    with connect(directory) as client:
        found = client.grant(grant)
    said: dict[str, object] = msgspec.to_builtins(found) | msgspec.structs.asdict(found.clauses)
    rows = [(name, str(value)) for name, value in said.items() if name != "clauses"]
    show(found, as_json, lambda console: draw_table(console, ("what", "value"), rows, ""))


@commands.command(epilog="Example: hanse grant uses grant-5f2c9a7d01b4e6c8")
def uses(
    grant: Annotated[str, typer.Argument(help="Id of the grant: hanse grant list.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List the jobs that have read the data under a grant."""
    with connect(directory) as client:
        found = client.grant_uses(grant)
    rows = [(use.job, use.guest, use.version, use.at) for use in found]
    show(found, as_json, lambda c: draw_table(c, ("job", "guest", "terms", "at"), rows, "It was not used yet."))


@applications.command(
    epilog="Example: hanse application ask calls --of operator --project credit --reason 'a scorecard'"
)
def ask(
    dataset: Annotated[str, typer.Argument(help="A dataset that a partner has published, or its name in words.")],
    of: Annotated[str, typer.Option(help="The organisation to ask.", metavar="NAME")],
    project: Annotated[str, typer.Option(help="Name or id of the project.")],
    reason: Annotated[str, typer.Option(help="What for.")],
    column: Column = None,
    until: Until = None,
    clause: Clause = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Ask a partner for data."""
    with connect(directory) as client:
        where = find_project(client, project).id
        found = client.ask_for_data(where, of, dataset, reason, column, until, read_clauses(clause))
    show(found, as_json, lambda console: console.print(f"[green]✓[/] asked {escape(of)} [dim]({found.id})[/]"))


@applications.command("list", epilog="Example: hanse application list")
def list_applications(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List what you asked for and what you were asked."""
    with connect(directory) as client:
        found = client.applications()
    heads = ("id", "asked by", "dataset", "columns", "state", "answer")
    rows = [
        (a.id, "us" if a.mine else a.organisation, a.dataset, ", ".join(a.columns), a.state, a.answer) for a in found
    ]
    show(found, as_json, lambda console: draw_table(console, heads, rows, "Nobody has asked for anything yet."))


@applications.command(epilog="Example: hanse application answer application-5f2c9a7d01b4e6c8 --approve --clause uses=3")
def answer(
    application: Annotated[str, typer.Argument(help="Its id: hanse application list.")],
    approve: Annotated[bool, typer.Option("--approve/--reject", help="Grant it, or say no.")],
    text: Annotated[str, typer.Option(help="What the partner is told.")] = "",
    column: Column = None,
    until: Until = None,
    disclosure_limit: Limit = None,
    clause: Clause = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Answer what a partner asks: grant it under these terms, which may be narrower, or say no."""
    with connect(directory) as client:
        if approve:
            terms = (column, until, disclosure_limit, read_clauses(clause))
            found = client.approve_application(application, text, *terms)
        else:
            found = client.reject_application(application, text)
    show(found, as_json, lambda console: console.print(f"[green]✓[/] {escape(application)} {found.state}"))


def read_clauses(said: list[str] | None) -> Clauses:
    """Return clauses written as `name=value`. Raises `grant.clause`."""
    values: dict[str, object] = {}
    for name, _, value in (pair.partition("=") for pair in said or ()):
        values[name] = value.split(",") if name in LISTS else value
    try:
        return msgspec.convert(values, Clauses, strict=False)
    except msgspec.ValidationError as error:
        raise fault("grant.clause", str(error), "write --clause uses=3; the guide to grants lists them") from error
