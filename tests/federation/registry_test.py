"""A node as the registry of many: whom it lists, what it may not make up, and pairing through it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.federation.membership_test import register, write_people
from typer.testing import CliRunner

from hanse.cli.app import app
from hanse.control.access.callers import LOCAL
from hanse.control.nodes.certificates import new_key, sign_root, to_pem
from hanse.control.nodes.identity import load_identity
from hanse.control.organisations import service as organisations
from hanse.control.outbox import service as outbox
from hanse.control.registry import following, keeping
from hanse.control.registry.entries import check_listing, open_entry, sign_entry, vouch
from hanse.core.faults import HanseError
from hanse.core.ids import OrganisationId
from hanse.core.registry_messages import Entry, EntryPublished, Listing, PairingForwarded, PairingProposed
from hanse.core.times import now


async def listed(house: Any, registry: str = "exchange") -> dict[str, dict[str, Any]]:
    """Return whom a registry lists, after it was read."""
    await house.ask("POST", f"/registries/{registry}/refresh")
    return {one["organisation"]: one for one in await house.ask("GET", f"/registries/{registry}/organisations")}


async def join(exchange: Any, *houses: Any) -> None:
    """Open a registry, and have others pair with it and show themselves there."""
    await exchange.ask("PUT", "/register", {"is_open": True})
    for house in houses:
        await exchange.pair(house)
        await house.ask("POST", "/registries", {"registry": "exchange"})


async def test_two_that_only_share_a_registry_are_paired_by_their_people(open_house: Any, until: Any) -> None:
    exchange, bank, operator = [await open_house(name) for name in ("exchange", "bank", "operator")]
    await join(exchange, bank, operator)
    found = (await listed(bank))["operator"]
    assert (found["sides"], found["state"], found["address"]) == ("both", "none", operator.node.party)
    place = f"/registries/exchange/organisations/{operator.id}/propose"
    assert (await bank.fail("POST", place, {"fingerprint": "0" * 32}))["code"] == "fingerprint.differs"
    assert await bank.state_of(operator) == "absent"
    made = await bank.ask("POST", place, {"fingerprint": found["pair_fingerprint"]})
    assert (made["state"], made["code"]) == ("awaiting", "")

    async def waits() -> str:
        return str(await operator.state_of(bank))

    await until(waits, "pending")
    seen = (await listed(operator))["bank"]
    assert (seen["pair_fingerprint"], seen["state"]) == (found["pair_fingerprint"], "pending")
    await operator.ask("POST", f"/members/{bank.id}/confirm", {"fingerprint": seen["pair_fingerprint"]})

    async def is_member() -> str:
        return str(await bank.state_of(operator))

    await until(is_member, "active")
    ((actor, told),) = operator.audited("member.introduced")
    assert (actor, told["registry"]) == (exchange.id, exchange.id)
    assert [len(bank.audited("member.propose")), len(exchange.audited("registry.forward"))] == [1, 1]
    again = await bank.fail("POST", place, {"fingerprint": found["pair_fingerprint"]})
    assert again["code"] == "member.state"


async def test_projects_and_data_stand_on_both_sides_when_both_show_them(
    open_house: Any, until: Any, tmp_path: Path
) -> None:
    exchange, bank, operator, clinic = [await open_house(n) for n in ("exchange", "bank", "operator", "clinic")]
    await join(exchange, bank, operator, clinic)
    await bank.pair(operator)
    project = await bank.ask("POST", "/projects", {"name": "credit", "members": ["operator"]})
    await operator.ask("POST", f"/projects/{project['id']}/accept")
    await register(operator, write_people(tmp_path / "people.csv"), "lines")
    await register(operator, tmp_path / "people.csv", "secret")
    await operator.ask("POST", "/grants", {"dataset": "lines", "project": "credit"})
    shown = {"registry": "exchange", "projects": ["credit"], "datasets": ["lines"]}
    assert (await operator.ask("POST", "/registries", shown))["projects"] == [project["id"]]

    async def one_side() -> list[str]:
        return [one["sides"] for one in (await listed(clinic))["operator"]["projects"]]

    await until(one_side, ["one"])
    (seen,) = (await listed(clinic))["operator"]["datasets"]
    assert (seen["name"], seen["rows"], seen["projects"], seen["sides"]) == ("lines", 10, [project["id"]], "one")
    assert "secret" not in json.dumps(await listed(clinic))
    assert (await listed(clinic))["bank"]["projects"] == []
    await bank.ask("POST", "/registries", {"registry": "exchange", "projects": ["credit"]})
    await until(one_side, ["both"])
    assert (await listed(clinic))["operator"]["datasets"][0]["sides"] == "both"

    await bank.ask("DELETE", f"/projects/{project['id']}/members/operator")
    desk = operator.node.registries  # what it does every five minutes

    async def shows() -> list[str]:
        await desk.round()
        return [one["name"] for one in (await listed(clinic))["operator"]["projects"]]

    await until(shows, [])


async def test_an_organisation_that_is_no_member_gets_an_invitation_by_hand(open_house: Any, until: Any) -> None:
    exchange, bank, clinic = [await open_house(name) for name in ("exchange", "bank", "clinic")]
    await join(exchange, bank)
    wrong = {"address": clinic.node.party, "fingerprint": "0" * 32}
    assert (await exchange.fail("POST", "/register/entries", wrong))["code"] == "pairing.stranger"
    own = (await clinic.ask("GET", "/node"))["fingerprint"]
    words = ["registry", "add", clinic.node.party, "--fingerprint", own, "--directory", str(exchange.directory)]
    assert (await asyncio.to_thread(CliRunner().invoke, app, words)).exit_code == 0
    found = (await listed(bank))["clinic"]
    assert (found["sides"], found["state"], found["projects"]) == ("one", "none", [])
    words = ["registry", "propose", "exchange", "clinic", "--fingerprint", found["pair_fingerprint"], "--json"]
    called = await asyncio.to_thread(CliRunner().invoke, app, [*words, "--directory", str(bank.directory)])
    made = json.loads(called.stdout)
    assert (made["state"], made["code"][:6]) == ("none", "hanse1")
    seen = await clinic.ask("POST", "/joins/inspect", {"code": made["code"]})
    assert seen["pair_fingerprint"] == found["pair_fingerprint"]
    await clinic.ask("POST", "/joins", {"code": made["code"], "fingerprint": seen["pair_fingerprint"]})
    await bank.ask("POST", f"/members/{clinic.id}/confirm", {"fingerprint": seen["pair_fingerprint"]})
    assert (await listed(bank))["clinic"]["state"] == "active"
    await exchange.ask("DELETE", f"/register/entries/{clinic.id}")
    assert await listed(bank) == {}


async def test_who_is_suspended_or_leaves_is_listed_no_longer_and_a_closed_registry_answers_nobody(
    open_house: Any, until: Any
) -> None:
    exchange, bank, operator = [await open_house(name) for name in ("exchange", "bank", "operator")]
    await join(exchange, bank, operator)
    assert (await listed(bank)).keys() == {"operator"}
    await exchange.ask("POST", f"/members/{operator.id}/suspend")
    assert await listed(bank) == {}
    await exchange.ask("POST", f"/members/{operator.id}/resume")
    assert (await listed(bank)).keys() == {"operator"}
    await operator.client.delete("/v1/registries/exchange")

    async def names() -> set[str]:
        return set(await listed(bank))

    await until(names, set())
    assert await operator.ask("GET", "/registries") == []
    await exchange.ask("PUT", "/register", {"is_open": False})
    assert (await bank.ask("POST", "/registries/exchange/refresh"))["trouble"] == "registry.closed"
    assert [one["trouble"] for one in await bank.ask("GET", "/registries")] == ["registry.closed"]
    assert (await bank.fail("POST", "/registries/nobody/refresh"))["code"] == "registry.unknown"


async def test_a_registry_that_is_suspended_is_told_nothing_and_keeps_no_other_from_being_read(
    open_house: Any, until: Any
) -> None:
    first, second, bank = [await open_house(name) for name in ("exchange", "fair", "bank")]
    for registry in (first, second):
        await registry.ask("PUT", "/register", {"is_open": True})
        await registry.pair(bank)
        await bank.ask("POST", "/registries", {"registry": registry.node.identity.name})
    await bank.ask("POST", f"/members/{first.id}/suspend")
    await bank.node.registries.round()
    read = {one["registry"]: bool(one["read_at"]) for one in await bank.ask("GET", "/registries")}
    assert read == {"exchange": False, "fair": True}
    assert (await bank.fail("POST", "/registries/exchange/refresh"))["code"] == "member.state"
    await bank.client.delete("/v1/registries/exchange")
    assert [one["registry"] for one in await bank.ask("GET", "/registries")] == ["fair"]
    with bank.node.database.read() as session:
        assert outbox.addressees(session) == []


class Cast:
    """A registry, two members of it and somebody else, as identities and the database of one of them."""

    def __init__(self, folder: Path) -> None:
        self.registry, self.bank, self.operator = (
            load_identity(self._make(folder / name), name) for name in ("exchange", "bank", "operator")
        )

    @staticmethod
    def _make(folder: Path) -> Path:
        folder.mkdir()
        return folder

    def entry(self, serial: int = 1, **more: Any) -> Entry:
        mine: dict[str, Any] = {"organisation": self.bank.organisation, "name": "bank", "address": "bank.example:9443"}
        mine |= {"registry": self.registry.organisation, **more}
        return Entry(region="", contact="", projects=(), datasets=(), serial=serial, written_at=now(), **mine)

    def listing(self, entry: Entry) -> Listing:
        signed = sign_entry(self.bank, entry)
        bare = Listing(self.bank.organisation, "bank", self.bank.root_pem, "bank.example:9443", "both", now(), signed)
        return vouch(self.registry, bare)


def code_of(error: pytest.ExceptionInfo[HanseError]) -> str:
    return error.value.fault.code


def test_a_registry_cannot_make_words_up(tmp_path: Path) -> None:
    cast = Cast(tmp_path)
    chain, root = cast.registry.chain_pem, cast.registry.root
    good = cast.listing(cast.entry())
    assert check_listing(good, chain, root) is not None
    assert good.signed is not None
    put = msgspec.structs.replace
    forged = put(good.signed, entry=good.signed.entry + b"x")
    other = to_pem(sign_root("bank", new_key()))
    lies = {
        "another address": vouch(cast.registry, put(good, address="evil.example:9443")),
        "another root": vouch(cast.registry, put(good, root=other)),
        "another name": vouch(cast.registry, put(good, name="bank2")),
        "changed words": vouch(cast.registry, put(good, signed=forged)),
        "not vouched for": put(good, as_of="2026-01-01T00:00:00.000Z"),
        "vouched for by another": vouch(cast.operator, good),
        "of another registry": cast.listing(cast.entry(registry=cast.operator.organisation)),
        "of another organisation": cast.listing(cast.entry(organisation=cast.operator.organisation)),
    }
    for why, lie in lies.items():
        with pytest.raises(HanseError) as error:
            check_listing(lie, chain, root)
        assert code_of(error) == "registry.entry", why
    with pytest.raises(HanseError):
        check_listing(vouch(cast.operator, good), cast.operator.chain_pem, root)


async def test_members_cannot_speak_for_others_nor_go_back_nor_flood(open_house: Any, tmp_path: Path) -> None:
    exchange = await open_house("exchange")
    (tmp_path / "cast").mkdir()
    cast = Cast(tmp_path / "cast")
    me = exchange.node.identity
    registry = me.organisation
    bank, operator = cast.bank.organisation, cast.operator.organisation

    def send(sender: OrganisationId, entry: Entry) -> None:
        with exchange.node.database.write() as session:
            keeping.record_entry(session, registry, sender, EntryPublished(sign_entry(cast.bank, entry)))

    with pytest.raises(HanseError) as error:
        send(bank, cast.entry(registry=registry))
    assert code_of(error) == "registry.closed"
    with exchange.node.database.write() as session:
        keeping.switch(session, LOCAL, opened=True)
        for identity in (cast.bank, cast.operator):
            member = organisations.admit(session, me.root, identity.root, "", "pending")
            organisations.confirm(session, LOCAL, member.organisation, member.pair_fingerprint)
    with pytest.raises(HanseError) as error:
        send(operator, cast.entry(registry=registry))
    assert code_of(error) == "registry.entry"
    send(bank, cast.entry(2, registry=registry))
    send(bank, cast.entry(1, registry=registry, address="old.example:9443"))
    with exchange.node.database.read() as session:
        (row,) = keeping.list_entries(session)
    assert (row.address, row.serial) == ("bank.example:9443", 2)
    with exchange.node.database.write() as session:
        for target, code in ((operator, "registry.unlisted"), (OrganisationId("f" * 32), "registry.unlisted")):
            with pytest.raises(HanseError) as error:
                keeping.forward(session, registry, bank, PairingProposed(target))
            assert code_of(error) == code
    said = PairingForwarded(sign_entry(cast.bank, cast.entry(registry=registry)))
    with exchange.node.database.write() as session, pytest.raises(HanseError) as error:
        following.record_forwarded(session, me, operator, said)  # no registry that is read here
    assert code_of(error) == "registry.unknown"
    with pytest.raises(HanseError):
        open_entry(sign_entry(cast.operator, cast.entry()), cast.registry.organisation)
