"""`hanse notification`: what one is told, what one hears of, and the ways out of the house."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from hanse.cli.language import language
from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, show
from hanse.client import connect
from hanse.client.resources import Channel, Notifications, Subscriptions, Wish
from hanse.core.faults import fault

commands = typer.Typer(no_args_is_help=True, help="Notifications: what one is told, and where.")
channels = typer.Typer(no_args_is_help=True, help="Channels: mail servers, webhooks, rooms of chat.")
commands.add_typer(channels, name="channel")

ChannelId = Annotated[str, typer.Argument(help="Id of a channel: hanse notification channel list.", metavar="CHANNEL")]
Name = Annotated[str, typer.Argument(help="What the channel is called.")]
Url = Annotated[str, typer.Option(help="Where a webhook or room is: https://…")]
Place = Annotated[str, typer.Option(help="Where a mail server is: host:port.")]
SecretFile = Annotated[
    Path | None, typer.Option(help="File with the key of signatures, or the password of the mail server.")
]
SenderAddress = Annotated[str, typer.Option("--from", help="The address that e-mail comes from.")]
Username = Annotated[str, typer.Option(help="The name that the mail server knows.")]
Security = Annotated[str, typer.Option(help="How a mail server is spoken to: starttls or tls.")]
Authority = Annotated[
    Path | None, typer.Option(help="File with a certificate (PEM) to trust instead of the public ones.")
]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Of which kinds it hears; none: all.")]
Spoken = Annotated[str, typer.Option("--language", help="en or zh.")]
Plain = Annotated[bool, typer.Option(help="Send text instead of Markdown or a card.")]


@commands.command("list", epilog="Example: hanse notification list --unread")
def list_notifications(
    unread: Annotated[bool, typer.Option(help="Only what is unread.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List what one was told, newest first."""
    with connect(directory) as client:
        page = client.notifications(unread, language(), None, limit)
    show(page, as_json, lambda console: _draw(console, page))


@commands.command("read", epilog="Example: hanse notification read 17 18")
def read_notifications(
    numbers: Annotated[list[int] | None, typer.Argument(help="Which; none named means all.")] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Mark notifications read."""
    with connect(directory) as client:
        left = client.read_notifications(numbers or [])
    show(left, as_json, lambda console: console.print(f"{left.unread} unread."))


@commands.command("subscribe", epilog="Example: hanse notification subscribe job.ended --email --language zh")
def subscribe(
    kinds: Annotated[list[str] | None, typer.Argument(help="Which kinds to change; none: show all.")] = None,
    app: Annotated[bool | None, typer.Option(help="Hear of them in the node.")] = None,
    email: Annotated[bool | None, typer.Option(help="Hear of them by e-mail.")] = None,
    spoken: Spoken = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Choose what to hear of, and in which language; or show it."""
    with connect(directory) as client:
        found = client.subscriptions()
        if kinds or spoken:
            found = client.subscribe([_wish(found, kind, app, email) for kind in kinds or []], spoken)
    rows = [(w.kind, "yes" if w.app else "no", "yes" if w.email else "no") for w in found.wishes]
    heads = ("kind", "here", "e-mail")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "There are no kinds."))


