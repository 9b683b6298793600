"""What a cached intersection takes: each id of the host once when it is prepared, each id of the guest when it asks."""

from hanse.components.psi_cached.settings import Settings
from hanse.core.costs import Size
from hanse.kernel import _kernel
from hanse.protocols.psi.choice import LADDER_NS, POINT_BYTES
from hanse.sdk.costs import Costs, Work, exchanged

SLACK_BITS = 1.6
"""What the filter takes beside the low bits of a tag: its place, by the order of the pages."""

CHECK_BYTES = 24
JOIN_S = 5e-8
ID_BYTES = 60
MULTIPLICATIONS = 3
"""Of a guest's id: blinded, evaluated, opened."""


def cost(work: Work) -> Costs:
    """Preparing is by the host's table, asking by the guest's."""
    settings: Settings = work.settings.get(work.me) or Settings()
    return _ask(work, settings) if work.apply else _prepare(work, settings)


def _prepare(work: Work, settings: Settings) -> Costs:
    ids = {host: work.size("table", host).rows for host in work.hosts}
    size_bytes = sum(ids[host] for host in work.asked) * (settings.low_bits + SLACK_BITS) / 8
    most = max((ids[host] for host in work.asked), default=0)
    seconds = most * (_ladder_s() / work.threads + JOIN_S)
    told = exchanged(work, 0.0, size_bytes, seconds=seconds, memory_bytes=most * ID_BYTES, round_trips=2)
    prepared = {host: {"model": Size(rows)} for host, rows in ids.items()}
    return Costs(told, {work.guest: {"model": Size(most)}, **prepared})


def _ask(work: Work, settings: Settings) -> Costs:
    guest = work.size("table", work.guest)
    shared = min((guest.rows, *(work.size("table", host).rows for host in work.hosts)))
    asked, checked = len(work.asked) * guest.rows, len(work.asked) * shared * settings.share_result
    up, down = asked * POINT_BYTES + checked * 8, asked * POINT_BYTES + checked * (CHECK_BYTES - 8)
    most = max(guest.rows, *(work.size("table", host).rows for host in work.hosts))
    seconds = guest.rows * MULTIPLICATIONS * _ladder_s() / work.threads + most * JOIN_S
    told = exchanged(work, up, down, seconds=seconds, memory_bytes=most * ID_BYTES, round_trips=3)
    tables = {party: work.size("table", party) for party in work.parties}
    gets = {party: party == work.guest or settings.share_result for party in tables}
    gives = {party: {"table": Size(shared if gets[party] else 0, size.columns)} for party, size in tables.items()}
    return Costs(told, gives)


def _ladder_s() -> float:
    return LADDER_NS[_kernel.simd_path()] * 1e-9
