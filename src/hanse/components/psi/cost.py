"""What an intersection takes: the price of its method (`hanse.protocols.psi.choice`), and who sends what of it."""

from hanse.components.psi.settings import Settings
from hanse.core.costs import Size
from hanse.core.roles import PartyId
from hanse.protocols.psi.choice import (
    PLACES_PER_ITEM,
    POINT_BYTES,
    ROUND_TRIPS,
    Link,
    Method,
    choose,
    price,
)
from hanse.protocols.psi.sizes import cut, field_bytes
from hanse.sdk.costs import Costs, Work, exchanged

ORDINARY = Link(12.5e6, 0.01)
"""What is taken for the link where the choice of the method depends on it: 100 Mbit/s, 10 ms."""

READ_S = 2e-7
"""An id read, digested, put into its bucket, and its row taken for the result."""

MALICE = 2.0
"""Elements and tags are about twice as long against malice (docs/protocols/malicious.md)."""

SET_UP_BYTES = {"semi_honest": (80_000, 200_000), "malicious": (280_000, 280_000)}
"""Method vole, for each bucket: the guest's transfers and the host's corrections (docs/protocols/vole.md)."""

TOLD_BYTES = 12
"""Of several hosts, each is told a shared row by a tag; a single one by one bit for each of its own."""

ID_BYTES = 160


def cost(work: Work) -> Costs:
    """Every id of a table counts; the shared rows are at most those of the smallest."""
    settings: Settings = work.settings.get(work.me) or Settings()
    guest = work.size("table", work.guest).rows
    hosts = tuple(work.size("table", party).rows for party in work.asked)
    method = _method(settings, guest, hosts, work.threads)
    several = len(work.hosts) > 1
    up, down = _bytes(settings, method, guest, hosts, several=several)
    largest = max((guest, *hosts))
    told = exchanged(
        work,
        up,
        down,
        seconds=price(method, guest, hosts, work.threads).seconds + largest * READ_S,
        memory_bytes=min(largest, 4 << 20) * ID_BYTES,
        round_trips=ROUND_TRIPS[method],
    )
    return Costs(told, _gives(work, settings))


def _method(settings: Settings, guest: int, hosts: tuple[int, ...], threads: int) -> Method:
    if settings.result == "count":
        return "ecdh"
    if settings.security == "malicious":
        return "vole"
    if settings.method != "auto":
        return settings.method
    choice = choose(guest, hosts, threads, None) or choose(guest, hosts, threads, ORDINARY)
    return "vole" if choice is None else choice.method


def _bytes(
    settings: Settings, method: Method, guest: int, hosts: tuple[int, ...], *, several: bool
) -> tuple[float, float]:
    """Return the bytes from the guest to these hosts, of one or of several that the task has, and back."""
    up = down = 0.0
    wide = MALICE if settings.security == "malicious" else 1.0
    for host in hosts:
        size = cut(guest, host)
        if not size.buckets:
            continue
        tag = (size.bits - max(0, host.bit_length() - 1) + 1.5) / 8
        if several:  # encoded and masked, not listed
            tag = PLACES_PER_ITEM * size.bits / 8
        told = 0.0
        if settings.share_result and settings.result != "count":
            told = min((guest, *hosts)) * TOLD_BYTES if several else host / 8
        if method == "ecdh":
            up += guest * POINT_BYTES + told
            down += guest * POINT_BYTES + host * tag
        else:
            width = field_bytes(host) if settings.field == "auto" else 16
            opened, corrected = SET_UP_BYTES[settings.security]
            up += wide * guest * PLACES_PER_ITEM * width + size.buckets * opened + told
            down += wide * host * tag + size.buckets * corrected
        down += 8.0 * len(settings.payload) * host
    return up, down


def _gives(work: Work, settings: Settings) -> dict[PartyId, dict[str, Size]]:
    tables = {party: work.size("table", party) for party in work.parties}
    shared = min(size.rows for size in tables.values())
    gives = {}
    for party, size in tables.items():
        rows = shared if settings.result == "shared" else 0 if settings.result == "count" else size.rows
        gets = party == work.guest or settings.share_result
        added = sum(len(work.settings[host].payload) for host in work.hosts if host in work.settings)
        columns = size.columns + (added if party == work.guest else 0)
        gives[party] = {"table": Size(rows if gets else 0, columns)}
    return gives
