"""The node, put together: database, gateway, jobs, REST, all in one event loop under one supervisor.

The supervisor owns the signals. Whatever ends, a signal or a part that fails, all parts are stopped in the reverse of
the order in which they were started, and processes of the node end with it.
"""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog
import typer
import uvicorn
from starlette.types import ASGIApp

from hanse.api.console.app import create_app
from hanse.api.console.node import NodeFacts
from hanse.api.peer.dispatch import Dispatch
from hanse.api.peer.jobs import answer as answer_job
from hanse.cli.node_side import ControlSide, GatewayPeers, PairingDoorbell
from hanse.cli.premises import address_written, claimed, explain
from hanse.control.access.callers import NODE
from hanse.control.admission.gate import Gate, utc
from hanse.control.approvals import service as approvals
from hanse.control.approvals.decided import Decided
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.datasets.registration import Registration
from hanse.control.doctor.service import Doctor
from hanse.control.grants.ending import tell_ending
from hanse.control.grants.versions import settle
from hanse.control.jobs.attempts import RUNTIME
from hanse.control.jobs.desk import JobDesk
from hanse.control.jobs.parting import end_jobs
from hanse.control.jobs.partners import Correspondence
from hanse.control.jobs.queue import Rules
from hanse.control.migrations import upgrade
from hanse.control.nodes.expiry import tell_expiring
from hanse.control.nodes.identity import Identity, load_identity, load_token
from hanse.control.nodes.renewal import Renewal
from hanse.control.nodes.rest_identity import ANYWHERE, RestIdentity, load_rest_identity, names_of
from hanse.control.nodes.seat import Seat
from hanse.control.notifications.sender import Sender
from hanse.control.oidc.signing_in import SignIns
from hanse.control.organisations.membership import Membership
from hanse.control.outbox.courier import Courier
from hanse.control.profiles.profiler import Profiler
from hanse.control.profiles.release import Releases
from hanse.control.registry.desk import RegistryDesk
from hanse.control.removals.jobs import Retention
from hanse.control.schedules.timetable import Timetable
from hanse.control.sessions.service import Span
from hanse.control.settings import NodeSettings, load_settings, save_settings
from hanse.control.sources.desk import SourceDesk
from hanse.control.users import groups, tickets
from hanse.control.users import service as users
from hanse.core.addresses import read_allowed
from hanse.core.faults import HanseError, fault
from hanse.core.federation_messages import Profile
from hanse.core.ids import JobId
from hanse.core.links import Reading
from hanse.core.loops import new_runner
from hanse.core.memory import keep_freed
from hanse.core.profiles import ONE
from hanse.core.specs import Limits
from hanse.gateway import shapes
from hanse.gateway.gateway import Gateway
from hanse.gateway.probe import Target

GRACE_S = 1
PARTING_S = 2.0

log = structlog.get_logger("hanse.node")


def serve(
    directory: Path, given: Mapping[str, Any], command: Sequence[str] = RUNTIME, *, standby: bool = False
) -> None:
    """Run the node of `directory` until it is told to stop; `given` are the command line's settings, None if not given.

    With `standby` it waits until no other process runs this node, and then does. `command` is what runs attempts; tests
    break it on purpose. Raises HanseError for whatever keeps it from starting.
    """
    settings = load_settings(directory, given)
    os.umask(0o077)  # whatever the node writes is its user's alone
    _write_log_to_stderr()
    if standby:
        log.info("node.standby", directory=str(settings.directory))
    with claimed(settings.directory, standby), Seat(settings.database_url) as seat:
        keep_freed()
        new_runner().run(run_node(settings, command, seat, standby))


class Running(NamedTuple):
    """A node that serves."""

    app: ASGIApp
    identity: Identity
    rest: str
    party: str
    database: Database
    tasks: frozenset[asyncio.Task[None]]
    registries: RegistryDesk


