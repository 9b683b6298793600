"""One request over HTTP to a store: to a pinned address, over checked TLS, without redirects, proxies or cookies."""

import errno
import http.client
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from hanse.core.faults import HanseError, fault
from hanse.core.sources import Reader
from hanse.runtime.readers.databases import dial, tls_context

SILENCE_S = 60.0
DISK = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES))
"""What goes wrong here, and not at the store."""
WORDS_BYTES = 8 << 20
"""The most that is read of an answer in words: a list of objects, or an error."""


class _Pinned(http.client.HTTPConnection):
    """A connection that goes where `dial` went, whatever the host's name says now."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader.source.host, reader.source.port)
        self._reader = reader

    def connect(self) -> None:
        plain = dial(self._reader)
        context = tls_context(self._reader.source)
        self.sock = plain if context is None else context.wrap_socket(plain, server_hostname=self._reader.source.host)
        self.sock.settimeout(SILENCE_S)


@contextmanager
def answer(reader: Reader, path: str, headers: Mapping[str, str]) -> Iterator[http.client.HTTPResponse]:
    """GET `path` (encoded, with its query) from a source; the status is the caller's to judge."""
    connection = _Pinned(reader)
    try:
        connection.request("GET", path, headers={"Host": host_header(reader), "User-Agent": "hanse", **headers})
        yield connection.getresponse()
    finally:
        connection.close()


def host_header(reader: Reader) -> str:
    """Return what a request calls its server: the port stands there unless it is the protocol's own."""
    host, port = reader.source.host, reader.source.port
    usual = 80 if reader.source.tls == "off" else 443
    name = f"[{host}]" if ":" in host else host
    return name if port == usual else f"{name}:{port}"


def words(response: http.client.HTTPResponse) -> str:
    """Return the whole of a short answer. Raises `source.lost` for a long one, or one that is no text."""
    body = response.read(WORDS_BYTES + 1)
    if len(body) > WORDS_BYTES:
        raise fault("source.lost", "the store's answer does not end")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise fault("source.lost", "the store's answer is no text") from None


def read_json(response: http.client.HTTPResponse) -> dict[str, Any]:
    """Return a short answer that is a JSON object. Raises `source.lost`."""
    try:
        said = json.loads(words(response))
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise fault("source.lost", "the store's answer is no JSON object")
    return said


def encoded(path: str) -> str:
    """Return a path as it stands in a URL, its slashes kept."""
    return quote(path, safe="/-_.~")


def query(**fields: str) -> str:
    """Return fields as a query, in the order of their names."""
    return urlencode(sorted(fields.items()), quote_via=quote, safe="-_.~")


def at(reader: Reader, host: str, port: int, addresses: tuple[str, ...]) -> Reader:
    """Return a reader of the same store at another host."""
    return msgspec.structs.replace(
        reader, source=msgspec.structs.replace(reader.source, host=host, port=port), addresses=addresses
    )


def explain(error: Exception) -> HanseError | None:
    """Put an error of the line into words."""
    if isinstance(error, ssl.SSLError):
        return fault("source.tls", error.reason or "the server's certificate is not accepted")
    if isinstance(error, TimeoutError):
        return fault("source.timeout", f"the store is silent for {SILENCE_S:g} s")
    if isinstance(error, OSError) and error.errno in DISK:
        return None
    if isinstance(error, OSError | http.client.HTTPException | ValueError):
        return fault("source.lost", f"the store does not keep to the protocol, or went away ({type(error).__name__})")
    return None


def check_time(end: float) -> None:
    """Raise `source.timeout` when `end`, a moment of the monotonic clock, is past."""
    if time.monotonic() > end:
        raise fault("source.timeout", "reading took longer than it may")
