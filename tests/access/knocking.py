"""Requests to a node's interface without a socket: what is sent, and the status and body that come back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.types import ASGIApp, Message

ANSWER_S = 30.0


class Answered(NamedTuple):
    """What came back. The body of a stream that does not end is empty."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def knock(
    app: ASGIApp,
    verb: str,
    path: str,
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    scheme: str = "https",
    peer: str = "127.0.0.1",
) -> Answered:
    """Send one request to an application and return its answer."""
    given = {"host": "127.0.0.1:8480", "content-length": str(len(body)), **(headers or {})}
    if body and "content-type" not in given:
        given["content-type"] = "application/json"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": verb,
        "scheme": scheme,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()],
        "client": (peer, 1234),
        "server": ("127.0.0.1", 8480),
    }
    told: list[Message] = []
    waiting, enough = [body], asyncio.Event()

    async def receive() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        told.append(message)
        if message["type"] == "http.response.start" and _is_stream(message):
            enough.set()

    await asyncio.wait_for(app(scope, receive, send), ANSWER_S)
    found = {name.decode().lower(): value.decode("latin-1") for name, value in told[0]["headers"]}
    return Answered(told[0]["status"], found, b"".join(m.get("body", b"") for m in told[1:]))


def _is_stream(start: Any) -> bool:
    return any(value.startswith(b"text/event-stream") for name, value in start["headers"] if name == b"content-type")
