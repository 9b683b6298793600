"""The gateway: all of this node's links to other organisations, and the socket of its own attempts.

Everything runs in one event loop; call its methods from there.
"""

import asyncio
import hmac
import time
from collections.abc import Coroutine, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from hanse.core import frames
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.ids import JobId, OrganisationId, TaskName
from hanse.core.lines import Line
from hanse.core.links import Reading
from hanse.core.roles import PartyId
from hanse.gateway import wire
from hanse.gateway.attempts import EarlyFrames, Inbox, OpenAttempt, PastAttempts, Refusal
from hanse.gateway.certificates import Roots, dial_context, listen_context
from hanse.gateway.echo import Echo
from hanse.gateway.lanes import Control
from hanse.gateway.probe import Target, probe
from hanse.gateway.questions import Questions
from hanse.gateway.refusals import Refusals
from hanse.gateway.server import CLOSE_S, PartyPort
from hanse.gateway.session import Session, Timing
from hanse.gateway.shapes import AttemptKey, Identity, Link, NodeSide, PinnedPeer, Traffic
from hanse.gateway.socket import AttemptSocket

log = structlog.get_logger("hanse.gateway")

DIAL_S = 10.0
FIRST_REDIAL_S = 0.2
SPENDS = 64


class Gateway:
    """One node's party port. `directory` is where the attempts' socket is made, if its path is short enough."""

    def __init__(self, identity: Identity, directory: Path, node: NodeSide, *, timing: Timing | None = None) -> None:
        self._me = identity
        self._node = node
        self._timing = timing or Timing()
        self._release = version("hanse")
        self._roots = Roots()
        self._peers: dict[OrganisationId, PinnedPeer] = {}
        self._sessions: dict[OrganisationId, Session] = {}
        self._dials: dict[OrganisationId, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._attempts: dict[AttemptKey, OpenAttempt] = {}
        self._past = PastAttempts()
        self._early = EarlyFrames(self._timing.early_s)
        self._questions = Questions()
        self.refuse = Refusals(node.refused).add
        self._context = listen_context(identity)
        echo = Echo(self._release, lambda organisation: organisation in self._sessions)
        self._port = PartyPort(self._context, self._roots, node, self._accept, self.refuse, echo.answer)
        self._socket = AttemptSocket(directory, self._serve_process, self._refuse_process)
        self._client: aiohttp.ClientSession | None = None

    @property
    def socket_path(self) -> Path:
        """Where the attempts of this node connect."""
        return self._socket.path

    async def start(self, host: str, port: int) -> int:
        """Open the party port and the attempts' socket; return the port, which the system chooses for 0."""
        await self._socket.start()
        number = await self._port.start(host, port)
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        for peer in self._peers.values():
            self._open_session(peer)
        self._spawn(self._watch())
        return number

    async def stop(self) -> None:
        """Close every link and the socket, and leave nothing behind."""
        sessions, self._sessions = list(self._sessions.values()), {}
        await asyncio.gather(*(session.stop() for session in sessions))
        await self._port.stop()
        await self._socket.stop()
        running = [*self._dials.values(), *self._tasks]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
            self._client = None

    # ------------------------------------------------------------------ peers

    def pin(self, peer: PinnedPeer) -> None:
        """Trust an organisation's root, or take note of its new address, name or suspension. Raises HanseError."""
        if peer.organisation == self._me.organisation:
            raise fault("peer.is_self", "an organisation is no peer of itself")
        self._roots.add(peer.organisation, peer.root_pem)
        self._context.load_verify_locations(cadata=peer.root_pem)
        self._peers[peer.organisation] = peer
        session = self._sessions.get(peer.organisation)
        if peer.suspended:
            self._close_session(peer.organisation, "peer.suspended")
        elif session is not None:
            session.peer = peer
            self._start_dialling(session)
        elif self._client is not None:
            self._open_session(peer)

    def unpin(self, organisation: OrganisationId) -> None:
        """Trust an organisation no longer: its link is closed, and its certificates name nobody."""
        self._roots.remove(organisation)
        self._peers.pop(organisation, None)
        self._close_session(organisation, "peer.unknown")

    def reload(self) -> None:
        """Show the certificate that lies in the identity's files from the next connection on; open ones stay."""
        self._context.load_cert_chain(self._me.chain_pem, self._me.key_pem)

    def links(self) -> list[Link]:
        """Return how each pinned peer is reached now."""
        return [self._link(peer) for peer in self._peers]

    async def call(self, organisation: OrganisationId, payload: bytes, *, timeout_s: float = 20.0) -> bytes:
        """Send a control message and return its reply. Raises HanseError: `peer.unreachable`, or the peer's fault."""
        session = self._sessions.get(organisation)
        if session is None:
            raise fault("peer.unreachable", f"{organisation} is not pinned, or suspended", "see `hanse node status`")
        return await session.call(payload, timeout_s)

    async def probe(self, target: Target) -> list[Reading]:
        """Look at the way to a party port, outside all sessions."""
        return await probe(self._me, target)

    # ------------------------------------------------------------------ attempts

    def open_attempt(
        self,
        job: JobId,
        task: TaskName,
        attempt: int,
        party: PartyId,
        parties: dict[PartyId, OrganisationId],
        token: str,
    ) -> None:
        """Let the process that shows `token` speak as `party` of this attempt, and hand it what came early."""
        key = AttemptKey(job, task, attempt)
        if parties.get(party) != self._me.organisation or len(set(parties.values())) != len(parties) or not token:
            raise fault("attempt.parties", f"{party} of {parties} is no attempt of this node", step=task)
        if key in self._attempts or self._past.is_over(key):
            raise fault("attempt.over", f"attempt {attempt} of {job}/{task} has been opened before", step=task)
        opened = self._attempts[key] = OpenAttempt(key, party, parties, token)
        if attempt > 1:
            self._past.end(AttemptKey(job, task, attempt - 1))
        for peer, organisation in opened.peers.items():
            session = self._sessions.get(organisation)
            if session is not None:
                session.lanes.open(key)
            else:
                opened.lose(peer, Fault("peer.suspended", peer, cause="its organisation is not linked to this node"))
        for organisation, head, body in self._early.take(key):
            self.receive(organisation, head, body)

    def close_attempt(self, job: JobId, task: TaskName, attempt: int) -> Traffic:
        """End an attempt and return its traffic. What it had sent still goes out; what comes for it is dropped."""
        key = AttemptKey(job, task, attempt)
        closed = self._attempts.pop(key, None)
        self._past.end(key)
        if closed is None:
            return Traffic({}, {}, ())
        for grant in closed.give_up():
            self._send_control(closed.peers[grant.route.receiver], grant)
        for session in self._sessions_of(closed.peers.values()):
            session.lanes.leave(key)
        closed.inbox.put_urgent(frames.Cancel())
        return closed.traffic(self._past.dropped(key))

    def count_attempt(self, job: JobId, task: TaskName, attempt: int) -> tuple[dict[PartyId, int], dict[PartyId, int]]:
        """Return the bytes that an open attempt has sent and received so far, by peer."""
        opened = self._attempts.get(AttemptKey(job, task, attempt))
        return ({}, {}) if opened is None else opened.counts()

    def peer_gone(self, job: JobId, task: TaskName, attempt: int, peer: PartyId, problem: Fault | None) -> None:
        """Tell an attempt that a peer's has ended badly. An end that is well is told by the peer's own last frame."""
        opened = self._attempts.get(AttemptKey(job, task, attempt))
        if opened is not None and problem is not None:
            self._lose(opened, peer, problem)

    def cancel_attempt(self, job: JobId, task: TaskName, attempt: int) -> None:
        """Ask an attempt to stop now."""
        opened = self._attempts.get(AttemptKey(job, task, attempt))
        if opened is not None:
            opened.inbox.put_urgent(frames.Cancel())

    # ------------------------------------------------------------------ the planner

    def expect(self, token: str) -> None:
        """Let a planner attach with this token, once."""
        self._questions.expect(token)

    async def ask(self, question: bytes, *, timeout_s: float = 30.0) -> bytes:
        """Return the planner's answer to a question of `hanse.core.planning`. Raises HanseError."""
        return await self._questions.ask(question, timeout_s)

    # ------------------------------------------------------------------ what sessions hand in (session.Hub)

    async def answer(self, organisation: OrganisationId, payload: bytes) -> bytes:
        """Let the node answer a control message."""
        return await self._node.answer(organisation, payload)

    def receive(
        self, organisation: OrganisationId, head: wire.Piece | wire.Finished | wire.Refused, body: frames.Body
    ) -> None:
        """Check a peer's frame and hand it to its attempt; refuse it in the log otherwise."""
        try:
            if isinstance(head, wire.Refused):
                self._hear_refusal(organisation, head)
            else:
                self._deliver(organisation, head, body)
        except Refusal as refusal:
            self.refuse(organisation, str(refusal))
            self._send_control(organisation, wire.Refused(head.route.back()))
            opened = self._attempts.get(head.route.key)
            if refusal.breaks and opened is not None:
                peer = head.route.sender
                self._lose(opened, peer, Fault("link.broken", peer, cause=str(refusal), remedy="run the job again"))

    def restarted(self, organisation: OrganisationId) -> None:
        """A peer's node has started anew: its attempts died with it."""
        self._early.drop(organisation)
        self._lose_all(organisation, "peer.restarted", "its node was restarted")

    def break_off(self, organisation: OrganisationId, reason: str) -> None:
        """Forget a session that can only grow: its attempts are lost by name, and both sides start anew."""
        self.refuse(organisation, reason)
        self._close_session(organisation, "link.broken", "this node has closed its link: the peer acknowledged nothing")
        peer = self._peers.get(organisation)
        if peer is not None and self._client is not None:
            self._open_session(peer)

    # ------------------------------------------------------------------ sessions

    def _open_session(self, peer: PinnedPeer) -> None:
        if not peer.suspended:
            session = Session(self._me, peer, self, self._release, self._timing)
            self._sessions[peer.organisation] = session
            self._start_dialling(session)

    def _start_dialling(self, session: Session) -> None:
        organisation = session.peer.organisation
        running = self._dials.get(organisation)
        if session.peer.address and (running is None or running.done()):
            self._dials[organisation] = asyncio.create_task(self._keep_dialling(session))

    def _close_session(
        self, organisation: OrganisationId, code: str, cause: str = "this node has closed its link"
    ) -> None:
        session = self._sessions.pop(organisation, None)
        self._early.drop(organisation)
        self._lose_all(organisation, code, cause)
        if session is not None:
            session.close()
            self._spawn(self._end_session(session, self._dials.pop(organisation, None)))

    async def _end_session(self, session: Session, dial: asyncio.Task[None] | None) -> None:
        await session.stop()
        if dial is not None:
            dial.cancel()
            await asyncio.gather(dial, return_exceptions=True)

    async def _accept(self, organisation: OrganisationId, socket: web.WebSocketResponse) -> None:
        session = self._sessions.get(organisation)
        if session is None:
            self.refuse(organisation, "dials this node while it is suspended")
            await socket.close()
        else:
            await session.serve(socket, organisation)

    async def _keep_dialling(self, session: Session) -> None:
        """Dial whenever there is no connection, first at once and then ever more slowly."""
        pause_s = FIRST_REDIAL_S
        while session.peer.address:
            await session.disconnected.wait()
            try:
                lasted = await self._dial(session)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                log.info("dial.failed", peer=session.peer.name, reason=str(error) or type(error).__name__)
                lasted = False
            pause_s = FIRST_REDIAL_S if lasted else min(2 * pause_s, self._timing.redial_s)
            await asyncio.sleep(pause_s)

    async def _dial(self, session: Session) -> bool:
        """Return whether the connection ever carried the session."""
        if self._client is None:
            return False
        peer = session.peer
        async with asyncio.timeout(DIAL_S):
            socket = await self._client.ws_connect(
                f"https://{peer.address}/v1/ws",
                ssl=dial_context(self._me, peer.root_pem),
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
                max_msg_size=wire.FRAME_BYTES,
            )
        try:
            tls = socket.get_extra_info("ssl_object")
            if self._roots.organisation_of(tls.getpeercert(binary_form=True)) != peer.organisation:
                self.refuse(
                    peer.organisation, f"the node at {peer.address} has a certificate that its root did not sign"
                )
                return False
            return await session.serve(socket, self._me.organisation)
        finally:
            await socket.close()

    async def _watch(self) -> None:
        """Let go of early frames whose attempt never began, and of peers that have been away for too long."""
        while True:
            await asyncio.sleep(self._timing.heartbeat_s)
            for organisation, key in self._early.expire():
                self.refuse(organisation, f"sent frames for {'/'.join(map(str, key))}, which never began here")
            for organisation, session in self._sessions.items():
                if not session.is_connected:
                    self._lose_all(organisation, "peer.away", "its node cannot be reached", since=session.away_since)
                    if time.monotonic() - session.away_since >= self._timing.away_s:
                        session.lanes.drop_leaving()

    # ------------------------------------------------------------------ frames

    def _deliver(self, organisation: OrganisationId, head: wire.Piece | wire.Finished, body: frames.Body) -> None:
        route = head.route
        opened = self._attempts.get(route.key)
        if opened is not None:
            opened.check_route(organisation, route)
            if route.sender not in opened.gone:
                opened.receive(head, body)
                return
        elif not self._node.takes_part(organisation, route.job):
            raise Refusal(f"sends a frame of {'/'.join(map(str, route.key))}, a job that it takes no part in")
        elif not self._past.is_over(route.key):
            self._early.add(organisation, head, body)
            return
        self._past.count(route.key)
        if isinstance(head, wire.Piece):
            self._send_control(organisation, wire.Taken(route.back(), wire.cost(body)))

    def _hear_refusal(self, organisation: OrganisationId, head: wire.Refused) -> None:
        opened = self._attempts.get(head.route.key)
        if opened is not None:
            opened.check_route(organisation, head.route)
            peer = head.route.sender
            self._lose(opened, peer, Fault("peer.refused", peer, cause="its node does not take our messages"))

    def _lose(self, opened: OpenAttempt, peer: PartyId, problem: Fault) -> None:
        if opened.lose(peer, problem):
            for session in self._sessions_of([opened.peers[peer]]):
                session.lanes.drop(opened.key)

    def _lose_all(self, organisation: OrganisationId, code: str, cause: str, *, since: float | None = None) -> None:
        """Tell every attempt with this organisation that it is gone; with `since`, after the peer-away time."""
        now = time.monotonic()
        for opened in self._attempts.values():
            if since is None or now - max(since, opened.opened_at) >= self._timing.away_s:
                for peer in opened.parties_of(organisation):
                    self._lose(opened, peer, Fault(code, peer, cause=cause, remedy="run the job again"))

    def _send_control(self, organisation: OrganisationId, head: Control) -> None:
        for session in self._sessions_of([organisation]):
            session.send(head)

    def _sessions_of(self, organisations: Iterable[OrganisationId]) -> list[Session]:
        return [self._sessions[organisation] for organisation in organisations if organisation in self._sessions]

    def _link(self, organisation: OrganisationId) -> Link:
        session = self._sessions.get(organisation)
        return session.link() if session is not None else Link(organisation, False, None, 0, 0, "", "")

    # ------------------------------------------------------------------ this node's own processes

    async def _serve_process(self, token: bytes, line: Line) -> None:
        """Speak with the attempt or the planner that showed this token, until its end."""
        found = [opened for opened in self._attempts.values() if hmac.compare_digest(opened.token, token)]
        if found and not found[0].is_attached:
            found[0].is_attached = True
            await self._serve_attempt(found[0], line)
            return
        inbox = None if found else self._questions.attach(token)
        if inbox is None:
            self._refuse_process("a process on the attempts' socket shows a token that opens nothing")
            return
        write = asyncio.create_task(self._write_planner(inbox, line))
        try:
            while frame := await line.read():
                if not isinstance(frame[0], frames.Answer):
                    raise ValueError(f"a {type(frame[0]).__name__} as the planner")
                self._questions.answered(frame[0], bytes(frame[1]))
        finally:
            self._questions.detach(inbox)
            await _end(write)

    async def _write_planner(self, inbox: Inbox, line: Line) -> None:
        while True:
            await line.write(*await inbox.get())

    async def _serve_attempt(self, opened: OpenAttempt, line: Line) -> None:
        write = asyncio.create_task(self._write_attempt(opened, line))
        spends: set[asyncio.Task[None]] = set()
        try:
            while frame := await line.read():
                head, body = frame
                match head:
                    case frames.Data():
                        await self._send(opened, head, body)
                    case frames.Report(event):
                        self._node.report(*opened.key, opened.party, event)
                    case frames.Spend() if len(spends) < SPENDS:
                        spend = asyncio.create_task(self._spend(opened, head))
                        spends.add(spend)
                        spend.add_done_callback(spends.discard)
                    case frames.Leave(well):
                        await self._leave(opened, well)
                    case _:
                        raise ValueError(f"a {type(head).__name__} that it may not send")
        except Refusal as refusal:
            self._refuse_process(str(refusal))
        finally:
            await _end(write, *spends)

    async def _write_attempt(self, opened: OpenAttempt, line: Line) -> None:
        while True:
            head, body = await opened.inbox.get()
            await line.write(head, body)
            if isinstance(head, frames.Data):
                grant = opened.take(head.peer, body)
                if grant is not None:
                    self._send_control(opened.peers[head.peer], grant)

    async def _send(self, opened: OpenAttempt, data: frames.Data, body: frames.Body) -> None:
        piece = opened.send(data, body)
        for session in self._sessions_of([opened.peers[data.peer]]):
            await session.lanes.push(opened.key, piece, body)

    async def _spend(self, opened: OpenAttempt, spend: frames.Spend) -> None:
        problem: Fault | None = Fault("node.failed", opened.party, cause="the count of queries could not be kept")
        try:
            problem = await self._node.spend(*opened.key, spend.count, spend.most)
        except HanseError as error:
            problem = error.fault
        finally:
            opened.inbox.put_urgent(frames.Spent(spend.id, problem))

    async def _leave(self, opened: OpenAttempt, well: bool) -> None:
        """Everything that the process sent is in the lanes now: say its last word to the peers, and let it go."""
        for peer, organisation in opened.peers.items():
            for session in self._sessions_of([organisation]) if well else []:
                await session.lanes.push(opened.key, wire.Finished(opened.route_to(peer)), b"")
        opened.inbox.put_urgent(frames.Leave(well))

    def _refuse_process(self, reason: str) -> None:
        self.refuse(self._me.organisation, reason)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(end, Exception) and not isinstance(end, ConnectionError):
            log.error("attempt.line_failed", exc_info=end)