@channels.command("list", epilog="Example: hanse notification channel list")
def list_channels(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the ways out of the house."""
    with connect(directory) as client:
        found = client.channels()
    rows = [(c.id, c.name, c.kind, c.state, c.place, ", ".join(c.kinds) or "all") for c in found]
    heads = ("id", "name", "kind", "state", "place", "hears of")
    none = "No channels yet: hanse notification channel add"
    show(found, as_json, lambda console: draw_table(console, heads, rows, none))


@channels.command(
    "add",
    epilog="Example: hanse notification channel add webhook duty --url https://hooks.bank.example/h --secret-file key",
)
def add_channel(
    kind: Annotated[str, typer.Argument(help="email, webhook, dingtalk, wecom or feishu.")],
    name: Name,
    url: Url = "",
    place: Place = "",
    secret_file: SecretFile = None,
    sender: SenderAddress = "",
    username: Username = "",
    security: Security = "starttls",
    authority: Authority = None,
    kinds: Kinds = None,
    spoken: Spoken = "en",
    plain: Plain = False,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Make a channel. What is in the secret's file is sealed, and never shown again."""
    terms = {"url": url, "place": place, "sender": sender, "username": username, "security": security}
    terms |= {"secret": _read(secret_file).strip(), "authority": _read(authority)}
    with connect(directory) as client:
        made = client.add_channel(kind, name, **terms, kinds=kinds or [], language=spoken, plain=plain)
    show(made, as_json, lambda console: _draw_channel(console, made))


@channels.command("change", epilog="Example: hanse notification channel change channel-5f2c9a7d01b4e6c8 --off")
def change_channel(
    channel: ChannelId,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Send over it, or do not.")] = None,
    url: Url = "",
    secret_file: SecretFile = None,
    kinds: Kinds = None,
    spoken: Spoken = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Change a channel; what is not said stays. A kept secret goes to no other place than it was given for."""
    with connect(directory) as client:
        before = client.channel(channel)
        made = client.change_channel(
            channel, name or before.name, **_changed(before, on, kinds, spoken, url, secret_file)
        )
    show(made, as_json, lambda console: _draw_channel(console, made))


@channels.command("remove", epilog="Example: hanse notification channel remove channel-5f2c9a7d01b4e6c8")
def remove_channel(channel: ChannelId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Remove a channel with its log and all that waits for it."""
    with connect(directory) as client:
        client.remove_channel(channel)
    show(None, as_json, lambda console: console.print("The channel is removed."))


@channels.command(
    "test", epilog="Example: hanse notification channel test channel-5f2c9a7d01b4e6c8 --to me@bank.example"
)
def try_channel(
    channel: ChannelId,
    to: Annotated[str, typer.Option(help="Whom a mail server is tested with.")] = "",
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Send a test now, and say what became of it."""
    with connect(directory) as client:
        found = client.try_channel(channel, to)
    text = "It was delivered." if found.delivered else f"It was not delivered: {escape(found.error)}"
    show(found, as_json, lambda console: console.print(text))


@channels.command("log", epilog="Example: hanse notification channel log channel-5f2c9a7d01b4e6c8 --state dead")
def list_deliveries(
    channel: ChannelId,
    state: Annotated[str, typer.Option(help="waiting, sent or dead (given up).")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """List what goes and went over a channel, newest first."""
    with connect(directory) as client:
        found = client.deliveries(channel, state, None, limit)
    rows = [(d.number, d.at, d.kind, d.reader, d.state, d.tries, d.error) for d in found]
    heads = ("number", "at", "kind", "to", "state", "tries", "error")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "Nothing went over it yet."))


@channels.command("retry", epilog="Example: hanse notification channel retry channel-5f2c9a7d01b4e6c8")
def retry_deliveries(channel: ChannelId, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Try again what a channel has given up."""
    with connect(directory) as client:
        found = client.retry_deliveries(channel)
    show(found, as_json, lambda console: console.print(f"{found.count} are tried again."))


def _wish(found: Subscriptions, kind: str, app: bool | None, email: bool | None) -> Wish:
    before = next((wish for wish in found.wishes if wish.kind == kind), Wish(kind, True, False))
    return Wish(kind, before.app if app is None else app, before.email if email is None else email)


def _changed(
    before: Channel, on: bool | None, kinds: list[str] | None, spoken: str, url: str, secret_file: Path | None
) -> dict[str, Any]:
    state = before.state if on is None else "on" if on else "off"
    kept = {name: getattr(before, name) for name in ("sender", "username", "security", "authority", "plain")}
    kept |= {"place": before.place} if before.kind == "email" else {}
    said = {"state": state, "kinds": list(before.kinds) if kinds is None else kinds, "url": url}
    return kept | said | {"secret": _read(secret_file).strip(), "language": spoken or before.language}


def _read(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise fault("file.unreadable", f"{path}: {error}") from error


def _draw(console: Console, page: Notifications) -> None:
    rows = [(n.number, n.at, "" if n.read_at else "new", n.title, n.body) for n in page.notifications]
    draw_table(console, ("number", "at", "", "what", "more"), rows, "Nothing yet.")
    console.print(f"{page.unread} unread.")


def _draw_channel(console: Console, channel: Channel) -> None:
    facts = (("id", channel.id), ("name", channel.name), ("kind", channel.kind), ("state", channel.state))
    draw_facts(console, (*facts, ("place", channel.place), ("hears of", ", ".join(channel.kinds) or "all")))
