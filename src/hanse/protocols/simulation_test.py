import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
import pytest

from hanse.core.events import Note
from hanse.core.faults import HanseError
from hanse.core.roles import PartyId
from hanse.core.specs import Disclosure
from hanse.protocols.channel import Party, PeerLost, ProtocolError
from hanse.protocols.messages import Message
from hanse.protocols.simulation import (
    JunkAtMessage,
    KillAtCheckpoint,
    KillAtMessage,
    Killed,
    MemoryAttempt,
    Recorder,
    SeededEntropy,
    both,
    simulate,
)

GUEST, HOST = PartyId("guest"), PartyId("host-1")
Program = Callable[[Party], Awaitable[Any]]


class Number(Message, frozen=True):
    """guest ⇄ host: a number."""

    value: Annotated[int, msgspec.Meta(ge=0)]


class Kept(msgspec.Struct):
    total: int
    rounds: int


async def play(guest: Program, host: Program, **options: Any) -> dict[PartyId, Any]:
    return await simulate({GUEST: guest, HOST: host}, **options)


async def ask(me: Party) -> int:
    await me.host.send(Number(20))
    return (await me.host.recv(Number)).value


async def double(me: Party) -> None:
    await me.guest.send(Number(2 * (await me.guest.recv(Number)).value))


async def count(me: Party) -> int:
    """Both sides: four rounds with a checkpoint after each."""
    state = me.resumed(Kept) or Kept(0, 0)
    (peer,) = me.everyone
    while state.rounds < 4:
        await peer.send(Number(state.rounds + 1))
        state.total += (await peer.recv(Number)).value
        state.rounds += 1
        me.checkpoint(state)
        await me.spend(1)
    return state.total


async def test_each_party_returns_what_its_program_returns() -> None:
    assert await play(ask, double) == {GUEST: 40, HOST: None}


async def test_parties_that_wait_for_one_another_end_in_an_error() -> None:
    async def wait(me: Party) -> None:
        (peer,) = me.everyone
        await peer.recv(Number)

    with pytest.raises(HanseError) as caught:
        await play(wait, wait)
    assert caught.value.fault.code == "simulation.deadlock"
    assert "guest waits for host-1" in caught.value.fault.cause


async def test_a_deadlock_on_forked_streams_is_seen_too() -> None:
    async def send_on_one(me: Party) -> None:
        await me.host.fork(1).send(Number(1))
        await me.host.fork(1).recv(Number)

    async def wait_on_two(me: Party) -> None:
        await asyncio.gather(me.guest.fork(1).recv(Number), me.guest.fork(2).recv(Number))

    with pytest.raises(HanseError, match=r"simulation\.deadlock"):
        await play(send_on_one, wait_on_two)


async def test_work_in_threads_is_no_deadlock() -> None:
    async def think(me: Party) -> None:
        await me.guest.recv(Number)
        await me.guest.send(Number(await asyncio.to_thread(sum, range(10))))

    assert (await play(ask, think))[GUEST] == 45


async def test_streams_keep_their_own_order() -> None:
    async def send(me: Party) -> None:
        for stream, value in ((2, 20), (0, 1), (2, 21), (0, 2)):
            await me.host.fork(stream).send(Number(value))

    async def receive(me: Party) -> list[int]:
        second = me.guest.fork(2)
        return [(await peer.recv(Number)).value for peer in (me.guest, me.guest, second, second)]

    assert (await play(send, receive))[HOST] == [1, 2, 20, 21]


async def test_a_peer_that_ended_is_lost_and_not_waited_for() -> None:
    async def leave(me: Party) -> None:
        await me.guest.recv(Number)

    with pytest.raises(PeerLost) as caught:
        await play(ask, leave)
    assert caught.value.peer == HOST


async def test_the_cause_is_told_and_not_its_echo() -> None:
    async def lie(me: Party) -> None:
        await me.guest.send(Number(-1))

    with pytest.raises(ProtocolError) as caught:
        await play(ask, lie)
    assert caught.value.peer == HOST

    async def stumble(me: Party) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await play(ask, stumble)


async def test_a_message_that_nobody_reads_is_an_error() -> None:
    async def chatter(me: Party) -> None:
        await double(me)
        await me.guest.send(Number(1))

    with pytest.raises(HanseError, match=r"simulation\.unread.*host-1 → guest: Number"):
        await play(ask, chatter)


