"""Run every role of a protocol in one event loop, for tests, notebooks and dry runs.

Nothing here weakens production code: the simulation hands the same `Party` to the same programs, with an in-memory
channel, seeded entropy and checkpoints in memory. Faults are injected by taps, never by marks in the programs:

    wrap(party, channel, attempt) -> (channel, attempt)

is called once for each party. `Recorder`, `KillAtMessage`, `KillAtCheckpoint` and `JunkAtMessage` are such taps, and
`both(first, second)` chains two of them.
"""

import asyncio
import hashlib
import tempfile
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from hanse.core.events import Event
from hanse.core.faults import fault
from hanse.core.roles import PartyId
from hanse.core.specs import Disclosure, Terms
from hanse.protocols.channel import Attempt, Channel, Party, PeerLost
from hanse.protocols.messages import kind_of

T = TypeVar("T")
Wrap = Callable[[PartyId, Channel, Attempt], tuple[Channel, Attempt]]
Sending = Callable[[PartyId, PartyId, int, bytes], bytes]
"""Called with (sender, receiver, stream, payload) before a message leaves; returns what leaves in its place."""

KEPT_CHECKPOINTS = 2
SETTLE_TURNS = 64
"""Turns of the event loop without any movement after which parties that all wait are called deadlocked."""


class Killed(Exception):
    """A tap ended this party here, as `kill -9` would."""

    def __init__(self, party: PartyId) -> None:
        super().__init__(f"{party} was killed")
        self.party = party


class SeededEntropy:
    """Seeds by hashing a counter: the same run twice draws the same, and no two seeds of a run are equal."""

    def __init__(self, seed: int | str, party: PartyId, resumed_from: int = 0) -> None:
        self._key = hashlib.sha256(f"{seed}/{party}/{resumed_from}".encode()).digest()
        self._drawn = 0

    def seed(self) -> bytes:
        """Return 32 fresh bytes, to be used once."""
        self._drawn += 1
        return hashlib.blake2b(self._drawn.to_bytes(8, "little"), key=self._key, digest_size=32).digest()


class _Folder:
    """A temporary folder, made when first asked for."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._made: tempfile.TemporaryDirectory[str] | None = None

    @property
    def path(self) -> Path:
        self._made = self._made or tempfile.TemporaryDirectory(prefix=self._prefix)
        return Path(self._made.name)


class MemoryAttempt:
    """One party's surroundings, kept in memory. Hand the same one to a second run to restart from its checkpoints.

    `after` is the attempt of an earlier job on the same datasets for the same guest: what it kept is found again.
    """

    def __init__(self, after: "MemoryAttempt | None" = None) -> None:
        self.events: list[Event] = []
        self.spent = 0
        self.checkpoints: dict[int, bytes] = {}
        self._start: int = 0
        self._scratch = _Folder("hanse-scratch-")
        self._kept: _Folder = _Folder("hanse-kept-") if after is None else after._kept

    @property
    def scratch(self) -> Path:
        """A temporary folder that lives as long as this attempt is held."""
        return self._scratch.path

    @property
    def kept(self) -> Path:
        """A temporary folder that lives as long as this attempt, or one made `after` it, is held."""
        return self._kept.path

    def resume_at(self, number: int) -> None:
        """Start the next run from checkpoint `number`; 0 is the beginning."""
        self._start = number

    def report(self, event: Event) -> None:
        self.events.append(event)

    async def spend(self, queries: int, most: int | None = None) -> None:
        if most is not None and self.spent + queries > most:
            raise fault("disclosure.limit", f"{self.spent} queries are answered, {queries} more would pass {most}")
        self.spent += queries

    def save(self, number: int, state: bytes) -> None:
        self.checkpoints[number] = state
        for old in sorted(self.checkpoints)[:-KEPT_CHECKPOINTS]:
            del self.checkpoints[old]

    def saved(self) -> tuple[int, bytes] | None:
        return (self._start, self.checkpoints[self._start]) if self._start else None


class Network:
    """The streams between the parties of one run, and who waits on which."""

    def __init__(self, parties: tuple[PartyId, ...]) -> None:
        self.moves = 0
        self.still = asyncio.Event()
        self._live = set(parties)
        self._queues: defaultdict[tuple[PartyId, PartyId, int], deque[bytes]] = defaultdict(deque)
        self._waits: defaultdict[tuple[PartyId, PartyId, int], deque[asyncio.Future[bytes]]] = defaultdict(deque)

    def send(self, sender: PartyId, receiver: PartyId, stream: int, payload: bytes) -> None:
        self.moves += 1
        waits = self._waits[sender, receiver, stream]
        while waits:
            if not (wait := waits.popleft()).done():
                wait.set_result(payload)
                return
        self._queues[sender, receiver, stream].append(payload)

    async def recv(self, sender: PartyId, receiver: PartyId, stream: int) -> bytes:
        self.moves += 1
        if queue := self._queues[sender, receiver, stream]:
            return queue.popleft()
        if sender not in self._live:
            raise PeerLost(sender)
        wait: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waits[sender, receiver, stream].append(wait)
        self.look()
        return await wait

    def end(self, party: PartyId) -> None:
        """Note that `party` has finished: who still waits for it will wait in vain."""
        self.moves += 1
        self._live.discard(party)
        for (sender, _, _), waits in self._waits.items():
            for wait in waits:
                if sender == party and not wait.done():
                    wait.set_exception(PeerLost(party))
        self.look()

    def look(self) -> None:
        """Wake the watch when every live party waits for a message."""
        if self._live and self._live <= self.waiting().keys():
            self.still.set()

    def waiting(self) -> dict[PartyId, PartyId]:
        """Return who waits for whom (one example each)."""
        return {
            receiver: sender for (sender, receiver, _), waits in self._waits.items() if any(not w.done() for w in waits)
        }

    def unread(self) -> list[str]:
        """Return the messages that nobody read, as `from → to: Kind`."""
        return [
            f"{sender} → {receiver}: {kind_of(payload)}"
            for (sender, receiver, _), queue in self._queues.items()
            for payload in queue
        ]


@dataclass(frozen=True)
class MemoryChannel:
    """The channel of one party over a `Network`."""

    me: PartyId
    network: Network
    stream: int = 0

    async def send(self, peer: PartyId, payload: bytes) -> None:
        self.network.send(self.me, peer, self.stream, payload)
        await asyncio.sleep(0)

    async def recv(self, peer: PartyId, most_bytes: int | None = None) -> bytes:
        del most_bytes
        return await self.network.recv(peer, self.me, self.stream)

    def fork(self, stream: int) -> "MemoryChannel":
        return MemoryChannel(self.me, self.network, stream)


class _InTurn(ThreadPoolExecutor):
    """The loop's threads, played by the loop itself: what is handed to a thread is done at once, in a fixed order."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  (as a thread would: it is raised where the future is awaited)
            future.set_exception(error)
        return future


