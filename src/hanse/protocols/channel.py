"""How parties talk: typed messages over one ordered stream per pair of parties.

There are no tags. `recv(T)` takes the peer's next message and it must be a `T`; anything else is that peer's fault and
ends the task. What runs at once forks its own numbered stream.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from hanse.core.events import Event, Metric, Note, Progress
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.roles import PartyId, Role, role_of
from hanse.core.specs import Disclosure, Terms
from hanse.protocols.messages import Message, decode

PRIVATE = 0o700
M = TypeVar("M", bound=Message)
S = TypeVar("S", bound=msgspec.Struct)


class ProtocolError(HanseError):
    """A peer broke the protocol; `peer` says which one, for the transcript and the operator."""

    def __init__(self, peer: PartyId, rule: str) -> None:
        super().__init__(
            Fault("protocol.broken", peer, cause=rule, remedy=f"ask {peer} which release it runs, then run again")
        )
        self.peer = peer


class PeerLost(HanseError):
    """A peer's attempt has ended, or its node is away: nothing more will come from it."""

    def __init__(self, peer: PartyId, fault: Fault | None = None) -> None:
        super().__init__(
            fault or Fault("peer.lost", peer, cause="its side of the task has ended", remedy="see that party's own log")
        )
        self.peer = peer


class Channel(Protocol):
    """Bytes in order between this party and each peer. TLS, metering, deadlines and faults wrap this shape.

    `recv` may refuse a message of more than `most_bytes` as soon as so much of it has come.
    """

    async def send(self, peer: PartyId, payload: bytes) -> None: ...

    async def recv(self, peer: PartyId, most_bytes: int | None = None) -> bytes: ...

    def fork(self, stream: int) -> "Channel": ...


class Entropy(Protocol):
    """Where randomness comes from: OS entropy in production, seeded in the simulation only."""

    def seed(self) -> bytes:
        """Return 32 fresh bytes, to be used once."""
        ...


class Attempt(Protocol):
    """What surrounds a role's program: its node. `save` numbers checkpoints from 1, the same at every party."""

    def report(self, event: Event) -> None: ...

    async def spend(self, queries: int, most: int | None = None) -> None: ...

    def save(self, number: int, state: bytes) -> None: ...

    def saved(self) -> tuple[int, bytes] | None: ...

    @property
    def scratch(self) -> Path: ...

    @property
    def kept(self) -> Path: ...


@dataclass(frozen=True)
class Peer:
    """One other party, as a role's program sees it."""

    id: PartyId
    channel: Channel

    async def send(self, message: Message) -> None:
        await self.channel.send(self.id, message.encode())

    async def recv(self, kind: type[M]) -> M:
        payload = await self.channel.recv(self.id, kind.max_bytes)
        try:
            return decode(payload, kind)
        except ValueError as error:
            raise ProtocolError(self.id, f"sent {error}") from error

    def must(self, holds: object, rule: str) -> None:
        """Raise ProtocolError naming this peer unless the rule holds."""
        if not holds:
            raise ProtocolError(self.id, rule)

    def fork(self, stream: int) -> "Peer":
        """Return this peer on its own ordered stream; both sides fork the same number."""
        return replace(self, channel=self.channel.fork(stream))


class Peers(tuple[Peer, ...]):
    """All parties of one role, in the job's order."""

    async def send(self, message: Message) -> None:
        await asyncio.gather(*(peer.send(message) for peer in self))

    async def gather(self, kind: type[M]) -> list[M]:
        return list(await asyncio.gather(*(peer.recv(kind) for peer in self)))


