"""What the gateway takes from its node and gives back: identities, peers, links, traffic, and the node's own side."""

from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from hanse.core.events import Event
from hanse.core.faults import Fault
from hanse.core.ids import JobId, NodeId, OrganisationId, TaskName
from hanse.core.roles import PartyId


class AttemptKey(NamedTuple):
    """Which try of which task of which job: what a frame belongs to."""

    job: JobId
    task: TaskName
    attempt: int


class Identity(msgspec.Struct, frozen=True):
    """Who this node is: its organisation, and where its certificates and key lie.

    `chain_pem` holds the node's certificate and then the organisation's root, which signed it directly. Both carry
    subject and authority key identifiers; the node's certificate is good for serverAuth and clientAuth.
    """

    organisation: OrganisationId
    node: NodeId
    name: str
    root_pem: Path
    chain_pem: Path
    key_pem: Path


class PinnedPeer(msgspec.Struct, frozen=True):
    """An organisation that this node trusts to be itself: its root (PEM text) and `host:port`, or "" if it dials us."""

    organisation: OrganisationId
    name: str
    root_pem: str
    address: str = ""
    suspended: bool = False


class Link(msgspec.Struct, frozen=True):
    """How one peer is reached now. `version` is its release, `last_seen` a UTC time; both empty until it said hello."""

    organisation: OrganisationId
    connected: bool
    latency_ms: float | None
    bytes_sent: int
    bytes_received: int
    version: str
    last_seen: str
    latency_median_ms: float | None = None
    connected_since: str = ""
    certificate_until: str = ""


class StreamDigest(msgspec.Struct, frozen=True):
    """What went one way on one stream: how many messages, and the running SHA-256 over them (hex)."""

    peer: PartyId
    stream: int
    direction: Literal["sent", "received"]
    messages: int
    sha256: str


class Traffic(msgspec.Struct, frozen=True):
    """What one attempt exchanged with each peer, in bytes, and its transcript.

    `dropped` counts frames of this task that came for an attempt that was over.
    """

    bytes_sent: dict[PartyId, int]
    bytes_received: dict[PartyId, int]
    digests: tuple[StreamDigest, ...]
    dropped: int = 0


class NodeSide(Protocol):
    """What the gateway needs of its node. All but the coroutines answer from memory, at once."""

    async def answer(self, organisation: OrganisationId, payload: bytes) -> bytes:
        """Act on a peer's control message and return the reply. A HanseError goes back as `Fault.for_peers`."""
        ...

    def takes_part(self, organisation: OrganisationId, job: JobId) -> bool:
        """Say whether the organisation is a party of the job, so that its early frames may wait for the attempt."""
        ...

    async def spend(self, job: JobId, task: TaskName, attempt: int, count: int, most: int | None) -> Fault | None:
        """Count queries against the disclosure limit, durably, or say why they must not be answered.

        `most` is how many the dataset may then have answered in all; None leaves that to the node.
        """
        ...

    def report(self, job: JobId, task: TaskName, attempt: int, party: PartyId, event: Event) -> None:
        """Take progress, a metric or a note of this node's own attempt."""
        ...

    def refused(self, organisation: str, reason: str) -> None:
        """Write an audit line: a stranger, a replay, another job, no member, above a cap."""
        ...

    async def pair(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer POST /v1/pair, which anybody may reach. Raises HanseError."""
        ...

    def introduction(self) -> dict[str, Any]:
        """Answer GET /v1/pair, which anybody may reach."""
        ...
