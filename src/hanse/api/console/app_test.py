"""The REST interface from outside: who may call, what errors look like, and that its description is true."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from starlette.types import Message, Receive, Scope, Send

from hanse.api.console import errors
from hanse.api.console.app import build_api, create_app
from hanse.api.console.openapi import describe_api
from hanse.api.console.security import BODY_BYTES, Guard
from hanse.core.faults import fault

TOKEN = "a-token-of-this-test"
GOLDEN = Path(__file__).resolve().parents[4] / "tests" / "golden" / "openapi.json"

router = APIRouter()


@router.get("/well")
async def do_well() -> dict[str, str]:
    return {"all": "well"}


@router.get("/wrong")
async def do_wrong() -> None:
    raise fault("grant.missing", "people is not granted", step="dataset")


@router.get("/broken")
async def do_broken() -> None:
    raise ZeroDivisionError("a secret of the inside")


@router.post("/body")
async def do_body(body: dict[str, Any]) -> dict[str, int]:
    return {"fields": len(body)}


def client_of(app: Any, **headers: str) -> httpx2.AsyncClient:
    given = {"Authorization": f"Bearer {TOKEN}", **headers}
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8480", headers=given)


@pytest.fixture
def app() -> Guard:
    api = FastAPI()
    api.include_router(router)
    errors.install(api)
    return Guard(api, TOKEN)


@pytest.fixture
async def client(app: Guard) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


def test_the_golden_description_is_that_of_the_code() -> None:
    assert GOLDEN.read_text("utf-8") == describe_api(), "python -m hanse.api.console.openapi tests/golden/openapi.json"


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does() -> None:
    operations = [operation for path in build_api().openapi()["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert [operation["operationId"] for operation in operations if not operation.get("description")] == []


async def test_the_node_serves_no_page_and_no_description_of_its_own() -> None:
    async with client_of(create_app((), TOKEN)) as client:
        for path in ("/docs", "/redoc", "/openapi.json", "/"):
            assert (await client.get(path)).json()["error"]["code"] == "request.no_such_path"


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer ÿ"])
async def test_without_the_token_nothing_is_answered(app: Guard, given: str) -> None:
    async with client_of(app) as client:
        for path in ("/well", "/nowhere"):
            answer = await client.get(path, headers={b"Authorization": given.encode("latin-1")})
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "request.token")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8480", "127.0.0.1.evil.example", "0.0.0.0:8480", ""])
async def test_a_page_under_another_name_reaches_nothing(app: Guard, host: str) -> None:
    async with client_of(app, Host=host) as client:
        answer = await client.get("/well")
        assert (answer.status_code, answer.json()["error"]["code"]) == (421, "request.host")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1", "localhost:8480", "[::1]:8480"])
async def test_this_machine_is_addressed_by_its_names(app: Guard, host: str) -> None:
    async with client_of(app, Host=host, Origin="http://evil.example") as client:
        answer = await client.get("/well")
        assert answer.json() == {"all": "well"}
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("kind", "answers"), [("websocket", [{"type": "websocket.close", "code": 1008}]), ("something", [])]
)
async def test_what_is_not_http_reaches_nothing(kind: str, answers: list[dict[str, Any]]) -> None:
    reached: list[str] = []
    sent: list[Any] = []

    async def inner(scope: Scope, _receive: Receive, _send: Send) -> None:
        reached.append(scope["type"])

    async def receive() -> Message:
        return {"type": f"{kind}.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    guard = Guard(inner, TOKEN)
    await guard({"type": kind, "path": "/", "headers": []}, receive, send)
    assert sent == answers
    await guard({"type": "lifespan"}, receive, send)
    assert reached == ["lifespan"]


async def test_a_fault_is_told_in_both_languages_with_what_to_do(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/wrong")
    error = answer.json()["error"]
    assert answer.status_code == 403
    assert (error["code"], error["step"], error["cause"]) == ("grant.missing", "dataset", "people is not granted")
    assert error["text"]["zh"]
    assert error["advice"]["zh"]
    assert error["remedy"] == error["advice"]["en"]
    assert error["correlation"] == answer.headers["X-Request-Id"]


async def test_a_mistake_of_ours_shows_nothing_of_the_inside(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/broken")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "node.failed"
    assert answer.headers["X-Request-Id"] in answer.json()["error"]["cause"]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("verb", "path", "code"),
    [
        ("GET", "/nowhere", "request.no_such_path"),
        ("DELETE", "/well", "request.method"),
        ("POST", "/body", "request.invalid"),
    ],
)
async def test_wrong_requests_are_refused_in_the_same_form(
    client: httpx2.AsyncClient, verb: str, path: str, code: str
) -> None:
    answer = await client.request(verb, path)
    assert answer.json()["error"]["code"] == code


async def test_what_was_sent_is_not_repeated_in_the_refusal(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/body", content=b'"my secret"', headers={"Content-Type": "application/json"})
    assert answer.json()["error"]["code"] == "request.invalid"
    assert "my secret" not in answer.text


async def test_a_body_above_the_cap_is_not_read(client: httpx2.AsyncClient) -> None:
    told = await client.post("/body", content=b"x" * (BODY_BYTES + 1))
    assert (told.status_code, told.json()["error"]["code"]) == (413, "request.too_large")

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(2 + BODY_BYTES // (1 << 20)):
            yield b"x" * (1 << 20)

    untold = await client.post("/body", content=drip(), headers={"Content-Type": "application/json"})
    assert untold.is_error
