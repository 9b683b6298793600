"""People and programs through the real application: log in, be refused, wait, be ended."""

from __future__ import annotations

from base64 import b32decode

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from tests.control.house import GOOD, OTHER, TOKEN, House, code_of

from hanse.api.console.security import COOKIE
from hanse.control.access.callers import LOCAL
from hanse.control.audit.tables import AuditLine
from hanse.control.nodes.identity import load_identity
from hanse.control.projects import service as projects
from hanse.control.users import service


async def test_the_first_administrator_comes_by_a_link_that_works_once(house: House) -> None:
    async with house.local() as local:
        link = (await local.post("/v1/setup/links")).json()
    written = house.gate.directory / "setup-link"
    assert written.read_text().strip() == link["link"]
    assert written.stat().st_mode & 0o777 == 0o600
    asked = {"code": link["code"], "name": "Li.Wei", "password": GOOD}
    async with house.browser() as stranger:
        assert code_of(await stranger.post("/v1/setup", json=asked | {"code": "wrong"})) == (403, "ticket.refused")
        made = await stranger.post("/v1/setup", json=asked)
        assert (made.status_code, made.json()["name"], made.json()["permissions"]["users.manage"]) == (
            201,
            "li.wei",
            "all",
        )
        assert (await stranger.get("/v1/users")).json()[0]["groups"] == ["administrator"]
        assert not written.exists()
        again = await stranger.post("/v1/setup", json=asked | {"name": "eve"}, headers={"Cookie": ""})
        assert code_of(again) == (403, "ticket.refused")
    async with house.local() as local:
        assert code_of(await local.post("/v1/setup/links")) == (403, "ticket.refused")


async def test_a_link_is_refused_after_a_day(house: House) -> None:
    async with house.local() as local:
        code = (await local.post("/v1/setup/links")).json()["code"]
        house.clock.pass_by(hours=24)
        late = await local.post("/v1/setup", json={"code": code, "name": "li", "password": GOOD})
        assert code_of(late) == (403, "ticket.refused")


async def test_a_session_is_a_cookie_that_scripts_cannot_read_and_a_word_that_pages_send(house: House) -> None:
    await house.hire("li", "administrator")
    async with house.browser() as browser:
        answer = await browser.post("/v1/session", json={"name": "LI", "password": GOOD})
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith(f"{COOKIE}=")
        assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= set(cookie.split("; "))
        assert (await browser.get("/v1/session")).json()["name"] == "li"
        new = {"name": "other", "permissions": {}}
        assert code_of(await browser.post("/v1/groups", json=new)) == (403, "request.forged")
        wrong = {"X-Hanse-CSRF": "0" * 48}
        assert code_of(await browser.post("/v1/groups", json=new, headers=wrong)) == (403, "request.forged")
        right = {"X-Hanse-CSRF": answer.json()["csrf"]}
        assert (await browser.post("/v1/groups", json=new, headers=right)).status_code == 201


async def test_a_session_ends_when_idle_and_at_its_limit(house: House) -> None:
    await house.hire("li")
    async with house.enter("li") as browser:
        for _ in range(7):
            house.clock.pass_by(minutes=100)
            assert (await browser.get("/v1/session")).status_code == 200
        house.clock.pass_by(minutes=100)
        assert code_of(await browser.get("/v1/session")) == (401, "request.token")
    async with house.enter("li") as browser:
        house.clock.pass_by(hours=2)
        assert code_of(await browser.get("/v1/session")) == (401, "request.token")


async def test_a_logout_ends_the_session_at_the_node(house: House) -> None:
    await house.hire("li")
    async with house.enter("li") as browser:
        kept = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        ended = await browser.delete("/v1/session")
        assert (ended.status_code, ended.headers["Clear-Site-Data"]) == (204, '"cache", "cookies", "storage"')
    async with house.browser() as thief:
        assert code_of(await thief.get("/v1/session", headers=kept)) == (401, "request.token")


