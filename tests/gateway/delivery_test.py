"""Messages between two attempts arrive whole, once and in order, whatever happens to the link."""

from __future__ import annotations

import asyncio
import hashlib
import os

import pytest
from tests.gateway.house import GUEST, HOST, IMPATIENT, JOB, TASK, House, Process
from tests.network.proxy import Proxy, wait_until

from hanse.core import frames
from hanse.core.events import Note
from hanse.core.faults import Fault, HanseError
from hanse.core.roles import PartyId


async def attach_both(bank: House, telecom: House, parties: dict, attempt: int = 1) -> tuple[Process, Process]:
    guest = await Process.attach(bank, bank.open(parties, attempt))
    host = await Process.attach(telecom, telecom.open(parties, attempt))
    return guest, host


async def test_a_message_of_50_mb_arrives_whole_and_both_transcripts_agree(
    bank: House, telecom: House, linked: dict
) -> None:
    guest, host = await attach_both(bank, telecom, linked)
    payload = os.urandom(50_000_000)
    _, received = await asyncio.gather(guest.send_message(HOST, payload, stream=3), host.recv_message())
    assert hashlib.sha256(received).digest() == hashlib.sha256(payload).digest()
    await host.send_message(GUEST, b"")
    assert await guest.recv_message() == b""
    sent, taken = bank.close(), telecom.close()
    assert sent.bytes_sent == {HOST: 50_000_000}
    assert taken.bytes_received == {GUEST: 50_000_000}
    ours = {(line.stream, line.messages, line.sha256) for line in sent.digests}
    assert ours == {(line.stream, line.messages, line.sha256) for line in taken.digests}
    assert len(ours) == 2
    guest.close()
    host.close()


@pytest.mark.parametrize("harm", ["cut", "freeze"])
async def test_a_link_that_fails_again_and_again_loses_and_doubles_nothing(
    bank: House, telecom: House, parties: dict, harm: str
) -> None:
    noise = os.urandom(1 << 20)
    messages = [noise[number : number * 4999 + 1] for number in range(150)]
    async with Proxy(telecom.port) as proxy:
        telecom.gateway.pin(bank.peer())
        bank.gateway.pin(telecom.peer(proxy.address))
        guest, host = await attach_both(bank, telecom, parties)

        async def send(process: Process, peer: PartyId) -> None:
            for message in messages:
                await process.send_message(peer, message)

        async def break_the_link() -> None:
            for step in range(1, 4):
                mark = proxy.carried_bytes + 5_000_000 * step
                await wait_until(lambda mark=mark: proxy.carried_bytes >= mark)
                connections = proxy.connections
                if harm == "cut":
                    proxy.cut()
                    await wait_until(lambda: not bank.is_linked_to(telecom) and not telecom.is_linked_to(bank))
                    proxy.mend()
                else:
                    proxy.freeze()
                    await wait_until(lambda connections=connections: proxy.connections > connections)
                    proxy.thaw()

        async def receive(process: Process) -> list[bytes]:
            return [await process.recv_message() for _ in messages]

        _, _, at_host, at_guest, _ = await asyncio.gather(
            send(guest, HOST), send(host, GUEST), receive(host), receive(guest), break_the_link()
        )
        assert at_host == messages
        assert at_guest == messages
        assert proxy.connections >= 4
        assert bank.side.lines == telecom.side.lines == []
        guest.close()
        host.close()


async def test_both_dial_at_once_and_one_connection_stays(bank: House, telecom: House, parties: dict) -> None:
    bank.gateway.pin(telecom.peer(f"127.0.0.1:{telecom.port}"))
    telecom.gateway.pin(bank.peer(f"127.0.0.1:{bank.port}"))
    guest, host = await attach_both(bank, telecom, parties)
    for number in range(50):
        await guest.send_message(HOST, b"%d" % number)
        assert await host.recv_message() == b"%d" % number
    assert bank.side.lines == telecom.side.lines == []
    guest.close()
    host.close()


async def test_frames_that_come_before_the_attempt_is_opened_wait_for_it(
    bank: House, telecom: House, linked: dict
) -> None:
    guest = await Process.attach(bank, bank.open(linked))
    await guest.send_message(HOST, b"early")
    await guest.send(frames.Leave(True))
    assert await guest.recv() == (frames.Leave(True), b"")
    assert await bank.gateway.call(telecom.id, b"between") == b"BETWEEN"
    host = await Process.attach(telecom, telecom.open(linked))
    assert await host.recv_message() == b"early"
    assert await host.recv() == (frames.Gone(GUEST, None), b"")
    guest.close()
    host.close()


async def test_what_an_attempt_sent_before_it_ended_still_arrives(bank: House, telecom: House, linked: dict) -> None:
    guest = await Process.attach(bank, bank.open(linked))
    token = telecom.open(linked)
    payload = os.urandom(11_000_000)
    await guest.send_message(HOST, payload)
    await guest.send(frames.Leave(True))
    assert await guest.recv() == (frames.Leave(True), b"")
    assert bank.close().bytes_sent == {HOST: 11_000_000}
    host = await Process.attach(telecom, token)
    assert await host.recv_message() == payload
    assert await host.recv() == (frames.Gone(GUEST, None), b"")
    guest.close()
    host.close()


