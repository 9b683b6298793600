"""What the measurements of protocols stand on: parties that are processes, mutual TLS between them, a thin link, peers.

Every party is a process pinned to a core of its own; each pair speaks over one TLS 1.3 connection on loopback, each
side with its certificate. The process that measures tells its parties what to do, and hears of them, in lines of JSON
over their standard input and output. A relay makes a link of 100 Mbit/s and 50 ms there and back.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import ssl
import struct
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from hanse.control.nodes.identity import load_identity
from hanse.core.roles import PartyId
from hanse.protocols.channel import Channel

PIECE_BYTES = 1 << 20
HEAD = struct.Struct("<IQ")
THIN_BYTES_A_SECOND, THIN_DELAY_S = 100e6 / 8, 0.025
CORES = sorted(os.sched_getaffinity(0))


# ------------------------------------------------------------------------------------------------------------- the wire


@dataclass
class Wire:
    """One party's connections to the others. A frame is a stream's number, a size and the payload of a message."""

    writers: dict[PartyId, asyncio.StreamWriter] = field(default_factory=dict)
    inboxes: defaultdict[tuple[PartyId, int], asyncio.Queue[bytes]] = field(
        default_factory=lambda: defaultdict(asyncio.Queue)
    )
    turns: defaultdict[PartyId, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    readers: list[asyncio.Task[None]] = field(default_factory=list)
    sent_bytes: int = 0

    def join(self, peer: PartyId, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers[peer] = writer
        self.readers.append(asyncio.create_task(self._read(peer, reader)))

    async def _read(self, peer: PartyId, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                stream, size = HEAD.unpack(await reader.readexactly(HEAD.size))
                self.inboxes[peer, stream].put_nowait(await reader.readexactly(size))


@dataclass(frozen=True)
class WireChannel:
    """A `Channel` of one stream over a `Wire`."""

    wire: Wire
    stream: int = 0

    async def send(self, peer: PartyId, payload: bytes) -> None:
        writer = self.wire.writers[peer]
        self.wire.sent_bytes += len(payload)
        view = memoryview(payload)
        async with self.wire.turns[peer]:  # a frame is whole before the next one begins
            writer.write(HEAD.pack(self.stream, len(payload)))
            for start in range(0, len(view), PIECE_BYTES):
                writer.write(view[start : start + PIECE_BYTES])
                await writer.drain()

    async def recv(self, peer: PartyId, most_bytes: int | None = None) -> bytes:
        return await self.wire.inboxes[peer, self.stream].get()

    def fork(self, stream: int) -> Channel:
        return WireChannel(self.wire, stream)


def tls(folder: Path, me: str, others: Sequence[str], side: int) -> ssl.SSLContext:
    """Return a context with my node's certificate that accepts the others' organisations only."""
    identity = load_identity(folder / me, me)
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(identity.chain_path, identity.key_path)
    for other in others:
        context.load_verify_locations(load_identity(folder / other, other).root_path)
    return context


async def connect(folder: Path, me: PartyId, parties: Sequence[PartyId]) -> Wire:
    """Meet all others: each party listens for those after it in the list, and dials those before it."""
    wire = Wire()
    before, after = parties[: parties.index(me)], parties[parties.index(me) + 1 :]
    met: asyncio.Queue[None] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = PartyId((await reader.readline()).decode().strip())
        wire.join(peer, reader, writer)
        met.put_nowait(None)

    limit = 4 * PIECE_BYTES
    port = 0
    if after:
        context = tls(folder, me, after, ssl.PROTOCOL_TLS_SERVER)
        server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context, limit=limit)
        port = server.sockets[0].getsockname()[1]
    say(port=port)
    ports: dict[str, int] = (await hear())["ports"]
    for peer in before:
        context = tls(folder, me, [peer], ssl.PROTOCOL_TLS_CLIENT)
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[peer], ssl=context, limit=limit)
        writer.write(f"{me}\n".encode())
        await writer.drain()
        wire.join(peer, reader, writer)
    for _ in after:
        await met.get()
    return wire


async def relay() -> None:
    """Carry the connections to each port at 100 Mbit/s and 25 ms each way, over ports of its own, which it says."""
    ports: list[int] = (await hear())["ports"]
    servers = [await asyncio.start_server(_thin(port), "127.0.0.1", 0) for port in ports]
    say(ports=[server.sockets[0].getsockname()[1] for server in servers])
    await hear()


def _thin(port: int) -> Any:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.CancelledError):  # the measurement is over
            await asyncio.gather(_carry(reader, onward[1]), _carry(onward[0], writer))

    return take


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Each chunk leaves when the line is free and arrives 25 ms later; what is under way is bounded by the delay."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, chunk = await under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not chunk:
                writer.close()
                return
            writer.write(chunk)
            await writer.drain()

    delivery = asyncio.create_task(deliver())
    free = loop.time()
    chunk = b"-"
    while chunk:
        with contextlib.suppress(ConnectionError):
            chunk = await reader.read(16 << 10)
        free = max(free, loop.time()) + len(chunk) / THIN_BYTES_A_SECOND
        under_way.put_nowait((free + THIN_DELAY_S, chunk))
        await asyncio.sleep(max(0.0, free - loop.time()))
    await delivery


def say(**words: object) -> None:
    print(json.dumps(words), flush=True)


async def hear() -> dict[str, Any]:
    return dict(json.loads(await asyncio.to_thread(sys.stdin.readline)))


# ------------------------------------------------------------------------------------------------------- the processes


class Process:
    """A part that a script plays in a process of its own, and the lines that it and we say."""

    def __init__(self, script: str, part: str, *arguments: object, core: int | None = None) -> None:
        pinned = [] if core is None else ["--core", str(core)]
        command = [sys.executable, script, "--part", part, *map(str, arguments), *pinned]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, **words: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the measurement has ended; see above")
        return dict(json.loads(line))

    def end(self) -> None:
        """Wait for a process that has nothing more to do, and end it when it goes on all the same."""
        try:
            if self._process.poll() is None:
                self._process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def started(*processes: Process) -> Iterator[tuple[Process, ...]]:
    try:
        yield processes
    finally:
        for process in processes:
            process.end()


def loopback_bytes() -> int:
    """Return what the loopback device has carried so far, headers and acknowledgements included."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, figures = line.partition(":")
        if name.strip() == "lo":
            return int(figures.split()[8])
    return 0