async def test_every_login_has_a_token_of_its_own_and_a_new_password_ends_the_others(house: House) -> None:
    await house.hire("li")
    async with house.enter("li") as one, house.enter("li") as other:
        before = one.cookies[COOKIE]
        assert before != other.cookies[COOKIE]
        changed = await one.put("/v1/me/password", json={"old": GOOD, "password": OTHER})
        assert changed.status_code == 200
        assert one.cookies[COOKIE] != before
        assert (await one.get("/v1/session")).status_code == 200
        assert (await other.get("/v1/session")).status_code == 401
    async with house.browser() as thief:
        assert (await thief.get("/v1/session", headers={"Cookie": f"{COOKIE}={before}"})).status_code == 401


async def test_sessions_are_listed_and_ended_by_their_user_or_an_administrator(house: House) -> None:
    await house.hire("li", "administrator")
    await house.hire("wu", "modeller")
    async with house.enter("li") as li, house.enter("wu") as wu:
        (own,) = (await wu.get("/v1/sessions")).json()
        assert own["current"]
        assert code_of(await wu.get("/v1/sessions?everybody=true")) == (403, "access.denied")
        everybody = (await li.get("/v1/sessions?everybody=true")).json()
        (foreign,) = [row for row in everybody if row["current"]]
        assert code_of(await wu.delete(f"/v1/sessions/{foreign['id']}")) == (404, "session.unknown")
        assert (await li.delete(f"/v1/sessions/{own['id']}")).status_code == 204
        assert (await wu.get("/v1/session")).status_code == 401


async def test_a_disabled_user_is_out_at_once_with_its_keys(house: House) -> None:
    user = await house.hire("wu", "modeller")
    async with house.enter("wu") as wu, house.local() as local:
        made = await wu.post("/v1/keys", json={"name": "nightly", "scopes": {"jobs.read": "own"}})
        key = {"Authorization": f"Bearer {made.json()['key']}", "Cookie": ""}
        async with house.browser("10.0.0.9") as program:
            assert (await program.get("/v1/session", headers=key)).json()["name"] == "wu/nightly"
            assert (await local.post(f"/v1/users/{user}/disable")).json()["state"] == "disabled"
            assert code_of(await program.get("/v1/session", headers=key)) == (401, "key.refused")
        assert code_of(await wu.get("/v1/session")) == (401, "request.token")
        refused = await wu.post("/v1/session", json={"name": "wu", "password": GOOD})
        assert code_of(refused) == (401, "login.refused")


async def test_whoever_guesses_waits_longer_each_time_and_is_told_how_long(house: House) -> None:
    await house.hire("li")
    guess = {"name": "li", "password": "guess"}
    async with house.browser("10.0.0.9") as stranger, house.browser("10.0.0.10") as elsewhere, house.local() as local:
        for _ in range(5):
            assert code_of(await stranger.post("/v1/session", json=guess)) == (401, "login.refused")
        waits = await elsewhere.post("/v1/session", json={"name": "li", "password": GOOD})
        assert code_of(waits) == (429, "login.wait")
        first = int(waits.headers["Retry-After"])
        assert (await local.get("/v1/users/li")).json()["state"] == "locked"
        house.clock.pass_by(seconds=first)
        assert code_of(await stranger.post("/v1/session", json=guess)) == (401, "login.refused")
        assert int((await stranger.post("/v1/session", json=guess)).headers["Retry-After"]) > first
        assert (await local.post("/v1/users/li/unlock")).json()["state"] == "active"
        assert (await elsewhere.post("/v1/session", json={"name": "li", "password": GOOD})).status_code == 200


async def test_an_address_that_tries_many_names_waits_too(house: House) -> None:
    async with house.browser("10.0.0.9") as stranger:
        codes = []
        for number in range(32):
            answer = await stranger.post("/v1/session", json={"name": f"user{number}", "password": "guess"})
            codes.append(answer.status_code)
        assert codes == [401] * 30 + [429] * 2


async def test_a_name_that_nobody_has_is_refused_in_the_same_words(house: House) -> None:
    await house.hire("li")
    async with house.browser() as stranger:
        known = await stranger.post("/v1/session", json={"name": "li", "password": "guess"})
        unknown = await stranger.post("/v1/session", json={"name": "nobody", "password": "guess"})
        said = [{**answer.json()["error"], "correlation": ""} for answer in (known, unknown)]
        assert said[0] == said[1]