async def run_node(settings: NodeSettings, command: Sequence[str], seat: Seat, standby: bool) -> None:
    """Serve until a signal comes, a part fails or the seat is lost."""
    if standby:
        await seat.wait()
    elif not await asyncio.to_thread(seat.take):
        raise fault("node.running", "another process serves this node's database")
    stopped = asyncio.Event()
    keeping = asyncio.create_task(seat.keep(), name="seat")
    try:
        with _signals(stopped):
            async with opened(settings, command) as node:
                await asyncio.to_thread(_tell_setup_link, settings, node)
                log.info("node.up", organisation=node.identity.name, rest=node.rest, party=node.party)
                await _watch(stopped, node.tasks | {keeping})
                log.info("node.stopping")
    finally:
        keeping.cancel()


def _tell_setup_link(settings: NodeSettings, node: Running) -> None:
    """Make and show the first administrator's link, once in a node's life; `hanse user setup-link` makes others."""
    with node.database.write() as session:
        if tickets.was_issued(session, "setup"):
            return
        code = users.issue_setup(session, NODE, utc())
    link = f"{node.rest}/setup#{code}"
    path = tickets.write_setup_file(settings.directory, link)
    typer.echo(f"Set up the first administrator within 24 hours (the link works once): {link}\nIt is kept in {path}")


@asynccontextmanager
async def opened(settings: NodeSettings, command: Sequence[str] = RUNTIME) -> AsyncIterator[Running]:
    """Start all parts of a node whose directory is claimed; stop them in the reverse order."""
    async with AsyncExitStack() as stack:
        yield await _start(settings, command, stack)


async def _start(settings: NodeSettings, command: Sequence[str], stack: AsyncExitStack) -> Running:
    database, identity, token = await asyncio.to_thread(_open, settings)
    stack.callback(database.close)
    rest_socket = _listen(settings.rest_host, settings.rest_port)
    stack.callback(rest_socket.close)

    side = ControlSide(database)
    gateway = Gateway(_gateway_identity(identity), settings.directory, side)
    peers = GatewayPeers(gateway)
    release = version("hanse")
    courier = Courier(database, peers)
    membership = Membership(database, identity, peers, PairingDoorbell(), release)
    sources = SourceDesk(settings.directory, database, read_allowed(settings.outbound_allow))
    registration = Registration(
        settings.directory,
        database,
        _limits(settings, 1),
        tuple(map(Path, settings.data_paths)),
        partial(settle, me=identity.organisation),
        sources,
    )
    profiler = Profiler(
        settings.directory, database, _limits(settings, settings.attempts), automatic=settings.profile_datasets
    )
    releases = Releases(database, identity, profiler, courier, round(settings.privacy_budget * ONE))
    desk = JobDesk(
        database,
        gateway,
        Correspondence(peers),
        identity.organisation,
        settings.directory,
        limits=_limits(settings, settings.attempts),
        rules=_rules(settings),
        command=command,
        posted=courier.wake,
    )
    side.open(
        membership,
        desk,
        Dispatch(database, identity, membership, courier, lambda sender, asked: answer_job(desk, sender, asked)),
    )
    stack.push_async_callback(side.close)

    party_port = await _start_gateway(gateway, settings)
    stack.push_async_callback(gateway.stop)
    membership.address = _party_address(settings, party_port)
    membership.profile = _describe(settings, release, membership.address)
    membership.end_jobs = end_jobs
    membership.parted = _Parting(desk, courier).tell
    await membership.pin_all()
    await asyncio.to_thread(registration.sweep)
    stack.push_async_callback(registration.stop)
    stack.push_async_callback(profiler.stop)
    await desk.start()
    stack.push_async_callback(desk.close)

    async def look(address: str, root_pem: str) -> list[Reading]:
        return await gateway.probe(Target(address, root_pem))

    facts = NodeFacts(settings.node, release, membership.address, lambda: desk.planner.is_alive)
    span = Span(timedelta(seconds=settings.session_idle_s), timedelta(seconds=settings.session_most_s))
    gate = Gate(database, settings.directory, span)
    sign_ins = SignIns(gate, read_allowed(settings.outbound_allow))
    timetable = Timetable(database, desk)
    tls = await asyncio.to_thread(load_rest_identity, settings) if settings.encrypts_rest else None
    names = names_of(settings) if tls else settings.rest_names
    decided = Decided({"job": desk.decided})
    here = "127.0.0.1" if settings.rest_host in ANYWHERE else settings.rest_host
    rest_port = rest_socket.getsockname()[1]
    rest = f"{'http' if tls is None else 'https'}://{_show(here, rest_port)}"
    sender = _open_sender(settings, database, identity, tls, rest_port)
    doctor = Doctor(database, look, release)
    registries = RegistryDesk(database, identity, peers, membership)
    retention = Retention(database, settings.directory, settings.job_retention_days, desk.is_at)
    renewal = Renewal(database, identity, gateway.reload)
    parts = (
        database,
        identity,
        facts,
        membership,
        courier,
        registration,
        profiler,
        releases,
        desk,
        gate,
        timetable,
        sender,
        decided,
        sign_ins,
        sources,
        doctor,
        renewal,
        registries,
    )
    app = create_app(parts, token, (f"[{name}]" if ":" in name else name for name in names))
    server = Rest(app, tls, settings.rest_proxies)
    tasks = frozenset(
        asyncio.create_task(work, name=name)
        for name, work in (
            ("courier", courier.run()),
            ("membership", membership.keep_in_touch()),
            ("certificate", renewal.run()),
            ("registries", registries.run()),
            ("schedules", timetable.run()),
            ("profiles", profiler.run()),
            ("retention", retention.run()),
            ("sender", sender.run()),
            ("rest", server.serve(sockets=[rest_socket])),
        )
    )
    stack.push_async_callback(_stop, server, tasks)
    await server.answers(tasks)
    try:
        stack.enter_context(
            address_written(settings.directory, rest, membership.address, tls.fingerprint if tls else "")
        )
    except OSError as error:
        raise explain(settings.directory, error) from error
    return Running(app, identity, rest, membership.address, database, tasks, registries)


