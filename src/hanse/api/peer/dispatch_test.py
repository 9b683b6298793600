"""What a member's node may ask: only what this release knows, and only while the member is active."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.databases import open_new

from hanse.api.peer.dispatch import THREADS, Dispatch
from hanse.control.access.callers import LOCAL
from hanse.control.audit import service as audit
from hanse.control.invitations import service as invitations
from hanse.control.nodes.certificates import new_key, organisation_id, sign_root
from hanse.control.nodes.identity import load_identity
from hanse.control.organisations import service as organisations
from hanse.control.organisations.membership import Membership
from hanse.control.outbox.courier import Courier
from hanse.control.peers import Answerer, LinkState, Pinned
from hanse.core import threads
from hanse.core.faults import HanseError, fault
from hanse.core.federation_messages import FederationReply, MemberConfirmed, Ping, Pong, ProjectAccepted
from hanse.core.ids import JobId, OrganisationId, ProjectId
from hanse.core.job_messages import Acknowledged, JobReply, JobRequest, QueryJob


class Alone:
    """A party port that is connected with nobody."""

    def __init__(self) -> None:
        self.pinned: list[tuple[str, str]] = []

    def pin(self, member: Pinned) -> None:
        self.pinned.append((member.name, "suspended" if member.suspended else "trusted"))

    def unpin(self, organisation: OrganisationId) -> None:
        self.pinned.append((organisation, "unpinned"))

    async def call(self, organisation: OrganisationId, payload: bytes, *, timeout_s: float = 20.0) -> bytes:
        raise fault("peer.unreachable", "nobody is there")

    def link(self, organisation: OrganisationId) -> LinkState:
        return LinkState()

    async def introduction(self, address: str) -> Answerer:
        raise fault("peer.unreachable", "nobody is there")

    async def join(self, address: str, root_pem: str, request: dict[str, Any]) -> dict[str, Any]:
        raise fault("peer.unreachable", "nobody is there")


class Office:
    """A node's side of conversations, and one member."""

    def __init__(self, directory: Path) -> None:
        self.database = open_new(directory)
        me, self.peers = load_identity(directory, "bank"), Alone()
        self.membership = Membership(self.database, me, self.peers, self.peers, "0.1.0")
        courier = Courier(self.database, self.peers)
        self.dispatch = Dispatch(self.database, me, self.membership, courier, self.answer_job)
        self.asked: list[JobRequest] = []
        root = sign_root("operator", new_key())
        self.partner = organisation_id(root)
        with self.database.write() as session:
            organisations.admit(session, me.root, root, "127.0.0.1:1", "awaiting")

    async def answer_job(self, sender: OrganisationId, request: JobRequest) -> JobReply:
        self.asked.append(request)
        if isinstance(request, QueryJob) and request.job.endswith("f"):
            raise ZeroDivisionError("inside")
        return Acknowledged()

    async def ask(self, request: Any) -> Any:
        raw = await self.dispatch.answer(self.partner, msgspec.msgpack.encode(request))
        return msgspec.msgpack.decode(raw, type=FederationReply | JobReply)

    async def fail(self, payload: bytes, sender: OrganisationId | None = None) -> str:
        with pytest.raises(HanseError) as error:
            await self.dispatch.answer(sender or self.partner, payload)
        return error.value.fault.code

    def refusals(self) -> list[tuple[str, str]]:
        with self.database.read() as session:
            return [(ln.actor, ln.details["code"]) for ln in audit.lines(session) if ln.action == "peer.refuse"]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.database.close()


PING = msgspec.msgpack.encode(Ping())


async def test_an_inviter_that_confirms_us_may_speak_from_then_on(office: Office) -> None:
    assert await office.fail(PING) == "member.state"
    assert await office.ask(MemberConfirmed()) == Acknowledged()
    assert await office.ask(MemberConfirmed()) == Acknowledged()
    assert await office.ask(Ping()) == Pong("0.1.0")
    assert office.peers.pinned[-1] == ("operator", "trusted")


async def test_a_suspended_member_confirms_nothing(office: Office) -> None:
    await office.ask(MemberConfirmed())
    await office.membership.suspend(LOCAL, office.partner)
    await office.ask(MemberConfirmed())
    assert await office.fail(PING) == "member.state"
    assert office.peers.pinned[-1] == ("operator", "suspended")


async def test_strangers_and_what_is_not_understood_are_refused_and_audited(office: Office) -> None:
    await office.ask(MemberConfirmed())
    stranger = OrganisationId("f" * 32)
    assert await office.fail(PING, stranger) == "member.unknown"
    for junk in (b"", b"\xc1", PING[:-1], PING + b"\x00", msgspec.msgpack.encode({"type": "Shutdown"})):
        assert await office.fail(junk) == "peer.unreadable"
    wrong = {"type": "ProjectAccepted", "project": "../../etc"}
    assert await office.fail(msgspec.msgpack.encode(wrong)) == "peer.unreadable"
    unknown = ProjectAccepted(ProjectId("project-0123456789abcdef"))
    assert await office.fail(msgspec.msgpack.encode(unknown)) == "project.unknown"
    assert office.refusals()[0] == (stranger, "member.unknown")
    assert len(office.refusals()) == 8


async def test_what_is_about_jobs_goes_to_the_desk_for_jobs(office: Office) -> None:
    query = QueryJob(JobId("job-0123456789abcdef"[:-1] + "0"))
    assert await office.fail(msgspec.msgpack.encode(query)) == "member.state"
    await office.ask(MemberConfirmed())
    assert await office.ask(query) == Acknowledged()
    assert office.asked == [query]


async def test_a_mistake_of_ours_tells_the_peer_nothing_of_its_inside(office: Office) -> None:
    await office.ask(MemberConfirmed())
    query = msgspec.msgpack.encode(QueryJob(JobId("job-0123456789abcdef")))
    assert await office.fail(query) == "node.failed"


async def test_a_posted_invitation_is_refused_unless_all_of_it_is_right(office: Office) -> None:
    issued = await office.membership.invite(LOCAL)
    assert issued.code.startswith("hanse1")
    for said in ({}, {"invitation": "0" * 16}, {"invitation": 1}, {"root": "x" * 20000}):
        with pytest.raises(HanseError) as error:
            await office.membership.answer_pair(said)
        assert error.value.fault == invitations.refuse().fault


async def test_what_members_ask_takes_no_thread_that_this_node_s_own_people_wait_for(office: Office) -> None:
    await office.ask(MemberConfirmed())
    taken, release = threading.Semaphore(0), threading.Event()

    def stick() -> None:
        taken.release()
        release.wait()

    async def answer_job(sender: OrganisationId, request: JobRequest) -> JobReply:
        await threads.run(stick)
        return Acknowledged()

    dispatch = replace(office.dispatch, answer_job=answer_job)
    asked = msgspec.msgpack.encode(QueryJob(JobId("job-00000000000000aa")))
    asking = [asyncio.create_task(dispatch.answer(office.partner, asked)) for _ in range(40)]
    for _ in range(THREADS):
        assert await asyncio.to_thread(taken.acquire, timeout=30)
    assert await asyncio.gather(*(threads.run(sum, (1, 2)) for _ in range(40))) == [3] * 40
    assert not any(answer.done() for answer in asking)
    release.set()
    await asyncio.gather(*asking)
