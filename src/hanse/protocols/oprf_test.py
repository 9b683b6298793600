"""The oblivious function against the owner's own evaluation, and against peers that deviate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.core.roles import GUEST, PartyId
from hanse.kernel import curve
from hanse.kernel.ids import Ids
from hanse.protocols.channel import Party, ProtocolError
from hanse.protocols.oprf import LEAST_BLOCK, MOST_BLOCK, Key, OprfAsked, OprfBlinded, OprfEvaluated, answer, ask
from hanse.protocols.simulation import Recorder, SeededEntropy, Wrap, simulate

HOST = PartyId("host-1")
KEY = Key.draw(SeededEntropy(1, HOST))
MOST = 1 << 20
FEW = Ids.from_strings(["ann", "", "身份证", "x" * 200, "bob"])
Role = Callable[[Party], Awaitable[Any]]


def play(guest: Role, host: Role, wrap: Wrap | None = None, seed: int = 0) -> dict[PartyId, Any]:
    return asyncio.run(simulate({GUEST: guest, HOST: host}, seed=seed, wrap=wrap))


def asking(ids: Ids) -> Role:
    return lambda me: ask(me.host, ids, KEY.epoch, me.rng)


def answering(most: int = MOST) -> Role:
    return lambda me: answer(me.guest, KEY, most)


@pytest.mark.parametrize("count", [0, 1, LEAST_BLOCK, LEAST_BLOCK + 1, 8 * LEAST_BLOCK + 1, MOST_BLOCK])
def test_who_asks_gets_what_the_owner_computes(count: int) -> None:
    ids = Ids.from_strings([f"id-{number}" for number in range(count)])
    found = play(asking(ids), answering())
    assert np.array_equal(found[GUEST], KEY.evaluate(ids))
    assert found[HOST] == count


def test_values_of_other_ids_keys_and_epochs_are_others() -> None:
    values = KEY.evaluate(FEW)
    other = Key.draw(SeededEntropy(2, HOST))
    columns = [values, other.evaluate(FEW), Key(KEY.factor, other.epoch).evaluate(FEW)]
    assert len(np.unique(np.concatenate(columns), axis=0)) == 3 * len(FEW)
    assert np.array_equal(KEY.evaluate(FEW.take(np.array([4, 0]))), values[[4, 0]])


def test_what_is_sent_is_drawn_anew_for_every_id_and_run() -> None:
    twice = Ids.from_strings(["ann"] * 50)
    sent: list[bytes] = []
    for seed in (1, 2):
        recorder = Recorder(payloads=True)
        play(asking(twice), answering(), recorder, seed)
        (payload,) = (raw for one, raw in zip(recorder.sent, recorder.raw, strict=True) if one.kind == "OprfBlinded")
        sent += [payload[start : start + 32] for start in range(len(payload) - 50 * 32, len(payload), 32)]
    assert len(set(sent)) == 100


def test_more_than_the_quota_is_refused_before_a_point_is_multiplied() -> None:
    with pytest.raises(ProtocolError, match="at most 4 ids") as caught:
        play(asking(FEW), answering(most=4))
    assert caught.value.peer == GUEST


def off_curve() -> NDArray[np.uint8]:
    points = np.zeros((100, 32), np.uint8)
    points[:, 0] = np.arange(2, 102)
    bad = curve.on_curve(points)
    assert bad is not None
    found: NDArray[np.uint8] = points[bad]
    return found


@pytest.mark.parametrize(
    ("point", "reason"),
    [(off_curve(), "on"), (np.zeros(32, np.uint8), "no id has"), (np.full(32, 255, np.uint8), "points of the curve")],
    ids=["twist", "low order", "not canonical"],
)
def test_a_guest_that_sends_what_is_no_point_of_the_curve_is_named(point: NDArray[np.uint8], reason: str) -> None:
    async def cheat(me: Party) -> None:
        await me.host.send(OprfAsked(1))
        await me.host.send(OprfBlinded(point))

    with pytest.raises(ProtocolError, match=reason) as caught:
        play(cheat, answering())
    assert caught.value.peer == GUEST


@pytest.mark.parametrize(
    "points", [np.zeros(32 * 4, np.uint8), np.zeros(32 * 5, np.uint8), np.full(32 * 5, 255, np.uint8)]
)
def test_a_host_that_answers_with_what_is_no_point_is_named(points: NDArray[np.uint8]) -> None:
    async def cheat(me: Party) -> None:
        await me.guest.recv(OprfAsked)
        await me.guest.recv(OprfBlinded)
        await me.guest.send(OprfEvaluated(points))

    with pytest.raises(ProtocolError) as caught:
        play(asking(FEW), cheat)
    assert caught.value.peer == HOST
