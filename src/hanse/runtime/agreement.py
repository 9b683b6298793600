"""Before the roles' programs start: do all parties run the same component, and from where do they go on?"""

import asyncio

from hanse.core.faults import Fault, HanseError
from hanse.core.roles import PartyId
from hanse.core.specs import AttemptSpec
from hanse.protocols.channel import Channel, Peer, Peers
from hanse.protocols.messages import Message
from hanse.runtime.storage import Mark

MARKS = 16


class Hello(Message, frozen=True):
    """any party → all others, first: which component I run, and which checkpoints I hold (number, attempt)."""

    component: str
    version: str
    checkpoints: list[tuple[int, int]]


async def agree(spec: AttemptSpec, channel: Channel, marks: list[Mark]) -> Mark | None:
    """Return the greatest checkpoint that every party holds, or None: from the beginning.

    Raises HanseError("version.mismatch") that names the parties and what they run; ProtocolError; PeerLost.
    """
    peers = Peers(Peer(party, channel) for party in spec.parties if party != spec.party)
    mine = Hello(spec.component, spec.version, marks[-MARKS:])
    _, hellos = await asyncio.gather(peers.send(mine), peers.gather(Hello))
    for peer, hello in zip(peers, hellos, strict=True):
        peer.must(len(hello.checkpoints) <= MARKS, f"holds no more than {MARKS} checkpoints")
    check_versions(spec, {peer.id: hello for peer, hello in zip(peers, hellos, strict=True)})
    common = set(marks).intersection(*(hello.checkpoints for hello in hellos))
    return max(common, default=None)


def check_versions(spec: AttemptSpec, hellos: dict[PartyId, Hello]) -> None:
    """Raise HanseError unless all run this component in a version that speaks the same (major and minor)."""
    others = {
        party: hello
        for party, hello in hellos.items()
        if (hello.component, line_of(hello.version)) != (spec.component, line_of(spec.version))
    }
    if others:
        said = ", ".join(f"{party} runs {hello.component} {hello.version}" for party, hello in others.items())
        raise HanseError(
            Fault(
                "version.mismatch",
                next(iter(others)),
                spec.task,
                f"{spec.party} runs {spec.component} {spec.version}, {said}",
                "bring all nodes to one release, then run the job again",
            )
        )


def line_of(version: str) -> tuple[str, ...]:
    """Return what two versions must share to understand each other: major and minor."""
    return tuple(version.split(".")[:2])
