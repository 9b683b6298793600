"""Organisations for tests: real certificates, a gateway each, and processes that speak on its Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any

import aiohttp
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hanse.core import frames
from hanse.core.events import Event
from hanse.core.faults import Fault
from hanse.core.ids import JobId, NodeId, OrganisationId, TaskName
from hanse.core.roles import PartyId
from hanse.gateway import wire
from hanse.gateway.certificates import dial_context, identify
from hanse.gateway.gateway import Gateway
from hanse.gateway.session import Timing
from hanse.gateway.shapes import Identity, PinnedPeer, Traffic

JOB, TASK = JobId("job-0000000000000001"), TaskName("align")
GUEST, HOST = PartyId("guest"), PartyId("host-1")
FAST = Timing(heartbeat_s=0.5, away_s=60.0, early_s=60.0, redial_s=0.3)
IMPATIENT = Timing(heartbeat_s=0.2, away_s=1.0, early_s=0.5, redial_s=0.3)


def make_identity(directory: Path, name: str, *, days: int = 30) -> Identity:
    """Make a root and a node certificate that it signed, as PEM files in a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    root_key, node_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name)])
    now = dt.datetime.now(dt.UTC)

    def certify(subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_root: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=2))
            .not_valid_after(now + dt.timedelta(days=3650 if is_root else days))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        )
        return builder.sign(root_key, hashes.SHA256())

    root = certify(root_name, root_key, is_root=True)
    node = certify(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name}-node")]), node_key, is_root=False)
    paths = [directory / file for file in ("root.pem", "chain.pem", "key.pem")]
    paths[0].write_bytes(root.public_bytes(Encoding.PEM))
    paths[1].write_bytes(node.public_bytes(Encoding.PEM) + root.public_bytes(Encoding.PEM))
    paths[2].write_bytes(node_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Identity(identify(root), NodeId(f"node-{name}"), name, *paths)


@dataclass
class Side:
    """A node's own side, as small as can be: it answers in capitals and remembers what it is told."""

    members: set[tuple[str, str]] = field(default_factory=set)
    lines: list[tuple[str, str]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    spent: int = 0
    limit: int = 1 << 30
    gate: asyncio.Event | None = None

    async def answer(self, organisation: OrganisationId, payload: bytes) -> bytes:
        if self.gate is not None:
            await self.gate.wait()
        return payload.upper()

    def takes_part(self, organisation: OrganisationId, job: JobId) -> bool:
        return (organisation, job) in self.members

    async def spend(self, job: JobId, task: TaskName, attempt: int, count: int, most: int | None) -> Fault | None:
        if self.spent + count > self.limit:
            return Fault("disclosure.limit")
        self.spent += count
        return None

    def report(self, job: JobId, task: TaskName, attempt: int, party: PartyId, event: Event) -> None:
        self.events.append(event)

    def refused(self, organisation: str, reason: str) -> None:
        self.lines.append((organisation, reason))

    async def pair(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"paired": request["name"]}

    def introduction(self) -> dict[str, Any]:
        return {"name": "bank"}

    def has_line(self, text: str) -> bool:
        return any(text in reason for _, reason in self.lines)


@dataclass(eq=False)
class House:
    """One organisation with a running gateway."""

    identity: Identity
    directory: Path
    side: Side
    gateway: Gateway
    port: int = 0

    @property
    def id(self) -> OrganisationId:
        return self.identity.organisation

    def peer(self, address: str = "") -> PinnedPeer:
        """This organisation, as another one pins it."""
        return PinnedPeer(self.id, self.identity.name, self.identity.root_pem.read_text(), address)

    def is_linked_to(self, other: House) -> bool:
        return any(link.connected for link in self.gateway.links() if link.organisation == other.id)

    def open(self, parties: dict[PartyId, OrganisationId], attempt: int = 1, job: JobId = JOB) -> str:
        """Open an attempt for this organisation's party and return its token."""
        party = next(party for party, owner in parties.items() if owner == self.id)
        token = f"{self.identity.name}-{job}-{attempt}"
        self.gateway.open_attempt(job, TASK, attempt, party, parties, token)
        return token

    def close(self, attempt: int = 1) -> Traffic:
        return self.gateway.close_attempt(JOB, TASK, attempt)

    async def restart(self) -> None:
        """Stop the gateway and start another over the same keys, on the same port, without its peers' roots."""
        await self.gateway.stop()
        self.gateway = Gateway(self.identity, self.directory, self.side, timing=FAST)
        self.port = await self.gateway.start("127.0.0.1", self.port)


async def open_house(directory: Path, name: str, timing: Timing = FAST) -> House:
    """Make an organisation and start its gateway on a free port."""
    identity = make_identity(directory / name / "keys", name)
    side = Side()
    gateway = Gateway(identity, directory / name, side, timing=timing)
    house = House(identity, directory / name, side, gateway)
    house.port = await gateway.start("127.0.0.1", 0)
    return house


class Process:
    """What an attempt's process does on the socket, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def attach(cls, house: House, token: str) -> Process:
        reader, writer = await asyncio.open_unix_connection(house.gateway.socket_path, limit=1 << 22)
        process = cls(reader, writer)
        await process.send(frames.Attach(token))
        return process

    async def send(self, head: frames.Head, body: bytes = b"") -> None:
        self.writer.writelines(frames.encode(head, body))
        await self.writer.drain()

    async def send_message(self, peer: PartyId, payload: bytes, stream: int = 0) -> None:
        for body, final in frames.pieces(payload):
            await self.send(frames.Data(peer, stream, final), body)

    async def recv(self) -> tuple[frames.Head, bytes]:
        head_bytes, body_bytes = frames.lengths(await self.reader.readexactly(frames.LENGTHS_BYTES))
        head = frames.decode(await self.reader.readexactly(head_bytes))
        return head, await self.reader.readexactly(body_bytes)

    async def recv_message(self) -> bytes:
        parts = bytearray()
        while True:
            head, body = await self.recv()
            assert isinstance(head, frames.Data), head
            parts += body
            if head.final:
                return bytes(parts)

    async def ended(self) -> bool:
        """Wait until the gateway has closed this line."""
        with contextlib.suppress(ConnectionError):
            await self.reader.read()
        return True

    def close(self) -> None:
        self.writer.close()


class Intruder:
    """A peer's node that says what it likes on a real session: the evil twin of an organisation's gateway."""

    def __init__(
        self, identity: Identity, client: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self.identity = identity
        self._client = client
        self.socket = socket
        self.number = 0

    @classmethod
    async def dial(cls, identity: Identity, target: House) -> Intruder:
        client = aiohttp.ClientSession()
        socket = await client.ws_connect(
            f"https://127.0.0.1:{target.port}/v1/ws",
            ssl=dial_context(identity, target.identity.root_pem.read_text()),
            max_msg_size=wire.FRAME_BYTES,
        )
        return cls(identity, client, socket)

    async def greet(self, **changes: Any) -> wire.Hello:
        """Exchange hellos as a fresh node; `changes` are lies."""
        me = self.identity
        honest = wire.Hello(wire.VERSION, me.organisation, me.node, "9.9.9", epoch=77, knows=0, received=0)
        await self.socket.send_bytes(wire.encode(0, msgspec.structs.replace(honest, **changes)))
        _, head, _ = wire.decode((await self.socket.receive()).data)
        assert isinstance(head, wire.Hello)
        return head

    async def say(self, head: wire.Head, body: bytes = b"", number: int | None = None) -> None:
        """Send a frame with the next number, or with a lie for it."""
        if number is None:
            self.number += 1
            number = self.number
        await self.socket.send_bytes(wire.encode(number, head, body))

    async def hear(self, kind: type | UnionType) -> wire.Head:
        """Return the next frame of a kind."""
        while True:
            message = await self.socket.receive()
            assert message.type is aiohttp.WSMsgType.BINARY, message
            _, head, _ = wire.decode(message.data)
            if isinstance(head, kind):
                return head

    async def is_cut_off(self) -> bool:
        """Wait until the other side ends the connection."""
        while (await self.socket.receive()).type is aiohttp.WSMsgType.BINARY:
            pass
        return True

    async def close(self) -> None:
        await self.socket.close()
        await self._client.close()
