"""Files are sent to a real HTTP server that keeps what a node keeps of an upload, and fails as a node may."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from hanse.client import sending
from hanse.client.client import AsyncClient
from hanse.core.faults import HanseError

CHUNK_BYTES = 10
CONTENT = b"id,age\n" + b"".join(b"p%02d,%d\n" % (n, n) for n in range(20))


class Shelf:
    """Uploads as a node has them. Before each chunk it may fail: with a status, or by cutting the line."""

    def __init__(self) -> None:
        self.uploads: dict[str, dict[str, object]] = {}
        self.content: dict[str, bytes] = {}
        self.chunks: list[int] = []
        self.failures: list[tuple[int, str]] = []

    def begin(self, name: str, size_bytes: int, content: bytes = b"") -> dict[str, object]:
        number = f"upload-{len(self.content)}"
        self.content[number] = content
        told = {"id": number, "name": name, "size_bytes": size_bytes, "chunk_bytes": CHUNK_BYTES}
        self.uploads[number] = told
        return self.view(number)

    def view(self, number: str) -> dict[str, object]:
        return {**self.uploads[number], "received_bytes": len(self.content[number])}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.split("/")[3:]
        if not parts and request.method == "GET":
            return web.json_response([self.view(number) for number in self.uploads])
        if not parts:
            asked = await request.json()
            return web.json_response(self.begin(asked["name"], asked["size_bytes"]), status=201)
        number = parts[0]
        if request.method == "PUT":
            return await self.take(request, number)
        if request.method == "DELETE":
            del self.uploads[number]
            return web.Response(status=204)
        if parts[1:] == ["complete"]:
            sha256 = (await request.json())["sha256"]
            if hashlib.sha256(self.content[number]).hexdigest() != sha256:
                return web.json_response({"error": {"code": "upload.damaged"}}, status=422)
            self.uploads[number]["sha256"] = sha256
        return web.json_response(self.view(number))

    async def take(self, request: web.Request, number: str) -> web.StreamResponse:
        if self.failures:
            status, code = self.failures.pop(0)
            if not status and request.transport is not None:
                request.transport.close()
            return web.json_response({"error": {"code": code}}, status=status or 500)
        chunk, offset = await request.read(), int(request.query["offset"])
        assert hashlib.sha256(chunk).hexdigest() == request.query["sha256"]
        assert offset == len(self.content[number])
        self.chunks.append(offset)
        self.content[number] += chunk
        return web.json_response(self.view(number))


@pytest.fixture
async def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def client(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncClient]:
    monkeypatch.setattr(sending, "PAUSE_S", 0.001)
    app = web.Application()
    app.router.add_route("*", "/v1/uploads{rest:.*}", shelf.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (tmp_path / "token").write_text("f" * 64)
    (tmp_path / "node.json").write_text(f'{{"rest": "http://127.0.0.1:{runner.addresses[0][1]}"}}')
    async with AsyncClient(tmp_path) as client:
        yield client
    await runner.cleanup()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_bytes(CONTENT)
    return path


async def test_a_file_goes_in_chunks_and_somebody_may_watch(shelf: Shelf, client: AsyncClient, file: Path) -> None:
    told: list[tuple[int, int]] = []
    sent = await client.send_file(file, lambda done, total: told.append((done, total)))
    assert shelf.content[sent.id] == CONTENT
    assert told == [(place, len(CONTENT)) for place in (*range(0, len(CONTENT), CHUNK_BYTES), len(CONTENT))]
    assert await client.send_file(file) == sent, "a whole upload is not sent again"
    assert len(shelf.chunks) == len(told) - 1


async def test_a_node_that_is_away_for_a_while_is_waited_for(shelf: Shelf, client: AsyncClient, file: Path) -> None:
    shelf.failures = [(0, ""), (409, "upload.offset"), (422, "upload.damaged"), (0, "")]
    assert shelf.content[(await client.send_file(file)).id] == CONTENT


async def test_what_will_not_get_better_is_told_at_once(shelf: Shelf, client: AsyncClient, file: Path) -> None:
    shelf.failures = [(404, "upload.unknown"), (404, "upload.unknown")]
    with pytest.raises(HanseError, match=r"upload\.unknown"):
        await client.send_file(file)
    assert len(shelf.failures) == 1


async def test_a_node_that_stays_away_ends_the_sending(shelf: Shelf, client: AsyncClient, file: Path) -> None:
    shelf.failures = [(0, "")] * 100
    with pytest.raises(HanseError, match=r"node\.down"):
        await client.send_file(file)
    assert 0 < len(shelf.failures) < 100 - sending.PATIENCE


async def test_an_upload_goes_on_where_an_earlier_process_stopped(
    shelf: Shelf, client: AsyncClient, file: Path
) -> None:
    shelf.begin("people.csv", len(CONTENT), CONTENT[:30])
    sent = await client.send_file(file)
    assert (shelf.content[sent.id], shelf.chunks[0]) == (CONTENT, 30)


async def test_a_file_that_has_changed_since_is_sent_from_the_beginning(
    shelf: Shelf, client: AsyncClient, file: Path
) -> None:
    old = shelf.begin("people.csv", len(CONTENT), CONTENT[:30].upper())
    sent = await client.send_file(file)
    assert shelf.content[sent.id] == CONTENT
    assert old["id"] not in shelf.uploads


async def test_a_file_that_is_not_there_is_told_in_words(client: AsyncClient, tmp_path: Path) -> None:
    with pytest.raises(HanseError, match=r"file\.unreadable"):
        await client.send_file(tmp_path / "none.csv")