def _open_sender(
    settings: NodeSettings, database: Database, identity: Identity, tls: RestIdentity | None, rest_port: int
) -> Sender:
    """Return what sends notifications, and looks every hour for what is to be told of."""

    def certificates() -> dict[str, str]:
        found = {"party port": identity.chain_pem}
        return found if tls is None else {**found, "REST": tls.chain_path.read_text("ascii")}

    named = next(iter(settings.rest_names), socket.gethostname())
    return Sender(
        database,
        settings.directory,
        identity.name,
        home=f"{'http' if tls is None else 'https'}://{_show(named, rest_port)}/notifications",
        allowed=read_allowed(settings.outbound_allow),
        hourly=(approvals.remind, tell_ending, partial(tell_expiring, certificates=certificates)),
    )


class _Parting(NamedTuple):
    """Ends the processes of jobs with a former partner, and tells all parties."""

    desk: JobDesk
    courier: Courier

    async def tell(self, jobs: Sequence[JobId]) -> None:
        await self.desk.clear(jobs)
        await self.courier.settle(PARTING_S)


class Rest(uvicorn.Server):
    """uvicorn without signal handling: the supervisor's."""

    def __init__(self, app: ASGIApp, tls: RestIdentity | None = None, proxies: Sequence[str] = ()) -> None:
        config = uvicorn.Config(
            app,
            ssl_certfile=tls.chain_path if tls else None,
            ssl_keyfile=tls.key_path if tls else None,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            timeout_graceful_shutdown=GRACE_S,
        )
        super().__init__(config)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def answers(self, tasks: frozenset[asyncio.Task[None]]) -> None:
        """Return as soon as requests are taken. Raises what ended one of the node's tasks instead."""
        while not self.started:
            await asyncio.sleep(0.005)
            _raise_ended(tasks)


async def _watch(stopped: asyncio.Event, tasks: frozenset[asyncio.Task[None]]) -> None:
    waiting = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if not stopped.is_set():
        _raise_ended(tasks)


