"""The attempts of this node that are open now: every frame to or from them is checked here, none is trusted."""

import asyncio
import time
from collections import OrderedDict, deque

from hanse.core import frames
from hanse.core.faults import Fault
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.roles import PartyId
from hanse.gateway import wire
from hanse.gateway.meter import Meter
from hanse.gateway.shapes import AttemptKey, StreamDigest, Traffic
from hanse.gateway.transcript import Transcript

STREAMS = 256
MESSAGE_BYTES = 8 << 30
TAKEN_BYTES = 1 << 20
EARLY_ATTEMPTS = 32
EARLY_BYTES = 2 << 20
"""An attempt says little before it has heard the others: the greeting of the runtimes, not more."""
PAST_TASKS = 8192

Inbound = wire.Piece | wire.Finished


class Refusal(Exception):
    """A frame that is not taken, with the reason for the audit line. `breaks` when the attempt cannot go on."""

    def __init__(self, reason: str, *, breaks: bool = False) -> None:
        super().__init__(reason)
        self.breaks = breaks


class Inbox:
    """What waits for one attempt's process. `urgent` frames go first; the rest is in the order of its arrival."""

    def __init__(self) -> None:
        self._urgent: deque[frames.Head] = deque()
        self._ordered: deque[tuple[frames.Head, frames.Body]] = deque()
        self._filled = asyncio.Event()

    def put_urgent(self, head: frames.Head) -> None:
        self._urgent.append(head)
        self._filled.set()

    def put(self, head: frames.Head, body: frames.Body = b"") -> None:
        self._ordered.append((head, body))
        self._filled.set()

    async def get(self) -> tuple[frames.Head, frames.Body]:
        """Return the next frame, waiting for one."""
        while not self._urgent and not self._ordered:
            self._filled.clear()
            await self._filled.wait()
        return (self._urgent.popleft(), b"") if self._urgent else self._ordered.popleft()


class OpenAttempt:
    """One attempt of this node: who takes part in it, what has been said, and what waits for its process."""

    def __init__(self, key: AttemptKey, party: PartyId, parties: dict[PartyId, OrganisationId], token: str) -> None:
        self.key = key
        self.party = party
        self.peers = {other: organisation for other, organisation in parties.items() if other != party}
        self.token = token.encode()
        self.opened_at = time.monotonic()
        self.is_attached = False
        self.gone: set[PartyId] = set()
        self.inbox = Inbox()
        self._meter: Meter[PartyId] = Meter()
        self._sent: dict[tuple[PartyId, int], Transcript] = {}
        self._received: dict[tuple[PartyId, int], Transcript] = {}
        self._under_way = dict.fromkeys(self.peers, 0)
        self._taken = dict.fromkeys(self.peers, 0)

    def parties_of(self, organisation: OrganisationId) -> list[PartyId]:
        """Return the parties that the organisation stands behind, those already gone left out."""
        return [party for party, owner in self.peers.items() if owner == organisation and party not in self.gone]

    def route_to(self, peer: PartyId) -> wire.Route:
        """Return the route of what this attempt sends to a peer."""
        return wire.Route(*self.key, self.party, peer)

    def send(self, data: frames.Data, body: frames.Body) -> wire.Piece:
        """Meter a piece of our own process and give it its place. Raises Refusal when it may not leave."""
        if data.peer not in self.peers:
            raise Refusal(f"its own attempt sends to {data.peer!r}, which is no other party of this task")
        line = self._line(self._sent, data.peer, data.stream)
        piece = wire.Piece(self.route_to(data.peer), data.stream, line.offset, data.final)
        line.add(body, final=data.final)
        self._meter.sent[data.peer] += len(body)
        return wire.Piece(piece.route, piece.stream, piece.offset, True, line.digest) if data.final else piece

    def check_route(self, organisation: OrganisationId, route: wire.Route) -> None:
        """Raise Refusal unless the frame comes from the organisation of a party of this attempt, to this party."""
        owner = self.peers.get(route.sender)
        if owner != organisation:
            raise Refusal(f"speaks as {route.sender!r} of {'/'.join(map(str, self.key))}, whose owner is {owner}")
        if route.receiver != self.party:
            raise Refusal(f"sends {'/'.join(map(str, self.key))} to {route.receiver!r}; here runs {self.party}")

    def receive(self, head: Inbound, body: frames.Body) -> None:
        """Take a frame whose route has been checked. Raises Refusal; the peer's side of the attempt is then broken."""
        peer = head.route.sender
        if isinstance(head, wire.Finished):
            self.lose(peer, None)
            return
        line = self._line(self._received, peer, head.stream)
        if head.offset != line.offset:
            raise Refusal(f"stream {head.stream}: offset {head.offset}, expected {line.offset}", breaks=True)
        if line.message_bytes + len(body) > MESSAGE_BYTES:
            raise Refusal(f"stream {head.stream}: a message above the cap of {MESSAGE_BYTES} bytes", breaks=True)
        if self._under_way[peer] + wire.cost(body) > wire.WINDOW_BYTES:
            raise Refusal(f"sends more than its window of {wire.WINDOW_BYTES} bytes", breaks=True)
        line.add(body, final=head.final)
        if head.digest != (line.digest if head.final else b""):
            raise Refusal(f"stream {head.stream}: the transcript digest differs", breaks=True)
        self._meter.received[peer] += len(body)
        self._under_way[peer] += wire.cost(body)
        self.inbox.put(frames.Data(peer, head.stream, head.final), body)

    def take(self, peer: PartyId, body: frames.Body) -> wire.Taken | None:
        """Note that the process has a piece. Return what to grant its sender, when that is worth a frame."""
        self._under_way[peer] -= wire.cost(body)
        self._taken[peer] += wire.cost(body)
        if self._taken[peer] < TAKEN_BYTES:
            return None
        size_bytes, self._taken[peer] = self._taken[peer], 0
        return wire.Taken(self.route_to(peer), size_bytes)

    def give_up(self) -> list[wire.Taken]:
        """Return what to grant so that no peer waits for a process that has ended."""
        owed = {peer: self._under_way[peer] + self._taken[peer] for peer in self.peers}
        return [wire.Taken(self.route_to(peer), size_bytes) for peer, size_bytes in owed.items() if size_bytes]

    def lose(self, peer: PartyId, fault: Fault | None) -> bool:
        """Tell the process that nothing more comes from a peer. Return False when it knew already."""
        if peer in self.gone or peer not in self.peers:
            return False
        self.gone.add(peer)
        self.inbox.put(frames.Gone(peer, fault))
        return True

    def counts(self) -> tuple[dict[PartyId, int], dict[PartyId, int]]:
        """Return the bytes sent and received so far, by peer."""
        return dict(self._meter.sent), dict(self._meter.received)

    def traffic(self, dropped: int) -> Traffic:
        """Return what was exchanged so far."""
        lines = [("sent", self._sent), ("received", self._received)]
        digests = [
            StreamDigest(peer, stream, "sent" if way == "sent" else "received", line.messages, line.digest.hex())
            for way, table in lines
            for (peer, stream), line in sorted(table.items())
        ]
        return Traffic(dict(self._meter.sent), dict(self._meter.received), tuple(digests), dropped)

    def _line(self, table: dict[tuple[PartyId, int], Transcript], peer: PartyId, stream: int) -> Transcript:
        line = table.get((peer, stream))
        if line is None:
            if not 0 <= stream < 1 << 31 or sum(owner == peer for owner, _ in table) >= STREAMS:
                raise Refusal(f"stream {stream}: no number of a stream, or one of too many", breaks=True)
            line = table[peer, stream] = Transcript()
        return line


