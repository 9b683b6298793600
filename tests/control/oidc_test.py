"""Sign in at a real OpenID provider (Canaille, served by the test), and be refused whatever does not fit together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx2
import pytest
from pytest_iam import Server
from sqlalchemy import select
from tests.control.house import House, code_of

from hanse.api.console.oidc import SIGN_IN_COOKIE
from hanse.api.console.security import COOKIE
from hanse.control.oidc.tables import SignIn
from hanse.control.users.tables import Link

BACK = "https://127.0.0.1:8480/v1/sign-in/end?provider=staff"
SECRET = "a-secret-of-the-client"


@dataclass
class Desk:
    """The house with a provider, and the person who is logged in at it."""

    house: House
    iam: Server
    issuer: str
    person: Any

    async def trust(self, **terms: Any) -> httpx2.Response:
        async with self.house.local() as local:
            known = {"name": "staff", "title": "Staff", "issuer": self.issuer, "client_id": "hanse", "secret": SECRET}
            return await local.post("/v1/providers", json=known | terms)

    async def walk(self, browser: httpx2.AsyncClient) -> str:
        """Begin, and let the provider send the browser back; return the path where it arrives.

        Codes of earlier walks go: the provider's memory finds a code by its client too, and might take an old one.
        """
        with self.iam.app.app_context():
            for code in self.iam.backend.query(self.iam.models.AuthorizationCode):
                self.iam.backend.delete(code)
        begun = await browser.get("/v1/sign-in/begin?provider=staff")
        assert begun.status_code == 303, begun.text
        async with httpx2.AsyncClient() as outside:
            answer = await outside.get(begun.headers["Location"])
        assert answer.status_code == 302, answer.text
        assert answer.headers["Location"].startswith(BACK)
        return str(answer.headers["Location"]).removeprefix("https://127.0.0.1:8480")

    async def sign_in(self, browser: httpx2.AsyncClient) -> httpx2.Response:
        return await browser.get(await self.walk(browser))


@pytest.fixture
async def desk(house: House, iam_server: Server) -> Any:
    house.clock.now = datetime.now(UTC)  # the provider's clock is this machine's
    name = f"person-{uuid4().hex[:12]}"
    person = iam_server.random_user(user_name=name, display_name=name, emails=["li.wei@bank.example"])
    backend, models = iam_server.backend, iam_server.models
    client = models.Client(
        client_id="hanse",
        client_secret=SECRET,
        client_name="Hanse",
        redirect_uris=[BACK],
        post_logout_redirect_uris=["https://127.0.0.1:8480/"],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "email", "groups"],
        token_endpoint_auth_method="client_secret_basic",
    )
    with iam_server.app.app_context():
        backend.save(client)
        client.audience = [client]
        backend.save(client)
    iam_server.consent(person, client)
    iam_server.login(person)
    yield Desk(house, iam_server, iam_server.url.rstrip("/"), person)
    iam_server.logout()
    with iam_server.app.app_context():
        backend.delete(client)
        backend.delete(person)


async def test_a_newcomer_gets_an_account_and_a_session_where_anybody_may_come(desk: Desk) -> None:
    assert (await desk.trust(admits="anybody", default_groups=["modeller"])).status_code == 201
    async with desk.house.browser() as browser:
        assert (await browser.get("/v1/sign-in")).json()[0]["title"] == "Staff"
        answer = await desk.sign_in(browser)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        given = "\n".join(answer.headers.get_list("Set-Cookie"))
        assert f"{COOKIE}=" in given
        assert "SameSite=strict" in given
        me = (await browser.get("/v1/session")).json()
        assert me["name"] == desk.person.user_name
        assert me["permissions"]["jobs.run"] == "own"
        again = await desk.sign_in(browser)
        assert again.status_code == 303
        assert (await browser.get("/v1/session")).json()["id"] == me["id"]
    assert [line.details["how"] for line in desk.house.lines("session.begin")] == ["provider staff"] * 2


async def test_an_equal_name_or_address_is_not_the_same_person(desk: Desk) -> None:
    mine = await desk.house.hire(desk.person.user_name, "administrator")
    async with desk.house.local() as local:
        await local.patch(f"/v1/users/{mine}", json={"email": "li.wei@bank.example"})
    await desk.trust(admits="anybody")
    async with desk.house.browser() as browser:
        await desk.sign_in(browser)
        me = (await browser.get("/v1/session")).json()
        assert me["id"] != mine
        assert me["permissions"] == {}
        assert me["name"].startswith(f"{desk.person.user_name}-")


async def test_whom_nobody_has_linked_stays_outside_and_is_let_in_once_linked(desk: Desk) -> None:
    user = await desk.house.hire("li", "auditor")
    await desk.trust()
    async with desk.house.browser() as browser, desk.house.local() as local:
        assert code_of(await desk.sign_in(browser)) == (403, "oidc.unlinked")
        assert COOKIE not in browser.cookies
        subject = desk.house.lines("access.refused")[0].details["cause"].split("'")[1]
        link = {"provider": "staff", "subject": subject}
        assert (await local.post("/v1/users/li/links", json=link)).status_code == 201
        assert code_of(await local.post("/v1/users/li/links", json=link)) == (409, "oidc.linked")
        assert (await desk.sign_in(browser)).status_code == 303
        assert (await browser.get("/v1/session")).json()["id"] == user
        assert (await local.delete("/v1/users/li/links", params=link)).status_code == 204
        assert (await browser.get("/v1/session")).status_code == 401


async def test_groups_of_the_provider_become_groups_here_at_each_sign_in(desk: Desk) -> None:
    group = desk.iam.random_group(display_name="risk", members=[desk.person])
    mapped = {"group_claim": "groups", "group_map": {"risk": "approver"}, "scopes": ["groups"]}
    await desk.trust(admits="mapped", **mapped)
    async with desk.house.browser() as browser, desk.house.local() as local:
        assert (await desk.sign_in(browser)).status_code == 303
        me = (await browser.get("/v1/session")).json()
        assert me["permissions"]["approvals.decide"] == "all"
        await local.put(f"/v1/groups/auditor/users/{me['id']}")
        with desk.iam.app.app_context():
            desk.iam.backend.delete(group)
        await desk.sign_in(browser)
        shown = (await local.get(f"/v1/users/{me['id']}")).json()
        assert shown["groups"] == ["auditor"]


async def test_what_comes_back_is_bound_to_the_browser_and_works_once(desk: Desk) -> None:
    await desk.trust(admits="anybody")
    refused = (401, "oidc.refused")
    async with desk.house.browser() as browser, desk.house.browser() as other:
        assert code_of(await other.get(await desk.walk(browser))) == refused  # no cookie
        await other.get("/v1/sign-in/begin?provider=staff")
        path = await desk.walk(browser)
        assert code_of(await other.get(path)) == refused  # another browser's sign-in (login CSRF)
        assert (await browser.get(path)).status_code == 303
        assert code_of(await browser.get(path)) == refused  # replayed
        path = await desk.walk(browser)
        desk.house.clock.pass_by(minutes=11)
        assert code_of(await browser.get(path)) == refused
    with desk.house.gate.database.read() as session:
        assert session.scalar(select(Link.user)) is not None


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("state", "another"),
        ("iss", "https://evil.example"),
        ("iss", None),
        ("code", None),
        ("provider", "other"),
    ],
)
async def test_an_answer_with_another_part_is_refused(desk: Desk, part: str, instead: str | None) -> None:
    await desk.trust(admits="anybody")
    async with desk.house.browser() as browser:
        words = {name: said[0] for name, said in parse_qs(urlsplit(await desk.walk(browser)).query).items()}
        assert part in words
        del words[part]
        if part == "provider" or instead is not None:
            words[part] = str(instead)
        status, code = code_of(await browser.get("/v1/sign-in/end", params=words))
        assert (status, code) in {(401, "oidc.refused"), (502, "oidc.provider")}
        assert COOKIE not in browser.cookies
        assert (await browser.get("/v1/session")).status_code == 401


async def test_the_request_to_the_provider_has_proof_key_state_and_nonce_and_the_cookie_is_not_for_scripts(
    desk: Desk,
) -> None:
    await desk.trust()
    async with desk.house.browser() as browser:
        begun = await browser.get("/v1/sign-in/begin?provider=staff")
        asked = parse_qs(urlsplit(begun.headers["Location"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["redirect_uri"] == [BACK]
        assert len({*asked["state"], *asked["nonce"], *asked["code_challenge"]}) == 3
        given = begun.headers["Set-Cookie"]
        for word in (SIGN_IN_COOKIE, "HttpOnly", "Secure", "SameSite=lax", "Max-Age=600", "Path=/"):
            assert word in given
        token = browser.cookies[SIGN_IN_COOKIE]
        with desk.house.gate.database.read() as session:
            row = session.scalars(select(SignIn)).one()
            assert token not in (row.digest, row.provider)


async def test_a_disabled_user_is_not_let_in_by_its_provider(desk: Desk) -> None:
    await desk.trust(admits="anybody")
    async with desk.house.browser() as browser, desk.house.local() as local:
        await desk.sign_in(browser)
        me = (await browser.get("/v1/session")).json()["id"]
        await local.post(f"/v1/users/{me}/disable")
        assert (await browser.get("/v1/session")).status_code == 401
        assert code_of(await desk.sign_in(browser)) == (401, "oidc.refused")


async def test_the_provider_is_told_to_sign_out_too(desk: Desk) -> None:
    await desk.trust(admits="anybody")
    async with desk.house.browser() as browser:
        await desk.sign_in(browser)
        browser.headers["X-Hanse-CSRF"] = (await browser.get("/v1/session")).json()["csrf"]
        link = (await browser.get("/v1/session/sign-out")).json()["link"]
        assert (await browser.delete("/v1/session")).status_code == 204
        assert (await browser.get("/v1/session")).status_code == 401
    async with httpx2.AsyncClient() as outside:
        answer = await outside.get(link)
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://127.0.0.1:8480/")


async def test_a_providers_secret_is_sealed_and_never_shown(desk: Desk) -> None:
    made = (await desk.trust()).json()
    assert made["has_secret"] is True
    assert made["redirect_uri"] == BACK
    assert SECRET not in str(made)
    raw = b"".join(path.read_bytes() for path in desk.house.gate.directory.glob("hanse.db*"))
    assert SECRET.encode() not in raw
    async with desk.house.local() as local:
        assert (await local.post("/v1/providers/staff/check")).json()["jwks_uri"].startswith(desk.issuer)
        terms = {"title": "Staff", "client_id": "hanse", "admits": "anybody"}
        assert (await local.put("/v1/providers/staff", json=terms)).json()["has_secret"] is True
        assert (await local.delete("/v1/providers/staff")).status_code == 204
        assert code_of(await local.post("/v1/providers/staff/check")) == (404, "oidc.unknown")


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("http://bank.example", (422, "oidc.issuer")),
        ("https://u:p@bank.example", (422, "oidc.issuer")),
        ("https://169.254.169.254", (403, "address.refused")),
        ("https://127.0.0.1:1", (403, "address.refused")),
    ],
)
async def test_a_provider_is_no_way_into_the_house(house: House, issuer: str, expected: tuple[int, str]) -> None:
    async with house.local() as local:
        known = {"name": "staff", "title": "Staff", "issuer": issuer, "client_id": "hanse"}
        made = await local.post("/v1/providers", json=known)
        answer = made if made.status_code != 201 else await local.post("/v1/providers/staff/check")
        assert answer.json()["error"]["code"] == expected[1]


async def test_nobody_maps_a_provider_to_a_group_above_itself(house: House) -> None:
    async with house.local() as local:
        few = {"users.manage": "all", "users.read": "all"}
        await local.post("/v1/groups", json={"name": "desk", "permissions": few})
    await house.hire("li", "desk")
    async with house.enter("li") as li:
        known = {"name": "staff", "title": "Staff", "issuer": "https://x.example", "client_id": "hanse"}
        above = known | {"group_claim": "groups", "group_map": {"a": "administrator"}}
        assert code_of(await li.post("/v1/providers", json=above)) == (403, "access.denied")
        above = known | {"admits": "anybody", "default_groups": ["administrator"]}
        assert code_of(await li.post("/v1/providers", json=above)) == (403, "access.denied")
