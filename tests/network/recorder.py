"""A relay on the attempts' socket that writes down every frame of one process, as the gateway would see it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from pathlib import Path

from hanse.core import frames


class Recorder:
    """Listens at `path` and relays each process to the gateway's socket. Use as `async with`.

    `messages` holds (peer, stream, payload) of every message that left a process, `other` the heads of other frames.
    """

    def __init__(self, path: Path, gateway_path: Path) -> None:
        self.path = path
        self._gateway_path = gateway_path
        self.messages: list[tuple[str, int, bytes]] = []
        self.other: list[frames.Head] = []
        self._parts: defaultdict[tuple[str, int], bytearray] = defaultdict(bytearray)
        self._relays: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Recorder:
        self._server = await asyncio.start_unix_server(self._accept, self.path, limit=1 << 22)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        relays = list(self._relays)
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._gateway_path, limit=1 << 22)
        try:
            await asyncio.gather(self._record(reader, far_writer), self._carry(far_reader, writer))
        finally:
            writer.close()
            far_writer.close()

    async def _record(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                sizes = await reader.readexactly(frames.LENGTHS_BYTES)
                head_bytes, body_bytes = frames.lengths(sizes)
                head, body = await reader.readexactly(head_bytes), await reader.readexactly(body_bytes)
                self._note(frames.decode(head), body)
                writer.writelines([sizes, head, body])
                await writer.drain()
        writer.write_eof()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(1 << 18):
                writer.write(chunk)
                await writer.drain()
            writer.write_eof()

    def _note(self, head: frames.Head, body: bytes) -> None:
        if not isinstance(head, frames.Data):
            self.other.append(head)
            return
        parts = self._parts[head.peer, head.stream]
        parts += body
        if head.final:
            self.messages.append((head.peer, head.stream, bytes(self._parts.pop((head.peer, head.stream)))))
