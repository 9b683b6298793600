"""The clients against a real HTTP server that answers what a node would; a node itself is in tests/."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from hanse.client.client import AsyncClient, Client, connect
from hanse.client.refusal import Refusal
from hanse.core.faults import HanseError

TOKEN = "f" * 64
REFUSED = {
    "error": {
        "code": "pipeline.refused",
        "party": "host-1",
        "step": "align",
        "cause": "the column age is granted to nobody",
        "remedy": "ask operator for it",
        "text": {"zh": "流程被拒绝", "en": "The pipeline was refused."},
    },
    "problems": [{"party": "host-1", "task": "align", "message": "no column age", "remedy": "grant it"}],
}
NODE = {
    "organisation": "bank",
    "organisation_id": "0" * 32,
    "node": "node-1",
    "version": "0.1.0",
    "fingerprint": "aaaa bbbb",
    "party_address": "127.0.0.1:1",
    "planner": True,
    "members": 2,
    "something_newer": [1, 2],
}


def job(state: str) -> dict[str, object]:
    return {"id": "job-1", "name": "risk", "state": state}


class Server:
    """Answers like a node; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object]] = []
        self.state = "running"
        self.events = [{"number": 1, "at": "now", "kind": "task", "task": "align", "data": {"state": "running"}}]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": {"code": "token.wrong"}}, status=401)
        raw = await request.read()
        self.asked.append((request.method, request.raw_path, msgspec.json.decode(raw) if raw else None))
        match request.method, request.path:
            case "GET", "/v1/node":
                return web.json_response(NODE)
            case "POST", "/v1/jobs":
                return web.json_response(REFUSED, status=422)
            case "GET", "/v1/jobs/job-1":
                return web.json_response(job(self.state))
            case "GET", "/v1/jobs/job-1/events/stream":
                return await self.stream(request)
            case "GET", "/v1/jobs":
                return web.Response(status=502, text="<html>a proxy</html>")
            case "GET", "/v1/models":
                return web.json_response({"not": "a list"})
            case _:
                return web.json_response(None)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Tell one event, then break off; whoever comes back hears the next one and the end."""
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        after = int(request.headers["Last-Event-ID"])
        last = {"number": 2, "at": "now", "kind": "job", "data": {"state": "succeeded"}}
        event = [*self.events, last][after]
        body = msgspec.json.encode(event).decode()
        text = f": alive\n\nid: {event['number']}\nevent: {event['kind']}\ndata: {body}\n\n"
        if event is last:
            self.state = "succeeded"
            text += "event: end\ndata: {}\n\n"
        await answer.write(text.encode())
        return answer


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, int]]:
    behaviour = Server()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", behaviour.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield behaviour, runner.addresses[0][1]
    await runner.cleanup()


@pytest.fixture
def directory(server: tuple[Server, int], tmp_path: Path) -> Path:
    (tmp_path / "node.json").write_text(f'{{"rest": "http://127.0.0.1:{server[1]}", "party": "127.0.0.1:1", "pid": 1}}')
    (tmp_path / "token").write_text(TOKEN + "\n")
    return tmp_path


async def test_an_answer_is_read_as_its_type_and_newer_fields_are_ignored(directory: Path) -> None:
    async with AsyncClient(directory) as client:
        node = await client.node()
    assert (node.organisation, node.members, node.planner) == ("bank", 2, True)


async def test_a_refusal_carries_the_words_of_the_node(directory: Path) -> None:
    from hanse.client.pipeline import Pipeline

    pipeline = Pipeline("risk", project="p", guest="bank", hosts=[])
    async with AsyncClient(directory) as client:
        with pytest.raises(Refusal) as refused:
            await client.run_job(pipeline.spec())
    assert refused.value.status == 422
    assert refused.value.fault.cause == "the column age is granted to nobody"
    assert refused.value.fault.party == "host-1"
    assert refused.value.text["zh"] == "流程被拒绝"
    assert refused.value.problems[0].task == "align"


async def test_an_answer_that_is_no_json_is_still_an_error_in_words(directory: Path) -> None:
    async with AsyncClient(directory) as client:
        with pytest.raises(Refusal) as refused:
            await client.jobs()
        assert refused.value.status == 502
        assert "a proxy" in refused.value.fault.cause
        with pytest.raises(HanseError) as unexpected:
            await client.models()
        assert unexpected.value.fault.code == "node.unexpected"


async def test_watching_tells_every_event_once_and_ends_with_the_job(directory: Path) -> None:
    told: list[int] = []
    async with AsyncClient(directory) as client:
        ended = await client.watch("job-1", lambda event: told.append(event.number))
    assert told == [1, 2]
    assert ended.state == "succeeded"


async def test_names_in_a_path_cannot_lead_elsewhere(directory: Path, server: tuple[Server, int]) -> None:
    async with AsyncClient(directory) as client:
        await client.revoke_grant("../node?x=1")
    assert server[0].asked[-1][:2] == ("DELETE", "/v1/grants/..%2Fnode%3Fx=1")


async def test_the_plain_client_works_where_a_loop_is_running(directory: Path) -> None:
    def script() -> list[str]:
        with connect(directory) as client:
            return [client.node().organisation, *(event.kind for event in client.events("job-1"))]

    assert await asyncio.to_thread(script) == ["bank", "task", "job"]


def test_without_a_node_the_error_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(HanseError) as missing:
        Client(tmp_path)
    assert missing.value.fault.code == "node.down"
    assert f"hanse node up --directory {tmp_path}" in missing.value.fault.remedy


async def test_a_node_that_has_gone_is_named_with_its_address(tmp_path: Path) -> None:
    (tmp_path / "node.json").write_text('{"rest": "http://127.0.0.1:9", "party": "", "pid": 1}')
    (tmp_path / "token").write_text(TOKEN)
    async with AsyncClient(tmp_path) as client:
        with pytest.raises(HanseError) as gone:
            await client.node()
    assert gone.value.fault.code == "node.down"
    assert "127.0.0.1:9" in gone.value.fault.cause
