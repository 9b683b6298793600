"""What a link check sees on the way to another gateway, and what of it is told when something is in between."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from tests.gateway.house import House, make_identity, open_house
from tests.network.proxy import Proxy

from hanse.control.doctor.verdicts import judge
from hanse.core.links import Reading
from hanse.core.times import later
from hanse.gateway import echo, probe
from hanse.gateway.certificates import dial_context
from hanse.gateway.probe import FRAME_BYTES, Target


async def look(house: House, address: str, root_pem: str) -> dict[str, Reading]:
    return {reading.name: reading for reading in await house.gateway.probe(Target(address, root_pem))}


def root_of(house: House) -> str:
    return house.identity.root_pem.read_text("ascii")


def told(reading: Reading) -> tuple[str, str]:
    """Return the verdict on a reading, which has its cause and remedy in both languages."""
    found = judge(reading, version("hanse"))
    assert found.state == "ok" or found.cause.keys() == found.remedy.keys() == {"en", "zh"}
    return found.state, found.code


def troubles(found: dict[str, Reading]) -> dict[str, str]:
    return {name: reading.trouble for name, reading in found.items() if reading.trouble}


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            serve(reader, writer)
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def fronted(house: House, most_bytes: int, status: int = 200) -> AsyncIterator[str]:
    """A house's own HTTP proxy before its node: it has the node's certificate, and its own idea of HTTP."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if "Upgrade" in request.headers or status != 200:
            return web.Response(status=400 if status == 200 else status)
        if request.method == "POST":
            return web.json_response({"received": len(await request.read())})
        if size_bytes := int(request.query.get("bytes", "0")):
            return web.Response(body=bytes(size_bytes))
        return web.json_response({"release": "0.2.0", "time": later(0)})

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(house.identity.chain_pem, house.identity.key_pem)
    app = web.Application(client_max_size=most_bytes)
    app.router.add_route("*", "/v1/echo", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.SockSite(runner, socket.create_server(("127.0.0.1", 0)), ssl_context=context)
    await site.start()
    try:
        yield site.name.removeprefix("https://")
    finally:
        await runner.cleanup()


class Cutter(Proxy):
    """A firewall that ends every connection after so many bytes of one direction."""

    most_bytes = 600_000

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = self.most_bytes
        while chunk := await reader.read(1 << 14):
            left -= len(chunk)
            if left < 0:
                writer.transport.abort()
                return
            writer.write(chunk)
            await writer.drain()


async def test_a_link_without_fault_is_measured_in_every_respect(bank: House, telecom: House, linked: dict) -> None:
    found = await look(bank, f"127.0.0.1:{telecom.port}", root_of(telecom))
    assert troubles(found) == {}
    names = "dns tcp tls certificate echo clock release upgrade latency_p50 latency_p95 latency_max "
    names += "body_up bandwidth_up body_down bandwidth_down frame"
    assert list(found) == names.split()
    assert (found["tls"].value, found["release"].value) == ("TLSv1.3", version("hanse"))
    assert (found["body_up"].value, found["frame"].value) == (echo.BODY_BYTES, FRAME_BYTES)
    assert found["certificate"].value == 29
    assert abs(float(found["clock"].value or 0.0)) < 5
    assert bank.is_linked_to(telecom)


async def test_a_closed_port_is_told_from_a_name_that_there_is_not(bank: House) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = await look(bank, f"127.0.0.1:{free.getsockname()[1]}", "")
    assert troubles(closed) == {"tcp": "tcp.refused"}
    assert troubles(await look(bank, "nowhere.invalid:9443", "")) == {"dns": "address.unknown"}
    assert troubles(await look(bank, "nowhere", "")) == {"dns": "address.unreadable"}
    assert troubles(await look(bank, "169.254.169.254:80", "")) == {"dns": "address.refused"}


async def test_a_proxy_that_speaks_plain_http_is_named(bank: House, telecom: House) -> None:
    def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with listening(refuse) as address:
        found = await look(bank, address, root_of(telecom))
    assert troubles(found) == {"tls": "tls.plain_http"}
    assert found["tls"].detail == "HTTP/1.1 400 Bad Request"


async def test_another_certificate_than_the_pinned_roots_is_told_with_its_issuer(
    bank: House, telecom: House, tmp_path: Path
) -> None:
    other = make_identity(tmp_path / "other", "inspection box")
    found = await look(bank, f"127.0.0.1:{telecom.port}", other.root_pem.read_text("ascii"))
    assert troubles(found) == {"certificate": "certificate.foreign"}
    assert "telecom" in found["certificate"].detail


async def test_encryption_older_than_1_3_is_told(bank: House, telecom: House) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.load_cert_chain(telecom.identity.chain_pem, telecom.identity.key_pem)
    async with listening(lambda _, __: None, old) as address:
        assert troubles(await look(bank, address, root_of(telecom))) == {"tls": "tls.version"}


async def test_a_proxy_that_cuts_long_bodies_is_found_with_what_passes(
    bank: House, telecom: House, linked: dict
) -> None:
    async with Cutter(telecom.port) as proxy:
        found = await look(bank, proxy.address, root_of(telecom))
    assert troubles(found) == {"body_up": "body.cut", "body_down": "body.cut", "frame": "frame.cut"}
    assert (found["body_up"].value, found["body_down"].value) == (64 << 10, 64 << 10)


async def test_a_slow_way_shows_in_the_latency(bank: House, telecom: House, linked: dict) -> None:
    async with Proxy(telecom.port, delay_s=0.02) as proxy:
        found = await look(bank, proxy.address, root_of(telecom))
    assert float(found["latency_p50"].value or 0.0) >= 40.0


async def test_a_slow_link_is_measured_and_not_called_broken(bank: House, telecom: House, linked: dict) -> None:
    async with Proxy(telecom.port, bytes_a_second=60_000) as proxy:
        found = await look(bank, proxy.address, root_of(telecom))
    assert troubles(found) == {}
    assert {"body_up", "body_down", "frame"}.isdisjoint(found)  # nobody waited for what cannot come in time
    for way in ("bandwidth_up", "bandwidth_down"):
        assert told(found[way]) == ("bad", "bandwidth.low")


async def test_a_clock_that_is_wrong_there_is_told_with_how_far(
    bank: House, telecom: House, linked: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(echo, "now", lambda: later(-400.0))
    found = await look(bank, f"127.0.0.1:{telecom.port}", root_of(telecom))
    assert told(found["clock"]) == ("bad", "clock.skewed")
    assert -500 < float(found["clock"].value or 0.0) < -399


async def test_a_link_that_swallows_everything_is_told_from_a_closed_one(
    bank: House, telecom: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "STEP_S", 0.3)
    async with Proxy(telecom.port) as proxy:
        proxy.freeze()
        found = await look(bank, proxy.address, root_of(telecom))
        assert troubles(found) == {"tls": "tls.failed"}
        assert found["tls"].detail == "TimeoutError"
        proxy.thaw()


async def test_a_certificate_that_has_ended_is_told_with_its_days(bank: House, tmp_path: Path) -> None:
    late = make_identity(tmp_path / "late", "late", days=-1)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(late.chain_pem, late.key_pem)
    async with listening(lambda _, __: None, server) as address:
        found = await look(bank, address, late.root_pem.read_text("ascii"))
    assert troubles(found) == {"certificate": "certificate.expired"}


async def test_a_reverse_proxy_that_takes_no_upgrades_and_no_long_bodies_is_found(bank: House, telecom: House) -> None:
    async with fronted(telecom, 100_000) as address:
        found = await look(bank, address, root_of(telecom))
    assert troubles(found) == {"upgrade": "upgrade.refused", "body_up": "body.cut", "frame": "frame.cut"}
    assert found["body_up"].value == 64 << 10


async def test_a_proxy_that_wants_a_password_is_named(bank: House, telecom: House) -> None:
    async with fronted(telecom, 0, status=407) as address:
        assert troubles(await look(bank, address, root_of(telecom))) == {"echo": "echo.proxy"}


async def test_who_does_not_know_us_is_told_from_who_does_not_listen(
    bank: House, telecom: House, tmp_path: Path, linked: dict
) -> None:
    stranger = await open_house(tmp_path, "stranger")
    address = f"127.0.0.1:{telecom.port}"
    try:
        assert set(troubles(await look(stranger, address, root_of(telecom))).values()) == {"echo.cut"}
    finally:
        await stranger.gateway.stop()
    telecom.gateway.pin(msgspec.structs.replace(bank.peer(), suspended=True))
    assert troubles(await look(bank, address, root_of(telecom))) == {"echo": "echo.refused"}


async def test_the_echo_takes_only_so_much_and_only_so_often(bank: House, telecom: House, linked: dict) -> None:
    url = f"https://127.0.0.1:{telecom.port}/v1/echo"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=dial_context(bank.identity, root_of(telecom)))
    ) as client:
        for asked in (str(echo.BODY_BYTES + 1), "-1", "many", "9" * 5000):
            async with client.get(url, params={"bytes": asked}) as reply:
                assert reply.status == 413
        async with client.post(url, data=bytes(echo.BODY_BYTES + 1)) as reply:
            assert reply.status == 413
        statuses = []
        for _ in range(echo.BURST + 20):
            async with client.get(url) as reply:
                statuses.append(reply.status)
        assert set(statuses) == {200, 429}
