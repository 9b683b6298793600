"""Hadoop's files over WebHDFS or HttpFS: names and reads, as a user by name or through a gateway with a password.

A name node sends the reader on to a data node, once for each read: that host is judged as the first was, and nothing is
sent there but the question. Kerberos is not spoken.
"""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from hanse.core.addresses import read_allowed, resolve_allowed
from hanse.core.faults import HanseError, fault
from hanse.core.sources import Reader, TableName
from hanse.runtime.readers.stores import Body, named_tables
from hanse.runtime.readers.web import answer, at, encoded, query, read_json

ROOT = "/webhdfs/v1"
DEEPEST = 32
SENT_ON = frozenset((302, 303, 307))
CODES = {
    "FileNotFoundException": "source.no_table",
    "AccessControlException": "source.permission",
    "AuthorizationException": "source.permission",
    "SecurityException": "source.password",
    "StandbyException": "source.refused",
}
STATUSES = {401: "source.password", 403: "source.permission", 404: "source.no_table"}


class Opened:
    """A folder of a file system."""

    def __init__(self, reader: Reader, password: str) -> None:
        self._reader, self._password = reader, password
        folder = reader.source.database.strip("/")
        self._root = f"/{folder}" if folder else ""
        self._server = ""

    def server(self) -> str:
        """Return what the server calls itself, after a first question."""
        if not self._server:
            self._status("")
        return self._server

    def encrypted(self) -> bool:
        return self._reader.source.tls != "off"

    def tables(self, most: int) -> list[TableName]:
        return named_tables(self._files("", DEEPEST), most)

    def below(self, name: str, most: int) -> list[str]:
        """Return the names of at most `most` files below a folder."""
        return list(islice(self._files(name.rstrip("/"), DEEPEST), most))

    @contextmanager
    def get(self, name: str, start: int, tag: str) -> Iterator[Body]:
        """Read a file from byte `start` on. Its length and its time of change are the tag."""
        del tag  # the caller compares it
        status = self._status(name)
        if status.get("type") != "FILE":
            raise fault("source.no_table", f"{name!r} is no file")
        size = _whole(status, "length")
        with self._asked(self._reader, name, "OPEN", offset=str(start)) as response:
            if response.status not in SENT_ON:
                yield self._body(response, size, status)
                return
            reader, path = self._sent_on(response)
        with answer(reader, path, {}) as response:
            yield self._body(response, size, status)

    def _body(self, response: HTTPResponse, size: int, status: dict[str, Any]) -> Body:
        if response.status != 200:
            raise _refused(response)
        return Body(response, size, str(status.get("modificationTime")))

    def _status(self, name: str) -> dict[str, Any]:
        with self._asked(self._reader, name, "GETFILESTATUS") as response:
            if response.status != 200:
                raise _refused(response)
            return _part(read_json(response), "FileStatus")

    def _files(self, name: str, depth: int) -> Iterator[str]:
        with self._asked(self._reader, name, "LISTSTATUS") as response:
            if response.status != 200:
                raise _refused(response)
            found = _part(read_json(response), "FileStatuses").get("FileStatus")
        if not isinstance(found, list):
            raise fault("source.lost", "the server does not keep to WebHDFS")
        for each in found:
            suffix = each.get("pathSuffix") if isinstance(each, dict) else None
            if not isinstance(suffix, str) or "/" in suffix or suffix in (".", ".."):
                raise fault("source.lost", "the server does not keep to WebHDFS")
            path = f"{name}/{suffix}" if name and suffix else name or suffix
            if each.get("type") == "FILE":
                yield path
            elif each.get("type") == "DIRECTORY" and depth:
                yield from self._files(path, depth - 1)

    @contextmanager
    def _asked(self, reader: Reader, name: str, verb: str, **fields: str) -> Iterator[HTTPResponse]:
        user = reader.source.user
        fields |= {"op": verb} | ({"user.name": user} if user and not self._password else {})
        path = f"{ROOT}{encoded(self._root)}/{encoded(name)}?{query(**fields)}"
        headers = {}
        if self._password:
            headers["Authorization"] = f"Basic {b64encode(f'{user}:{self._password}'.encode()).decode()}"
        with answer(reader, path, headers) as response:
            self._server = (response.headers["Server"] or "WebHDFS")[:80]
            yield response

    def _sent_on(self, response: HTTPResponse) -> tuple[Reader, str]:
        """Return where a name node sends the reader, judged."""
        try:
            place = urlsplit(response.headers["Location"] or "")
            host, port = place.hostname, place.port
        except ValueError:
            host, port = None, None
        scheme = "http" if self._reader.source.tls == "off" else "https"
        if not host or place.scheme != scheme or not place.path.startswith(f"{ROOT}/"):
            raise fault("source.lost", "the name node sends the reader to no data node")
        port = port or (80 if scheme == "http" else 443)
        addresses = tuple(resolve_allowed(host, port, read_allowed(self._reader.allowed)))
        path = f"{place.path}?{place.query}"
        if not path.isascii() or any(letter.isspace() for letter in path):
            raise fault("source.lost", "the name node sends the reader to no data node")
        return at(self._reader, host, port, addresses), path


def _refused(response: HTTPResponse) -> HanseError:
    name = ""
    try:
        said = read_json(response).get("RemoteException")
        name = str(said.get("exception", "")) if isinstance(said, dict) else ""
    except HanseError:
        pass
    shown = name if name.isalnum() and len(name) < 80 else f"status {response.status}"
    return fault(CODES.get(name) or STATUSES.get(response.status, "source.lost"), f"the file system says {shown}")


def _part(said: dict[str, Any], name: str) -> dict[str, Any]:
    part = said.get(name)
    if not isinstance(part, dict):
        raise fault("source.lost", "the server does not keep to WebHDFS")
    return part


def _whole(said: dict[str, Any], name: str) -> int:
    number = said.get(name)
    if not isinstance(number, int) or number < 0:
        raise fault("source.lost", "the server does not keep to WebHDFS")
    return number