async def simulate(
    programs: Mapping[PartyId, Callable[[Party], Awaitable[T]]],
    *,
    seed: int | str = 0,
    attempts: Mapping[PartyId, MemoryAttempt] | None = None,
    disclosure: Disclosure | None = None,
    terms: Mapping[PartyId, Terms] | None = None,
    threads: int = 1,
    wrap: Wrap | None = None,
) -> dict[PartyId, T]:
    """Run `{"guest": …, "host-1": …}` to the end and return what each returned.

    Everything happens in one thread and in an order that depends on the programs alone, so that the n-th message of a
    run is the n-th message of the next.

    Raises the first error that is a cause and not a consequence; HanseError("simulation.deadlock") when all parties
    wait for one another; HanseError("simulation.unread") when a message was sent and never read.
    `attempts` of an earlier run restart it from the greatest checkpoint that all parties hold; what it spent counts as
    used, as it does at a node.
    """
    attempts = attempts or {party: MemoryAttempt() for party in programs}
    start = max(set.intersection(*({0, *attempts[party].checkpoints} for party in programs)))
    network = Network(tuple(programs))
    asyncio.get_running_loop().set_default_executor(_InTurn())
    causes: list[Exception] = []

    async def play(party: PartyId) -> T:
        channel: Channel = MemoryChannel(party, network)
        attempt: Attempt = attempts[party]
        attempts[party].resume_at(start)
        if wrap is not None:
            channel, attempt = wrap(party, channel, attempt)
        others = tuple(other for other in programs if other != party)
        entropy = SeededEntropy(seed, party, start)
        allowed = disclosure or Disclosure()
        allowed = Disclosure(allowed.used + attempts[party].spent, allowed.limit)
        me = Party(
            party,
            others,
            channel,
            entropy,
            attempt,
            threads=threads,
            disclosure=allowed,
            terms=(terms or {}).get(party),
        )
        try:
            result = await programs[party](me)
        except Exception as error:
            causes.append(error)
            raise
        network.end(party)
        return result

    tasks = {party: asyncio.create_task(play(party), name=party) for party in programs}
    watch = asyncio.create_task(_watch(network))
    try:
        await _finish(set(tasks.values()), watch)
    finally:
        await _stop([watch, *tasks.values()])
        if causes:
            raise _first(causes)
    if unread := network.unread():
        raise fault("simulation.unread", f"sent and never read: {', '.join(unread)}", "receive it, or do not send it")
    return {party: task.result() for party, task in tasks.items()}