@pytest.mark.parametrize("password", ["short", "password1", "PASSWORD1", "x" * 257, "qwertyuiop"])
async def test_a_poor_password_is_refused(house: House, password: str) -> None:
    await house.hire("li")
    async with house.enter("li") as li:
        answer = await li.put("/v1/me/password", json={"old": GOOD, "password": password})
        assert answer.json()["error"]["code"] in {"password.weak", "request.invalid"}


@pytest.mark.parametrize("password", ["x9" * 64, "        ", "密码很长的一句话也可以", "ordinary but long words"])
async def test_a_long_password_of_any_characters_is_accepted(house: House, password: str) -> None:
    await house.hire("li")
    async with house.enter("li") as li:
        assert (await li.put("/v1/me/password", json={"old": GOOD, "password": password})).status_code == 200
    async with house.enter("li", password) as li:
        assert (await li.get("/v1/session")).status_code == 200


async def test_who_has_to_change_its_password_can_do_nothing_else(house: House) -> None:
    await house.hire("li", "administrator")
    async with house.local() as local:
        await local.patch("/v1/users/li", json={"must_change": True})
    async with house.enter("li") as li:
        assert code_of(await li.get("/v1/users")) == (403, "password.change_needed")
        changed = await li.put("/v1/me/password", json={"old": GOOD, "password": OTHER})
        li.headers["X-Hanse-CSRF"] = changed.json()["csrf"]
        assert (await li.get("/v1/users")).status_code == 200


async def test_an_authenticator_is_needed_once_enrolled_and_none_of_its_codes_works_twice(house: House) -> None:
    await house.hire("li")
    async with house.enter("li") as li:
        enrolled = (await li.post("/v1/me/totp", json={"password": GOOD})).json()
        assert enrolled["uri"].startswith("otpauth://totp/")
        assert enrolled["svg"].startswith("<svg")
        totp = TOTP(b32decode(enrolled["secret"]), 6, SHA1(), 30)  # noqa: S303 (RFC 6238)

        def code() -> str:
            return totp.generate(int(house.clock.now.timestamp())).decode()

        assert code_of(await li.post("/v1/me/totp/confirm", json={"code": "000000"})) == (422, "totp.wrong")
        recovery = (await li.post("/v1/me/totp/confirm", json={"code": code()})).json()["recovery_codes"]
        assert len(recovery) == 10
    known = {"name": "li", "password": GOOD}
    async with house.browser() as browser:
        assert code_of(await browser.post("/v1/session", json=known)) == (401, "login.code")
        replayed = await browser.post("/v1/session", json=known | {"code": code()})
        assert code_of(replayed) == (401, "login.refused")
        house.clock.pass_by(seconds=30)
        assert (await browser.post("/v1/session", json=known | {"code": code()})).status_code == 200
        assert code_of(await browser.post("/v1/session", json=known | {"code": code()})) == (401, "login.refused")
        assert (await browser.post("/v1/session", json=known | {"code": recovery[0]})).status_code == 200
        assert code_of(await browser.post("/v1/session", json=known | {"code": recovery[0]})) == (401, "login.refused")


async def test_an_authenticator_is_asked_for_with_the_password(house: House) -> None:
    await house.hire("li")
    async with house.enter("li") as li:
        assert code_of(await li.post("/v1/me/totp", json={"password": OTHER})) == (401, "login.refused")
        assert code_of(await li.post("/v1/me/totp", json={})) == (422, "request.invalid")
        assert (await li.post("/v1/me/totp", json={"password": GOOD})).status_code == 201


