"""The interface as a browser, a proxy and a curious client meet it (ASVS 5.0, V3, V4, V8, V13, V15, V16)."""

from __future__ import annotations

import json

import httpx2
import pytest
import structlog
from structlog.testing import capture_logs
from tests.access.knocking import knock
from tests.access.premises import Premises
from tests.access.world import badges


def bearer(premises: Premises) -> dict[str, str]:
    return {"authorization": f"Bearer {premises.token}"}


async def test_an_answer_opened_as_a_page_can_do_nothing(premises: Premises) -> None:
    for path in ("/v1/health", "/v1/users", "/v1/nowhere"):
        answer = await knock(premises.node.app, "GET", path, headers=bearer(premises))
        policy = answer.headers["content-security-policy"]
        assert policy == "default-src 'none'; frame-ancestors 'none'; sandbox"
        assert answer.headers["content-type"] == "application/json"


async def test_who_is_no_proxy_of_the_node_does_not_say_where_a_request_comes_from(premises: Premises) -> None:
    """The token is good on this machine only: were the header believed, this request would come from elsewhere."""
    async with httpx2.AsyncClient(base_url=premises.node.rest, headers=bearer(premises)) as client:
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
            answer = await client.get("/v1/session", headers={header: "192.0.2.7"})
            assert answer.status_code == 200
        answer = await client.get("/v1/health", headers={"X-Forwarded-Proto": "https"})
        assert "strict-transport-security" not in answer.headers


@pytest.mark.parametrize("verb", ["TRACE", "TRACK", "CONNECT", "PROPFIND"])
async def test_other_verbs_are_refused(premises: Premises, verb: str) -> None:
    answer = await knock(premises.node.app, verb, "/v1/health", headers=bearer(premises))
    assert answer.status == 405


async def test_a_field_that_was_not_asked_for_is_refused(premises: Premises) -> None:
    body = json.dumps({"name": "li", "groups": [], "state": "active", "password": "x"}).encode()
    answer = await knock(premises.node.app, "POST", "/v1/users", headers=bearer(premises), body=body)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (422, "request.invalid")


async def test_a_request_that_is_not_permitted_is_logged_with_who_asked_for_what(premises: Premises) -> None:
    badge = badges(premises.node.database, premises.directory)["modeller"]
    structlog.reset_defaults()
    with capture_logs() as lines:
        answer = await knock(premises.node.app, "GET", "/v1/users", headers=badge.headers)
    assert answer.status == 403
    (line,) = [line for line in lines if line["event"] == "request.refused"]
    assert (line["code"], line["path"]) == ("access.denied", "/v1/users")
    assert "modeller has no permission users.read" in line["cause"]


async def test_a_word_with_line_ends_makes_no_line_of_its_own_in_the_log(premises: Premises) -> None:
    structlog.reset_defaults()
    with capture_logs() as lines:
        await knock(premises.node.app, "GET", "/v1/projects/a\nb", headers=bearer(premises))
    written = structlog.processors.JSONRenderer(ensure_ascii=False)(None, "info", dict(lines[-1]))
    assert "\n" not in str(written)


async def test_a_parameter_that_comes_twice_does_no_harm(premises: Premises) -> None:
    """One of both counts, and is judged like any other; a body that says a name twice is refused where it is kept."""
    headers = bearer(premises)
    twice = await knock(premises.node.app, "GET", "/v1/users", query="limit=1&limit=5000", headers=headers)
    assert twice.status == 422
    body = b'{"pipeline": {"name": "a", "name": "b"}}'
    kept = await knock(premises.node.app, "POST", "/v1/pipelines", headers=headers, body=body)
    assert kept.status == 422
