"""A TCP proxy on loopback that a test can cut, delay and throttle: the hostile network between two nodes."""

from __future__ import annotations

import asyncio
import contextlib


class Proxy:
    """Forwards 127.0.0.1:`port` to a target. Use as `async with Proxy(target_port) as proxy`.

    `cut()` resets every connection and refuses new ones until `mend()`. `freeze()` keeps connections open and carries
    nothing until `thaw()`. `delay_s` holds every chunk back, `bytes_a_second` limits each direction (0: no limit).
    """

    def __init__(self, target_port: int, *, delay_s: float = 0.0, bytes_a_second: int = 0) -> None:
        self.target_port = target_port
        self.delay_s = delay_s
        self.bytes_a_second = bytes_a_second
        self.port = 0
        self.connections = 0
        self.carried_bytes = 0
        self._is_cut = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pipes: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        pipes = list(self._pipes)
        for pipe in pipes:
            pipe.cancel()
        self.cut()
        await asyncio.gather(*pipes, return_exceptions=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset all connections; new ones end at once."""
        self._is_cut = True
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def freeze(self) -> None:
        """Carry nothing, and tell nobody: a link that has gone silent."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        pipe = asyncio.create_task(self._run(reader, writer))
        self._pipes.add(pipe)
        pipe.add_done_callback(self._pipes.discard)

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._is_cut:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
            self._writers.add(far_writer)
            try:
                await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
            finally:
                self._writers.discard(far_writer)
                far_writer.transport.abort()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            await self._flowing.wait()
            pause_s = self.delay_s + (len(chunk) / self.bytes_a_second if self.bytes_a_second else 0.0)
            if pause_s:
                await asyncio.sleep(pause_s)
            writer.write(chunk)
            await writer.drain()
            self.carried_bytes += len(chunk)
        with contextlib.suppress(OSError):
            writer.write_eof()


async def wait_until(holds: object, *, timeout_s: float = 30.0) -> None:
    """Wait until `holds()` is true. Raises TimeoutError: the test has failed."""
    assert callable(holds)
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110  (what is waited for is another process's or thread's, no event tells it)
            await asyncio.sleep(0.01)
