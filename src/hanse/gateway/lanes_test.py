import asyncio

import pytest

from hanse.core.ids import JobId, TaskName
from hanse.core.roles import PartyId
from hanse.gateway.lanes import CALL_BYTES, CONTROL_BYTES, LANE_BYTES, Lanes
from hanse.gateway.replay import REPLAY_BYTES, Replay
from hanse.gateway.shapes import AttemptKey
from hanse.gateway.wire import WINDOW_BYTES, Call, Piece, Reply, Route, Taken, cost, decode

MIB = 1 << 20


def key(number: int) -> AttemptKey:
    return AttemptKey(JobId(f"job-{number}"), TaskName("t"), 1)


def piece(number: int) -> Piece:
    return Piece(Route(*key(number), PartyId("guest"), PartyId("host-1")), 0, 0, False)


async def test_attempts_take_turns_and_control_goes_first() -> None:
    lanes = Lanes(lambda: None)
    for number in (1, 2):
        lanes.open(key(number))
        for _ in range(3):
            await lanes.push(key(number), piece(number), bytes(MIB))
    lanes.push_control(Call(7))
    popped = [lanes.pop(pieces=True) for _ in range(7)]
    heads = [frame[0] for frame in popped if frame]
    assert heads == [Call(7), piece(1), piece(2), piece(1), piece(2), piece(1), piece(2)]
    assert lanes.pop(pieces=True) is None


async def test_a_full_lane_holds_its_writer_back_until_something_leaves() -> None:
    lanes = Lanes(lambda: None)
    lanes.open(key(1))
    for _ in range(LANE_BYTES // MIB):
        await lanes.push(key(1), piece(1), bytes(MIB))
    waiting = asyncio.create_task(lanes.push(key(1), piece(1), b"more"))
    await asyncio.sleep(0)
    assert not waiting.done()
    lanes.pop(pieces=True)
    await waiting
    blocked = [asyncio.create_task(lanes.push(key(1), piece(1), bytes(MIB))) for _ in range(3)]
    await asyncio.sleep(0)
    lanes.drop(key(1))
    await asyncio.gather(*blocked)
    assert lanes.pop(pieces=True) is None


async def test_the_window_of_an_attempt_stops_it_and_a_grant_lets_it_go_on() -> None:
    lanes = Lanes(lambda: None)
    lanes.open(key(1))
    sent = 0
    for _ in range(WINDOW_BYTES // MIB):
        await lanes.push(key(1), piece(1), bytes(MIB))
        sent += lanes.pop(pieces=True) is not None
    assert sent == WINDOW_BYTES // MIB - 1
    with pytest.raises(ValueError, match="never sent"):
        lanes.grant(key(1), WINDOW_BYTES)
    lanes.grant(key(1), cost(bytes(MIB)))
    assert lanes.pop(pieces=True) is not None


async def test_without_pieces_only_control_leaves_and_a_call_can_be_withdrawn() -> None:
    lanes = Lanes(lambda: None)
    lanes.open(key(1))
    await lanes.push(key(1), piece(1), b"x")
    lanes.push_control(Call(1))
    lanes.push_control(Call(2))
    lanes.withdraw_call(1)
    assert lanes.pop(pieces=False) == (Call(2), b"")
    assert lanes.pop(pieces=False) is None
    lanes.leave(key(1))
    assert lanes.pop(pieces=True) == (piece(1), b"x")
    await lanes.push(key(1), piece(1), b"dropped: the lane has gone")
    assert lanes.pop(pieces=True) is None


def test_replay_keeps_what_is_not_acknowledged_and_says_it_again() -> None:
    replay = Replay()
    for number in range(1, 6):
        replay.add(Call(number), b"")
    replay.acknowledge(2)
    replay.acknowledge(1)
    replay.resume(3)
    assert [decode(replay.frame(number))[:2] for number in (4, 5)] == [(4, Call(4)), (5, Call(5))]
    with pytest.raises(ValueError, match="acknowledges frame 6 of 5"):
        replay.acknowledge(6)
    with pytest.raises(ValueError, match="forgotten frames 3 to 3"):
        replay.resume(2)


def test_replay_is_full_at_its_cap_and_not_when_acknowledged() -> None:
    replay = Replay()
    route = piece(1).route
    while not replay.is_full:
        replay.add(Taken(route, 1), bytes(MIB))
    assert replay.sent <= REPLAY_BYTES // MIB
    replay.acknowledge(replay.sent)
    assert not replay.is_full


def test_replay_is_overrun_by_bytes_and_not_when_acknowledged() -> None:
    replay = Replay()
    for number in range(2 * REPLAY_BYTES // MIB):
        assert not replay.is_overrun
        replay.add(Reply(number), bytes(MIB))
    assert replay.is_overrun
    replay.acknowledge(1)
    assert not replay.is_overrun


def test_control_frames_are_capped_by_bytes_and_calls_leave_room_for_replies() -> None:
    lanes = Lanes(lambda: None)
    for number in range(CALL_BYTES // MIB - 1):
        lanes.push_control(Call(number), bytes(MIB))
    with pytest.raises(OverflowError, match="calls of"):
        lanes.push_control(Call(99), bytes(MIB))
    for number in range((CONTROL_BYTES - CALL_BYTES) // MIB):
        lanes.push_control(Reply(number), bytes(MIB))
    with pytest.raises(OverflowError, match="control frames of"):
        lanes.push_control(Reply(99), bytes(MIB))
    lanes.withdraw_call(0)
    lanes.push_control(Call(99), bytes(MIB))
    while lanes.pop(pieces=False) is not None:
        pass
    for number in range(CONTROL_BYTES // MIB - 1):
        lanes.push_control(Reply(number), bytes(MIB))
    lanes.drop_all()
    lanes.push_control(Call(1), bytes(MIB))
