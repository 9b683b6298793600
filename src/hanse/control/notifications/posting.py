"""Send one HTTPS request to where an operator points: to the judged address, without redirects, reading little."""

import asyncio
import ssl

import aiohttp

from hanse.control.notifications.formats import Post
from hanse.core.addresses import Allowed, resolve_allowed
from hanse.core.faults import HanseError
from hanse.core.resolver import Judged

TRY_S = 15.0
MOST_ANSWER_BYTES = 64 << 10
LATER_STATUS = frozenset({408, 425, 429})
"""What a receiver answers that will take it later, beside all of 5xx."""


class Failed(Exception):
    """It was not delivered, and may be another time."""


class Refused(Exception):
    """It was not delivered, and never will be like this."""


async def judge(host: str, port: int, allowed: Allowed) -> list[str]:
    """Return the addresses that may be dialled. Raises Failed: a look-up and a setting may be mended."""
    try:
        return await asyncio.to_thread(resolve_allowed, host, port, allowed)
    except HanseError as error:
        raise Failed(f"{error.fault.code}: {error.fault.cause}") from error


def trust(authority: str) -> ssl.SSLContext:
    """Return TLS that verifies names and certificates: under `authority` (PEM) if given, else the public ones."""
    try:
        context = ssl.create_default_context(cadata=authority or None)
    except (ssl.SSLError, ValueError) as error:
        raise Refused("the channel's authority is no certificate in PEM") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def send(post: Post, place: tuple[str, int], allowed: Allowed, authority: str) -> bytes:
    """Return what is answered (64 KiB of it at most). Raises Failed, Refused; `place` is host and port of the URL."""
    addresses = await judge(*place, allowed)
    connector = aiohttp.TCPConnector(
        resolver=Judged(addresses), use_dns_cache=False, ssl=trust(authority), force_close=True, limit=1
    )
    try:
        async with (
            asyncio.timeout(TRY_S),
            aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False, trust_env=False
            ) as client,
            client.post(post.url, data=post.body, headers=post.headers, allow_redirects=False) as answer,
        ):
            _judge_status(answer.status)
            return await _read(answer.content)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Failed(f"{place[0]}: {type(error).__name__}") from error


def _judge_status(status: int) -> None:
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise Refused(f"it answers {status}: redirects are not followed")
    if 400 <= status < 500 and status not in LATER_STATUS:
        raise Refused(f"it answers {status}")
    raise Failed(f"it answers {status}")


async def _read(content: aiohttp.StreamReader) -> bytes:
    answer = bytearray()
    while len(answer) < MOST_ANSWER_BYTES and (block := await content.read(MOST_ANSWER_BYTES - len(answer))):
        answer += block
    return bytes(answer)
