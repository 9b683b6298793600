"""A peer, a stranger or a process that breaks the rules is refused and logged, and harms its own attempt at most."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.gateway.house import GUEST, HOST, IMPATIENT, JOB, TASK, House, Intruder, Process, make_identity, open_house
from tests.network.proxy import wait_until

from hanse.core import frames
from hanse.core.faults import Fault, HanseError
from hanse.core.ids import OrganisationId
from hanse.core.roles import PartyId
from hanse.gateway import doorstep, lanes, replay, session, wire
from hanse.gateway.certificates import dial_context, is_signed_by, stranger_context
from hanse.gateway.gateway import Gateway
from hanse.gateway.pairing import introduce, post_pairing
from hanse.gateway.session import ANSWERS, QUESTIONS
from hanse.gateway.shapes import PinnedPeer
from hanse.gateway.transcript import Transcript


@pytest.fixture
async def evil(bank: House, telecom: House, parties: dict) -> AsyncIterator[Intruder]:
    """The telecom operator's own keys in the hands of something that keeps no rule; the bank has pinned it."""
    bank.gateway.pin(telecom.peer())
    intruder = await Intruder.dial(telecom.identity, bank)
    yield intruder
    await intruder.close()


async def tell(intruder: Intruder, body: bytes, number: int | None = None, **changes: Any) -> None:
    """Send a whole message from host-1 to the guest as the first on stream 0, with lies."""
    line = Transcript()
    line.add(body, final=True)
    fields: dict[str, Any] = {"job": JOB, "task": TASK, "attempt": 1, "sender": HOST, "receiver": GUEST}
    route = wire.Route(**{key: changes.pop(key, value) for key, value in fields.items()})
    honest: dict[str, Any] = {"route": route, "stream": 0, "offset": 0, "final": True, "digest": line.digest}
    await intruder.say(wire.Piece(**{**honest, **changes}), body, number)


async def test_a_replayed_frame_is_refused_and_taken_once(bank: House, parties: dict, evil: Intruder) -> None:
    guest = await Process.attach(bank, bank.open(parties))
    await evil.greet()
    await tell(evil, b"once")
    await tell(evil, b"once", number=1)
    await wait_until(lambda: bank.side.has_line("replayed frame 1"))
    assert await guest.recv_message() == b"once"
    assert bank.close().digests[0].messages == 1
    guest.close()


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"job": "job-00000000000000ff"}, "a job that it takes no part in"),
        ({"sender": GUEST}, "speaks as 'guest'"),
        ({"sender": "host-2"}, "speaks as 'host-2'"),
        ({"receiver": "host-2"}, "to 'host-2'"),
    ],
)
async def test_a_frame_of_another_job_or_party_is_refused_and_the_attempt_goes_on(
    bank: House, parties: dict, evil: Intruder, lie: dict, reason: str
) -> None:
    guest = await Process.attach(bank, bank.open(parties))
    await evil.greet()
    await tell(evil, b"lie", **lie)
    assert isinstance(await evil.hear(wire.Refused), wire.Refused)
    assert bank.side.has_line(reason)
    await tell(evil, b"truth")
    assert await guest.recv_message() == b"truth"
    guest.close()


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"digest": bytes(32)}, "the transcript digest differs"),
        ({"digest": b""}, "the transcript digest differs"),
        ({"offset": 1}, "offset 1, expected 0"),
        ({"stream": -1}, "no number of a stream"),
        ({"stream": 1 << 31}, "no number of a stream"),
    ],
)
async def test_a_broken_stream_ends_the_attempt_by_name_and_no_other(
    bank: House, parties: dict, evil: Intruder, lie: dict, reason: str
) -> None:
    guest = await Process.attach(bank, bank.open(parties))
    await evil.greet()
    await tell(evil, b"lie", **lie)
    head, _ = await guest.recv()
    assert isinstance(head, frames.Gone)
    assert head.fault is not None
    assert (head.peer, head.fault.code) == (HOST, "link.broken")
    assert bank.side.has_line(reason)
    again = await Process.attach(bank, bank.open(parties, attempt=2))
    await tell(evil, b"truth", attempt=2)
    assert await again.recv_message() == b"truth"
    guest.close()
    again.close()