async def test_an_administrator_sends_a_link_and_chooses_no_password(house: House) -> None:
    await house.hire("li")
    async with house.enter("li") as li, house.local() as local:
        code = (await local.post("/v1/users/li/reset", json={"totp": True})).json()["code"]
        assert (await li.get("/v1/session")).status_code == 401
        assert (await local.post("/v1/password", json={"code": code, "password": OTHER})).status_code == 204
        again = await local.post("/v1/password", json={"code": code, "password": GOOD})
        assert code_of(again) == (403, "ticket.refused")
    async with house.enter("li", OTHER) as li:
        assert (await li.get("/v1/session")).status_code == 200


async def test_the_last_administrator_stays(house: House) -> None:
    user = await house.hire("li", "administrator")
    last = (409, "user.last_administrator")
    async with house.local() as local:
        assert code_of(await local.post("/v1/users/li/disable")) == last
        assert code_of(await local.delete(f"/v1/groups/administrator/users/{user}")) == last
        assert code_of(await local.put("/v1/groups/administrator", json={"permissions": {}})) == last
        assert code_of(await local.delete("/v1/groups/administrator")) == last
        assert (await local.get("/v1/users/li")).json()["groups"] == ["administrator"]
        await house.hire("wu", "administrator")
        assert (await local.post("/v1/users/li/disable")).status_code == 200


async def test_nobody_gives_what_it_has_not(house: House) -> None:
    await house.hire("boss", "administrator")
    async with house.local() as local:
        few = {"users.manage": "all", "users.read": "all"}
        await local.post("/v1/groups", json={"name": "desk", "permissions": few})
    await house.hire("li", "desk")
    denied = (403, "access.denied")
    async with house.enter("li") as li:
        assert code_of(await li.put("/v1/groups/administrator/users/li")) == denied
        assert code_of(await li.post("/v1/users", json={"name": "x", "groups": ["modeller"]})) == denied
        assert code_of(await li.post("/v1/groups", json={"name": "g", "permissions": {"jobs.run": "all"}})) == denied
        assert code_of(await li.post("/v1/users/boss/reset", json={})) == denied
        assert code_of(await li.post("/v1/users/boss/disable")) == denied


async def test_a_key_does_what_both_its_scopes_and_its_user_may(house: House) -> None:
    await house.hire("li", "administrator")
    user = await house.hire("wu", "modeller")
    async with house.enter("wu") as wu, house.local() as local:
        beyond = await wu.post("/v1/keys", json={"name": "n", "scopes": {"users.manage": "all"}})
        assert code_of(beyond) == (403, "access.denied")
        wider = await wu.post("/v1/keys", json={"name": "n", "scopes": {"jobs.read": "all"}})
        assert code_of(wider) == (403, "access.denied")
        made = await wu.post("/v1/keys", json={"name": "n", "scopes": {"jobs.read": "own", "members.read": "all"}})
        key = {"Authorization": f"Bearer {made.json()['key']}"}
        async with house.browser("10.0.0.9") as program:
            may = (await program.get("/v1/session", headers=key)).json()["permissions"]
            assert may == {"jobs.read": "own", "members.read": "all"}
            assert code_of(await program.get("/v1/models", headers=key)) == (403, "access.denied")
            assert (await local.delete(f"/v1/groups/modeller/users/{user}")).status_code == 204
            assert (await program.get("/v1/session", headers=key)).json()["permissions"] == {}


async def test_a_key_is_bound_to_addresses_time_and_rate(house: House) -> None:
    await house.hire("wu", "modeller")
    async with house.enter("wu") as wu:
        asked = {
            "name": "n",
            "scopes": {"jobs.read": "own"},
            "networks": ["10.1.0.0/16"],
            "per_minute": 3,
            "expires_at": "2026-11-24T12:00:00Z",
        }
        made = (await wu.post("/v1/keys", json=asked)).json()
        key = {"Authorization": f"Bearer {made['key']}"}
        assert "key" not in (await wu.get(f"/v1/keys/{made['id']}")).json()
        async with house.browser("10.2.0.1") as outside:
            assert code_of(await outside.get("/v1/session", headers=key)) == (403, "key.address")
        async with house.browser("10.1.0.1") as inside:
            for _ in range(3):
                assert (await inside.get("/v1/session", headers=key)).status_code == 200
            over = await inside.get("/v1/session", headers=key)
            assert code_of(over) == (429, "key.rate")
            assert 1 <= int(over.headers["Retry-After"]) <= 20
            house.clock.pass_by(days=1)
            assert code_of(await inside.get("/v1/session", headers=key)) == (401, "key.refused")