async def test_the_recorder_writes_down_every_message() -> None:
    recorder = Recorder(payloads=True)
    await play(ask, double, wrap=recorder)
    assert [(s.sender, s.receiver, s.stream, s.kind, s.size_bytes) for s in recorder.sent] == [
        (GUEST, HOST, 0, "Number", len(recorder.raw[0])),
        (HOST, GUEST, 0, "Number", len(recorder.raw[1])),
    ]
    assert recorder.raw[1] == Number(40).encode()


async def test_junk_replaces_one_message_and_its_sender_is_known() -> None:
    junk = JunkAtMessage(2, lambda raw: raw[:-1])
    recorder = Recorder()
    with pytest.raises(ProtocolError) as caught:
        await play(ask, double, wrap=both(recorder, junk))
    assert caught.value.peer == junk.culprit == HOST
    assert len(recorder.sent) == 2


@pytest.mark.parametrize("nth", range(1, 9))
@pytest.mark.parametrize("death", [KillAtMessage, KillAtCheckpoint])
async def test_who_is_killed_anywhere_and_restarted_ends_the_same(nth: int, death: Any) -> None:
    attempts = {GUEST: MemoryAttempt(), HOST: MemoryAttempt()}
    with pytest.raises(Killed):
        await play(count, count, attempts=attempts, wrap=death(nth))
    assert await play(count, count, attempts=attempts) == {GUEST: 10, HOST: 10}
    assert set(attempts[GUEST].checkpoints) == {3, 4}


async def test_files_in_a_partys_scratch_folder_outlive_its_attempt_and_are_its_own() -> None:
    async def add(me: Party) -> list[str]:
        (me.scratch / f"{me.id}-{len(list(me.scratch.iterdir()))}").touch()
        return sorted(path.name for path in me.scratch.iterdir())

    attempts = {GUEST: MemoryAttempt(), HOST: MemoryAttempt()}
    await play(add, add, attempts=attempts, wrap=both(Recorder(), KillAtCheckpoint(1)))
    assert await play(add, add, attempts=attempts) == {GUEST: ["guest-0", "guest-1"], HOST: ["host-1-0", "host-1-1"]}


async def test_what_a_party_keeps_is_its_own_alone_and_is_found_by_the_next_job() -> None:
    async def add(me: Party) -> tuple[list[str], int]:
        (me.kept / f"{me.id}-{len(list(me.kept.iterdir()))}").touch()
        return sorted(path.name for path in me.kept.iterdir()), me.kept.stat().st_mode & 0o777

    first = {GUEST: MemoryAttempt(), HOST: MemoryAttempt()}
    await play(add, add, attempts=first, wrap=Recorder())
    later = {GUEST: MemoryAttempt(after=first[GUEST]), HOST: MemoryAttempt()}
    del first
    assert await play(add, add, attempts=later, wrap=KillAtCheckpoint(1)) == {
        GUEST: (["guest-0", "guest-1"], 0o700),
        HOST: (["host-1-0"], 0o700),
    }


async def test_what_an_earlier_run_spent_counts_as_used() -> None:
    async def used(me: Party) -> int:
        await me.spend(3)
        return me.disclosure.used

    attempts = {GUEST: MemoryAttempt()}
    allowed = Disclosure(used=5, limit=0.5)
    first = await simulate({GUEST: used}, attempts=attempts, disclosure=allowed)
    second = await simulate({GUEST: used}, attempts=attempts, disclosure=allowed)
    assert (first[GUEST], second[GUEST], attempts[GUEST].spent) == (5, 8, 6)


async def test_reports_stay_with_the_attempt() -> None:
    async def say(me: Party) -> None:
        me.note("hello")

    attempts = {GUEST: MemoryAttempt()}
    await simulate({GUEST: say}, attempts=attempts)
    assert attempts[GUEST].events == [Note("hello")]


def test_seeds_repeat_under_one_seed_and_never_within_a_run() -> None:
    def draw(*key: Any) -> list[bytes]:
        entropy = SeededEntropy(*key)
        return [entropy.seed() for _ in range(100)]

    assert draw(1, GUEST) == draw(1, GUEST)
    drawn = [*draw(1, GUEST), *draw(1, HOST), *draw(2, GUEST), *draw(1, GUEST, 3)]
    assert len(set(drawn)) == 400
    assert {len(seed) for seed in drawn} == {32}
