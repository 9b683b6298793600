"""`hanse registry`: find organisations through a node that many have paired with, and be found."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, show
from hanse.client import Client, connect
from hanse.client.resources import Proposal, RegistryListing
from hanse.core.faults import fault

commands = typer.Typer(no_args_is_help=True, help="Find organisations through a registry, and be found.")

Registry = Annotated[str, typer.Argument(help="Name or id of the member that is the registry.", metavar="REGISTRY")]
Organisation = Annotated[str, typer.Argument(help="Name or id of an organisation.", metavar="ORGANISATION")]


@commands.command("open", epilog="Example: hanse registry open")
def open_register(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Make this node a registry: its members may show themselves here and read who else does."""
    _switch(directory, as_json, is_open=True)


@commands.command("close", epilog="Example: hanse registry close")
def close_register(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Make this node a registry no longer. What it lists is kept, and shown to nobody."""
    _switch(directory, as_json, is_open=False)


@commands.command(epilog="Example: hanse registry entries")
def entries(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List whom this node, as a registry, lists."""
    with connect(directory) as client:
        found = client.register_entries()
    rows = [(one.organisation, one.sides, one.address, one.listed_at, one.organisation_id) for one in found]
    heads = ("name", "sides", "address", "listed", "id")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "Nobody is listed here yet."))


@commands.command(epilog="Example: hanse registry add node.clinic.example:9443 --fingerprint '3f2a 9c1e …'")
def add(
    address: Annotated[str, typer.Argument(help="Where its node is dialled.", metavar="HOST:PORT")],
    fingerprint: Annotated[str, typer.Option(help="The organisation's own, read to you by its people.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List, at this registry, an organisation that is no member of it: one side only is on the platform."""
    with connect(directory) as client:
        made = client.add_register_entry(address, fingerprint)
    text = f"[green]✓[/] {escape(made.organisation)} is listed"
    show(made, as_json, lambda console: console.print(text))


@commands.command(epilog="Example: hanse registry strike 5f2c9a7d01b4e6c85f2c9a7d01b4e6c8")
def strike(organisation: Organisation, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Take an organisation from this registry's list. A member may show itself again, unless it is suspended."""
    with connect(directory) as client:
        named = [one for one in client.register_entries() if organisation in (one.organisation, one.organisation_id)]
        if len(named) != 1:
            raise fault("registry.unlisted", f"{len(named)} organisations here are called {organisation}")
        gone = client.strike_register_entry(named[0].organisation_id)
    text = f"[green]✓[/] {escape(gone.organisation)} is listed no longer"
    show(gone, as_json, lambda console: console.print(text))


@commands.command(epilog="Example: hanse registry follow exchange --project credit --dataset customers")
def follow(
    registry: Registry,
    project: Annotated[list[str] | None, typer.Option(help="Show that you take part in it.", metavar="NAME")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Show its columns and magnitude.", metavar="NAME")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Read a registry and show yourself there: name, address, contact, and the projects and datasets you name.

    Said again, it changes what is shown. Nothing else of a project or dataset leaves the node, and nothing is granted.
    """
    with connect(directory) as client:
        made = client.follow_registry(registry, project or [], dataset or [])
    text = f"[green]✓[/] shown at {escape(made.registry)}: {len(made.projects)} projects, {len(made.datasets)} datasets"
    show(made, as_json, lambda console: console.print(text))


@commands.command(epilog="Example: hanse registry leave exchange")
def leave(registry: Registry, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show nothing at a registry any more. Pairings that were made through it stay."""
    with connect(directory) as client:
        client.leave_registry(registry)
    show({"registry": registry}, as_json, lambda console: console.print(f"[green]✓[/] left {escape(registry)}"))


@commands.command("list", epilog="Example: hanse registry list")
def list_registries(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the registries that this node reads."""
    with connect(directory) as client:
        found = client.registries()
    rows = [(one.registry, one.read_at, one.trouble, len(one.projects), len(one.datasets)) for one in found]
    heads = ("registry", "read", "trouble", "projects shown", "datasets shown")
    empty = "No registries. Read one with: hanse registry follow MEMBER"
    show(found, as_json, lambda console: draw_table(console, heads, rows, empty))


@commands.command("show", epilog="Example: hanse registry show exchange")
def show_registry(
    registry: Registry,
    refresh: Annotated[bool, typer.Option("--refresh", help="Read it now.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show whom a registry lists, what they show, and how they stand here."""
    with connect(directory) as client:
        if refresh and (trouble := client.refresh_registry(registry).trouble):
            raise fault(trouble, f"{registry} could not be read", step="read the registry")
        found = client.registry_organisations(registry)
    show(found, as_json, lambda console: _draw(console, found))


@commands.command(epilog="Example: hanse registry propose exchange retailer --fingerprint '3f2a 9c1e …'")
def propose(
    registry: Registry,
    organisation: Organisation,
    fingerprint: Annotated[str, typer.Option(help="The pair's, compared with its people: hanse registry show.")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Ask an organisation of a registry to be paired. Its people compare the fingerprint too, and decide.

    A member of the registry hears it through the registry and confirms with `hanse member confirm`. To one that only
    the registry knows, hand over the invitation that is printed.
    """
    with connect(directory) as client:
        made = client.propose_pairing(registry, _find(client, registry, organisation).organisation_id, fingerprint)
    show(made, as_json, lambda console: _draw_proposal(console, made))


def _switch(directory: Directory, as_json: bool, *, is_open: bool) -> None:
    with connect(directory) as client:
        made = client.switch_register(is_open)
    text = f"[green]✓[/] this node is {'a' if made.is_open else 'no'} registry"
    show(made, as_json, lambda console: console.print(text))


def _find(client: Client, registry: str, organisation: str) -> RegistryListing:
    listed = client.registry_organisations(registry)
    found = [one for one in listed if organisation in (one.organisation, one.organisation_id)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(one.organisation_id for one in found)
        raise fault("registry.ambiguous", f"{len(found)} are called {organisation}", f"say which by id: {ids}")
    names = ", ".join(one.organisation for one in listed) or "nobody yet"
    raise fault("registry.unlisted", f"{registry} does not list {organisation}", f"it lists: {names}")


def _draw(console: Console, found: tuple[RegistryListing, ...]) -> None:
    rows = [
        (
            one.organisation,
            one.sides,
            one.state,
            one.region,
            ", ".join(f"{shown.name} ({shown.sides})" for shown in one.projects),
            ", ".join(f"{shown.name} ~{shown.rows} ({shown.sides})" for shown in one.datasets),
            one.pair_fingerprint,
        )
        for one in found
    ]
    heads = ("name", "sides", "here", "region", "projects", "datasets", "fingerprint of the pair")
    draw_table(console, heads, rows, "Nobody else is listed there.")


def _draw_proposal(console: Console, made: Proposal) -> None:
    way = "hand this invitation over" if made.code else f"its people decide ({made.state})"
    draw_facts(
        console,
        (
            ("organisation", made.organisation),
            ("fingerprint", made.pair_fingerprint),
            ("next", way),
            ("code", made.code),
        ),
    )
