"""A node's certificate: signed elsewhere, installed and renewed while partners are connected."""

from __future__ import annotations

import asyncio
import datetime as dt
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hanse.cli.app import app
from hanse.control.nodes.certificates import (
    certify_node,
    check_node,
    key_from_pem,
    key_to_pem,
    new_key,
    organisation_id,
    read_chain,
    read_root,
    sign_root,
    to_pem,
)
from hanse.control.nodes.identity import ask, ask_first, load_identity, prepare
from hanse.control.nodes.renewal import Renewal
from hanse.control.nodes.requests import make_request, read_request, sign_request
from hanse.core.faults import HanseError
from hanse.core.ids import NodeId

YEAR = dt.timedelta(days=365)


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def code_of(error: pytest.ExceptionInfo[HanseError]) -> str:
    return error.value.fault.code


def authority(folder: Path, name: str = "bank") -> tuple[Path, Path]:
    """Write the root of an organisation that is kept away from its nodes; return its certificate and key."""
    key = new_key()
    (folder / "authority.pem").write_text(to_pem(sign_root(name, key)))
    (folder / "authority.key").write_bytes(key_to_pem(key))
    return folder / "authority.pem", folder / "authority.key"


async def see(house: Any, partner: Any) -> dict[str, Any]:
    found = await house.ask("GET", "/members")
    return next(member for member in found if member["organisation_id"] == partner.id)


async def test_a_new_certificate_is_shown_without_dropping_a_session(open_house: Any, until: Any) -> None:
    bank, operator = await open_house("bank"), await open_house("operator")
    await bank.pair(operator)

    async def is_connected() -> bool:
        return bool((await see(bank, operator))["connected"])

    await until(is_connected, True)
    before, papers = await see(bank, operator), await operator.ask("GET", "/node/certificate")
    assert papers["renews_itself"]
    renewed = await operator.ask("POST", "/node/certificate/renew")
    assert renewed["serial"] != papers["serial"]
    after = await see(bank, operator)
    assert (after["connected"], after["connected_since"]) == (True, before["connected_since"])
    assert [actor for actor, _ in operator.audited("certificate.renew")] == ["administrator"]

    checked = await bank.ask("POST", "/doctor", {"target": "operator"})  # a new connection, to the new certificate
    assert "bad" not in {finding["state"] for finding in checked["findings"]}
    third = await open_house("retailer")
    await operator.pair(third)  # what it signs as a joiner and shows as an inviter fits together
    fourth = await open_house("hospital")
    await fourth.pair(operator)


async def test_a_root_kept_offline_signs_what_the_running_node_asks_for(open_house: Any, tmp_path: Path) -> None:
    bank = await open_house("bank")
    keys = bank.directory / "keys"
    (keys / "root.key").rename(tmp_path / "offline.key")
    assert (await bank.fail("POST", "/node/certificate/renew"))["code"] == "certificate.root_elsewhere"
    asked = await bank.ask("POST", "/node/certificate/request")
    assert asked == await bank.ask("POST", "/node/certificate/request")
    (tmp_path / "node.csr").write_text(asked["request"])
    words = ["node", "certificate", "sign", str(tmp_path / "node.csr"), str(tmp_path / "node.pem"), "--days", "90"]
    words += ["--root", str(keys / "root.pem"), "--root-key", str(tmp_path / "offline.key")]
    assert run(*words).exit_code == 0
    before = (keys / "node.key").read_bytes()
    words = ["node", "certificate", "install", str(tmp_path / "node.pem"), "--directory", str(bank.directory), "--json"]
    called = await asyncio.to_thread(run, *words)
    assert called.exit_code == 0, called.output
    papers = await bank.ask("GET", "/node/certificate")
    assert not papers["is_asked"]
    assert dt.datetime.fromisoformat(papers["until"]) < dt.datetime.now(dt.UTC) + dt.timedelta(days=91)
    assert (keys / "node.key").read_bytes() != before
    assert [len(bank.audited(f"certificate.{verb}")) for verb in ("request", "install", "renew")] == [2, 1, 0]
    again = load_identity(bank.directory, "bank")
    assert (again.organisation, again.has_root_key) == (bank.id, False)


async def test_a_node_under_the_organisations_own_authority_joins_like_any_other(
    open_house: Any, tmp_path: Path
) -> None:
    root, key = authority(tmp_path)
    folder, asked, made = tmp_path / "node", tmp_path / "node.csr", tmp_path / "node.pem"
    at = ["--directory", str(folder)]
    assert run("node", "certificate", "request", str(asked), "--root", str(root), *at).exit_code == 0
    with pytest.raises(HanseError) as error:
        load_identity(folder, "bank")
    assert code_of(error) == "certificate.awaited"
    words = ["openssl", "x509", "-req", "-in", str(asked), "-CA", str(root), "-CAkey", str(key)]
    words += ["-days", "30", "-out", str(made), "-copy_extensions", "copy"]
    await asyncio.to_thread(lambda: subprocess.run(words, check=True, capture_output=True))
    assert run("node", "certificate", "install", str(made), *at).exit_code == 0
    bank, operator = await open_house("bank", "node"), await open_house("operator")
    assert bank.id == organisation_id(read_root(root.read_text()))
    await operator.pair(bank)
    assert not (await bank.ask("GET", "/node/certificate"))["renews_itself"]