class EarlyFrames:
    """Frames that came before their attempt was opened here: few, small in sum, and not for long."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._waiting: dict[
            tuple[OrganisationId, AttemptKey], tuple[float, int, list[tuple[Inbound, frames.Body]]]
        ] = {}

    def add(self, organisation: OrganisationId, head: Inbound, body: frames.Body) -> None:
        """Keep a frame. Raises Refusal above the caps."""
        slot = (organisation, head.route.key)
        if slot not in self._waiting and sum(owner == organisation for owner, _ in self._waiting) >= EARLY_ATTEMPTS:
            raise Refusal(f"has early frames for more than {EARLY_ATTEMPTS} attempts")
        since, size_bytes, held = self._waiting.get(slot, (time.monotonic(), 0, []))
        size_bytes += wire.cost(body)
        if size_bytes > EARLY_BYTES:
            raise Refusal(f"sends more than {EARLY_BYTES} bytes before the attempt began")
        held.append((head, body))
        self._waiting[slot] = (since, size_bytes, held)

    def take(self, key: AttemptKey) -> list[tuple[OrganisationId, Inbound, frames.Body]]:
        """Return and forget what came for an attempt, in order for each organisation."""
        slots = [slot for slot in self._waiting if slot[1] == key]
        return [(slot[0], head, body) for slot in slots for head, body in self._waiting.pop(slot)[2]]

    def drop(self, organisation: OrganisationId) -> None:
        """Forget all that came from an organisation."""
        for slot in [slot for slot in self._waiting if slot[0] == organisation]:
            del self._waiting[slot]

    def expire(self) -> list[tuple[OrganisationId, AttemptKey]]:
        """Forget, and return, what has waited for too long."""
        oldest = time.monotonic() - self._keep_s
        expired = [slot for slot, (since, _, _) in self._waiting.items() if since < oldest]
        for slot in expired:
            del self._waiting[slot]
        return expired


class PastAttempts:
    """Which attempt numbers are over, and how many frames came too late."""

    def __init__(self) -> None:
        self._over: OrderedDict[tuple[JobId, TaskName], int] = OrderedDict()
        self._dropped: dict[tuple[JobId, TaskName], int] = {}

    def end(self, key: AttemptKey) -> None:
        """Note that this attempt and every one before it is over."""
        task = (key.job, key.task)
        self._over[task] = max(key.attempt, self._over.get(task, 0))
        self._over.move_to_end(task)
        if len(self._over) > PAST_TASKS:
            forgotten, _ = self._over.popitem(last=False)
            self._dropped.pop(forgotten, None)

    def is_over(self, key: AttemptKey) -> bool:
        return key.attempt <= self._over.get((key.job, key.task), 0)

    def count(self, key: AttemptKey) -> None:
        """Count a frame that came for an attempt that is over."""
        task = (key.job, key.task)
        self._dropped[task] = self._dropped.get(task, 0) + 1

    def dropped(self, key: AttemptKey) -> int:
        return self._dropped.get((key.job, key.task), 0)
