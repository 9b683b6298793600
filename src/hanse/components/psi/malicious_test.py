"""The setting `security: malicious`: the same rows, and whoever deviates is named."""

from typing import Any

import msgspec
import numpy as np
import pytest

from hanse.components.psi.psi import component
from hanse.components.psi.settings import Settings
from hanse.core.faults import HanseError
from hanse.protocols.messages import decode
from hanse.protocols.ot.extension import Answer
from hanse.protocols.psi import sizes
from hanse.protocols.psi.opening import Terms
from hanse.protocols.psi.tags import TagSet
from hanse.protocols.psi.vole import Commitment, EncodedSet, Half
from hanse.protocols.simulation import JunkAtMessage, Recorder
from hanse.protocols.vole import Challenge, Corrections, Proof
from hanse.sdk import Message, ProtocolError, Table, run

MALICIOUS = Settings(security="malicious")
PEOPLE = [f"p{number}" for number in range(400)]
WORLDS = {
    "one row each": (["ann"], ["ann"]),
    "one row against many": (["p7"], PEOPLE),
    "unicode": (["张伟", "é", "e\u0301", "🙂", "ﬁ"], ["fi", "🙂", "张伟", "zoe"]),
    "overlap": (PEOPLE[:250], PEOPLE[100:]),
}


def table(ids: list[str]) -> Table:
    return Table.of({"id": ids, "row": np.arange(len(ids))}, id="id")


def align(guest: list[str], host: list[str], settings: Any = MALICIOUS, **options: Any) -> dict[str, Table]:
    inputs = {"guest": {"table": table(guest)}, "host-1": {"table": table(host)}}
    return {party: out["table"] for party, out in run(component, settings, inputs, **options).items()}


@pytest.fixture(params=["whole", "cut"])
def cutting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "cut":
        monkeypatch.setattr(sizes, "GUEST_BUCKET", 100)
        monkeypatch.setattr(sizes, "HOST_PIECE", 70)


@pytest.mark.usefixtures("cutting")
@pytest.mark.parametrize("name", WORLDS)
def test_the_rows_are_those_of_a_plain_intersection_in_one_order(name: str) -> None:
    guest, host = WORLDS[name]
    out = align(guest, host)
    ids = out["guest"].ids().to_strings()
    assert sorted(ids) == sorted(set(guest) & set(host))
    assert out["host-1"].ids().to_strings() == ids


def test_a_difference_and_columns_are_given_too() -> None:
    out = align(PEOPLE[:50], PEOPLE[20:90], Settings(security="malicious", result="difference"))
    assert out["guest"].ids().to_strings() == PEOPLE[:20]
    assert out["host-1"].ids().to_strings() == PEOPLE[50:90]
    settings = {"guest": MALICIOUS, "host-1": Settings(security="malicious", payload=("row",))}
    shared = align(PEOPLE[:50], PEOPLE[20:90], settings)["guest"]
    places = [PEOPLE.index(one) - 20 for one in shared.ids().to_strings()]
    assert shared.numbers(["row_host_1"])[0].tolist() == places


def test_tags_have_all_their_bits_and_what_is_said_is_in_the_order_that_binds_it() -> None:
    recorder = Recorder(payloads=True)
    align(PEOPLE[:50], PEOPLE, wrap=recorder)
    kinds = [sent.kind for sent in recorder.sent]
    names = "Commitment Offer Answer Corrections Challenge Proof EncodedSet Half TagSet".split()
    assert [kind for kind in kinds if kind in names] == names
    coded = decode(recorder.raw[kinds.index("TagSet")], TagSet).coded
    assert len(coded) * 8 / len(PEOPLE) > 128 - np.log2(len(PEOPLE))


def test_what_cannot_be_had_against_malice_is_refused_in_words() -> None:
    for wrong in ({"method": "ecdh"}, {"result": "count"}):
        with pytest.raises(HanseError, match="against malice"):
            Settings.parse({"security": "malicious", **wrong})
    inputs = {party: {"table": table(["ann"])} for party in ("guest", "host-1", "host-2")}
    with pytest.raises(HanseError, match="one host"):
        run(component, MALICIOUS, inputs)


