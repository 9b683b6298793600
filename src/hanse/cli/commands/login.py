"""`hanse login`: speak to a node on another machine from now on."""

import asyncio
import platform
from typing import Annotated

import typer

from hanse.cli.options import AsJson, Yes
from hanse.cli.screen import show
from hanse.client.login import Login, keep_login, make_key, see_certificate


def login(
    url: Annotated[str, typer.Argument(help="Where the node answers: https://node.bank.example:8480.")],
    name: Annotated[str, typer.Option(help="Name of one's account; asked for.")] = "",
    password: Annotated[str, typer.Option(help="Its password; asked for.", envvar="HANSE_PASSWORD")] = "",
    code: Annotated[str, typer.Option(help="A code of the authenticator, where there is one.")] = "",
    key: Annotated[str, typer.Option(help="An access key, instead of name and password.", envvar="HANSE_KEY")] = "",
    fingerprint: Annotated[str, typer.Option(help="The certificate's fingerprint; compared, not asked.")] = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Log in at a node on another machine; commands without a node's directory here speak to it afterwards.

    The first time, compare the fingerprint of its certificate with what `hanse node status` shows over there. What is
    kept is an access key that can be revoked (`hanse key list`), never the password.
    """
    address = url.rstrip("/")
    seen = asyncio.run(see_certificate(address))
    wanted = fingerprint.replace(":", "").lower()
    if wanted and wanted != seen:
        raise typer.BadParameter(f"the node shows {seen}", param_hint="--fingerprint")
    if seen and not wanted and not yes:
        typer.confirm(f"The node's certificate is {seen}. Is it the right one?", abort=True, err=True)
    if not key:
        name = name or typer.prompt("Name", err=True)
        password = password or typer.prompt("Password", hide_input=True, err=True)
    text = key or asyncio.run(make_key(address, seen, name, password, code, f"login from {platform.node()}"[:64]))
    path = keep_login(Login(address, text, seen))
    told = {"url": address, "fingerprint": seen, "file": str(path)}
    show(told, as_json, lambda console: console.print(f"Logged in at {address}. The key is kept in {path}"))
