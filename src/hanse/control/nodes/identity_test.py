"""Keys and certificates of a node, on disk."""

import datetime as dt
import stat
from pathlib import Path

import pytest

from hanse.control.nodes import certificates
from hanse.control.nodes.certificates import (
    check_node,
    new_key,
    organisation_id,
    pair_fingerprint,
    read_chain,
    read_fingerprint,
    read_root,
    show,
    sign_node,
    sign_root,
    to_pem,
)
from hanse.control.nodes.identity import load_identity, load_token
from hanse.core.faults import HanseError
from hanse.core.ids import NodeId

NODE = NodeId("node-0123456789abcdef")


def code_of(error: pytest.ExceptionInfo[HanseError]) -> str:
    return error.value.fault.code


def test_a_second_start_finds_the_same_organisation_and_node(tmp_path: Path) -> None:
    first, second = load_identity(tmp_path, "bank"), load_identity(tmp_path, "bank")
    assert (first.organisation, first.node, first.chain_pem) == (second.organisation, second.node, second.chain_pem)
    assert first.organisation == organisation_id(first.root)
    assert load_token(tmp_path) == load_token(tmp_path)


def test_two_organisations_of_one_name_are_two(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert load_identity(tmp_path / "a", "bank").organisation != load_identity(tmp_path / "b", "bank").organisation


def test_keys_and_token_are_their_owners_alone_and_not_in_any_repr(tmp_path: Path) -> None:
    identity = load_identity(tmp_path, "bank")
    load_token(tmp_path)
    files = [*(tmp_path / "keys").iterdir(), tmp_path / "token"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert "PRIVATE" not in repr(identity)
    assert "node.key" not in repr(identity)


def test_keys_of_another_organisation_are_not_taken_over(tmp_path: Path) -> None:
    load_identity(tmp_path, "bank")
    with pytest.raises(HanseError) as error:
        load_identity(tmp_path, "operator")
    assert code_of(error) == "node.keys"


@pytest.mark.parametrize("name", ["root.pem", "root.key", "node.key", "chain.pem"])
def test_damaged_keys_are_named_and_nothing_is_made_over_them(tmp_path: Path, name: str) -> None:
    load_identity(tmp_path, "bank")
    (tmp_path / "keys" / "chain.pem").chmod(0o600)
    (tmp_path / "keys" / name).write_text("damaged")
    if name == "root.key":
        (tmp_path / "keys" / "node.key").write_bytes(certificates.key_to_pem(new_key()))  # has to be issued anew
    with pytest.raises(HanseError) as error:
        load_identity(tmp_path, "bank")
    assert code_of(error) == "node.keys"
    assert (tmp_path / "keys" / name).read_text() == "damaged"


def test_a_certificate_that_ends_soon_is_issued_anew_for_the_same_node(tmp_path: Path) -> None:
    before = load_identity(tmp_path, "bank")
    root_key = certificates.key_from_pem((tmp_path / "keys" / "root.key").read_bytes())
    node_key = certificates.key_from_pem((tmp_path / "keys" / "node.key").read_bytes())
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=700)
    old = sign_node(before.node, node_key, before.root, root_key, long_ago)
    before.chain_path.write_text(to_pem(old) + before.root_pem)
    after = load_identity(tmp_path, "bank")
    assert (after.organisation, after.node) == (before.organisation, before.node)
    left = read_chain(after.chain_pem)[0].not_valid_after_utc - dt.datetime.now(dt.UTC)
    assert left > dt.timedelta(days=700)


def test_a_node_certificate_speaks_for_the_organisation_that_signed_it() -> None:
    root_key, node_key = new_key(), new_key()
    root = read_root(to_pem(sign_root("bank", root_key)))
    assert check_node(sign_node(NODE, node_key, root, root_key), root) == (organisation_id(root), NODE)


def test_certificates_that_prove_nothing_are_refused() -> None:
    root_key, other_key = new_key(), new_key()
    root, other = sign_root("bank", root_key), sign_root("bank", other_key)
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=365 * 3)
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    refused = {
        "signed by a root of the same name": sign_node(NODE, new_key(), other, other_key),
        "signed by the right key under another root's id": sign_node(NODE, new_key(), other, root_key),
        "expired": sign_node(NODE, new_key(), root, root_key, long_ago),
        "not valid yet": sign_node(NODE, new_key(), root, root_key, ahead),
        "the root itself": root,
    }
    for why, leaf in refused.items():
        with pytest.raises(HanseError) as error:
            check_node(leaf, root)
        assert code_of(error) == "certificate.refused", why


def test_a_root_must_be_one_root_that_signed_itself() -> None:
    key = new_key()
    root = sign_root("bank", key)
    leaf = sign_node(NODE, new_key(), root, key)
    nameless = sign_root("\x07", key)
    for pem in ("", "nonsense", to_pem(leaf), to_pem(root) + to_pem(root), to_pem(root) * 40, to_pem(nameless)):
        with pytest.raises(HanseError) as error:
            read_root(pem)
        assert code_of(error) == "certificate.refused"


def test_both_sides_see_one_fingerprint_and_a_third_another() -> None:
    bank, operator, other = (sign_root(name, new_key()) for name in ("bank", "operator", "bank"))
    assert pair_fingerprint(bank, operator) == pair_fingerprint(operator, bank)
    assert pair_fingerprint(bank, operator) != pair_fingerprint(other, operator)
    shown = show(pair_fingerprint(bank, operator))
    assert [len(group) for group in shown.split("-")] == [4] * 8
    for typed in (shown, shown.upper(), shown.replace("-", " "), f" {shown.replace('-', ':')}\n"):
        assert read_fingerprint(typed) == pair_fingerprint(bank, operator)


@pytest.mark.parametrize("text", ["", "abcd", "g" * 32, "0" * 31, "0" * 33])
def test_what_is_no_fingerprint_is_not_read_as_one(text: str) -> None:
    with pytest.raises(HanseError) as error:
        read_fingerprint(text)
    assert code_of(error) == "fingerprint.unreadable"