def test_a_host_that_wants_security_against_malice_does_not_go_on_without() -> None:
    with pytest.raises(ProtocolError, match="security = malicious") as caught:
        align(PEOPLE[:5], PEOPLE, {"guest": Settings(method="vole"), "host-1": MALICIOUS})
    assert caught.value.peer == "guest"


def test_a_guest_that_says_malice_but_another_method_is_named() -> None:
    def other(payload: bytes) -> bytes:
        return msgspec.structs.replace(decode(payload, Terms), method="ecdh").encode()

    with pytest.raises(ProtocolError, match="method vole") as caught:
        align(PEOPLE[:5], PEOPLE, wrap=JunkAtMessage(place("Terms"), other))
    assert caught.value.peer == "guest"


def place(kind: str) -> int:
    """Return which message of a run is the first of this kind, from 1."""
    recorder = Recorder()
    align(PEOPLE[:5], PEOPLE, wrap=recorder)
    return [sent.kind for sent in recorder.sent].index(kind) + 1


def bytes_of(count: int) -> Any:
    return np.zeros(count, np.uint8)


@pytest.mark.parametrize(
    ("kind", "field", "at"),
    [
        (Answer, "folded", 5),
        (Answer, "seal", 5),
        (Answer, "proof", 5),
    ],
)
def test_a_guest_that_cheats_in_one_bit_is_named(kind: type[Message], field: str, at: int) -> None:
    with pytest.raises(ProtocolError, match="proofs of a reply") as caught:
        align(PEOPLE[:5], PEOPLE, wrap=JunkAtMessage(place(kind.__name__), flipped(kind, field, at)))
    assert caught.value.peer == "guest"


@pytest.mark.parametrize(
    ("kind", "field", "at", "rule"),
    [
        (Corrections, "blocks", -1, "holds in every row"),
        (Proof, "digest", 0, "holds in every row"),
        (Commitment, "digest", 3, "the half that it committed to"),
        (Half, "half", 31, "the half that it committed to"),
    ],
)
def test_a_host_that_cheats_in_one_bit_is_named(kind: type[Message], field: str, at: int, rule: str) -> None:
    with pytest.raises(ProtocolError, match=rule) as caught:
        align(PEOPLE[:5], PEOPLE, wrap=JunkAtMessage(place(kind.__name__), flipped(kind, field, at)))
    assert caught.value.peer == "host-1"


def flipped(kind: type[Message], field: str, at: int) -> Any:
    def tamper(payload: bytes) -> bytes:
        said = decode(payload, kind)
        column = getattr(said, field).copy()
        column[at] ^= 1
        return msgspec.structs.replace(said, **{field: column}).encode()

    return tamper


@pytest.mark.parametrize(
    ("junk", "peer"),
    [
        (Half(bytes_of(31)), "host-1"),
        (Commitment(bytes_of(0)), "host-1"),
        (Challenge(bytes_of(32), bytes_of(15)), "guest"),
        (EncodedSet(bytes_of(32), bytes_of(16), bytes_of(32)), "guest"),
    ],
)
def test_a_message_of_another_size_names_its_sender(junk: Message, peer: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        align(PEOPLE[:5], PEOPLE, wrap=JunkAtMessage(place(type(junk).__name__), lambda _: junk.encode()))
    assert caught.value.peer == peer


@pytest.mark.parametrize("security", ["malicious", "semi_honest"])
def test_a_half_of_the_coin_is_there_exactly_when_one_is_tossed(security: Any) -> None:
    settings = Settings(security=security, method="vole")
    recorder = Recorder(payloads=True)
    align(PEOPLE[:5], PEOPLE, settings, wrap=recorder)
    number = [sent.kind for sent in recorder.sent].index("EncodedSet")
    said = decode(recorder.raw[number], EncodedSet)
    other = EncodedSet(said.key, said.elements, bytes_of(32 - len(said.half))).encode()
    with pytest.raises(ProtocolError, match="half of the coin") as caught:
        align(PEOPLE[:5], PEOPLE, settings, wrap=JunkAtMessage(number + 1, lambda _: other))
    assert caught.value.peer == "guest"