class Party:
    """Who I am in this task, whom I can talk to, and where my randomness comes from."""

    def __init__(
        self,
        me: PartyId,
        others: tuple[PartyId, ...],
        channel: Channel,
        rng: Entropy,
        attempt: Attempt,
        *,
        threads: int = 1,
        disclosure: Disclosure | None = None,
        terms: Terms | None = None,
        organisations: Mapping[PartyId, str] | None = None,
    ) -> None:
        self.id = me
        self.rng = rng
        self.threads = threads
        self.disclosure = disclosure or Disclosure()
        self.terms = terms or Terms()
        self.organisations = dict(organisations or {})
        self._peers = {other: Peer(other, channel) for other in others}
        self._attempt = attempt
        self._checkpoint = (attempt.saved() or (0, b""))[0]

    @property
    def role(self) -> Role:
        return role_of(self.id)

    def peers(self, role: Role) -> Peers:
        return Peers(peer for party, peer in self._peers.items() if role_of(party) == role)

    def peer(self, party: PartyId) -> Peer:
        return self._peers[party]

    @property
    def guest(self) -> Peer:
        (guest,) = self.peers("guest")
        return guest

    @property
    def host(self) -> Peer:
        (host,) = self.peers("host")
        return host

    @property
    def hosts(self) -> Peers:
        return self.peers("host")

    @property
    def arbiter(self) -> Peer:
        (arbiter,) = self.peers("arbiter")
        return arbiter

    @property
    def everyone(self) -> Peers:
        return Peers(self._peers.values())

    def progress(self, done: int, total: int, note: str = "") -> None:
        self._attempt.report(Progress(done, total, note))

    def metric(self, name: str, value: float, step: int = 0) -> None:
        self._attempt.report(Metric(name, value, step))

    def note(self, text: str) -> None:
        self._attempt.report(Note(text))

    def demand_intersection(self, shared: int) -> None:
        """Raise `grant.intersection` when fewer ids are shared than the grants of my data demand."""
        least = self.terms.minimum_intersection
        if least > 1 and shared < least:
            raise fault("grant.intersection", f"{shared} ids are shared; the grant demands at least {least}")

    def demand_told(self, minimum: int, *, told: bool) -> None:
        """Raise `grant.intersection` when a host's grants demand shared ids that this run would not hold to.

        The guest learns first how many are shared, so it has to have agreed to end the run (`minimum`), and the host
        has to be `told` the shared ids to see for itself.
        """
        least = self.terms.minimum_intersection
        if least == 1:
            return
        if not told:
            cause = f"the grant demands at least {least} shared ids, and its owner would not see how many there are"
            raise fault("grant.intersection", cause, "share the result with the host: `share_result`")
        if minimum < least:
            cause = f"the grant demands at least {least} shared ids, the settings only {minimum}"
            raise fault("grant.intersection", cause, f"set `minimum` to {least} or more")

    def demand_group(self, rows: int) -> None:
        """Raise `grant.group` when a number would tell of fewer rows than the grants of my data demand."""
        if rows < self.terms.minimum_group:
            least = self.terms.minimum_group
            raise fault("grant.group", f"the smallest group has {rows} rows; the grant demands at least {least}")

    async def spend(self, queries: int, most: int | None = None) -> None:
        """Count queries against the dataset's disclosure limit, durably, before they are answered.

        `disclosure.used` is what was counted before this attempt began; other jobs go on counting. `most` is how many
        may have been answered in all, these included: the node holds to it, in the same moment as it counts.
        """
        await self._attempt.spend(queries, most)

    def checkpoint(self, state: msgspec.Struct) -> None:
        """Keep `state` so that a restarted attempt goes on from here. Never put an encryption seed into it."""
        self._checkpoint += 1
        self._attempt.save(self._checkpoint, msgspec.msgpack.encode(state))

    @property
    def scratch(self) -> Path:
        """This party's own folder for files too large for memory; it exists, and outlives this attempt.

        A later attempt of the same task finds here what this one left, whole or cut short: a file counts only once it
        bears its final name. The folder goes when the task has ended, well or not. Never put an encryption seed here;
        a key that the model of the task is to hold may lie here, as it will lie there.
        """
        folder = self._attempt.scratch
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def kept(self) -> Path:
        """This party's own folder (mode 0700) that outlives jobs: for what is dear to make and holds from job to job.

        There is one for each component, guest and set of this party's datasets that its inputs come from, so that
        nothing made for one guest is met by another's job. Where datasets reach one input alone that may not be absent,
        those are the set, whatever is given to the others: naming one more table makes no second folder. Where no
        dataset stands behind the task, it goes when the task has ended.

        What lies here may be gone tomorrow and may be of other rows (a later version of the dataset, another
        alignment): a component checks what it finds against what it has before it uses it. Two jobs may be at work
        here at the same moment: a file comes whole under its final name (`sdk.files.write_file`), and who reads bears
        with its absence. The component bounds the size of all it keeps. Here alone, of all that lies on the disk, a
        secret seed may lie: in a file that only this user reads, and only where the component's protocol says for how
        long and why it may be used again.
        """
        folder = self._attempt.kept
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        folder.chmod(PRIVATE)
        return folder

    def resumed(self, kind: type[S]) -> S | None:
        """Return the state of the greatest checkpoint that every party has, or None on a fresh start."""
        saved = self._attempt.saved()
        return None if saved is None else msgspec.msgpack.decode(saved[1], type=kind)
