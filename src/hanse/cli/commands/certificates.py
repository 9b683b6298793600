"""`hanse node certificate`: shown, asked for, signed, installed, renewed.

`sign` needs no node: it runs where the root's key is kept. `request --root` makes a node's keys before its first start.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hanse.cli.options import DEFAULT_DIRECTORY, AsJson, Directory
from hanse.cli.premises import claimed
from hanse.cli.screen import draw_facts, show
from hanse.client import connect
from hanse.client.resources import Certificate
from hanse.core.faults import HanseError, fault

commands = typer.Typer(no_args_is_help=True, help="The certificate that partners see of this node.")

File = Annotated[Path, typer.Argument(help="Where to write it.", metavar="FILE")]
Days = Annotated[int, typer.Option(help="How long the certificate holds.", min=1, max=3650)]


@commands.command("show", epilog="Example: hanse node certificate show")
def show_certificate(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Show until when the certificate holds, and who renews it."""
    with connect(directory) as client:
        found = client.certificate()
    show(found, as_json, lambda console: _draw(console, found))


@commands.command(epilog="Example: hanse node certificate request node.csr --root our-authority.pem")
def request(
    file: File,
    root: Annotated[
        Path | None,
        typer.Option(help="The organisation's own root, at a node that was never started.", metavar="FILE"),
    ] = None,
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Write a request for a certificate, to be signed where the organisation's root key is kept.

    The key that belongs to it is made on this node and stays there. With --root the node gets the organisation of that
    root (a P-256 or Ed25519 authority that names it under O=), instead of making one at its first start.
    """
    folder = directory.expanduser()
    if root is not None:
        from hanse.control.nodes.identity import ask_first  # noqa: PLC0415 (keys, which no other command needs)

        with claimed(folder):
            asked = ask_first(folder, _read(root))
    else:
        asked = _ask(folder)
    _write(file, asked)
    show({"file": str(file)}, as_json, lambda console: console.print(f"[green]✓[/] {file}: have it signed"))


@commands.command(epilog="Example: hanse node certificate sign node.csr node.pem --root root.pem --root-key root.key")
def sign(
    asked: Annotated[Path, typer.Argument(help="The node's request.", metavar="REQUEST")],
    file: File,
    root: Annotated[Path, typer.Option(help="The organisation's root certificate.", metavar="FILE")],
    root_key: Annotated[Path, typer.Option(help="Its key (PKCS#8, PEM).", metavar="FILE")],
    days: Days = 730,
    as_json: AsJson = False,
) -> None:
    """Sign a node's request with the organisation's root key, on whatever machine that is kept.

    Of the request only the node's id and key are taken over. Any authority that copies the names of a request can do
    this as well: `openssl x509 -req -copy_extensions copy`.
    """
    from datetime import timedelta  # noqa: PLC0415 (with the next two: no other command needs them)

    from hanse.control.nodes.certificates import key_from_pem, read_root, to_pem  # noqa: PLC0415
    from hanse.control.nodes.requests import sign_request  # noqa: PLC0415

    authority = read_root(_read(root))
    try:
        key = key_from_pem(_read(root_key).encode())
    except (ValueError, TypeError) as error:
        raise fault("certificate.request", f"{root_key} holds no readable key") from error
    leaf = sign_request(_read(asked), authority, key, valid=timedelta(days=days))
    _write(file, to_pem(leaf) + to_pem(authority))
    until = f"{leaf.not_valid_after_utc:%Y-%m-%d}"
    told = {"file": str(file), "until": until}
    show(told, as_json, lambda console: console.print(f"[green]✓[/] {file} holds until {until}"))


@commands.command(epilog="Example: hanse node certificate install node.pem")
def install(
    file: Annotated[Path, typer.Argument(help="What the authority sent.", metavar="FILE")],
    directory: Directory = DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Use a certificate that was made of a request; open sessions with partners go on."""
    folder, pem = directory.expanduser(), _read(file)
    if _take_at_rest(folder, pem):
        show({"file": str(file)}, as_json, lambda console: console.print("[green]✓[/] installed: hanse node up"))
        return
    with connect(folder) as client:
        found = client.install_certificate(pem)
    show(found, as_json, lambda console: _draw(console, found))


@commands.command(epilog="Example: hanse node certificate renew")
def renew(directory: Directory = DEFAULT_DIRECTORY, as_json: AsJson = False) -> None:
    """Make a new certificate and key at once. Without a word the node does so half a year before the end.

    Needs the organisation's root key on the node; where that is kept elsewhere: hanse node certificate request.
    """
    with connect(directory) as client:
        found = client.renew_certificate()
    show(found, as_json, lambda console: _draw(console, found))


def _ask(folder: Path) -> str:
    """Have the running node ask; read from its directory when it does not run (its certificate may have ended)."""
    from hanse.control.nodes.identity import ask  # noqa: PLC0415

    try:
        with claimed(folder):
            return ask(_demand_keys(folder))
    except HanseError as error:
        if error.fault.code != "node.running":
            raise
    with connect(folder) as client:
        return client.request_certificate().request


def _take_at_rest(folder: Path, pem: str) -> bool:
    """Install a certificate for a node that does not run; return whether that was so."""
    from hanse.control.nodes.identity import prepare  # noqa: PLC0415

    try:
        with claimed(folder):
            prepare(_demand_keys(folder), pem).take()
    except HanseError as error:
        if error.fault.code != "node.running":
            raise
        return False
    return True


def _demand_keys(folder: Path) -> Path:
    if not (folder / "keys").exists():
        raise fault("node.keys", f"{folder} has no keys yet", "give the organisation's root: --root FILE")
    return folder / "keys"


def _read(file: Path) -> str:
    try:
        return file.expanduser().read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} cannot be read: {error}") from error


def _write(file: Path, text: str) -> None:
    try:
        file.expanduser().write_text(text, "ascii")
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be written: {error.strerror}") from error


def _draw(console: Console, found: Certificate) -> None:
    renewed = "by the node itself" if found.renews_itself else "by request: hanse node certificate request FILE"
    facts = (
        ("holds from", found.since),
        ("until", found.until),
        ("serial", found.serial),
        ("renewed", renewed),
        ("request", "under way" if found.is_asked else ""),
    )
    draw_facts(console, facts)
