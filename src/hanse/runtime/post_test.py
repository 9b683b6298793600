"""How a process's line to its gateway watches its peers, tried against a gateway that is only a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hanse.core import frames
from hanse.core.faults import Fault, HanseError
from hanse.core.roles import PartyId
from hanse.core.specs import Limits
from hanse.protocols.channel import PeerLost, ProtocolError
from hanse.runtime import post as post_module
from hanse.runtime.post import CONTROL_STREAM, Alive, Consumed, Post, Waits

A, B = PartyId("host-1"), PartyId("host-2")


class Node:
    """The other end of the socket."""

    def __init__(self) -> None:
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def say(self, head: frames.Head, body: bytes = b"") -> None:
        self.writer.writelines(frames.encode(head, body))
        await self.writer.drain()

    async def hear(self) -> tuple[frames.Head, bytes]:
        head, body = frames.lengths(await self.reader.readexactly(frames.LENGTHS_BYTES))
        return frames.decode(await self.reader.readexactly(head)), await self.reader.readexactly(body)


@asynccontextmanager
async def line(tmp_path: Path, limits: Limits) -> AsyncIterator[tuple[Post, Node]]:
    node = Node()
    attached = asyncio.Event()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node.reader, node.writer = reader, writer
        attached.set()

    server = await asyncio.start_unix_server(accept, tmp_path / "s", limit=1 << 22)
    post = await Post.open(str(tmp_path / "s"), "token", [A, B], limits)
    await attached.wait()
    assert await node.hear() == (frames.Attach("token"), b"")
    yield post, node
    closing = asyncio.create_task(post.close(well=True))
    while not isinstance((await node.hear())[0], frames.Leave):
        pass
    await node.say(frames.Leave(True))
    await closing
    node.writer.close()
    server.close()


async def test_messages_before_a_good_end_are_read_and_then_the_peer_is_gone(tmp_path: Path) -> None:
    async with line(tmp_path, Limits()) as (post, node):
        await node.say(frames.Data(A, 0, False), b"la")
        await node.say(frames.Data(A, 0, True), b"st")
        await node.say(frames.Gone(A))
        assert await post.recv(A, 0) == b"last"
        with pytest.raises(PeerLost):
            await post.recv(A, 0)
        await post.send(A, 0, b"to nobody")


async def test_a_bad_end_wakes_whoever_waits_with_its_fault(tmp_path: Path) -> None:
    async with line(tmp_path, Limits()) as (post, node):
        waiting = asyncio.create_task(post.recv(A, 3))
        await node.say(frames.Gone(A, Fault("attempt.lost", A, "align")))
        with pytest.raises(PeerLost) as raised:
            await waiting
        assert raised.value.fault == Fault("attempt.lost", A, "align")
        with pytest.raises(PeerLost):
            await post.send(A, 0, b"to nobody")


async def test_a_message_above_the_limit_is_the_sender_s_fault(tmp_path: Path) -> None:
    async with line(tmp_path, Limits(message_bytes=10)) as (post, node):
        await node.say(frames.Data(A, 0, False), bytes(11))
        with pytest.raises(ProtocolError, match="above 10 bytes"):
            await post.recv(A, 0)
        await node.say(frames.Data(B, 0, True), b"fine")
        assert await post.recv(B, 0) == b"fine"


async def test_progress_of_a_peer_extends_its_time_and_silence_names_it(tmp_path: Path) -> None:
    async with line(tmp_path, Limits(step_s=0.4)) as (post, node):
        loop = asyncio.get_running_loop()
        began = loop.time()
        waiting = asyncio.create_task(post.recv(A, 0))
        for _ in range(4):
            done, _ = await asyncio.wait({waiting}, timeout=0.2)
            assert not done
            await node.say(frames.Data(A, CONTROL_STREAM, True), Alive(1, 2).encode())
        with pytest.raises(HanseError) as raised:
            await waiting
        assert (raised.value.fault.code, raised.value.fault.party) == ("peer.stalled", A)
        assert loop.time() - began > 1.0


async def test_a_peer_that_waits_for_another_passes_the_blame_on(tmp_path: Path) -> None:
    async with line(tmp_path, Limits(step_s=0.3)) as (post, node):
        await node.say(frames.Data(A, CONTROL_STREAM, True), Waits(B).encode())
        with pytest.raises(HanseError) as raised:
            await post.recv(A, 0)
        assert raised.value.fault.party == B
        assert raised.value.fault.cause.startswith("host-1 sends nothing and waits for host-2")
        head, body = await node.hear()
        assert (head, body) == (frames.Data(A, CONTROL_STREAM, True), Waits(A).encode())


async def test_a_sender_waits_until_its_peer_has_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_module, "UNREAD_BYTES", 100)
    async with line(tmp_path, Limits()) as (post, node):
        await post.send(A, 0, bytes(150))
        second = asyncio.create_task(post.send(A, 0, b"2"))
        await post.send(B, 0, b"not held back")
        assert (await node.hear())[0] == frames.Data(A, 0, True)
        assert (await node.hear())[0] == frames.Data(B, 0, True)
        assert not second.done()
        await node.say(frames.Data(A, CONTROL_STREAM, True), Consumed(150).encode())
        await second


async def test_a_reader_says_what_it_has_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_module, "CONSUMED_BYTES", 10)
    async with line(tmp_path, Limits()) as (post, node):
        for body in (b"12345", b"67890"):
            await node.say(frames.Data(A, 0, True), body)
            assert await post.recv(A, 0) == body
        assert await node.hear() == (frames.Data(A, CONTROL_STREAM, True), Consumed(10).encode())


@pytest.mark.parametrize("is_awaited_first", [True, False])
async def test_a_message_larger_than_the_awaited_one_is_refused_before_it_is_whole(
    tmp_path: Path, is_awaited_first: bool
) -> None:
    async with line(tmp_path, Limits()) as (post, node):
        awaited = asyncio.create_task(post.recv(A, 0, 10)) if is_awaited_first else None
        await node.say(frames.Data(A, 1, True), bytes(100))
        await node.say(frames.Data(A, 0, False), bytes(10))
        await node.say(frames.Data(B, 0, True), b"a sign that all this has come")
        await post.recv(B, 0)
        assert awaited is None or not awaited.done()
        await node.say(frames.Data(A, 0, False), b"!")
        with pytest.raises(ProtocolError, match=r"host-1.*above 10 bytes"):
            await (awaited or post.recv(A, 0, 10))


async def test_messages_up_to_the_awaited_size_come_one_after_the_other(tmp_path: Path) -> None:
    async with line(tmp_path, Limits()) as (post, node):
        for size in (10, 200):
            await node.say(frames.Data(A, 0, True), bytes(size))
        assert [len(await post.recv(A, 0, most)) for most in (10, 200)] == [10, 200]


async def test_junk_on_the_runtime_s_own_stream_is_the_sender_s_fault(tmp_path: Path) -> None:
    async with line(tmp_path, Limits()) as (post, node):
        await node.say(frames.Data(A, CONTROL_STREAM, True), b"\x92\xa5Alive\xc0")
        with pytest.raises(ProtocolError):
            await post.recv(A, 0)


async def test_a_spend_that_is_refused_raises_the_node_s_fault(tmp_path: Path) -> None:
    async with line(tmp_path, Limits()) as (post, node):
        spending = asyncio.create_task(post.spend(3, 40))
        head, _ = await node.hear()
        assert head == frames.Spend(1, 3, 40)
        await node.say(frames.Spent(1, Fault("disclosure.limit")))
        with pytest.raises(HanseError, match="disclosure"):
            await spending


async def test_messages_on_the_runtime_s_own_stream_that_nobody_asked_for_are_the_sender_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_module, "UNREAD_BYTES", 100)
    async with line(tmp_path, Limits(message_bytes=50)) as (post, node):
        for _ in range(8):
            await node.say(frames.Data(B, CONTROL_STREAM, True), Alive(1, 2).encode())
            await node.say(frames.Data(A, CONTROL_STREAM, True), bytes(50))
        await node.say(frames.Data(B, 0, True), b"fine")
        assert await post.recv(B, 0) == b"fine"
        with pytest.raises(ProtocolError, match="nobody has asked for") as raised:
            await post.recv(A, CONTROL_STREAM)
        assert raised.value.fault.party == A


async def test_notices_are_read_at_once_and_never_count_as_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_module, "UNREAD_BYTES", 100)
    async with line(tmp_path, Limits(message_bytes=50)) as (post, node):
        for _ in range(100):
            await node.say(frames.Data(A, CONTROL_STREAM, True), Alive(1, 2).encode())
        await node.say(frames.Data(A, CONTROL_STREAM, True), b"a greeting")
        assert await post.recv(A, CONTROL_STREAM) == b"a greeting"
