"""The joiner's side of pairing: talk to a party port before either side has pinned the other.

Nothing that the server says is trusted here. The caller compares the introduction's root with the fingerprint of the
invitation, and the TLS certificate with that root (`hanse.gateway.certificates.is_signed_by`).
"""

import asyncio
import ssl
from typing import Any

import aiohttp
import msgspec

from hanse.core.faults import HanseError, fault
from hanse.gateway.certificates import stranger_context
from hanse.gateway.server import PAIR_BYTES

PAIR_S = 15.0


async def introduce(address: str) -> tuple[dict[str, Any], bytes]:
    """Return the introduction that a node at `host:port` gives, and the certificate (DER) of its TLS connection.

    The introduction comes over a connection that showed this very certificate. Raises HanseError.
    """
    try:
        async with asyncio.timeout(PAIR_S):
            leaf = await _certificate_at(address)
            introduction = await _exchange("GET", address, ssl.DER_cert_to_PEM_cert(leaf), None)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise _unreachable(address, error) from error
    return introduction, leaf


async def post_pairing(address: str, document: dict[str, Any], root_pem: str) -> dict[str, Any]:
    """Post a joiner's document to the node at `host:port`, whose certificate `root_pem` must have signed.

    Returns its reply. Raises HanseError: unreachable, another certificate, or the code with which it declined.
    """
    try:
        async with asyncio.timeout(PAIR_S):
            return await _exchange("POST", address, root_pem, document)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise _unreachable(address, error) from error


async def _certificate_at(address: str) -> bytes:
    host, _, port = address.rpartition(":")
    try:
        number = int(port)
    except ValueError:
        raise fault("pair.address", f"{address!r} is no address", "write host:port") from None
    context = stranger_context(None)
    _, writer = await asyncio.open_connection(host.strip("[]"), number, ssl=context, server_hostname="")
    try:
        leaf: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
    if not leaf:
        raise ssl.SSLError("the server showed no certificate")
    return leaf


async def _exchange(method: str, address: str, trusted: str, document: dict[str, Any] | None) -> dict[str, Any]:
    context = stranger_context(trusted)
    async with (
        aiohttp.ClientSession() as client,
        client.request(
            method, f"https://{address}/v1/pair", json=document, ssl=context, allow_redirects=False
        ) as reply,
    ):
        raw = await reply.content.read(PAIR_BYTES + 1)
        if len(raw) > PAIR_BYTES or not reply.content.at_eof():
            raise fault("pair.unreadable", f"{address} answers with more than {PAIR_BYTES} bytes")
        return _parse(address, reply.status, raw)


def _parse(address: str, status: int, raw: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise fault("pair.unreadable", f"{address} answers with what is no JSON object") from error
    if status == 200:
        return answer
    match answer:
        case {"error": {"code": str(code)}}:
            raise fault(code, f"{address} declined", "ask its administrator for a new invitation", step="pairing")
        case _:
            raise fault("pair.unreadable", f"{address} answers with status {status}")


def _unreachable(address: str, error: Exception) -> HanseError:
    return fault(
        "peer.unreachable",
        f"{address}: {error or type(error).__name__}",
        "check the address, and that the node there is up and speaks TLS 1.3",
        step="pairing",
    )
