"""`hanse grant`, `hanse application`: what a project may use of one's own data, and asking a partner for its."""

from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from hanse.cli.commands.projects import find_project
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_table, show
from hanse.client import connect
from hanse.client.resources import OfferedDataset
from hanse.core.clauses import Clauses
from hanse.core.faults import fault

commands = typer.Typer(no_args_is_help=True, help="What a project may use of your own data. Enforced where it is used.")
applications = typer.Typer(no_args_is_help=True, help="Ask a partner for data, and answer what partners ask.")

Clause = Annotated[
    list[str] | None,
    typer.Option(help="A clause, once for each: uses=3, rate=10, window=day, minimum_group=50, components=psi,predict"),
]
Column = Annotated[
    list[str] | None, typer.Option(help="A column; once for each. Without: all of them.", metavar="NAME")
]
Until = Annotated[str | None, typer.Option(help="Last day or moment, ISO 8601.", metavar="TIME")]
Limit = Annotated[
    float | None,
    typer.Option(help="How much a guest may learn from exact sums, above 0 (default 0.1; at 1, single rows).", min=0.0),
]
LISTS = frozenset({"components", "organisations"})


@commands.command("add", epilog="Example: hanse grant add calls --project credit --column tenure --until 2026-12-31")
def add_grant(
    dataset: Annotated[str, typer.Argument(help="One of your datasets.")],
    project: Annotated[str, typer.Option(help="Name or id of the project.")],
    column: Column = None,
    until: Until = None,
    disclosure_limit: Limit = None,
    clause: Clause = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Let a project use columns of a dataset. The guest, too, grants its own before a job may use it."""
    with connect(directory) as client:
        found = find_project(client, project)
        grant = client.add_grant(dataset, found.id, column, until, disclosure_limit, read_clauses(clause))
    what = ", ".join(column) if column else "all columns"
    text = f"[green]✓[/] {escape(found.name)} may use {escape(what)} of [bold]{escape(dataset)}[/] [dim]({grant.id})[/]"
    show(grant, as_json, lambda console: console.print(text))


@commands.command("list", epilog="Example: hanse grant list --project credit")
def list_grants(
    project: Annotated[str | None, typer.Option(help="Instead: what all members grant to this project.")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List what you have granted; with --project, what all of its members have."""
    with connect(directory) as client:
        if project is not None:
            _show_offers(client.project_datasets(find_project(client, project).id), as_json)
            return
        found = client.grants()
    heads = ("id", "dataset", "project", "columns", "until", "disclosure limit", "revoked")
    rows = [
        (g.id, g.dataset, g.project, ", ".join(g.columns or ()) or "all", g.until, g.disclosure_limit, g.revoked_at)
        for g in found
    ]
    show(found, as_json, lambda console: draw_table(console, heads, rows, "You have granted nothing yet."))


@commands.command(epilog="Example: hanse grant revoke grant-5f2c9a7d01b4e6c8")
def revoke(
    grant: Annotated[str, typer.Argument(help="Id of the grant: hanse grant list.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Take a grant back. No task may use the dataset under it from now on."""
    with connect(directory) as client:
        client.revoke_grant(grant)
    show({"revoked": grant}, as_json, lambda console: console.print(f"[green]✓[/] {escape(grant)} revoked"))


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


def _show_offers(offered: tuple[OfferedDataset, ...], as_json: bool) -> None:
    heads = ("organisation", "dataset", "rows", "columns", "until", "disclosure limit")
    rows = [
        (o.organisation, o.name, f"{o.rows:,}", ", ".join(o.schema.features), o.until, o.disclosure_limit)
        for o in offered
    ]
    show(offered, as_json, lambda console: draw_table(console, heads, rows, "Nothing is granted to it yet."))
