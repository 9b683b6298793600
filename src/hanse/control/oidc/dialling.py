"""Ask a provider over HTTPS: judged and pinned addresses, no redirects, caps on time and size."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from hanse.core.addresses import Allowed, resolve_allowed
from hanse.core.faults import fault
from hanse.core.resolver import Judged

MOST_BYTES = 512 << 10
ANSWER_S = 10.0
HERE = frozenset({"localhost", "127.0.0.1", "::1"})


def demand_url(url: object, what: str) -> str:
    """Return a URL that a provider may have: HTTPS, or HTTP on this machine; no user, no fragment."""
    text = url if isinstance(url, str) and len(url) <= 2000 else ""
    if not is_sound(text):
        raise fault("oidc.provider", f"its {what} is no https address")
    return text


def is_sound(url: str) -> bool:
    """Say whether a provider may have this URL."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # brackets of an IPv6 address that do not close, a port that is no number
        return False
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in HERE)
    return secure and bool(host) and "@" not in parts.netloc and not parts.fragment


async def ask(url: str, allowed: Allowed, form: dict[str, str] | None = None, **headers: str) -> dict[str, Any]:
    """Return the JSON object that a provider answers, to a GET or to a form. Raises `oidc.provider`, `address.*`."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = await asyncio.to_thread(resolve_allowed, parts.hostname or "", port, allowed)
    connector = aiohttp.TCPConnector(resolver=Judged(addresses), use_dns_cache=False)
    limit = aiohttp.ClientTimeout(total=ANSWER_S)
    said = {"Accept": "application/json", **headers}
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=limit, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                "GET" if form is None else "POST", url, data=form, headers=said, allow_redirects=False
            ) as answer,
        ):
            raw = await _read(answer)
            status = answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise fault("oidc.provider", f"{parts.hostname} does not answer ({type(error).__name__})") from error
    if status != 200:
        raise fault("oidc.provider", f"{parts.hostname} answers {status}{_reason(raw)}")
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise fault("oidc.provider", f"{parts.hostname} answers no JSON object") from error


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in answer.content.iter_chunked(64 << 10):
        raw += chunk
        if len(raw) > MOST_BYTES:
            raise fault("oidc.provider", f"its answer is above {MOST_BYTES >> 10} KiB")
    return bytes(raw)


def _reason(raw: bytes) -> str:
    """Return the error code of RFC 6749, 5.2, where there is one. Its free text stays out of our answers."""
    try:
        said = msgspec.json.decode(raw, type=dict[str, Any]).get("error")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return f" ({said})" if isinstance(said, str) and said.isascii() and said.replace("_", "").isalnum() else ""
