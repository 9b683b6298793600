"""Settings come from a file, the environment and the command line, and what is wrong is named."""

from pathlib import Path
from typing import Any

import pytest

from hanse.control.settings import load_settings, save_settings
from hanse.core.faults import HanseError


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text('organisation = "file"\nparty_port = 1\nrest_port = 1\nattempts = 3\n')
    words = {"HANSE_PARTY_PORT": "2", "HANSE_REST_PORT": "2", "HANSE_ELSE": "ignored"}
    settings = load_settings(tmp_path, {"rest_port": 3, "advertise": None}, words)
    assert (settings.attempts, settings.party_port, settings.rest_port) == (3, 2, 3)
    assert settings.database_url == f"sqlite:///{tmp_path / 'hanse.db'}"


def test_a_second_start_is_the_same_node_at_the_same_place(tmp_path: Path) -> None:
    given = {"organisation": '中国 "银行"', "party_host": "127.0.0.1", "party_port": 19443, "advertise": "bank.example"}
    first = load_settings(tmp_path, given, {})
    save_settings(first)
    assert load_settings(tmp_path, {}, {}) == first
    assert load_settings(tmp_path, {"party_port": 19444}, {}).party_port == 19444


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "organisation"),
        ({"organisation": " bank"}, "organisation"),
        ({"organisation": "bank", "party_port": 70000}, "party_port"),
        ({"organisation": "bank", "party_port": "nine"}, "party_port"),
        ({"organisation": "bank", "colour": "red"}, "colour"),
        ({"organisation": "bank", "rest_certificate": "chain.pem"}, "rest_key"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, given: dict[str, Any], word: str) -> None:
    with pytest.raises(HanseError) as error:
        load_settings(tmp_path, given, {})
    assert error.value.fault.code == "settings.invalid"
    assert word in error.value.fault.cause


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text("organisation = bank")
    with pytest.raises(HanseError) as error:
        load_settings(tmp_path, {}, {})
    assert "node.toml" in error.value.fault.cause


def test_where_the_node_may_dial_is_a_list_also_in_the_environment(tmp_path: Path) -> None:
    given = {"organisation": "bank"}
    spoken = {"HANSE_OUTBOUND_ALLOW": "10.0.0.0/8, db.bank.example"}
    assert load_settings(tmp_path, given, spoken).outbound_allow == ("10.0.0.0/8", "db.bank.example")
    assert load_settings(tmp_path, given, {}).outbound_allow == ()


@pytest.mark.parametrize(
    ("given", "encrypted"),
    [
        ({}, False),
        ({"rest_host": "localhost"}, False),
        ({"rest_host": "::1"}, False),
        ({"rest_host": "192.0.2.1"}, True),
        ({"rest_host": "0.0.0.0"}, True),  # noqa: S104 (every address)
        ({"rest_host": "node.example"}, True),
        ({"rest_certificate": "a.pem", "rest_key": "a.key"}, True),
    ],
)
def test_rest_that_another_machine_can_hear_is_encrypted(
    tmp_path: Path, given: dict[str, str], encrypted: bool
) -> None:
    assert load_settings(tmp_path, {"organisation": "bank", **given}, {}).encrypts_rest is encrypted
