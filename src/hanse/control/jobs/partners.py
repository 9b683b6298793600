"""Ask other organisations' nodes about jobs: typed requests out, typed replies in."""

import msgspec

from hanse.control.peers import Peers
from hanse.core.faults import fault
from hanse.core.ids import OrganisationId
from hanse.core.job_messages import JobReply, JobRequest

_decoder: msgspec.msgpack.Decoder[JobReply] = msgspec.msgpack.Decoder(JobReply)


class Correspondence:
    """Requests about jobs over the sessions with members."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    def reaches(self, organisation: OrganisationId) -> bool:
        """Say whether there is a link to that node now."""
        return self._peers.link(organisation).connected

    def round_trip_s(self, organisation: OrganisationId) -> float:
        """Return how long a byte to that node and back takes, as measured; 0 when there is no link."""
        state = self._peers.link(organisation)
        return (state.latency_median_ms or state.latency_ms or 0.0) / 1e3

    async def ask(self, organisation: OrganisationId, request: JobRequest, *, timeout_s: float) -> JobReply:
        """Return a node's reply. Raises HanseError: `peer.unreachable`, what that node said, or `peer.unreadable`."""
        payload = await self._peers.call(organisation, msgspec.msgpack.encode(request), timeout_s=timeout_s)
        try:
            return _decoder.decode(payload)
        except msgspec.MsgspecError as error:
            raise fault("peer.unreadable", f"a reply that this release does not know: {error}") from error