async def _finish(tasks: set[asyncio.Task[T]], watch: asyncio.Task[None]) -> None:
    """Wait for all tasks; raise as soon as one of them, or the watch, does."""
    open_tasks: set[asyncio.Task[Any]] = {*tasks, watch}
    while open_tasks - {watch}:
        done, open_tasks = await asyncio.wait(open_tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def _watch(network: Network) -> None:
    """Raise when every live party waits and nothing moves for a while."""
    while True:
        await network.still.wait()
        network.still.clear()
        moves = network.moves
        for _ in range(SETTLE_TURNS):
            await asyncio.sleep(0)
            if network.moves != moves:
                break
        else:
            waits = ", ".join(f"{party} waits for {peer}" for party, peer in sorted(network.waiting().items()))
            raise fault("simulation.deadlock", f"nobody can go on: {waits}", "send what the peer awaits, in its order")
        network.look()


async def _stop(tasks: list[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _first(causes: list[Exception]) -> Exception:
    """Return the first error that is not the echo of another party's end, else the first of all."""
    return next((error for error in causes if not isinstance(error, PeerLost)), causes[0])


@dataclass(frozen=True)
class _TappedChannel:
    me: PartyId
    inner: Channel
    sending: Sending
    stream: int = 0

    async def send(self, peer: PartyId, payload: bytes) -> None:
        await self.inner.send(peer, self.sending(self.me, peer, self.stream, payload))

    async def recv(self, peer: PartyId, most_bytes: int | None = None) -> bytes:
        return await self.inner.recv(peer, most_bytes)

    def fork(self, stream: int) -> "_TappedChannel":
        return _TappedChannel(self.me, self.inner.fork(stream), self.sending, stream)


@dataclass(frozen=True)
class _TappedAttempt:
    me: PartyId
    inner: Attempt
    noted: Callable[[PartyId, int], None]

    def report(self, event: Event) -> None:
        self.inner.report(event)

    async def spend(self, queries: int, most: int | None = None) -> None:
        await self.inner.spend(queries, most)

    def save(self, number: int, state: bytes) -> None:
        self.inner.save(number, state)
        self.noted(self.me, number)

    def saved(self) -> tuple[int, bytes] | None:
        return self.inner.saved()

    @property
    def scratch(self) -> Path:
        return self.inner.scratch

    @property
    def kept(self) -> Path:
        return self.inner.kept


def both(first: Wrap, second: Wrap) -> Wrap:
    """Return a tap that does what `first` does and, nearer to the program, what `second` does."""
    return lambda party, channel, attempt: second(party, *first(party, channel, attempt))


@dataclass(frozen=True)
class Sent:
    """One message as it left: who, to whom, on which stream, its declared kind, its size and SHA-256."""

    sender: PartyId
    receiver: PartyId
    stream: int
    kind: str
    size_bytes: int
    digest: str


@dataclass
class Recorder:
    """A tap that writes down every message, and keeps the payloads when `payloads` is true."""

    payloads: bool = False
    sent: list[Sent] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    checkpoints: list[tuple[PartyId, int]] = field(default_factory=list)

    def __call__(self, party: PartyId, channel: Channel, attempt: Attempt) -> tuple[Channel, Attempt]:
        return _TappedChannel(party, channel, self._note), _TappedAttempt(party, attempt, self._kept)

    def _note(self, sender: PartyId, receiver: PartyId, stream: int, payload: bytes) -> bytes:
        digest = hashlib.sha256(payload).hexdigest()
        self.sent.append(Sent(sender, receiver, stream, kind_of(payload), len(payload), digest))
        if self.payloads:
            self.raw.append(payload)
        return payload

    def _kept(self, party: PartyId, number: int) -> None:
        self.checkpoints.append((party, number))


@dataclass
class KillAtMessage:
    """A tap that kills the sender of the n-th message (from 1, over all parties) before it leaves."""

    nth: int
    seen: int = 0

    def __call__(self, party: PartyId, channel: Channel, attempt: Attempt) -> tuple[Channel, Attempt]:
        return _TappedChannel(party, channel, self._count), attempt

    def _count(self, sender: PartyId, _receiver: PartyId, _stream: int, payload: bytes) -> bytes:
        self.seen += 1
        if self.seen == self.nth:
            raise Killed(sender)
        return payload


@dataclass
class KillAtCheckpoint:
    """A tap that kills a party right after the n-th checkpoint (from 1, over all parties) is kept."""

    nth: int
    seen: int = 0

    def __call__(self, party: PartyId, channel: Channel, attempt: Attempt) -> tuple[Channel, Attempt]:
        return channel, _TappedAttempt(party, attempt, self._count)

    def _count(self, party: PartyId, _number: int) -> None:
        self.seen += 1
        if self.seen == self.nth:
            raise Killed(party)


@dataclass
class JunkAtMessage:
    """A tap that sends `junk(payload)` in place of the n-th message (from 1, over all parties); `culprit` sent it."""

    nth: int
    junk: Callable[[bytes], bytes]
    seen: int = 0
    culprit: PartyId | None = None

    def __call__(self, party: PartyId, channel: Channel, attempt: Attempt) -> tuple[Channel, Attempt]:
        return _TappedChannel(party, channel, self._swap), attempt

    def _swap(self, sender: PartyId, _receiver: PartyId, _stream: int, payload: bytes) -> bytes:
        self.seen += 1
        if self.seen != self.nth:
            return payload
        self.culprit = sender
        return self.junk(payload)