@dataclass(frozen=True)
class Stage:
    """Parties that have met and stand ready."""

    players: tuple[Process, ...]
    thin: bool

    def act(self, **words: object) -> tuple[float, int, list[dict[str, Any]]]:
        """Give all the word; return the seconds to the last party's end, what loopback carried, and what they said."""
        before = loopback_bytes()
        began = time.monotonic()
        for player in self.players:
            player.tell(**words)
        ended = [player.hear() for player in self.players]
        carried = (loopback_bytes() - before) // (2 if self.thin else 1)  # the relay's link is one more
        return max(one["at"] for one in ended) - began, carried, ended


@contextlib.contextmanager
def staged(script: str, parts: Mapping[PartyId, Sequence[object]], *, thin: bool = False) -> Iterator[Stage]:
    """Start the parties of a script, each on a core of its own, with a relay between them if the link is thin.

    They say their port, hear all ports (`connect` does both), then say that they are ready. At the end each hears one
    more line.
    """
    players = tuple(
        Process(script, *map(str, arguments), core=CORES[place % len(CORES)])
        for place, arguments in enumerate(parts.values())
    )
    extra = [Process(__file__, "relay")] if thin else []
    with started(*players, *extra):
        ports = {party: player.hear()["port"] for party, player in zip(parts, players, strict=True)}
        if thin:
            extra[0].tell(ports=list(ports.values()))
            ports = dict(zip(parts, extra[0].hear()["ports"], strict=True))
        for player in players:
            player.tell(ports=ports)
        for player in players:
            player.hear()
        yield Stage(players, thin)
        for process in (*players, *extra):
            process.tell()


class Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self._last = time.monotonic()

    def step(self, name: str) -> None:
        now = time.monotonic()
        self.steps[name], self._last = now - self._last, now


def peak_mb() -> float:
    """Return the most memory that this process has held, since it began: MB of 10^6 bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return round(int(line.split()[1]) * 1024 / 1e6, 1)
    return 0.0


# ------------------------------------------------------------------------------------------------------------ the peers


def run_peer(environment: str, script: str, arguments: Sequence[str], workplace: Path) -> dict[str, Any]:
    """Run a peer's script once in its environment and return what it printed; `why` says why there is nothing.

    Environments lie in `$HANSE_PEERS` (default `.peerbench/`), scripts in `$HANSE_PEERBENCH` (default
    `../shared/peerbench`).
    """
    python = Path(os.environ.get("HANSE_PEERS", ".peerbench")).absolute() / environment / "bin" / "python"
    scripts = Path(os.environ.get("HANSE_PEERBENCH", "../shared/peerbench")).absolute()
    if not python.exists() or not scripts.exists():
        return {"why": f"{environment} or the scripts that run it are not installed"}
    beside = workplace / "peerbench"
    shutil.copytree(scripts, beside, dirs_exist_ok=True)
    (workplace / ".peerbench").mkdir(exist_ok=True)
    command = [str(python), str(beside / script), *arguments]
    ended = subprocess.run(command, cwd=workplace, capture_output=True, text=True, timeout=600, check=False)
    lines = ended.stdout.strip().splitlines()
    return dict(json.loads(lines[-1])) if lines else {"why": f"the peer's run failed: {ended.stderr[-300:]}"}


def play(core: int | None, part: Any) -> None:
    """Be one of the processes: run a coroutine on the event loop of a node, on one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["relay"], required=True)
    parser.parse_args()
    play(None, relay())


if __name__ == "__main__":
    main()
