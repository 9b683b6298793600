"""A host's values appear nowhere in what the guest receives, and the other way round: plain, in hex, in base64, packed.

Every component that talks runs over tables of canaries: long ids that only one side has, and numbers of sixteen digits.
The recorder sits on the channel, so that it sees every byte that leaves a party's program.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from hanse.components.psi.psi import component as psi
from hanse.core.roles import PartyId, role_of
from hanse.core.specs import Disclosure
from hanse.protocols.simulation import Recorder
from hanse.runtime import catalogue
from hanse.sdk import Table, run
from hanse.sdk.component import Component, Variant

ROWS = 64
PARTIES = (PartyId("guest"), PartyId("host-1"), PartyId("host-2"))
CASES = [
    pytest.param(component, variant, id="-".join(filter(None, [component.name, variant])))
    for component in catalogue.load_all().values()
    if "host" in component.roles
    for variant in ("", *component.variants)
]


def number_of(party: PartyId, row: int) -> float:
    """A value that nobody would meet by chance: sixteen digits, one for each party and row."""
    return 1.0 + (hash_of(party, row) % 10**15) / 10**15


def hash_of(party: PartyId, row: int) -> int:
    return int.from_bytes(np.random.default_rng([row, *party.encode()]).bytes(8), "little")


def secret_id(party: PartyId, row: int) -> str:
    return f"canary{party}{hash_of(party, row):020d}"


def people(party: PartyId, *, shared: bool) -> Table:
    """Return a table whose numbers, and whose ids unless `shared`, are this party's canaries."""
    ids = [f"known{row:04d}" for row in range(ROWS)]
    if not shared:
        ids[ROWS // 2 :] = [secret_id(party, row) for row in range(ROWS // 2, ROWS)]
    columns: dict[str, object] = {"id": ids}
    if party == "guest":
        columns["y"] = [float(row % 2) for row in range(ROWS)]
    columns["x0"] = [number_of(party, row) for row in range(ROWS)]
    columns["z"] = [number_of(party, row) * (-1) ** row for row in range(ROWS)]
    return Table.of(columns, id="id", label="y" if party == "guest" else None)  # type: ignore[arg-type]


def forms(text: bytes) -> Iterator[bytes]:
    """Yield the forms in which bytes are usually written (base64 at each of its three offsets, without its edges)."""
    yield text
    yield text.hex().encode()
    yield text.hex().upper().encode()
    for offset in range(3):
        yield base64.b64encode(bytes(offset) + text)[4:-4]


def canaries(party: PartyId) -> set[bytes]:
    """Return every form of every value that only this party has."""
    found: set[bytes] = set()
    for row in range(ROWS):
        number = number_of(party, row)
        found.update(forms(secret_id(party, row).encode()), forms(repr(number).encode()))
        found.update([struct.pack("<d", number), struct.pack(">d", number)])
    return found


def received(component: Component, variant: str = "", *, shared: bool) -> dict[PartyId, bytes]:
    """Run the component and return all that each party received, and all that it saved of it."""
    recorder = Recorder(payloads=True)
    varied = component.variants.get(variant, Variant({}))
    parties = PARTIES[: 1 + max(varied.hosts)]
    tables = {party: people(party, shared=shared) for party in parties}
    inputs: dict[str, dict[str, Table]] = {
        party: {port: tables[party] for port, kind in component.takes(role_of(party)).items() if kind is Table}
        for party in parties
    }
    settings = component.params.parse({**component.example, **varied.settings})
    run(component, settings, inputs, disclosure=Disclosure(limit=1e12), wrap=recorder)
    pairs = list(zip(recorder.sent, recorder.raw, strict=True))
    return {party: b"\n".join(raw for sent, raw in pairs if sent.receiver == party) for party in parties}


@pytest.mark.parametrize(("component", "variant"), CASES)
def test_no_value_of_a_party_is_in_what_the_others_receive(component: Component, variant: str) -> None:
    heard = received(component, variant, shared=True)
    for owner in heard:
        for listener in heard:
            if owner != listener:
                leaked = [canary for canary in canaries(owner) if canary in heard[listener]]
                assert leaked == [], f"{listener} received values of {owner}"


@pytest.mark.parametrize("variant", ["", *psi.variants])
def test_no_id_that_is_not_shared_is_in_what_the_others_receive(variant: str) -> None:
    heard = received(psi, variant, shared=False)
    assert all(heard.values())
    for owner in heard:
        for listener in heard:
            if owner != listener:
                assert not any(canary in heard[listener] for canary in canaries(owner))


@pytest.mark.parametrize("variant", ["", *psi.variants])
def test_shared_ids_do_not_travel_in_the_clear_either(variant: str) -> None:
    for raw in received(psi, variant, shared=True).values():
        assert b"known" not in raw


@pytest.mark.parametrize(
    "leak",
    [
        repr(number_of(PARTIES[1], 3)).encode(),
        struct.pack("<d", number_of(PARTIES[1], 3)),
        secret_id(PARTIES[1], 3).encode(),
        secret_id(PARTIES[1], 3).encode().hex().encode(),
        base64.b64encode(b"x" + secret_id(PARTIES[1], 3).encode() + b"yz"),
    ],
    ids=["number as text", "number packed", "id", "id in hex", "id in base64"],
)
def test_the_search_finds_what_leaks(leak: bytes) -> None:
    assert any(canary in b"...." + leak + b"...." for canary in canaries(PARTIES[1]))
    assert not any(canary in b"...." + leak + b"...." for canary in canaries(PARTIES[2]))
