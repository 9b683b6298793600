"""A node on another machine: where it is, the certificate that was seen there first, and the key to call it with."""

import asyncio
import hashlib
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from hanse.client import calls
from hanse.client.calls import Call
from hanse.client.directory import NodeAddress, read_address
from hanse.client.refusal import read_refusal
from hanse.client.resources import Me
from hanse.core.faults import fault

T = TypeVar("T")
CSRF = "X-Hanse-CSRF"


class Login(msgspec.Struct, frozen=True):
    """`fingerprint` is the SHA-256 of the node's certificate in hexadecimal; empty for plain HTTP on this machine."""

    url: str
    key: str
    fingerprint: str = ""


def login_file() -> Path:
    """Return where the login of this user of this machine is kept."""
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "hanse" / "login.json"


def read_login() -> Login | None:
    """Return the kept login. Raises `login.refused` when the file is damaged."""
    try:
        return msgspec.json.decode(login_file().read_bytes(), type=Login)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise fault("login.refused", f"{login_file()} cannot be read: {error}", "hanse login URL") from error


def keep_login(login: Login) -> Path:
    """Keep a login where only this user reads it."""
    path = login_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(login))
    fresh.replace(path)
    return path


def find_node(directory: Path) -> NodeAddress:
    """Return where the node of a directory answers, or the one that `hanse login` knows if none is there."""
    known = None if (directory / "token").exists() else read_login()
    return read_address(directory) if known is None else NodeAddress(known.url, fingerprint=known.fingerprint)


async def see_certificate(url: str) -> str:
    """Return the SHA-256 of the certificate that a node shows now, in hexadecimal; empty for plain HTTP.

    Nothing but the handshake is sent. Raises `node.down`.
    """
    parts = urlsplit(url)
    if parts.scheme != "https":
        return ""
    # the certificate is compared by its fingerprint: by a person the first time, by aiohttp from then on
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    except OSError as error:
        raise fault("node.down", f"{url} does not answer ({error})") from error
    raw = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return hashlib.sha256(raw).hexdigest()


class Desk:
    """Sends calls as a person who has logged in; what changes something carries the session's second word."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url, self._words = session, url, {}  # type: ignore[var-annotated]

    async def ask(self, call: Call[T]) -> T:
        said = await _send(self._session, self._url, call, self._words)
        if isinstance(said, Me) and said.csrf:
            self._words = {CSRF: said.csrf}
        return said


@asynccontextmanager
async def logged_in(url: str, fingerprint: str, name: str, password: str, code: str = "") -> AsyncIterator[Desk]:
    """Log in for as long as the context lasts. Raises Refusal."""
    pinned = aiohttp.TCPConnector(ssl=aiohttp.Fingerprint(bytes.fromhex(fingerprint))) if fingerprint else None
    # a node may be addressed by a number, and plain HTTP is spoken on this machine only
    jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=url)
    async with aiohttp.ClientSession(connector=pinned, cookie_jar=jar) as session:
        desk = Desk(session, url)
        await desk.ask(calls.log_in(name, password, code))
        try:
            yield desk
        finally:
            await desk.ask(calls.me())  # the session may have another token by now
            await desk.ask(calls.log_out())


async def make_key(url: str, fingerprint: str, name: str, password: str, code: str, title: str) -> str:
    """Log in, make an access key with all that the user may, log out; return the key's text. Raises Refusal."""
    async with logged_in(url, fingerprint, name, password, code) as desk:
        me = await desk.ask(calls.me())
        return (await desk.ask(calls.add_key(title, me.permissions))).key


async def _send(session: aiohttp.ClientSession, url: str, call: Call[T], headers: dict[str, str]) -> T:
    async with session.request(call.verb, url + call.path, json=call.body, headers=headers) as answer:
        raw = await answer.read()
        if answer.status >= 400:
            raise read_refusal(answer.status, raw)
        said: T = msgspec.json.decode(raw or b"null", type=call.answer)
        return said