async def test_the_node_renews_in_time_what_it_can_and_nothing_before(open_house: Any) -> None:
    bank = await open_house("bank")
    taken: list[int] = []
    renewal = Renewal(bank.node.database, bank.node.identity, lambda: taken.append(1))
    first, now = renewal.papers(), dt.datetime.now(dt.UTC)
    await renewal.renew_due(now + YEAR)
    assert renewal.papers() == first
    await renewal.renew_due(now + 1.6 * YEAR)
    assert (renewal.papers().serial != first.serial, taken) == (True, [1])
    assert [actor for actor, _ in bank.audited("certificate.renew")] == ["node"]
    (bank.directory / "keys" / "root.key").unlink()
    second = renewal.papers()
    await renewal.renew_due(now + 3 * YEAR)
    assert renewal.papers() == second._replace(has_root_key=False)


def test_a_start_after_the_end_says_what_to_do_and_the_request_still_works(tmp_path: Path) -> None:
    load_identity(tmp_path, "bank")
    keys = tmp_path / "keys"
    root, root_key = read_root((keys / "root.pem").read_text()), key_from_pem((keys / "root.key").read_bytes())
    leaf = read_chain((keys / "chain.pem").read_text())[0]
    own = key_from_pem((keys / "node.key").read_bytes()).public_key()
    named = check_node(leaf, root)
    old = certify_node(named.node, own, root, root_key, dt.datetime.now(dt.UTC) - 3 * YEAR)
    (keys / "chain.pem").write_text(to_pem(old) + to_pem(root))
    (keys / "root.key").rename(tmp_path / "offline.key")
    with pytest.raises(HanseError) as error:
        load_identity(tmp_path, "bank")
    assert code_of(error) == "certificate.ended"
    request = tmp_path / "node.csr"
    assert run("node", "certificate", "request", str(request), "--directory", str(tmp_path)).exit_code == 0
    answer = to_pem(sign_request(request.read_text(), root, root_key))
    fresh = prepare(keys, answer)
    (keys / "chain.pem.new").replace(keys / "chain.pem")  # killed before the key is in its place
    assert fresh.has_new_key
    assert load_identity(tmp_path, "bank").node == named.node
    assert not (keys / "request.key").exists()


def test_answers_that_partners_would_refuse_are_not_installed(tmp_path: Path) -> None:
    root_file, key_file = authority(tmp_path)
    root, root_key = read_root(root_file.read_text()), key_from_pem(key_file.read_bytes())
    asked = ask_first(tmp_path / "node", root_file.read_text())
    keys = tmp_path / "node" / "keys"
    assert ask(keys) == asked
    named, key = read_request(asked, root)
    other_key = new_key()
    other = sign_root("bank", other_key)
    refused = {
        "another node": certify_node(NodeId("node-00000000000000ff"), key, root, root_key),
        "another key": certify_node(named.node, new_key().public_key(), root, root_key),
        "another authority": certify_node(named.node, key, other, other_key),
        "over already": certify_node(named.node, key, root, root_key, dt.datetime.now(dt.UTC) - 3 * YEAR),
        "the root": root,
    }
    for why, leaf in refused.items():
        with pytest.raises(HanseError) as error:
            prepare(keys, to_pem(leaf))
        assert code_of(error) == "certificate.refused", why
    good = to_pem(certify_node(named.node, key, root, root_key))
    for text in ("", "nonsense", good + good, good + to_pem(other)):
        with pytest.raises(HanseError) as error:
            prepare(keys, text)
        assert code_of(error) == "certificate.refused"
    assert not (keys / "chain.pem").exists()
    prepare(keys, good + root_file.read_text()).take()
    assert load_identity(tmp_path / "node", "bank").node == named.node


def test_requests_that_are_not_what_they_say_are_not_signed(tmp_path: Path) -> None:
    key = new_key()
    root = sign_root("bank", key)
    good = make_request(NodeId("node-0123456789abcdef"), new_key(), root)
    assert check_node(sign_request(good, root, key), root).node == "node-0123456789abcdef"
    foreign = make_request(NodeId("node-0123456789abcdef"), new_key(), sign_root("bank", new_key()))
    broken = good.replace(good[200:204], "AAAA")
    for text, signer in ((foreign, key), (broken, key), ("", key), ("x" * 20_000, key), (good, new_key())):
        with pytest.raises(HanseError) as error:
            sign_request(text, root, signer)
        assert code_of(error) == "certificate.request"
