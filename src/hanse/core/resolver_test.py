"""The judged addresses, as aiohttp asks for them."""

import asyncio
import socket

import pytest

from hanse.core.resolver import Judged

BOTH = ["192.0.2.7", "2001:db8::7", "192.0.2.8"]


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        (socket.AF_UNSPEC, BOTH),
        (socket.AF_INET, ["192.0.2.7", "192.0.2.8"]),
        (socket.AF_INET6, ["2001:db8::7"]),
    ],
)
def test_the_judged_addresses_of_a_family_are_told_in_their_order(
    family: socket.AddressFamily, expected: list[str]
) -> None:
    found = asyncio.run(Judged(BOTH).resolve("node.example", 7400, family))
    assert [one["host"] for one in found] == expected
    assert {(one["hostname"], one["port"], one["flags"]) for one in found} == {
        ("node.example", 7400, socket.AI_NUMERICHOST)
    }
    assert all((one["family"] == socket.AF_INET6) == (":" in one["host"]) for one in found)