def _raise_ended(tasks: frozenset[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            if isinstance(cause := task.exception(), HanseError):
                raise cause
            raise fault("node.failed", f"its {task.get_name()} has ended: {task.exception()}") from task.exception()


async def _stop(server: Rest, tasks: frozenset[asyncio.Task[None]]) -> None:
    """Let requests under way finish for a moment, then end everything."""
    server.should_exit = True
    for task in tasks:
        if task.get_name() != "rest":
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _open(settings: NodeSettings) -> tuple[Database, Identity, str]:
    """Make or read what lies in the directory."""
    try:
        identity = load_identity(settings.directory, settings.organisation)
        token = load_token(settings.directory)
        save_settings(settings)
        for name in ("data", "jobs", "log"):
            (settings.directory / name).mkdir(exist_ok=True)
    except OSError as error:
        raise explain(settings.directory, error) from error
    database = Database(settings.database_url)
    try:
        upgrade(database)
        with database.write() as session:
            groups.plant(session)
            audit.append(session, audit.NODE, "node.start", identity.node, release=version("hanse"))
    except BaseException:
        database.close()
        raise
    return database, identity, token


async def _start_gateway(gateway: Gateway, settings: NodeSettings) -> int:
    try:
        return await gateway.start(settings.party_host, settings.party_port)
    except OSError as error:
        with suppress(Exception):  # half started: what did start is stopped, and the first error is the one to tell
            await gateway.stop()
        raise _explain_port(settings.party_host, settings.party_port, error) from error


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise _explain_port(host, port, error) from error
    listener.setblocking(False)
    return listener


def _explain_port(host: str, port: int, error: OSError) -> HanseError:
    address = _show(host, port)
    if error.errno == errno.EADDRINUSE:
        return fault("node.port_taken", f"another process listens on {address}")
    return fault("node.port", f"{address}: {error.strerror or error}")


def _party_address(settings: NodeSettings, port: int) -> str:
    """Return what partners dial: as advertised, with the real port when none was said."""
    said = settings.advertise
    if said and not said.rpartition("]")[2].rpartition(":")[1]:
        return f"{said}:{port}"
    host = socket.gethostname() if settings.party_host in ANYWHERE else settings.party_host
    return said or _show(host, port)


def _describe(settings: NodeSettings, release: str, address: str) -> Profile:
    """Return what this node tells its members of itself. Raises `settings.invalid` for words that they would refuse."""
    said = Profile(release, address, settings.region, settings.contact, settings.pool)
    try:
        return msgspec.convert(msgspec.to_builtins(said), Profile)
    except msgspec.ValidationError as error:
        raise fault("settings.invalid", f"what partners are told: {error}") from error


def _show(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _limits(settings: NodeSettings, shares: int) -> Limits:
    """Return what each of `shares` attempts at once may use."""
    return Limits(threads=max(1, settings.threads // shares), memory_bytes=settings.memory_bytes // shares)


def _rules(settings: NodeSettings) -> Rules:
    """Return how much of the node its jobs may use."""
    return Rules(
        settings.attempts,
        settings.jobs_at_once,
        settings.project_jobs_at_once,
        settings.user_jobs_at_once,
        settings.project_jobs_a_day,
        settings.user_jobs_a_day,
        settings.job_time_limit_s,
        settings.task_time_limit_s,
    )


def _gateway_identity(identity: Identity) -> shapes.Identity:
    return shapes.Identity(
        identity.organisation,
        identity.node,
        identity.name,
        identity.root_path,
        identity.chain_path,
        identity.key_path,
    )


@contextmanager
def _signals(stopped: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    owned = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in owned:
        loop.add_signal_handler(number, stopped.set)
    try:
        yield
    finally:
        for number in owned:
            loop.remove_signal_handler(number)


def _write_log_to_stderr() -> None:
    """One line an event; colours on a terminal, JSON in a file."""
    terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
