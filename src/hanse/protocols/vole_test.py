import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from hanse.core.roles import GUEST, PartyId
from hanse.kernel.vole import Density, Width
from hanse.protocols import vole
from hanse.protocols.channel import Party, ProtocolError
from hanse.protocols.messages import Message, decode
from hanse.protocols.ot.extension import Answer
from hanse.protocols.simulation import JunkAtMessage, Recorder, simulate
from hanse.protocols.vole import Challenge, Corrections, Proof, Receiver, Sender

HOST = PartyId("host-1")
SALT = bytes(range(32))


async def correlate(
    size: int,
    width: Width = 8,
    code: Density = "fast",
    *,
    host_size: int | None = None,
    malicious: bool = False,
    **options: Any,
) -> tuple[Sender, Receiver]:
    hosts = size if host_size is None else host_size
    programs: dict[PartyId, Callable[[Party], Awaitable[Any]]] = {
        GUEST: lambda me: vole.guest(me, me.host, size, width, code, SALT, malicious=malicious),
        HOST: lambda me: vole.host(me, me.guest, hosts, width, code, SALT, malicious=malicious),
    }
    out = await simulate(programs, **options)
    return out[HOST], out[GUEST]


def linear(delta: bytes, differences: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> bool:
    """Whether equal sums of values have equal sums of differences: the differences are a linear map of the values.

    And not the zero map: a linear map that is not zero and maps a hundred random values so is right with its Δ.
    """
    rows = np.concatenate([values, differences], axis=1)
    bits = np.unpackbits(rows, axis=1, bitorder="little").astype(bool)
    rank = 0
    for column in range(8 * values.shape[1]):
        pivot = rank + int(np.argmax(bits[rank:, column]))
        assert bits[pivot, column]
        bits[[rank, pivot]] = bits[[pivot, rank]]
        others = bits[:, column].copy()
        others[rank] = False
        bits[others] ^= bits[rank]
        rank += 1
    # the row whose value is 1 now maps to Δ, and rows beyond the rank map zero to zero
    image_of_one = np.packbits(bits[0, 8 * values.shape[1] :], bitorder="little").tobytes()
    return image_of_one == delta and not bits[rank:].any()


@pytest.mark.parametrize(
    ("width", "code", "malicious"),
    [(8, "conservative", False), (8, "fast", False), (16, "conservative", False), (16, "fast", True)],
)
async def test_the_two_sides_hold_one_correlation(width: Width, code: Density, malicious: bool) -> None:
    sender, receiver = await correlate(500, width, code, malicious=malicious)
    assert (len(sender.b), len(receiver.c), len(receiver.a)) == (8000, 8000, 500 * width)
    differences = (sender.b ^ receiver.c).reshape(500, 16)
    assert linear(sender.delta, differences, receiver.a.reshape(500, width))


async def test_every_run_draws_anew() -> None:
    (one, a), (other, b) = await correlate(3, seed=1), await correlate(3, seed=2)
    assert one.delta != other.delta
    assert not np.array_equal(a.a, b.a)


async def test_the_messages_and_their_sizes() -> None:
    recorder = Recorder()
    await correlate(1 << 20, wrap=recorder)
    kinds = [(sent.sender, sent.kind) for sent in recorder.sent]
    assert kinds == [("host-1", "Offer"), ("guest", "Answer"), ("host-1", "Corrections")]
    assert sum(sent.size_bytes for sent in recorder.sent) < 310_000


async def test_a_guest_that_expects_another_size_is_named() -> None:
    with pytest.raises(ProtocolError) as caught:
        await correlate(1 << 17, host_size=1 << 18)
    assert caught.value.peer == GUEST


@pytest.mark.parametrize(
    "junk",
    [
        Corrections(np.zeros(0, np.uint8)),
        Corrections(np.zeros(16 * (512 * 17 + 1), np.uint8)),
        Answer(*(np.zeros(32, np.uint8) for _ in range(5))),
    ],
    ids=["none", "other size", "other kind"],
)
async def test_a_host_whose_corrections_cannot_be_is_named(junk: Message) -> None:
    with pytest.raises(ProtocolError) as caught:
        await correlate(100, wrap=JunkAtMessage(3, lambda _: junk.encode()))
    assert caught.value.peer == HOST


async def test_with_malice_expected_the_host_proves_its_rows() -> None:
    recorder = Recorder()
    await correlate(300, 16, malicious=True, wrap=recorder)
    kinds = [sent.kind for sent in recorder.sent]
    assert kinds == ["Offer", "Answer", "Corrections", "Challenge", "Proof"]


async def test_with_malice_expected_elements_have_sixteen_bytes() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        await correlate(300, 8, malicious=True)


@pytest.mark.parametrize("place", [0, 16 * 14 * 600, -1], ids=["a level", "a level of a tree of parities", "a sum"])
async def test_a_host_that_cheats_in_one_bit_is_named_when_the_guest_depends_on_it(place: int) -> None:
    """A wrong sum of a level matters to the half of the guests whose path does not go there; a tree's sum to all."""

    def tamper(payload: bytes) -> bytes:
        blocks = decode(payload, Corrections).blocks.copy()
        blocks[place] ^= 1
        return Corrections(blocks).encode()

    def attempt(seed: int) -> Awaitable[Any]:
        return correlate(300, 16, malicious=True, seed=seed, wrap=JunkAtMessage(3, tamper))

    ends = [*await asyncio.gather(*(attempt(seed) for seed in range(6)), return_exceptions=True)]
    named = [end for end in ends if isinstance(end, ProtocolError)]
    assert all(error.peer == HOST and "holds in every row" in str(error) for error in named)
    assert not any(isinstance(end, Exception) for end in ends if end not in named)
    assert len(named) == 6 if place == -1 else 0 < len(named) < 6


@pytest.mark.parametrize("size", [0, 31, 33])
async def test_a_proof_of_another_size_names_the_host(size: int) -> None:
    junk = Proof(np.zeros(size, np.uint8)).encode()
    with pytest.raises(ProtocolError) as caught:
        await correlate(300, 16, malicious=True, wrap=JunkAtMessage(5, lambda _: junk))
    assert caught.value.peer == HOST


@pytest.mark.parametrize(("seed", "masked"), [(31, 16), (32, 15), (0, 0)])
async def test_a_challenge_of_another_size_names_the_guest(seed: int, masked: int) -> None:
    junk = Challenge(np.zeros(seed, np.uint8), np.zeros(masked, np.uint8)).encode()
    with pytest.raises(ProtocolError) as caught:
        await correlate(300, 16, malicious=True, wrap=JunkAtMessage(4, lambda _: junk))
    assert caught.value.peer == GUEST