async def test_a_process_that_does_not_read_holds_its_own_sender_back_and_nobody_else(
    bank: House, telecom: House, linked: dict
) -> None:
    stuck = await Process.attach(bank, bank.open(linked))
    telecom.open(linked)
    flood = asyncio.create_task(stuck.send_message(HOST, bytes(200 << 20)))
    guest, host = await attach_both(bank, telecom, linked, attempt=2)
    for number in range(20):
        await guest.send_message(HOST, b"%d" % number)
        assert await host.recv_message() == b"%d" % number
    assert not flood.done()
    assert telecom.close(1).bytes_received[GUEST] <= 8 << 20
    flood.cancel()
    for process in (stuck, guest, host):
        process.close()


async def test_calls_are_answered_in_both_directions_and_a_fault_keeps_its_cause_at_home(
    bank: House, telecom: House, linked: dict
) -> None:
    assert await bank.gateway.call(telecom.id, b"order") == b"ORDER"
    assert await telecom.gateway.call(bank.id, b"ended") == b"ENDED"

    async def decline(organisation: str, payload: bytes) -> bytes:
        raise HanseError(Fault("grant.missing", HOST, "order", cause="a secret of the host"))

    telecom.side.answer = decline  # type: ignore[method-assign]
    with pytest.raises(HanseError) as raised:
        await bank.gateway.call(telecom.id, b"order")
    assert raised.value.fault == Fault("grant.missing", HOST, "order")


async def test_a_call_to_a_peer_that_is_away_fails_in_time_and_one_during_a_cut_goes_through(
    bank: House, telecom: House, parties: dict
) -> None:
    async with Proxy(telecom.port) as proxy:
        proxy.cut()
        telecom.gateway.pin(bank.peer())
        bank.gateway.pin(telecom.peer(proxy.address))
        with pytest.raises(HanseError, match=r"peer\.unreachable"):
            await bank.gateway.call(telecom.id, b"lost", timeout_s=0.2)
        call = asyncio.create_task(bank.gateway.call(telecom.id, b"late"))
        proxy.mend()
        assert await call == b"LATE"


async def test_a_spend_waits_for_the_node_and_reports_reach_it(bank: House, telecom: House, linked: dict) -> None:
    telecom.side.limit = 5
    host = await Process.attach(telecom, telecom.open(linked))
    await host.send(frames.Report(Note("half way")))
    await host.send(frames.Spend(1, 5))
    assert await host.recv() == (frames.Spent(1, None), b"")
    await host.send(frames.Spend(2, 1))
    assert await host.recv() == (frames.Spent(2, Fault("disclosure.limit")), b"")
    assert telecom.side.events == [Note("half way")]
    host.close()


async def test_a_restarted_node_ends_the_attempts_it_had_and_starts_new_ones(
    bank: House, telecom: House, linked: dict
) -> None:
    guest, host = await attach_both(bank, telecom, linked)
    await host.send_message(GUEST, b"before")
    assert await guest.recv_message() == b"before"
    await telecom.restart()
    assert await host.ended()
    telecom.gateway.pin(bank.peer())
    head, _ = await guest.recv()
    assert isinstance(head, frames.Gone)
    assert head.fault is not None
    assert (head.peer, head.fault.code) == (HOST, "peer.restarted")
    bank.close(1)
    again, host = await attach_both(bank, telecom, linked, attempt=2)
    await again.send_message(HOST, b"after")
    assert await host.recv_message() == b"after"
    assert bank.side.lines == telecom.side.lines == []
    for process in (guest, again, host):
        process.close()


@pytest.mark.parametrize("bank", [IMPATIENT], indirect=True)
async def test_a_peer_that_stays_away_is_given_up(bank: House, telecom: House, linked: dict) -> None:
    guest = await Process.attach(bank, bank.open(linked))
    await telecom.gateway.stop()
    head, _ = await guest.recv()
    assert isinstance(head, frames.Gone)
    assert head.fault is not None
    assert (head.peer, head.fault.code) == (HOST, "peer.away")
    await telecom.gateway.start("127.0.0.1", 0)
    guest.close()


async def test_a_peer_that_failed_is_named_with_its_fault(bank: House, telecom: House, linked: dict) -> None:
    guest = await Process.attach(bank, bank.open(linked))
    bank.gateway.peer_gone(JOB, TASK, 1, HOST, Fault("attempt.lost", HOST, "align"))
    assert await guest.recv() == (frames.Gone(HOST, Fault("attempt.lost", HOST, "align")), b"")
    bank.gateway.cancel_attempt(JOB, TASK, 1)
    assert await guest.recv() == (frames.Cancel(), b"")
    guest.close()


async def test_the_planner_answers_questions_larger_than_one_frame(bank: House) -> None:
    bank.gateway.expect("word")
    planner = await Process.attach(bank, "word")
    question = os.urandom(3_000_000)
    asking = asyncio.create_task(bank.gateway.ask(question))
    parts = bytearray()
    while True:
        head, body = await planner.recv()
        assert isinstance(head, frames.Ask)
        parts += body
        if head.final:
            break
    assert parts == question
    for body, final in frames.pieces(question[::-1]):
        await planner.send(frames.Answer(head.id, final=final), body)
    assert await asking == question[::-1]
    asking = asyncio.create_task(bank.gateway.ask(b"and now?"))
    await planner.recv()
    planner.close()
    with pytest.raises(HanseError, match=r"planner\.away"):
        await asking
