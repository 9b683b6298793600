"""`hanse node`: start this organisation's node, and ask how it is."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hanse.cli.commands import certificates
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, show
from hanse.client import connect
from hanse.client.resources import Node

commands = typer.Typer(no_args_is_help=True, help="Start this organisation's node, and ask how it is.")
commands.add_typer(certificates.commands, name="certificate")

Organisation = Annotated[
    str | None,
    typer.Option(
        "--name", "--organisation", help="Name of the organisation; needed at the first start.", metavar="NAME"
    ),
]
PartyHost = Annotated[str | None, typer.Option(help="Address on which partners are listened to.", metavar="ADDRESS")]
PartyPort = Annotated[int | None, typer.Option(help="Port for partners; 0: any free one.", min=0, max=65535)]
Advertise = Annotated[str | None, typer.Option(help="What partners dial, if not that.", metavar="HOST[:PORT]")]
RestHost = Annotated[
    str | None, typer.Option(help="Address for people and programs; other than loopback it is TLS.", metavar="ADDRESS")
]
RestPort = Annotated[int | None, typer.Option(help="Port of this machine's commands; 0: any.", min=0, max=65535)]
Standby = Annotated[bool, typer.Option("--standby", help="Wait until no other process runs this node, then run it.")]


@commands.command(epilog="Example: hanse node up --name bank --party-port 9443")
def up(
    directory: Directory = DEFAULT_DIRECTORY,
    name: Organisation = None,
    party_host: PartyHost = None,
    party_port: PartyPort = None,
    advertise: Advertise = None,
    rest_host: RestHost = None,
    rest_port: RestPort = None,
    standby: Standby = False,
) -> None:
    """Run the node until it is interrupted.

    The first start makes the organisation's keys, which never leave the directory, and shows the first administrator's
    one-time link. Partners reach the party port over mutual TLS; commands reach the other port, on 127.0.0.1 unless
    --rest-host says otherwise. Later starts remember names, ports and addresses: they are in the directory's node.toml,
    and options win over it.
    """
    from hanse.cli.node import serve  # noqa: PLC0415 (loads database and servers, which no other command needs)

    given = {
        "organisation": name,
        "party_host": party_host,
        "party_port": party_port,
        "advertise": advertise,
        "rest_host": rest_host,
        "rest_port": rest_port,
    }
    serve(directory.expanduser(), given, standby=standby)


@commands.command(epilog="Example: hanse node status --json")
def status(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show who this node is, where partners reach it and whether its planner is up."""
    folder = directory.expanduser()
    with connect(folder) as client:
        node = client.node()
    show(node, as_json, lambda console: draw_node(console, node, folder))


def draw_node(console: Console, node: Node, folder: Path) -> None:
    draw_facts(
        console,
        (
            ("organisation", node.organisation),
            ("node", node.node),
            ("fingerprint", node.fingerprint),
            ("partners dial", node.party_address),
            ("members", node.members),
            ("planner", "up" if node.planner else "down (jobs wait until it is up again)"),
            ("release", node.version),
            ("directory", folder),
        ),
    )
