import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from hanse.core import frames
from hanse.core.lines import AHEAD_BYTES, HEADS_BYTES, Line, connect
from hanse.core.roles import PartyId

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PEER = PartyId("host-1")


@asynccontextmanager
async def joined(folder: Path) -> AsyncIterator[tuple[Line, Streams]]:
    """A line, and the other end of it as plain streams."""
    accepted: asyncio.Queue[Streams] = asyncio.Queue()
    server = await asyncio.start_unix_server(lambda *streams: accepted.put_nowait(streams), folder / "line")
    line = await connect(str(folder / "line"))
    streams = await accepted.get()
    try:
        yield line, streams
    finally:
        line.close()
        streams[1].close()
        server.close()


async def take(line: Line) -> tuple[frames.Head, bytes] | None:
    frame = await line.read()
    return frame and (frame[0], bytes(frame[1]))


def data(stream: int) -> frames.Head:
    return frames.Data(PEER, stream, final=True)


async def test_frames_of_all_sizes_arrive_whole_and_in_order_however_they_are_cut(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    edges = [0, 1, HEADS_BYTES - 60, HEADS_BYTES - 1, HEADS_BYTES, HEADS_BYTES + 1, frames.PIECE_BYTES]
    bodies = [rng.bytes(size) for size in [*edges, *rng.integers(0, 3000, 200).tolist(), *edges]]
    raw = b"".join(b"".join(frames.encode(data(stream), body)) for stream, body in enumerate(bodies))
    async with joined(tmp_path) as (line, (_, writer)):

        async def send() -> None:
            at = 0
            while at < len(raw):
                size = int(rng.choice((1, 7, 8, 9, 100, 4096, 70_000)))
                writer.write(raw[at : at + size])
                at += size
                await asyncio.sleep(0)

        sending = asyncio.create_task(send())
        for stream, body in enumerate(bodies):
            assert await take(line) == (data(stream), body)
        await sending


async def test_what_is_written_is_what_the_other_end_reads(tmp_path: Path) -> None:
    body = np.random.default_rng(4).bytes(frames.PIECE_BYTES)
    async with joined(tmp_path) as (line, (reader, _)):
        expected = b"".join(frames.encode(data(7), body)) + b"".join(frames.encode(frames.Cancel()))
        writing = asyncio.create_task(line.write(data(7), memoryview(body)))
        got = await reader.readexactly(len(expected) - len(b"".join(frames.encode(frames.Cancel()))))
        await writing
        line.post(frames.Cancel())
        assert got + await reader.readexactly(len(expected) - len(got)) == expected


async def test_a_line_that_nobody_reads_takes_no_more_than_it_may_hold(tmp_path: Path) -> None:
    body = bytes(frames.PIECE_BYTES)
    async with joined(tmp_path) as (line, (_, writer)):
        for stream in range(8):
            writer.writelines(frames.encode(data(stream), body))
        while line.transport.is_reading():  # noqa: ASYNC110 (it is the loop itself that pauses it)
            await asyncio.sleep(0)
        assert AHEAD_BYTES <= line.waiting_bytes < AHEAD_BYTES + 2 * frames.PIECE_BYTES
        assert [await take(line) for _ in range(8)] == [(data(stream), body) for stream in range(8)]


async def test_what_came_before_the_end_can_be_read_and_then_there_is_nothing(tmp_path: Path) -> None:
    async with joined(tmp_path) as (line, (_, writer)):
        writer.writelines([*frames.encode(data(1), b"last"), *frames.encode(data(2), b"cut short")])
        writer.write(b"".join(frames.encode(data(3), b"never whole"))[:-1])
        writer.close()
        assert [await take(line) for _ in range(3)] == [(data(1), b"last"), (data(2), b"cut short"), None]
        with pytest.raises(ConnectionError):
            await line.write(data(4))
        line.post(data(5))


@pytest.mark.parametrize(
    ("junk", "words"),
    [
        (b"\xff" * 8, "above the cap"),
        (b"\x01\0\0\0\0\0\0\0\xc1", "a head that is none"),
        (b"\x02\0\0\0\0\0\0\0\x81\xa1", "a head that is none"),
    ],
)
async def test_junk_is_an_error_in_words_after_what_was_whole(tmp_path: Path, junk: bytes, words: str) -> None:
    async with joined(tmp_path) as (line, (reader, writer)):
        writer.writelines([*frames.encode(data(1), b"whole"), junk])
        assert await take(line) == (data(1), b"whole")
        for _ in range(2):
            with pytest.raises(ValueError, match=words):
                await line.read()
        assert await reader.read() == b"", "the line has been closed"