async def test_a_frame_of_an_older_attempt_is_dropped_and_counted(bank: House, parties: dict, evil: Intruder) -> None:
    guest = await Process.attach(bank, bank.open(parties, attempt=3))
    await evil.greet()
    await tell(evil, b"old", attempt=2)
    await tell(evil, b"new", attempt=3)
    assert await guest.recv_message() == b"new"
    assert bank.close(3).dropped == 1
    assert bank.side.lines == []
    guest.close()


async def test_a_peer_that_ignores_its_window_is_stopped(bank: House, parties: dict, evil: Intruder) -> None:
    bank.open(parties)
    await evil.greet()
    body = bytes(frames.PIECE_BYTES)
    for number in range(12):
        await tell(evil, body, offset=number * len(body), final=False, digest=b"")
    await wait_until(lambda: bank.side.has_line("more than its window"))
    assert bank.close().bytes_received[HOST] <= wire.WINDOW_BYTES


@pytest.mark.parametrize("bank", [IMPATIENT], indirect=True)
async def test_early_frames_are_bounded_in_size_number_and_time(bank: House, parties: dict, evil: Intruder) -> None:
    await evil.greet()
    for attempt in range(1, 40):
        await tell(evil, b"early", attempt=attempt)
    await wait_until(lambda: bank.side.has_line("early frames for more than"))
    body = bytes(frames.PIECE_BYTES)
    for number in range(9):
        await tell(evil, body, offset=5 + number * len(body), final=False, digest=b"")
    await wait_until(lambda: bank.side.has_line("before the attempt began"))
    await wait_until(lambda: bank.side.has_line("never began here"))


async def test_an_oversized_frame_ends_the_connection_and_is_logged(bank: House, parties: dict, evil: Intruder) -> None:
    await evil.greet()
    await evil.socket.send_bytes(os.urandom(wire.FRAME_BYTES + 1))
    assert await evil.is_cut_off()
    await wait_until(lambda: bank.side.has_line("sent what is no frame"))


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\x00" * 12,
        b"\x01" + b"\x00" * 7 + b"\xff\xff\xff\xff",
        b"\x01" + b"\x00" * 7 + b"\x02\x00\x00\x00\xc1\xc1",
        wire.encode(1, wire.Ping(1)),
        wire.encode(0, wire.Call(1), b"x"),
        wire.encode(5, wire.Call(1), b"x"),
        wire.encode(0, wire.Ack(99)),
        wire.encode(1, wire.Taken(wire.Route(JOB, TASK, 1, HOST, GUEST), 1 << 40)),
    ],
)
async def test_junk_on_a_session_ends_the_connection_and_is_logged(
    bank: House, parties: dict, evil: Intruder, junk: bytes
) -> None:
    bank.open(parties)
    await evil.greet()
    await evil.socket.send_bytes(junk)
    assert await evil.is_cut_off()
    await wait_until(lambda: len(bank.side.lines) == 1)
    assert bank.side.lines[0][0] == evil.identity.organisation


@pytest.mark.parametrize("lie", [{"organisation": "0" * 32}, {"version": 99}, {"epoch": 0}])
async def test_a_false_hello_is_refused(bank: House, evil: Intruder, lie: dict) -> None:
    await evil.greet(**lie)
    assert await evil.is_cut_off()
    await wait_until(lambda: len(bank.side.lines) == 1)


async def test_a_certificate_of_an_unknown_root_does_not_pass_the_handshake(
    tmp_path: Path, bank: House, telecom: House, parties: dict
) -> None:
    bank.gateway.pin(telecom.peer())
    stranger = make_identity(tmp_path / "stranger", "telecom")
    with pytest.raises((aiohttp.ClientError, OSError)):
        await Intruder.dial(stranger, bank)
    assert not bank.is_linked_to(telecom)


async def test_an_expired_certificate_does_not_pass_the_handshake(tmp_path: Path, bank: House) -> None:
    expired = make_identity(tmp_path / "expired", "retailer", days=-1)
    bank.gateway.pin(PinnedPeer(expired.organisation, "retailer", expired.root_pem.read_text()))
    with pytest.raises((aiohttp.ClientError, OSError)):
        await Intruder.dial(expired, bank)


