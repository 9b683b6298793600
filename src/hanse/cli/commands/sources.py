"""`hanse source`: databases and stores that datasets are read from."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.screen import draw_facts, draw_table, show
from hanse.client import connect
from hanse.client.resources import Source, SourceKindCard
from hanse.core.sources import KINDS

commands = typer.Typer(no_args_is_help=True, help="Databases and stores that datasets are read from.")

Name = Annotated[str, typer.Argument(help="A source: hanse source list.", metavar="SOURCE")]


@commands.command(
    epilog="Example: hanse source add core --kind mysql --host db.bank.example --database core --user hanse"
)
def add(
    name: Annotated[str, typer.Argument(help="What the source is to be called.")],
    kind: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")],
    host: Annotated[str, typer.Option(help="Where it is; see the setting outbound_allow.")],
    database: Annotated[str, typer.Option(help="The database; of s3 the bucket, of webhdfs a folder.")],
    user: Annotated[str, typer.Option(help="A user who may only read; of s3 the access key's id.")],
    port: Annotated[int, typer.Option(help="0: the kind's own.", min=0, max=65535)] = 0,
    tls: Annotated[str, typer.Option(help="verify, require or off.")] = "verify",
    ca: Annotated[Path | None, typer.Option(help="PEM file of who signed its certificate.", exists=True)] = None,
    region: Annotated[str, typer.Option(help="Of s3: what requests are signed for; us-east-1 if not said.")] = "",
    password_file: Annotated[Path | None, typer.Option(help="Its first line is the password.", exists=True)] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Keep a source. The password comes from a prompt or a file, never from the command line."""
    password = _password(password_file)
    pem = "" if ca is None else ca.read_text("utf-8")
    where = {"host": host, "port": port, "database": database, "user": user, "tls": tls, "ca": pem}
    where |= {"region": region} if region else {}
    with connect(directory) as client:
        source = client.add_source(name, kind, password, **where)
    show(source, as_json, lambda console: draw_source(console, source))


@commands.command(epilog="Example: hanse source kinds")
def kinds(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the kinds of sources, and whether their drivers are installed at the node."""
    with connect(directory) as client:
        found = client.source_kinds()
    rows = [
        (card.kind, card.port, _driver(card), "a real server" if card.tested else "untested: no server was at hand")
        for card in found
    ]
    show(found, as_json, lambda console: draw_table(console, ("kind", "port", "driver", "tests"), rows, ""))


def _driver(card: SourceKindCard) -> str:
    if not card.driver:
        return "none needed"
    return card.driver if card.installed else f"pip install 'hanse[{card.extra}]'"


@commands.command("list", epilog="Example: hanse source list")
def list_sources(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List sources."""
    with connect(directory) as client:
        found = client.sources()
    rows = [(s.name, s.kind, f"{s.host}:{s.port}", s.database, s.user, s.tls, s.tested_at) for s in found]
    heads = ("name", "kind", "host", "database", "user", "tls", "answered")
    show(found, as_json, lambda console: draw_table(console, heads, rows, "No sources yet: hanse source add"))


@commands.command("show", epilog="Example: hanse source show core")
def show_source(name: Name, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show a source, without its password."""
    with connect(directory) as client:
        source = client.source(name)
    show(source, as_json, lambda console: draw_source(console, source))


@commands.command(epilog="Example: hanse source change core --password-file new-password")
def change(
    name: Name,
    host: Annotated[str | None, typer.Option(help="Where it is now.")] = None,
    port: Annotated[int | None, typer.Option(help="The port there.", min=1, max=65535)] = None,
    database: Annotated[str | None, typer.Option(help="The database, bucket or folder there.")] = None,
    user: Annotated[str | None, typer.Option(help="Its user now.")] = None,
    tls: Annotated[str | None, typer.Option(help="verify, require or off.")] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file of who signed its certificate.", exists=True)] = None,
    region: Annotated[str | None, typer.Option(help="Of s3: what requests are signed for.")] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    password_file: Annotated[Path | None, typer.Option(help="Its first line is the password.", exists=True)] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Change where a source is, or its password; another place needs the password again."""
    pem = None if ca is None else ca.read_text("utf-8")
    said = {"host": host, "port": port, "database": database, "user": user, "tls": tls, "ca": pem, "region": region}
    changes = {key: value for key, value in said.items() if value is not None}
    if password or password_file:
        changes["password"] = _password(password_file)
    with connect(directory) as client:
        source = client.change_source(name, **changes)
    show(source, as_json, lambda console: draw_source(console, source))


@commands.command("test", epilog="Example: hanse source test core")
def try_source(name: Name, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Connect, and say what answers."""
    with connect(directory) as client:
        answer = client.test_source(name)
    how = "encrypted" if answer.encrypted else "not encrypted"
    facts = (("server", answer.server), ("line", how), ("tables", answer.tables), ("took", f"{answer.seconds:.2f} s"))
    show(answer, as_json, lambda console: draw_facts(console, facts))


@commands.command(epilog="Example: hanse source tables core")
def tables(name: Name, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """List the tables and views that the source's user sees; of a store, its folders and objects."""
    with connect(directory) as client:
        found = client.source_tables(name)
    rows = [(f"{table.space}.{table.name}" if table.space else table.name,) for table in found]
    show(found, as_json, lambda console: draw_table(console, ("table",), rows, "Its user sees no table."))


@commands.command(epilog="Example: hanse source remove core")
def remove(name: Name, directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Forget a source and its password. Datasets that came from it stay."""
    with connect(directory) as client:
        client.remove_source(name)
    show(None, as_json, lambda console: console.print("The source is forgotten."))


def _password(file: Path | None) -> str:
    if file is None:
        return str(typer.prompt("Password", "", hide_input=True, show_default=False, err=True))
    return file.read_text("utf-8").partition("\n")[0]


def draw_source(console: Console, source: Source) -> None:
    """Show a source; its password is not there to be shown."""
    facts = "id name owner kind host port database user tls region created_at changed_at tested_at".split()
    draw_facts(console, [(fact.replace("_at", ""), getattr(source, fact)) for fact in facts])
