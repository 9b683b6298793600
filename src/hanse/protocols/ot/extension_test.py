from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from hanse.core.roles import GUEST, PartyId
from hanse.kernel import curve, ot
from hanse.protocols.channel import Party, ProtocolError
from hanse.protocols.messages import Message, decode
from hanse.protocols.ot.extension import Answer, Octets, Offer, cot_receiver, cot_sender
from hanse.protocols.simulation import JunkAtMessage, Recorder, simulate

HOST = PartyId("host-1")
SALT = b"a salt that both know"


def bits(count: int, seed: int = 1) -> Octets:
    return np.random.default_rng(seed).integers(0, 256, -(-count // 8), dtype=np.uint8)


async def correlate(
    count: int, choices: Octets | None = None, malicious: bool = False, **options: Any
) -> tuple[bytes, Octets, Octets]:
    """Run both sides; return Δ, q and t."""
    chosen = bits(count) if choices is None else choices
    programs: dict[PartyId, Callable[[Party], Awaitable[Any]]] = {
        GUEST: lambda me: cot_receiver(me, me.host, chosen, count, SALT, malicious=malicious),
        HOST: lambda me: cot_sender(me, me.guest, count, SALT, malicious=malicious),
    }
    out = await simulate(programs, **options)
    return *out[HOST], out[GUEST]


@pytest.mark.parametrize("malicious", [False, True])
@pytest.mark.parametrize("count", [0, 1, 5, 128, 1000, 40_000])
async def test_rows_differ_by_delta_where_the_choice_is_one(count: int, malicious: bool) -> None:
    delta, q, t = await correlate(count, malicious=malicious)
    chosen = np.unpackbits(bits(count), bitorder="little")[:count, None].astype(bool)
    assert q.shape == t.shape == (count, 16)
    assert np.array_equal(q ^ t, np.where(chosen, np.frombuffer(delta, np.uint8), 0))
    assert len(np.unique(t, axis=0)) == count


async def test_delta_and_rows_are_fresh_in_every_run() -> None:
    one, other = await correlate(50, seed=1), await correlate(50, seed=2)
    assert one[0] != other[0]
    assert not (one[2] == other[2]).all(axis=1).any()


@pytest.mark.parametrize(("malicious", "room"), [(False, 3900), (True, 4800)])
async def test_one_round_trip_of_the_stated_size(malicious: bool, room: int) -> None:
    recorder = Recorder()
    await correlate(40_000, malicious=malicious, wrap=recorder)
    assert [(sent.sender, sent.kind) for sent in recorder.sent] == [("host-1", "Offer"), ("guest", "Answer")]
    offer, answer = (sent.size_bytes for sent in recorder.sent)
    assert offer < 8300
    assert answer < 40_000 * 2 + room


async def test_the_answer_hides_the_choices() -> None:
    """All zeros and all ones both travel as fair coins."""
    means: list[float] = []
    for choices in (np.zeros(1000, np.uint8), np.full(1000, 255, np.uint8)):
        recorder = Recorder(payloads=True)
        await correlate(8000, choices, wrap=recorder, seed=len(means))
        means.append(np.unpackbits(decode(recorder.raw[1], Answer).folded).mean())
    assert all(0.49 < mean < 0.51 for mean in means)


async def test_the_offer_is_made_of_canonical_field_elements_whatever_is_chosen() -> None:
    recorder = Recorder(payloads=True)
    await correlate(1, wrap=recorder)
    pairs = np.frombuffer(recorder.raw[0][-256 * 32 :], np.uint8).reshape(-1, 32)
    assert len(curve.map_representatives(pairs)) == 256
    assert len(np.unique(pairs, axis=0)) == 256


def pair(first: bytes, rest: bytes = bytes([7]) + bytes(31)) -> Octets:
    return np.frombuffer(first + rest * (2 * ot.BASES - 1), np.uint8)


@pytest.mark.parametrize(
    "junk",
    [
        Answer(*(np.zeros(32, np.uint8) for _ in range(5))),
        Offer(np.zeros(31, np.uint8)),
        Offer(np.zeros(0, np.uint8)),
        Offer(pair(b"\xff" * 32)),
        Offer(pair((2**255 - 19).to_bytes(32, "little"))),
    ],
    ids=["out of turn", "part of a pair", "no pairs", "beyond the field", "the prime itself"],
)
async def test_a_sender_whose_offer_cannot_be_is_named(junk: Message) -> None:
    with pytest.raises(ProtocolError) as caught:
        await correlate(100, wrap=JunkAtMessage(1, lambda _: junk.encode()))
    assert caught.value.peer == "host-1"


def answer(point: bytes, *sizes: int) -> Answer:
    return Answer(np.frombuffer(point, np.uint8), *(np.zeros(size, np.uint8) for size in sizes))


LEVELS, FOLDED, SEAL, PROOF = ot.reply_sizes(100, checked=True)
BASE_POINT = bytes([9]) + bytes(31)
ON_THE_TWIST = bytes([2]) + bytes(31)
"""2³ + A·2² + 2 is no square."""


@pytest.mark.parametrize(
    "junk",
    [
        Offer(np.zeros(32, np.uint8)),
        answer(bytes(31), LEVELS, FOLDED, SEAL, PROOF),
        answer(BASE_POINT, LEVELS - 1, FOLDED, SEAL, PROOF),
        answer(BASE_POINT, LEVELS, FOLDED + 16, SEAL, PROOF),
        answer(BASE_POINT, LEVELS, FOLDED - 16, 0, 0),
        answer(bytes(32), LEVELS, FOLDED, SEAL, PROOF),
        answer(bytes([1]) + bytes(31), LEVELS, FOLDED, SEAL, PROOF),
        answer(b"\xff" * 32, LEVELS, FOLDED, SEAL, PROOF),
        answer(ON_THE_TWIST, LEVELS, FOLDED, SEAL, PROOF),
        answer(BASE_POINT, LEVELS, FOLDED, SEAL, PROOF),
    ],
    ids="kind point levels folded unproven zero order-4 canonical twist made-up".split(),
)
async def test_a_receiver_whose_answer_cannot_be_is_named(junk: Message) -> None:
    with pytest.raises(ProtocolError) as caught:
        await correlate(100, malicious=True, wrap=JunkAtMessage(2, lambda _: junk.encode()))
    assert caught.value.peer == "guest"


@pytest.mark.parametrize("part", ["folded", "seal", "proof"])
async def test_a_receiver_that_cheats_is_named_when_malice_is_expected(part: str) -> None:
    """One bit: another choice in one group of columns only, or a claim that does not hold."""

    def tamper(payload: bytes) -> bytes:
        said = decode(payload, Answer)
        cheat = getattr(said, part).copy()
        cheat[3] ^= 4
        return msgspec.structs.replace(said, **{part: cheat}).encode()

    with pytest.raises(ProtocolError, match="proofs of a reply") as caught:
        await correlate(1000, malicious=True, wrap=JunkAtMessage(2, tamper))
    assert caught.value.peer == "guest"


async def test_too_many_transfers_at_once_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="transfers at once"):
        await correlate(ot.MOST + 1, np.zeros(1, np.uint8))