async def test_a_rotated_key_works_in_both_forms_for_a_while(house: House) -> None:
    await house.hire("wu", "modeller")
    async with house.enter("wu") as wu, house.browser("10.0.0.9") as program:
        made = (await wu.post("/v1/keys", json={"name": "n", "scopes": {"keys.manage": "own"}})).json()
        old = {"Authorization": f"Bearer {made['key']}"}
        fresh = await program.post(f"/v1/keys/{made['id']}/rotate", json={"overlap_s": 60}, headers=old)
        new = {"Authorization": f"Bearer {fresh.json()['key']}"}
        for headers in (old, new):
            assert (await program.get("/v1/session", headers=headers)).status_code == 200
        house.clock.pass_by(seconds=60)
        assert code_of(await program.get("/v1/session", headers=old)) == (401, "key.refused")
        assert (await program.get("/v1/session", headers=new)).status_code == 200
        assert (await program.delete(f"/v1/keys/{made['id']}", headers=new)).status_code == 204
        assert code_of(await program.get("/v1/session", headers=new)) == (401, "key.refused")


async def test_neither_passwords_nor_tokens_nor_keys_lie_in_the_database(house: House) -> None:
    await house.hire("wu", "modeller")
    async with house.enter("wu") as wu:
        made = (await wu.post("/v1/keys", json={"name": "n", "scopes": {"jobs.read": "own"}})).json()
        enrolled = (await wu.post("/v1/me/totp", json={"password": GOOD})).json()
        secrets = [GOOD, wu.cookies[COOKIE], made["key"].rpartition("_")[2], enrolled["secret"]]
    raw = b"".join(path.read_bytes() for path in house.gate.directory.glob("hanse.db*"))
    assert [secret for secret in secrets if secret.encode() in raw] == []


async def test_the_token_file_is_good_on_this_machine_only(house: House) -> None:
    async with house.browser("10.0.0.9") as far:
        answer = await far.get("/v1/session", headers={"Authorization": f"Bearer {TOKEN}"})
        assert code_of(answer) == (401, "request.token")


async def test_refusals_are_written_and_a_flood_of_them_is_counted(house: House) -> None:
    async with house.browser("10.0.0.9") as far:
        for _ in range(15):
            await far.get("/v1/users", headers={"Authorization": "Bearer hanse_key-0_00"})
    assert len(house.lines("access.refused")) == 10


async def test_every_answer_says_what_a_browser_may_do_with_it(house: House) -> None:
    async with house.browser() as browser:
        for path in ("/v1/health", "/v1/users", "/v1/nowhere"):
            headers = (await browser.get(path)).headers
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"
            assert headers["Strict-Transport-Security"].startswith("max-age=")


async def test_people_work_in_projects(house: House) -> None:
    user = await house.hire("wu", "modeller")
    with house.gate.database.write() as session:
        identity = load_identity(house.gate.directory, "bank")
        project = projects.create(session, LOCAL, identity, "loans", []).id
    async with house.enter("wu") as wu, house.local() as local:
        assert code_of(await wu.get(f"/v1/projects/{project}/people")) == (404, "project.unknown")
        assert code_of(await wu.put(f"/v1/projects/{project}/people/wu")) == (403, "access.denied")
        assert (await local.put(f"/v1/projects/{project}/people/{user}")).status_code == 204
        assert (await wu.get("/v1/session")).json()["projects"] == [project]
        assert (await wu.get(f"/v1/projects/{project}/people")).json() == [{"id": user, "name": "wu"}]


def test_a_user_is_written_with_exactly_one_line_of_audit(house: House) -> None:
    with house.gate.database.write() as session:
        before = session.query(AuditLine).count()
        service.create(session, LOCAL, "li", "", ["modeller"], house.clock())
        assert session.query(AuditLine).count() == before + 1
