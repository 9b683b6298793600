"""No setting of a user makes the node dial into its own house, unless the node's owner has allowed it."""

from collections.abc import Callable

import pytest

from hanse.core.addresses import Allowed, read_allowed, resolve_allowed
from hanse.core.faults import HanseError

INSIDE = (
    "127.0.0.1 127.8.8.8 0.0.0.0 10.1.2.3 172.16.0.1 192.168.0.1 169.254.1.1 169.254.169.254 100.64.0.1 "
    "100.100.100.200 224.0.0.1 240.0.0.1 255.255.255.255 192.0.2.1 ::1 :: fe80::1 fe80::1%eth0 "
    "fc00::1 fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1::"
).split()


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_of_the_house_is_refused(address: str) -> None:
    with pytest.raises(HanseError, match=r"address\.refused"):
        resolve_allowed("db.example", 5432, lookup=lambda host, port: [address])


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "[::1]", "LOCALHOST."])
def test_other_spellings_of_loopback_are_refused_by_the_address_they_mean(host: str) -> None:
    with pytest.raises(HanseError, match=r"address\.(refused|unknown)"):
        resolve_allowed(host, 80)


def test_a_public_address_is_returned_to_be_dialled() -> None:
    assert resolve_allowed("db.example", 1, lookup=lambda host, port: ["8.8.8.8", "2606:4700::1111", "8.8.8.8"]) == [
        "8.8.8.8",
        "2606:4700::1111",
    ]
    assert resolve_allowed("db.example", 1, lookup=lambda host, port: ["::ffff:8.8.8.8"]) == ["8.8.8.8"]


def test_one_bad_address_among_good_ones_refuses_the_name() -> None:
    with pytest.raises(HanseError, match=r"address\.refused"):
        resolve_allowed("db.example", 1, lookup=lambda host, port: ["8.8.8.8", "127.0.0.1"])


def at(address: str) -> Callable[[str, int], list[str]]:
    """A look-up that finds one address."""
    return lambda host, port: [address]


def test_what_the_owner_allows_may_be_dialled() -> None:
    allowed = read_allowed(["10.1.0.0/16", "db.bank.example", ".inner.example", "::1"])
    assert resolve_allowed("x.example", 1, allowed, at("10.1.2.3")) == ["10.1.2.3"]
    assert resolve_allowed("x.example", 1, allowed, at("::ffff:10.1.2.3")) == ["10.1.2.3"]
    assert resolve_allowed("DB.bank.example.", 1, allowed, at("192.168.0.9")) == ["192.168.0.9"]
    assert resolve_allowed("a.inner.example", 1, allowed, at("192.168.0.9")) == ["192.168.0.9"]
    assert resolve_allowed("x.example", 1, allowed, at("::1")) == ["::1"]
    for host, address in (("x.example", "10.2.0.1"), ("evilinner.example", "192.168.0.9")):
        with pytest.raises(HanseError, match=r"address\.refused"):
            resolve_allowed(host, 1, allowed, at(address))


def test_the_clouds_metadata_is_dialled_only_when_that_very_address_is_allowed() -> None:
    lookup = lambda host, port: ["169.254.169.254"]  # noqa: E731
    for words in (["169.254.0.0/16"], ["meta.example"], ["0.0.0.0/0"]):
        with pytest.raises(HanseError, match=r"address\.refused"):
            resolve_allowed("meta.example", 80, read_allowed(words), lookup)
    assert resolve_allowed("meta.example", 80, read_allowed(["169.254.169.254"]), lookup) == ["169.254.169.254"]


def test_a_name_without_an_address_is_said_to_have_none() -> None:
    for host in ("no-such-host.invalid", "a" * 300, "\udcff", "x..y"):
        with pytest.raises(HanseError, match=r"address\.unknown"):
            resolve_allowed(host, 1)
    with pytest.raises(HanseError, match=r"address\.unknown"):
        resolve_allowed("x", 1, lookup=lambda host, port: [])


@pytest.mark.parametrize("word", ["10.0.0.1/8", "300.1.1.1", "", "a/b"])
def test_a_word_that_is_no_network_is_refused(word: str) -> None:
    with pytest.raises(HanseError, match=r"settings\.invalid"):
        read_allowed([word])
    assert read_allowed([]) == Allowed()
