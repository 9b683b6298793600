"""What the control plane asks of the party port, whoever provides it."""

from typing import Any, NamedTuple, Protocol

from hanse.core.ids import OrganisationId


class Pinned(NamedTuple):
    """An organisation to be trusted as itself: `address` to dial it, or "" when it dials us."""

    organisation: OrganisationId
    name: str
    root_pem: str
    address: str
    suspended: bool


class LinkState(NamedTuple):
    """How a member is reached now. `version` and `last_seen` are empty before the first hello."""

    connected: bool = False
    latency_ms: float | None = None
    version: str = ""
    last_seen: str = ""
    latency_median_ms: float | None = None
    connected_since: str = ""
    certificate_until: str = ""


class Peers(Protocol):
    """Sessions with members."""

    def pin(self, member: Pinned) -> None:
        """Trust a member's root from now on, and dial its address; said again, take what has changed."""
        ...

    def unpin(self, organisation: OrganisationId) -> None:
        """Trust a root no longer."""
        ...

    async def call(self, organisation: OrganisationId, payload: bytes, *, timeout_s: float = 20.0) -> bytes:
        """Send a request and return the reply. Raises HanseError: `peer.unreachable`, or what the peer said."""
        ...

    def link(self, organisation: OrganisationId) -> LinkState:
        """Say how a member is reached now."""
        ...


class Answerer(NamedTuple):
    """Who answers at an address: what it says of itself, and the certificate (DER) that its connection showed."""

    introduction: dict[str, Any]
    leaf: bytes


class Doorbell(Protocol):
    """`/v1/pair` of an organisation that is no member yet. TLS 1.3 without a certificate of ours."""

    async def introduction(self, address: str) -> Answerer:
        """GET: anybody may answer, so the caller checks the certificate. Raises `peer.unreachable`."""
        ...

    async def join(self, address: str, root_pem: str, request: dict[str, Any]) -> dict[str, Any]:
        """POST to whoever shows a certificate under this root, and to nobody else. Raises what the other side says."""
        ...