async def test_a_linked_organisation_that_is_no_member_of_the_job_is_refused(
    tmp_path: Path, bank: House, telecom: House, linked: dict
) -> None:
    retailer = await open_house(tmp_path, "retailer")
    bank.gateway.pin(retailer.peer())
    guest = await Process.attach(bank, bank.open(linked))
    intruder = await Intruder.dial(retailer.identity, bank)
    await intruder.greet()
    await tell(intruder, b"as the host")
    await tell(intruder, b"as itself", sender="host-2")
    await tell(intruder, b"early", attempt=9)
    for _ in range(3):
        await intruder.hear(wire.Refused)
    assert [line[0] for line in bank.side.lines] == [retailer.id] * 3
    host = await Process.attach(telecom, telecom.open(linked))
    await host.send_message(GUEST, b"the real host")
    assert await guest.recv_message() == b"the real host"
    await intruder.close()
    await retailer.gateway.stop()
    guest.close()
    host.close()


async def test_without_a_client_certificate_only_pairing_can_be_reached(bank: House) -> None:
    root = bank.identity.root_pem.read_text()
    async with aiohttp.ClientSession() as client:
        for method, path in [("GET", "/v1/ws"), ("GET", "/"), ("POST", "/v1/ws"), ("GET", "/v1/pair/../ws")]:
            url = f"https://127.0.0.1:{bank.port}{path}"
            async with client.request(method, url, ssl=stranger_context(root)) as reply:
                assert reply.status == 403
        assert all(source == "stranger" for source, _ in bank.side.lines)
        assert len(bank.side.lines) == 4
        url = f"https://127.0.0.1:{bank.port}/v1/pair"
        async with client.post(url, data=b"no JSON", ssl=stranger_context(root)) as reply:
            assert reply.status == 400
        async with client.post(url, data=bytes(1 << 20), ssl=stranger_context(root)) as reply:
            assert reply.status == 413


async def test_a_stranger_s_bottomless_document_is_refused_like_any_other(bank: House) -> None:
    connector = aiohttp.TCPConnector(ssl=stranger_context(None))
    async with aiohttp.ClientSession(connector=connector) as stranger:
        for document in (b"[]", b"{", b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}"):
            async with stranger.post(f"https://127.0.0.1:{bank.port}/v1/pair", data=document) as reply:
                assert (reply.status, await reply.json()) == (400, {"error": {"code": "pair.unreadable"}})


async def test_pairing_shows_the_certificate_that_the_invitation_can_be_checked_against(
    tmp_path: Path, bank: House
) -> None:
    introduction, leaf = await introduce(f"127.0.0.1:{bank.port}")
    root = bank.identity.root_pem.read_text()
    other = make_identity(tmp_path / "other", "bank").root_pem.read_text()
    assert introduction == {"name": "bank"}
    assert is_signed_by(leaf, root)
    assert not is_signed_by(leaf, other)
    assert await post_pairing(f"127.0.0.1:{bank.port}", {"name": "telecom"}, root) == {"paired": "telecom"}
    with pytest.raises(HanseError, match=r"peer\.unreachable"):
        await post_pairing(f"127.0.0.1:{bank.port}", {"name": "telecom"}, other)
    with pytest.raises(HanseError, match=r"peer\.unreachable"):
        await introduce("127.0.0.1:1")
    with pytest.raises(HanseError, match=r"pair\.address"):
        await introduce("nowhere")


async def test_nothing_below_tls_1_3_is_spoken(bank: House) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", bank.port, ssl=context)


