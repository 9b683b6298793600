"""One large message between two attempts, through two gateways, over mutual TLS on loopback: seconds and bytes.

    python bench/gateway.py [--quick] [--runs 3]

Case `gateway/200MB` (`--quick`: `gateway/50MB`): 200,000,000 random bytes. Each node is a process that runs its gateway
on the node's own event loop, each attempt a process that speaks through `hanse.runtime.post`: four processes, as in
production. `seconds` is from the first byte that the sender writes to the last that the receiver has read, by the
clock that all processes of a machine share. `bytes` is what both attempts sent each other in messages. `equal` says
that the SHA-256 of what arrived is that of what was sent.

`bound_seconds` is the same bytes in the same run over one plain asyncio TLS 1.3 stream between two processes, with the
same certificates, in writes of 1 MiB: no framing, no socket of the attempts, no digest, no acknowledgement. Each node
adds to that a Unix socket (two copies) and the SHA-256 of the stream. On a machine that does other work as well, both
figures are longer and their ratio is less certain; `note` holds all runs and the load.
"""

import argparse
import asyncio
import hashlib
import json
import logging
import os
import resource
import ssl
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog

from hanse.control.nodes.identity import load_identity
from hanse.core.events import Event
from hanse.core.faults import Fault
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.loops import new_runner
from hanse.core.memory import keep_freed
from hanse.core.roles import GUEST, PartyId
from hanse.core.specs import Limits
from hanse.gateway.gateway import Gateway
from hanse.gateway.shapes import Identity, PinnedPeer
from hanse.runtime.post import Post
from wire import Process, hear, say

HOST = PartyId("host-1")
JOB, TASK = JobId("job-0000000000000001"), TaskName("bench")
PIECE_BYTES = 1 << 20
SECRET = "token"
WARNINGS = structlog.make_filtering_bound_logger(logging.WARNING)


class Side:
    """A node that lets everything be."""

    async def answer(self, organisation: OrganisationId, payload: bytes) -> bytes:
        return payload

    def takes_part(self, organisation: OrganisationId, job: JobId) -> bool:
        return True

    async def spend(self, job: JobId, task: TaskName, attempt: int, count: int, most: int | None) -> Fault | None:
        return None

    def report(self, job: JobId, task: TaskName, attempt: int, party: PartyId, event: Event) -> None:
        pass

    def refused(self, organisation: str, reason: str) -> None:
        raise RuntimeError(f"{organisation} {reason}")

    async def pair(self, request: dict[str, Any]) -> dict[str, Any]:
        return {}

    def introduction(self) -> dict[str, Any]:
        return {}


def identity_of(directory: Path, name: str) -> Identity:
    found = load_identity(directory / name, name)
    return Identity(found.organisation, found.node, name, found.root_path, found.chain_path, found.key_path)


async def run_node(directory: Path, name: str, _: int) -> None:
    """A gateway with one open attempt; the guest's dials."""
    me, other = (identity_of(directory, one) for one in ((name, "host") if name == "guest" else (name, "guest")))
    gateway = Gateway(me, directory / name, Side())
    port = await gateway.start("127.0.0.1", 0)
    say(port=port, socket=str(gateway.socket_path))
    address = (await hear())["address"]
    gateway.pin(PinnedPeer(other.organisation, other.name, other.root_pem.read_text(), address))
    await gateway.call(other.organisation, b"are you there?")
    by_party = {"guest": me, "host": other} if name == "guest" else {"guest": other, "host": me}
    parties = {GUEST: by_party["guest"].organisation, HOST: by_party["host"].organisation}
    gateway.open_attempt(JOB, TASK, 1, GUEST if name == "guest" else HOST, parties, SECRET)
    say(linked=True)
    await hear()
    traffic = gateway.close_attempt(JOB, TASK, 1)
    say(bytes=sum(traffic.bytes_sent.values()), peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    await gateway.stop()


async def run_attempt(directory: Path, name: str, size_bytes: int) -> None:
    """The guest's sends once and waits for a word; the host's receives and says how it went."""
    peer = HOST if name == "guest" else GUEST
    post = await Post.open((await hear())["socket"], SECRET, [peer], Limits())
    if name == "guest":
        payload = os.urandom(size_bytes)
        say(sha256=hashlib.sha256(payload).hexdigest())
        await hear()
        began = time.monotonic()
        await post.send(peer, 0, payload)
        await post.recv(peer, 0)
        say(at=began)
    else:
        payload = await post.recv(peer, 0)
        ended = time.monotonic()
        await post.send(peer, 0, b"!")
        say(at=ended, sha256=hashlib.sha256(payload).hexdigest())
    await post.close(well=True)


def plain_context(directory: Path, name: str, other: str, side: int) -> ssl.SSLContext:
    me, peer = identity_of(directory, name), identity_of(directory, other)
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(me.chain_pem, me.key_pem)
    context.load_verify_locations(peer.root_pem)
    return context


async def run_plain(directory: Path, name: str, size_bytes: int) -> None:
    """The same bytes over one TLS stream: the host listens, the guest sends."""
    if name == "guest":
        context = plain_context(directory, "guest", "host", ssl.PROTOCOL_TLS_CLIENT)
        payload = memoryview(os.urandom(size_bytes))
        reader, writer = await asyncio.open_connection("127.0.0.1", (await hear())["port"], ssl=context)
        began = time.monotonic()
        for start in range(0, size_bytes, PIECE_BYTES):
            writer.write(payload[start : start + PIECE_BYTES])
            await writer.drain()
        await reader.readexactly(1)
        say(at=began)
        writer.close()
        return
    done = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = size_bytes
        while left:
            left -= len(await reader.readexactly(min(PIECE_BYTES, left)))
        say(at=time.monotonic())
        writer.write(b"!")
        await writer.drain()
        writer.close()
        done.set()

    context = plain_context(directory, "host", "guest", ssl.PROTOCOL_TLS_SERVER)
    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context, limit=2 * PIECE_BYTES)
    say(port=server.sockets[0].getsockname()[1])
    await done.wait()
    server.close()


