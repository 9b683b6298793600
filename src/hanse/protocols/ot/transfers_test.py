from typing import Any

import numpy as np
import pytest

from hanse.core.roles import GUEST, PartyId
from hanse.protocols.channel import Party, ProtocolError
from hanse.protocols.messages import decode
from hanse.protocols.ot import transfers
from hanse.protocols.ot.transfers import Octets, Sealed
from hanse.protocols.simulation import JunkAtMessage, Recorder, simulate

HOST = PartyId("host-1")
SALT = b"a salt that both know"
COUNT = 300
CHOICES = np.random.default_rng(1).integers(0, 256, -(-COUNT // 8), dtype=np.uint8)
CHOSEN = np.unpackbits(CHOICES, count=COUNT, bitorder="little").astype(bool)


def messages(width: int) -> tuple[Octets, Octets]:
    zeros, ones = np.random.default_rng(2).integers(0, 256, (2, COUNT, width), dtype=np.uint8)
    return zeros, ones


async def transfer(width: int, malicious: bool = False, **options: Any) -> Octets:
    async def guest(me: Party) -> Octets:
        return await transfers.receive(me, me.host, CHOICES, COUNT, width, SALT, malicious=malicious)

    async def host(me: Party) -> None:
        await transfers.send(me, me.guest, *messages(width), SALT, malicious=malicious)

    out = await simulate({GUEST: guest, HOST: host}, **options)
    found = out[GUEST]
    assert found is not None
    return found


@pytest.mark.parametrize("malicious", [False, True])
@pytest.mark.parametrize("width", [1, 16, 64])
async def test_the_receiver_gets_the_messages_it_chose(width: int, malicious: bool) -> None:
    zeros, ones = messages(width)
    assert np.array_equal(await transfer(width, malicious), np.where(CHOSEN[:, None], ones, zeros))


async def test_nothing_that_travels_is_a_message_in_the_clear() -> None:
    recorder = Recorder(payloads=True)
    await transfer(16, wrap=recorder)
    zeros, ones = messages(16)
    sealed = decode(recorder.raw[-1], Sealed)
    assert not (sealed.zeros.reshape(-1, 16) == zeros).all(axis=1).any()
    assert not (sealed.ones.reshape(-1, 16) == ones).all(axis=1).any()


def test_the_receiver_has_one_of_the_two_keys_and_every_key_is_its_own() -> None:
    rng = np.random.default_rng(3)
    delta, q = rng.bytes(16), rng.integers(0, 256, (COUNT, 16), dtype=np.uint8)
    q[1] = q[0]
    zeros, ones = transfers.both_keys(delta, q, SALT, 32)
    t = q ^ np.where(CHOSEN[:, None], np.frombuffer(delta, np.uint8), 0)
    chosen = transfers.chosen_keys(t, SALT, 32)
    assert np.array_equal(chosen, np.where(CHOSEN[:, None], ones, zeros))
    assert len(np.unique(np.concatenate([zeros, ones]), axis=0)) == 2 * COUNT
    assert not np.array_equal(transfers.chosen_keys(t, b"another salt", 32), chosen)


@pytest.mark.parametrize("sizes", [(16 * COUNT, 16 * COUNT - 1), (0, 0), (17 * COUNT, 17 * COUNT)])
async def test_a_sender_of_other_messages_than_agreed_is_named(sizes: tuple[int, int]) -> None:
    junk = Sealed(*(np.zeros(size, np.uint8) for size in sizes)).encode()
    with pytest.raises(ProtocolError, match="two messages of 16 bytes") as caught:
        await transfer(16, wrap=JunkAtMessage(3, lambda _: junk))
    assert caught.value.peer == HOST


async def test_messages_that_are_too_wide_or_unlike_are_refused() -> None:
    with pytest.raises(ValueError, match="of 1 to 64 bytes"):
        await transfer(65)
    with pytest.raises(ValueError, match="of one shape"):
        await simulate(
            {
                GUEST: lambda me: transfers.receive(me, me.host, CHOICES, COUNT, 16, SALT),
                HOST: lambda me: transfers.send(me, me.guest, messages(16)[0], messages(8)[1], SALT),
            }
        )
