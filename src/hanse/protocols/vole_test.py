from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from hanse.core.roles import GUEST, PartyId
from hanse.kernel.vole import Density, Width
from hanse.protocols import vole
from hanse.protocols.channel import Party, ProtocolError
from hanse.protocols.messages import Message
from hanse.protocols.ot.extension import Answer
from hanse.protocols.simulation import JunkAtMessage, Recorder, simulate
from hanse.protocols.vole import Corrections, Receiver, Sender

HOST = PartyId("host-1")
SALT = bytes(range(32))


async def correlate(
    size: int, width: Width = 8, code: Density = "fast", host_size: int | None = None, **options: Any
) -> tuple[Sender, Receiver]:
    programs: dict[PartyId, Callable[[Party], Awaitable[Any]]] = {
        GUEST: lambda me: vole.guest(me, me.host, size, width, code, SALT),
        HOST: lambda me: vole.host(me, me.guest, size if host_size is None else host_size, width, code, SALT),
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


@pytest.mark.parametrize(("width", "code"), [(8, "conservative"), (8, "fast"), (16, "conservative")])
async def test_the_two_sides_hold_one_correlation(width: Width, code: Density) -> None:
    sender, receiver = await correlate(500, width, code)
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