PARTS = {"node": run_node, "attempt": run_attempt, "plain": run_plain}


def through_gateways(directory: Path, size_bytes: int) -> tuple[float, int, float, bool]:
    """Return seconds, bytes of messages, the peak of a gateway process in MiB, and whether all arrived."""
    guest, host = (Process(__file__, "node", directory, name, size_bytes) for name in ("guest", "host"))
    sender, receiver = (Process(__file__, "attempt", directory, name, size_bytes) for name in ("guest", "host"))
    try:
        sockets = {node: node.hear() for node in (guest, host)}
        guest.tell(address=f"127.0.0.1:{sockets[host]['port']}")
        host.tell(address="")
        guest.hear(), host.hear()
        sender.tell(socket=sockets[guest]["socket"])
        receiver.tell(socket=sockets[host]["socket"])
        sent = sender.hear()
        sender.tell()
        ended = receiver.hear()
        began = sender.hear()
        sender.end()
        receiver.end()
        guest.tell()
        host.tell()
        traffic = [guest.hear(), host.hear()]
    finally:
        for part in (sender, receiver, guest, host):
            part.end()
    peak_mb = max(one["peak_mb"] for one in traffic)
    return ended["at"] - began["at"], sum(one["bytes"] for one in traffic), peak_mb, sent["sha256"] == ended["sha256"]


def over_plain_tls(directory: Path, size_bytes: int) -> float:
    guest, host = (Process(__file__, "plain", directory, name, size_bytes) for name in ("guest", "host"))
    try:
        guest.tell(port=host.hear()["port"])
        ended = host.hear()
        return float(ended["at"] - guest.hear()["at"])
    finally:
        guest.end()
        host.end()


def measure(size_bytes: int, runs: int, case: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        for name in ("guest", "host"):
            (directory / name).mkdir()
            identity_of(directory, name)
        ours, bounds = [], []
        for _ in range(runs):
            ours.append(through_gateways(directory, size_bytes))
            bounds.append(over_plain_tls(directory, size_bytes))
    seconds = statistics.median(run[0] for run in ours)
    return {
        "bench": "gateway",
        "case": case,
        "seconds": round(seconds, 3),
        "rate": round(size_bytes / seconds),
        "bytes": ours[0][1],
        "peak_mb": round(max(run[2] for run in ours)),
        "equal": all(run[3] for run in ours),
        "peer": None,
        "peer_seconds": None,
        "ratio": None,
        "bound_seconds": round(statistics.median(bounds), 3),
        "note": {
            "peer": "no other gateway is measured",
            "rate": "bytes a second",
            "peak_mb": "of one gateway's process",
            "runs": [round(run[0], 3) for run in ours],
            "bound_runs": [round(bound, 3) for bound in bounds],
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run with 50 MB: under 30 s")
    parser.add_argument("--runs", type=int, default=3, help="transfers of which the median is taken")
    parser.add_argument("--part", nargs=4, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr), wrapper_class=WARNINGS)
        part, directory, name, size_bytes = chosen.part
        keep_freed()
        with new_runner() as runner:
            runner.run(PARTS[part](Path(directory), name, int(size_bytes)))
        return
    size_mb, runs = (50, 1) if chosen.quick else (200, chosen.runs)
    print(json.dumps(measure(size_mb * 1_000_000, runs, f"gateway/{size_mb}MB")), flush=True)


if __name__ == "__main__":
    main()
