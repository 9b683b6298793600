"""Private set intersection between processes over mutual TLS: seconds, bytes and memory, beside a peer in the same run.

    python bench/psi.py [--quick] [--runs 3] [--only psi/files] [--all]

Every party is a process pinned to a core of its own, with one kernel thread; they speak over one TLS 1.3 connection per
pair, each side with its certificate. Ids have 16 digits, half of the smaller set is shared, the guest alone learns the
result, as in the peer's run. `seconds` is from the moment all parties stand ready to the last one's result, the median
of the runs. `bytes` is what the messages of all parties hold together; `note.tcp_bytes` is what the loopback device
carried meanwhile, headers and acknowledgements included. `peak_mb` is the largest party's. `equal` says that the rows
found are exactly those that a plain set intersection finds.

    psi/memory/N     ids in memory to row numbers in memory, default settings
    psi/files/N      a CSV file at each party to a CSV file of the shared rows at the guest: reading, checking (encoding,
                     form, every id once), intersection, writing
    psi/low/N        the bytes of psi/memory; `note.bytes_per_id` is per id of one side
    psi/fast/N       the same in GF(2^128)
    psi/ecdh/N       psi/files with the method ecdh
    psi/thin/N       psi/files over 100 Mbit/s and 50 ms there and back, made by a relay between the parties
    psi/cached/NxM   `note.prepared_per_s`: ids of the large side prepared a second; `seconds`: M ids asked, from the prepared
                     filter on disk to the shared rows
    psi/three/N      three parties, N ids each
    psi/node/N       psi/files by four processes: two gateways and two attempts, as in production

`bound_seconds` is the least time in which one core can do a party's arithmetic, with the constants of `BOUNDS`.
The peer is SecretFlow's SPU under `$HANSE_PEERS` (default `.peerbench/`: `spu` with 0.9.5, `spu093` with 0.9.3b0), run by
the scripts in `$HANSE_PEERBENCH` (default `../shared/peerbench`); without either, the peer's figures are null.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import shutil
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from numpy.typing import NDArray

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
        writer.write(HEAD.pack(self.stream, len(payload)))
        view = memoryview(payload)
        for start in range(0, len(view), PIECE_BYTES):
            writer.write(view[start : start + PIECE_BYTES])
            await writer.drain()

    async def recv(self, peer: PartyId) -> bytes:
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


async def relay(ports: Sequence[int]) -> None:
    """Carry each port's connections at 100 Mbit/s and 25 ms each way, over ports of its own, which it says."""
    servers = [await asyncio.start_server(_thin(port), "127.0.0.1", 0) for port in ports]
    say(ports=[server.sockets[0].getsockname()[1] for server in servers])
    await hear()


def _thin(port: int) -> Any:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection("127.0.0.1", port)
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


# ------------------------------------------------------------------------------------------------------------ the data


def numbers(sizes: dict[PartyId, int], party: PartyId) -> NDArray[np.int64]:
    """Return what a party's ids are made of: half of the smallest set is shared by all, the rest is its own, shuffled."""
    place = list(sizes).index(party)
    shared = min(sizes.values()) // 2
    own = np.arange(sizes[party] - shared, dtype=np.int64) + (shared if place == 0 else place * 10**9)
    drawn = np.concatenate([np.arange(shared, dtype=np.int64), own])
    np.random.default_rng(place + 1).shuffle(drawn)
    found: NDArray[np.int64] = drawn * 2654435761 % 10**16  # as in the peer's script; below 2^63 for every number here
    return found


def texts(values: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return uint8[n, 16]: the digits of each number, leading zeros kept."""
    digits = np.empty((len(values), 16), np.uint8)
    rest = values.copy()
    for place in range(15, -1, -1):
        rest, digits[:, place] = np.divmod(rest, 10)
    digits += ord("0")
    return digits


def write_csv(path: Path, values: NDArray[np.int64]) -> None:
    lines = np.concatenate([texts(values), np.full((len(values), 1), ord("\n"), np.uint8)], axis=1)
    with path.open("wb") as file:
        file.write(b"id\n")
        file.write(lines.tobytes())


def read_csv(path: Path) -> NDArray[np.int64]:
    """Return the numbers of a result file, sorted."""
    raw = path.read_bytes()
    body = np.frombuffer(raw, np.uint8, offset=raw.index(b"\n") + 1)
    if len(body) % 17:
        raise RuntimeError(f"{path.name} does not hold 16 digits a line")
    digits = body.reshape(-1, 17)[:, :16].astype(np.int64) - ord("0")
    return np.sort(digits @ (10 ** np.arange(15, -1, -1, dtype=np.int64)))


# ------------------------------------------------------------------------------------------------------- the processes


class Process:
    """A process of the measurement, and the lines that it and we say."""

    def __init__(self, part: str, *arguments: object, core: int | None = None) -> None:
        pinned = [] if core is None else ["--core", str(core)]
        command = [sys.executable, __file__, "--part", part, *map(str, arguments), *pinned]
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
