"""`hanse key`: what programs call this node with."""

from typing import Annotated

import typer
from rich.console import Console

from hanse.cli.commands.users import Granted, read_permissions, say_permissions
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, show
from hanse.client import connect
from hanse.client.resources import AccessKey

commands = typer.Typer(no_args_is_help=True, help="Access keys: what programs call this node with.")

KeyId = Annotated[str, typer.Argument(help="Id of a key: hanse key list.", metavar="KEY")]


@commands.command("list", epilog="Example: hanse key list")
def list_keys(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List access keys: one's own, everybody's for whoever manages users."""
    with connect(directory) as client:
        found = client.keys()
    rows = [(k.id, k.name, k.user, say_state(k), k.used_at, say_permissions(k.scopes)) for k in found]
    heads = ("id", "name", "user", "state", "last used", "may")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "No keys yet: hanse key add"))


@commands.command("add", epilog="Example: hanse key add nightly --permit jobs.run=own --network 10.1.0.0/16")
def add_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    permit: Granted = None,
    network: Annotated[list[str] | None, typer.Option(help="Where it may be used; none: anywhere.")] = None,
    until: Annotated[str | None, typer.Option(help="When it ends: 2027-12-31.")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Make an access key with some of one's own permissions. It is shown once."""
    with connect(directory) as client:
        made = client.add_key(name, read_permissions(permit or []), network, until)
    show(made, as_json, lambda console: draw_key(console, made))


@commands.command("rotate", epilog="Example: hanse key rotate key-5f2c9a7d01b4e6c8 --overlap-s 3600")
def rotate_key(
    key: KeyId,
    overlap_s: Annotated[int, typer.Option(help="How long the old secret goes on working.", min=0)] = 86400,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Give a key a new secret. It is shown once."""
    with connect(directory) as client:
        made = client.rotate_key(key, overlap_s)
    show(made, as_json, lambda console: draw_key(console, made))


@commands.command("revoke", epilog="Example: hanse key revoke key-5f2c9a7d01b4e6c8")
def revoke_key(key: KeyId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """End a key, from the next request on."""
    with connect(directory) as client:
        client.revoke_key(key)
    show(None, as_json, lambda console: console.print("The key has ended."))


def say_state(key: AccessKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return f"until {key.expires_at}" if key.expires_at is not None else "good"


def draw_key(console: Console, key: AccessKey) -> None:
    """Show a key with its text, which is never shown again."""
    facts = (("id", key.id), ("name", key.name), ("may", say_permissions(key.scopes)), ("key", key.key))
    draw_facts(console, facts)
