"""Pairing over real TLS: who comes in, who does not, and what each side is told of it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hanse.control.invitations.codes import Code, read_code, write_code
from hanse.control.invitations.tables import Invitation
from hanse.control.nodes.identity import load_identity

GONE = "2020-01-01T00:00:00.000Z"


async def invite(house: Any) -> str:
    return str((await house.ask("POST", "/invitations", {}))["code"])


async def join(house: Any, code: str) -> Any:
    seen = await house.ask("POST", "/joins/inspect", {"code": code})
    return await house.ask("POST", "/joins", {"code": code, "fingerprint": seen["pair_fingerprint"]})


async def fail_to_join(house: Any, code: str) -> dict[str, Any]:
    seen = await house.ask("POST", "/joins/inspect", {"code": code})
    return await house.fail("POST", "/joins", {"code": code, "fingerprint": seen["pair_fingerprint"]})


async def test_two_organisations_pair_and_both_see_one_fingerprint(open_house: Any, until: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    invitation = await bank.ask("POST", "/invitations", {})
    assert len(invitation["code"]) < 100
    assert invitation["fingerprint"] == (await bank.ask("GET", "/node"))["fingerprint"]

    seen = await operator.ask("POST", "/joins/inspect", {"code": invitation["code"]})
    assert (seen["organisation"], seen["fingerprint"]) == ("bank", invitation["fingerprint"])
    assert await bank.state_of(operator) == "absent"  # looking tells the inviter nothing

    joined = await join(operator, invitation["code"])
    assert joined["member"]["state"] == "awaiting"
    (member,) = await bank.ask("GET", "/members")
    assert (member["organisation"], member["state"]) == ("operator", "pending")
    assert member["pair_fingerprint"] == joined["member"]["pair_fingerprint"] == seen["pair_fingerprint"]

    path = f"/members/{operator.id}/confirm"
    wrong = await bank.fail("POST", path, {"fingerprint": "0" * 32})
    assert (wrong["code"], wrong["status"]) == ("fingerprint.differs", 409)
    assert await bank.state_of(operator) == "pending"
    assert (await bank.ask("POST", path, {"fingerprint": member["pair_fingerprint"]}))["state"] == "active"
    await until(lambda: operator.state_of(bank), "active")

    assert bank.audited("invitation.issue")[0][0] == "administrator"
    assert bank.audited("member.joined")[0][0] == operator.id
    assert bank.audited("member.confirm")[0][0] == "administrator"
    assert operator.audited("member.join")[0][0] == "administrator"
    assert len(operator.audited("member.confirmed")) == 1


async def test_a_joiner_gives_the_fingerprint_of_the_pair_or_says_nothing(open_house: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    code = await invite(bank)
    wrong = await operator.fail("POST", "/joins", {"code": code, "fingerprint": bank.id})
    assert wrong["code"] == "fingerprint.differs"
    assert await bank.state_of(operator) == "absent"


async def test_every_invalid_invitation_is_refused_in_the_same_words(open_house: Any) -> None:
    bank, operator, retailer = [await open_house(name) for name in ("bank", "operator", "retailer")]

    real = read_code(await invite(bank))
    guessed = write_code(Code(real.address, real.fingerprint, bytes(16)))
    wrong_secret = await fail_to_join(retailer, guessed)

    late = await invite(bank)
    database = bank.database()
    with database.write() as session:
        session.get_one(Invitation, read_code(late).invitation).expires_at = GONE
    database.close()
    expired = await fail_to_join(retailer, late)

    code = await invite(bank)
    await join(operator, code)
    used = await fail_to_join(retailer, code)

    plain = {key: wrong_secret[key] for key in ("code", "status", "cause", "remedy")}
    assert plain["code"] == "pairing.refused"
    for refusal in (expired, used):
        assert {key: refusal[key] for key in plain} == plain
    reasons = [details["reason"] for _, details in bank.audited("pairing.refuse")]
    assert reasons == ["no such invitation", "the invitation has expired", "the invitation is used up"]
    assert await bank.state_of(retailer) == "absent"


async def test_a_joiner_whose_connection_died_may_come_again_until_it_is_confirmed(open_house: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    code = await invite(bank)
    await join(operator, code)
    await join(operator, code)
    (member,) = await bank.ask("GET", "/members")
    await bank.ask("POST", f"/members/{operator.id}/confirm", {"fingerprint": member["pair_fingerprint"]})
    assert (await fail_to_join(operator, code))["code"] == "pairing.refused"


async def test_two_that_accept_each_others_invitations_need_no_more(open_house: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    await join(operator, await invite(bank))
    await join(bank, await invite(operator))
    assert (await bank.state_of(operator), await operator.state_of(bank)) == ("active", "active")


async def test_nobody_joins_itself_or_under_a_name_that_is_taken(open_house: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    own = await bank.fail("POST", "/joins/inspect", {"code": await invite(bank)})
    assert own["code"] == "member.self"
    await bank.pair(operator)
    namesake = await open_house("operator", folder="operator-2")
    assert namesake.id != operator.id
    taken = await fail_to_join(namesake, await invite(bank))
    assert (taken["code"], taken["status"]) == ("member.name_taken", 409)
    assert await bank.state_of(namesake) == "absent"


class Impostor:
    """A server between the two: it relays the inviter's words under a certificate of its own."""

    def __init__(self) -> None:
        self.introduction: dict[str, Any] = {}
        self.posted: list[str] = []
        self.address = ""

    async def introduce(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(self.introduction)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.posted.append(await request.text())
        return web.json_response({"state": "pending", "seal": "0" * 64})


@pytest.fixture
async def impostor(tmp_path: Path) -> AsyncIterator[Impostor]:
    directory = tmp_path / "impostor"
    directory.mkdir()
    identity = load_identity(directory, "bank")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(identity.chain_path, identity.key_path)
    server = Impostor()
    server.introduction = {"name": "bank", "root": identity.root_pem, "release": "0.1.0"}
    app = web.Application()
    app.router.add_get("/v1/pair", server.introduce)
    app.router.add_post("/v1/pair", server.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    server.address = f"127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def test_a_man_in_the_middle_learns_nothing(open_house: Any, impostor: Impostor) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    real = read_code(await invite(bank))
    diverted = write_code(Code(impostor.address, real.fingerprint, real.secret))

    own_root = await operator.fail("POST", "/joins/inspect", {"code": diverted})
    assert own_root["code"] == "pairing.stranger"

    impostor.introduction["root"] = bank.node.identity.root_pem
    for path, body in (("/joins/inspect", {}), ("/joins", {"fingerprint": "0" * 32})):
        relayed = await operator.fail("POST", path, {"code": diverted, **body})
        assert relayed["code"] == "pairing.stranger"
        assert "not signed by the root" in relayed["cause"]
    assert impostor.posted == []
    assert await operator.ask("GET", "/members") == []


async def test_what_answers_need_not_even_be_a_node(open_house: Any) -> None:
    operator = await open_house("operator")
    nobody = write_code(Code("127.0.0.1:1", "5" * 32, bytes(16)))
    assert (await operator.fail("POST", "/joins/inspect", {"code": nobody}))["code"] == "peer.unreachable"
    for text in ("", "hanse1", "hanse1aaaaaaaa", nobody[:-1], nobody[:40] + "b" + nobody[41:], "ß" * 40):
        assert (await operator.fail("POST", "/joins/inspect", {"code": text}))["code"] == "invitation.code"


async def test_an_invitation_that_was_withdrawn_lets_nobody_in(open_house: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    code = await invite(bank)
    (listed,) = await bank.ask("GET", "/invitations")
    assert (listed["state"], listed["id"]) == ("open", read_code(code).invitation)
    assert (await bank.ask("DELETE", f"/invitations/{listed['id']}"))["state"] == "withdrawn"
    assert (await fail_to_join(operator, code))["code"] == "pairing.refused"
    assert (await bank.fail("DELETE", "/invitations/0000000000000000"))["code"] == "invitation.unknown"
    used = await invite(bank)
    await join(operator, used)
    assert (await bank.fail("DELETE", f"/invitations/{read_code(used).invitation}"))["code"] == "invitation.used"
    assert (await bank.fail("POST", "/invitations", {"valid_hours": 1000}))["status"] == 422


async def test_a_revoked_member_comes_back_only_through_a_new_pairing(open_house: Any, until: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    await bank.pair(operator)
    assert (await bank.ask("POST", f"/members/{operator.id}/revoke", {"reason": "key stolen"}))["state"] == "revoked"
    assert (await bank.fail("POST", f"/members/{operator.id}/resume"))["code"] == "member.state"
    (revoked,) = await bank.ask("GET", "/revocations")
    assert (revoked["organisation_id"], revoked["reason"]) == (operator.id, "key stolen")

    async def connected() -> bool:
        return any(member["connected"] for member in await operator.ask("GET", "/members"))

    await until(connected, False)
    await bank.pair(operator)
    await until(connected, True)
    assert len(await bank.ask("GET", "/revocations")) == 1  # the list is kept
    assert [actor for actor, _ in bank.audited("member.revoke")] == ["administrator"]


async def test_members_hear_what_an_organisation_says_of_itself(open_house: Any, until: Any) -> None:
    bank = await open_house("bank", region="cn-north", contact="desk@bank.example")
    operator = await open_house("operator")
    await bank.pair(operator)

    async def told() -> tuple[str, str]:
        (member,) = await operator.ask("GET", "/members")
        return member["region"], member["contact"]

    await until(told, ("cn-north", "desk@bank.example"))
    (member,) = await operator.ask("GET", "/members")
    assert member["connected"]
    assert member["connected_since"] <= member["last_seen"]
    assert member["latency_median_ms"] > 0
    assert member["certificate_until"] > member["paired_at"]