async def test_a_stranger_that_connects_and_says_nothing_whole_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorstep, "HANDSHAKE_S", 0.3)
    monkeypatch.setattr(doorstep, "REQUEST_S", 0.3)
    house = await open_house(tmp_path, "bank")
    context = stranger_context(None)
    address = ("127.0.0.1", house.port)
    mute, mute_writer = await asyncio.open_connection(*address)
    slow, slow_writer = await asyncio.open_connection(*address, ssl=context)
    slow_writer.write(b"GET /v1/pair HTTP/1.1\r\nHost: x\r\n")
    lazy, lazy_writer = await asyncio.open_connection(*address, ssl=context)
    lazy_writer.write(b"POST /v1/pair HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    with contextlib.suppress(ConnectionError):
        assert await mute.read() == b""
    with contextlib.suppress(ConnectionError):
        assert await slow.read() == b""
    assert b" 400 " in await lazy.readline()
    for writer in (mute_writer, slow_writer, lazy_writer):
        writer.close()
    await house.gateway.stop()


async def test_a_suspended_organisation_is_cut_off_and_its_attempts_learn_it(
    bank: House, telecom: House, linked: dict
) -> None:
    guest = await Process.attach(bank, bank.open(linked))
    pinned = telecom.peer()
    bank.gateway.pin(PinnedPeer(pinned.organisation, pinned.name, pinned.root_pem, suspended=True))
    head, _ = await guest.recv()
    assert isinstance(head, frames.Gone)
    assert head.fault is not None
    assert (head.peer, head.fault.code) == (HOST, "peer.suspended")
    with pytest.raises(HanseError, match=r"peer\.unreachable"):
        await bank.gateway.call(telecom.id, b"order")
    await wait_until(lambda: not telecom.is_linked_to(bank))
    intruder = await Intruder.dial(telecom.identity, bank)
    assert await intruder.is_cut_off()
    assert bank.side.has_line("while it is suspended")
    await intruder.close()
    bank.gateway.pin(telecom.peer(f"127.0.0.1:{telecom.port}"))
    assert await bank.gateway.call(telecom.id, b"again") == b"AGAIN"
    guest.close()


async def test_an_unpinned_organisation_is_a_stranger(bank: House, telecom: House, linked: dict) -> None:
    bank.gateway.unpin(telecom.id)
    await wait_until(lambda: not telecom.is_linked_to(bank))
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await Intruder.dial(telecom.identity, bank)
    assert bank.gateway.links() == []


async def test_the_node_at_an_address_must_be_the_organisation_that_was_pinned(
    tmp_path: Path, bank: House, telecom: House
) -> None:
    imposter = await open_house(tmp_path, "imposter")
    imposter.gateway.pin(bank.peer())
    bank.gateway.pin(telecom.peer(f"127.0.0.1:{imposter.port}"))
    with pytest.raises(HanseError, match=r"peer\.unreachable"):
        await bank.gateway.call(telecom.id, b"secret", timeout_s=1.0)
    assert not bank.is_linked_to(telecom)
    await imposter.gateway.stop()


async def test_a_root_must_be_the_one_that_an_id_was_taken_from(bank: House, telecom: House) -> None:
    pinned = telecom.peer()
    for organisation, pem in [(OrganisationId("0" * 32), pinned.root_pem), (pinned.organisation, "no certificate")]:
        with pytest.raises(HanseError, match=r"peer\.root"):
            bank.gateway.pin(PinnedPeer(organisation, "telecom", pem))


async def test_a_wrong_token_and_a_second_process_open_nothing(bank: House, parties: dict) -> None:
    token = bank.open(parties)
    first = await Process.attach(bank, token)
    for wrong in (token, token[:-1], "", "é" * 40):
        process = await Process.attach(bank, wrong)
        assert await process.ended()
        process.close()
    assert [reason for _, reason in bank.side.lines] == [
        "a process on the attempts' socket shows a token that opens nothing"
    ] * 4
    first.close()


@pytest.mark.parametrize(
    "junk",
    [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\x01\0\0\0\0\0\0\0\xc1", b"".join(frames.encode(frames.Cancel()))],
)
async def test_junk_on_the_unix_socket_ends_that_line_only(bank: House, parties: dict, junk: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(bank.gateway.socket_path)
    writer.write(junk)
    assert await reader.read() == b""
    writer.close()
    process = await Process.attach(bank, bank.open(parties))
    process.writer.write(junk)
    assert await process.ended()
    await wait_until(lambda: len(bank.side.lines) == 2)
    process.close()


async def test_an_attempt_may_only_send_to_the_parties_of_its_task(bank: House, telecom: House, linked: dict) -> None:
    process = await Process.attach(bank, bank.open(linked))
    await process.send_message(PartyId("host-2"), b"to nobody")
    assert await process.ended()
    assert bank.side.has_line("its own attempt sends to 'host-2'")
    process.close()


async def test_only_its_own_user_can_reach_the_socket_and_a_long_path_is_shortened(tmp_path: Path) -> None:
    house = await open_house(tmp_path / ("deep" * 20) / ("deeper" * 10), "bank")
    path = house.gateway.socket_path
    assert len(os.fsencode(path)) <= 107
    assert path.parent.stat().st_mode & 0o777 == 0o700
    await house.gateway.stop()
    assert not path.parent.exists()


async def test_a_gateway_whose_port_is_taken_leaves_nothing_behind(tmp_path: Path, bank: House) -> None:
    gateway = Gateway(bank.identity, tmp_path / "second", bank.side)
    with pytest.raises(OSError, match="Address already in use"):
        await gateway.start("127.0.0.1", bank.port)
    await gateway.stop()
    assert not gateway.socket_path.exists()
    await gateway.stop()


async def test_refusals_of_one_source_are_held_to_a_rate(bank: House, parties: dict, evil: Intruder) -> None:
    await evil.greet()
    for _ in range(200):
        await tell(evil, b"x", job="job-00000000000000ff")
    await evil.say(wire.Call(1), b"still here")
    reply = await evil.hear(wire.Reply)
    assert reply == wire.Reply(1)
    assert 30 <= len(bank.side.lines) <= 32


async def test_a_peer_that_asks_and_never_acknowledges_is_broken_off_by_name(
    bank: House, telecom: House, parties: dict, evil: Intruder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "REPLAY_BYTES", 1 << 17)
    monkeypatch.setattr(lanes, "CONTROL_BYTES", 1 << 18)
    guest = await Process.attach(bank, bank.open(parties))
    await evil.greet()
    ended = asyncio.create_task(evil.is_cut_off())
    with contextlib.suppress(ConnectionError):
        while not ended.done():
            await evil.say(wire.Call(evil.number), bytes(1 << 15))
            await asyncio.sleep(0)
    assert await ended
    assert {source for source, _ in bank.side.lines} == {telecom.id}
    assert bank.side.has_line("makes frames for it pile up")
    head, _ = await guest.recv()
    assert isinstance(head, frames.Gone)
    assert head.fault is not None
    assert (head.peer, head.fault.code) == (HOST, "link.broken")
    telecom.gateway.pin(bank.peer(f"127.0.0.1:{bank.port}"))
    assert await bank.gateway.call(telecom.id, b"anew") == b"ANEW"
    guest.close()


async def test_replies_wait_for_a_peer_that_is_slow_to_acknowledge(
    bank: House, parties: dict, evil: Intruder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "REPLAY_BYTES", 1 << 15)
    await evil.greet()
    for number in range(6):
        await evil.say(wire.Call(number), bytes(1 << 15))
    assert [await evil.hear(wire.Reply) for _ in range(2)] == [wire.Reply(0), wire.Reply(1)]
    await evil.say(wire.Ping(1), number=0)
    assert await evil.hear(wire.Reply | wire.Pong) == wire.Pong(1)
    await evil.say(wire.Ack(2), number=0)
    assert [await evil.hear(wire.Reply) for _ in range(2)] == [wire.Reply(2), wire.Reply(3)]
    assert bank.side.lines == []


@pytest.mark.parametrize("bank", [IMPATIENT], indirect=True)
async def test_a_peer_that_takes_without_end_is_broken_off_with_an_audit_line(
    bank: House, parties: dict, evil: Intruder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "REPLAY_BYTES", 1 << 15)
    await evil.greet()
    for number in range(3):
        await evil.say(wire.Call(number), bytes(1 << 15))

    async def stay() -> None:
        while True:
            await evil.hear(wire.Ping)
            await evil.say(wire.Ping(1), number=0)

    with pytest.raises((AssertionError, ConnectionError)):
        async with asyncio.timeout(30):
            await stay()
    await wait_until(lambda: bank.side.has_line("acknowledges none"))


async def test_a_peer_that_asks_much_is_answered_a_few_at_a_time_and_holds_nobody_back(
    tmp_path: Path, bank: House, telecom: House, parties: dict, evil: Intruder
) -> None:
    retailer = await open_house(tmp_path, "retailer")
    bank.gateway.pin(retailer.peer())
    retailer.gateway.pin(bank.peer(f"127.0.0.1:{bank.port}"))
    gate, held = asyncio.Event(), 0

    async def answer(organisation: str, payload: bytes) -> bytes:
        nonlocal held
        if organisation == telecom.id:
            held += 1
            await gate.wait()
        return payload.upper()

    bank.side.answer = answer  # type: ignore[method-assign]
    await evil.greet()
    for number in range(QUESTIONS + 1):
        await evil.say(wire.Call(number), b"x")
    assert await evil.hear(wire.Reply) == wire.Reply(QUESTIONS, Fault("peer.busy", step="control message"))
    assert held == ANSWERS
    assert await retailer.gateway.call(bank.id, b"and me?") == b"AND ME?"
    gate.set()
    heard = [await evil.hear(wire.Reply) for _ in range(QUESTIONS)]
    assert heard == [wire.Reply(number) for number in range(QUESTIONS)]
    await retailer.gateway.stop()


async def test_questions_that_wait_are_capped_by_bytes(
    bank: House, parties: dict, evil: Intruder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "QUESTION_BYTES", 10_000)
    bank.side.gate = asyncio.Event()
    await evil.greet()
    for number in range(3):
        await evil.say(wire.Call(number), bytes(4_000))
    assert await evil.hear(wire.Reply) == wire.Reply(2, Fault("peer.busy", step="control message"))
    bank.side.gate.set()
    assert [await evil.hear(wire.Reply) for _ in range(2)] == [wire.Reply(0), wire.Reply(1)]


async def test_connections_without_an_identity_are_few_and_the_others_still_come_in(
    bank: House, telecom: House, parties: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorstep, "STRANGERS_OF_ADDRESS", 4)
    address = ("127.0.0.1", bank.port)
    held = [await asyncio.open_connection(*address) for _ in range(2)]
    held += [await asyncio.open_connection(*address, ssl=stranger_context(None)) for _ in range(2)]
    reader, writer = await asyncio.open_connection(*address)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    assert bank.side.has_line("from where 4 of 4 connections without an identity are open")
    for _, one in (*held, (reader, writer)):
        one.close()
    telecom.gateway.pin(bank.peer(f"127.0.0.1:{bank.port}"))
    bank.gateway.pin(telecom.peer())
    await wait_until(lambda: telecom.is_linked_to(bank))
    held = [await asyncio.open_connection(*address, ssl=stranger_context(None)) for _ in range(4)]
    assert await telecom.gateway.call(bank.id, b"still") == b"STILL"
    for _, one in held:
        one.close()


async def test_all_addresses_together_have_a_cap_as_well(bank: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorstep, "STRANGERS", 2)
    held = [
        await asyncio.open_connection("127.0.0.1", bank.port, local_addr=(f"127.0.0.{number}", 0))
        for number in range(2, 4)
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", bank.port, local_addr=("127.0.0.4", 0))
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    assert bank.side.has_line("0 of 2 connections without an identity")
    for _, one in (*held, (reader, writer)):
        one.close()


async def test_an_organisation_has_a_few_connections_and_not_more(
    bank: House, telecom: House, parties: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorstep, "CONNECTIONS_OF_ORGANISATION", 2)
    bank.gateway.pin(telecom.peer())
    context = dial_context(telecom.identity, bank.identity.root_pem.read_text())
    opened = [await asyncio.open_connection("127.0.0.1", bank.port, ssl=context) for _ in range(3)]
    await wait_until(lambda: bank.side.lines == [(telecom.id, "opens more than 2 connections at once")])
    for _, writer in opened:
        writer.close()


async def test_a_stranger_that_reads_no_answer_is_cut(bank: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorstep, "REQUEST_S", 0.3)
    bank.side.introduction = lambda: {"name": "n" * (64 << 20)}  # type: ignore[method-assign]
    _, writer = await asyncio.open_connection("127.0.0.1", bank.port, ssl=stranger_context(None))
    writer.write(b"GET /v1/pair HTTP/1.1\r\nHost: x\r\n\r\n")
    await wait_until(lambda: not bank.gateway._port._doorstep._guests)
    writer.close()
