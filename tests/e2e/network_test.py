"""A hostile network between real nodes: links cut, flapping and silent, and a member that is no party of the job."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import msgspec
import numpy as np
import pytest
from tests.e2e.federation import Federation, Node, raised, read_scores, wait
from tests.gateway.house import Intruder
from tests.network.proxy import Proxy

from hanse.client import Pipeline
from hanse.client.resources import Job
from hanse.control.nodes.identity import load_identity
from hanse.core.ids import JobId, TaskName
from hanse.core.job_messages import AttemptEnded, CancelJob, EndAttempt, JobEnded, JobRequest, OrderAttempt, QueryJob
from hanse.core.roles import PartyId
from hanse.gateway import shapes, wire
from hanse.gateway.transcript import Transcript
from hanse.kernel.metrics import auc
from hanse.runtime.post import CONTROL_STREAM

pytestmark = pytest.mark.timeout(900)

T = TypeVar("T")
CUT_S = 20.0
MANY = 20_000
SLOW = 100_000
"""Bytes a second: slow enough that one message of an alignment is under way for a while."""

TRAINING = 2_000_000
"""Bytes a second: a tree of depth 3 asks a host with 600 kB, so that twenty trees last for some seconds anywhere."""


REASONS = {
    "speaks as 'host-1'",
    "speaks as 'host-2'",
    "/boost/9",
    "/align/1",
    "job-00000000000000ff",
    "replayed frame 1",
    "job.not_yours",
}
"""What stands in the audit lines about the member that is no party of the job."""


class Street:
    """The proxies before the bank's and the telecom operator's party ports, in a loop and thread of their own.

    Both sides know each other by the proxies' addresses, so that cutting both leaves no way between them.
    """

    def __init__(self) -> None:
        self.proxies: dict[str, Proxy] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def advertise(self, name: str, port: int) -> str:
        """Open a proxy to a port and return its address."""
        if name == "shop":
            return ""
        self.proxies[name] = self._wait(_enter(Proxy(port)))
        return self.proxies[name].address

    def cut(self) -> None:
        self._tell("cut")

    def mend(self) -> None:
        self._tell("mend")

    def freeze(self) -> None:
        self._tell("freeze")

    def thaw(self) -> None:
        self._tell("thaw")

    def throttle(self, bytes_a_second: int) -> None:
        for proxy in self.proxies.values():
            proxy.bytes_a_second = bytes_a_second

    @property
    def carried_bytes(self) -> int:
        return sum(proxy.carried_bytes for proxy in self.proxies.values())

    def close(self) -> None:
        for proxy in self.proxies.values():
            self._wait(proxy.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _tell(self, verb: str) -> None:
        async def act() -> None:
            for proxy in self.proxies.values():
                getattr(proxy, verb)()

        self._wait(act())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


async def _enter(proxy: Proxy) -> Proxy:
    return await proxy.__aenter__()


@pytest.fixture(scope="module")
def street() -> Iterator[Street]:
    street = Street()
    yield street
    street.close()


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory, street: Street) -> Iterator[Federation]:
    """Three organisations; the bank and the telecom operator reach each other through the street's proxies only."""
    with raised(tmp_path_factory.mktemp("network"), advertise=street.advertise) as federation:
        yield federation


@pytest.fixture(scope="module")
def labels(federation: Federation) -> dict[str, float]:
    """The label of everybody whom the bank knows."""
    (snapshot,) = federation.guest.directory.glob("data/*/table.parquet")
    with duckdb.connect() as connection:
        return dict(connection.execute("SELECT id, y FROM read_parquet(?)", [str(snapshot)]).fetchall())


def measure_auc(labels: dict[str, float], scores: dict[str, float]) -> float:
    people = sorted(scores)
    truth = np.array([labels[one] for one in people], np.float64)
    return float(auc(truth, np.array([scores[one] for one in people])))


def demand_whole(federation: Federation, job: str) -> Job:
    """The job has succeeded without a second attempt, and each side received what the other sent, byte for byte."""
    assert federation.ends(job) == {"succeeded"}, federation.explain(job)
    seen = {node.client.job(job).role: node.client.job(job) for node in federation.nodes.values()}
    guest = seen["guest"]
    assert {task.name: task.attempt for task in guest.tasks} == dict.fromkeys((t.name for t in guest.tasks), 1)
    compared = 0
    for host in ("host-1", "host-2"):
        for mine in guest.tasks:
            theirs = seen[host].task(mine.name).digests
            for line, digest in mine.digests.items():
                peer, stream, direction = line.split("/")
                if peer == host and int(stream) != CONTROL_STREAM:
                    other = {"sent": "received", "received": "sent"}[direction]
                    assert theirs[f"guest/{stream}/{other}"] == digest, (mine.name, line)
                    compared += 1
    assert compared >= 2
    return guest


def demand_same_scores(job: Job) -> dict[str, float]:
    trained, again = read_scores(job, "boost"), read_scores(job, "again")
    assert trained.keys() == again.keys()
    assert max(abs(score - again[person]) for person, score in trained.items()) <= 1e-6
    return trained


def is_linked(node: Node, name: str) -> bool:
    return any(member.connected for member in node.client.members() if member.organisation == name)


def hold_off(federation: Federation, job: str, task: str) -> None:
    """Wait for the length of a cut, in which the task stands still and nothing ends."""
    until = time.monotonic() + CUT_S
    while time.monotonic() < until:
        for node in federation.nodes.values():
            found = node.client.job(job)
            assert (found.state, found.task(task).state) == ("running", "running"), federation.explain(job)
        time.sleep(0.5)


@pytest.mark.e2e
def test_a_link_cut_for_20_s_during_training_costs_nothing_but_time(
    federation: Federation, street: Street, labels: dict[str, float]
) -> None:
    calm = demand_same_scores(demand_whole(federation, federation.run(federation.pipeline(trees=20, depth=3))))
    street.throttle(TRAINING)
    try:
        job = federation.run(federation.pipeline(trees=20, depth=3))
        federation.wait_for_progress(federation.guest, job, "boost")
        street.cut()
        wait(lambda: not is_linked(federation.guest, "telecom"), 30, "the bank notices the cut")
        hold_off(federation, job, "boost")
        assert not is_linked(federation.guest, "telecom")
    finally:
        street.mend()
        street.throttle(0)
    cut = demand_same_scores(demand_whole(federation, job))
    assert is_linked(federation.guest, "telecom")
    assert abs(measure_auc(labels, cut) - measure_auc(labels, calm)) < 0.03


@pytest.mark.deep
def test_a_link_that_flaps_through_the_whole_job_costs_nothing_but_time(federation: Federation, street: Street) -> None:
    job = federation.run(federation.pipeline(trees=4, depth=3))
    try:
        for _ in range(60):
            if federation.guest.client.job(job).ended:
                break
            street.cut()
            time.sleep(0.7)
            street.mend()
            time.sleep(2.0)
    finally:
        street.mend()
    demand_same_scores(demand_whole(federation, job))


@pytest.mark.deep
def test_a_link_that_goes_silent_for_20_s_costs_nothing_but_time(federation: Federation, street: Street) -> None:
    street.throttle(TRAINING)
    try:
        job = federation.run(federation.pipeline(trees=20, depth=3))
        federation.wait_for_progress(federation.guest, job, "boost")
        street.freeze()
        hold_off(federation, job, "boost")
    finally:
        street.thaw()
        street.throttle(0)
    demand_same_scores(demand_whole(federation, job))


@pytest.mark.deep
def test_a_link_cut_in_the_middle_of_an_alignment_loses_no_row(
    federation: Federation, street: Street, tmp_path: Path
) -> None:
    project = federation.guest.client.projects()[0].id
    for place, node in enumerate(federation.nodes.values()):
        path = tmp_path / f"{node.name}.csv"
        people = range(1_000 * place, 1_000 * place + MANY)
        path.write_text(f"id,{node.name}_z\n" + "".join(f"m{n:06d},{n % 97}\n" for n in people), "utf-8")
        node.client.register_dataset("many", str(path), "id")
        node.client.add_grant("many", project)
    made = federation.start("many")
    data = made.add("data", "dataset", {"dataset": "many"})
    made.add("align", "psi", table=data["table"])
    street.throttle(SLOW)
    try:
        before = street.carried_bytes
        job = federation.run(made)
        wait(lambda: street.carried_bytes > before + 2 * SLOW, 120, "points are under way")
        street.cut()
        hold_off(federation, job, "align")
    finally:
        street.mend()
        street.throttle(0)
    guest = demand_whole(federation, job)
    assert guest.task("align").outputs["table"].rows == MANY - 2_000


@pytest.mark.deep
def test_a_job_that_is_proposed_while_the_link_is_cut_starts_when_it_is_mended(
    federation: Federation, street: Street
) -> None:
    street.cut()
    try:
        wait(lambda: not is_linked(federation.guest, "telecom"), 30, "the bank notices the cut")
        job = federation.run(federation.pipeline())
        assert federation.guest.client.job(job).state == "proposed"
    finally:
        street.mend()
    demand_same_scores(demand_whole(federation, job))


class Door:
    """A node's party port as the intruder sees it: where it listens and whom it claims to be."""

    def __init__(self, node: Node) -> None:
        self.port = node.port
        self.identity = identity_of(node)


def identity_of(node: Node) -> shapes.Identity:
    own = load_identity(node.directory, node.name)
    return shapes.Identity(own.organisation, own.node, own.name, own.root_path, own.chain_path, own.key_path)


def told(node: Node, organisation: str) -> set[str]:
    """Return which of the reasons the node has written down about an organisation's frames and requests."""
    with closing(sqlite3.connect(f"file:{node.directory / 'hanse.db'}?mode=ro", uri=True)) as database:
        query = "SELECT details FROM audit_lines WHERE action = 'peer.refuse' AND actor = ?"
        lines = [details for (details,) in database.execute(query, [organisation])]
    return {reason for reason in REASONS if any(reason in line for line in lines)}


async def intrude(shop: Node, target: Node, job: str, receiver: str, requests: list[JobRequest]) -> list[str]:
    """Say, with the shop's own keys, what only a party of the job may; return the codes that the requests met."""
    intruder = await Intruder.dial(identity_of(shop), Door(target))  # type: ignore[arg-type]  # all that it needs
    try:
        await intruder.greet()
        for lie in (
            {"sender": "host-1"},
            {"sender": "host-2"},
            {"sender": "host-1", "attempt": 9},
            {"sender": "host-1", "job": "job-00000000000000ff"},
            {"sender": "host-2", "task": "align"},
        ):
            body = b"forged"
            line = Transcript()
            line.add(body, final=True)
            place: dict[str, Any] = {"job": job, "task": "boost", "attempt": 1, "receiver": receiver, **lie}
            await intruder.say(wire.Piece(wire.Route(**place), 0, 0, final=True, digest=line.digest), body)
            assert isinstance(await intruder.hear(wire.Refused), wire.Refused)
        await intruder.say(wire.Finished(wire.Route(**place)), number=1)  # a number that was taken before
        codes = []
        for number, request in enumerate(requests, 1):
            await intruder.say(wire.Call(number), msgspec.msgpack.encode(request))
            reply = await intruder.hear(wire.Reply)
            assert isinstance(reply, wire.Reply)
            assert reply.fault is not None, request
            assert reply.fault.cause == ""
            codes.append(reply.fault.code)
        return codes
    finally:
        await intruder.close()


@pytest.mark.e2e
def test_a_member_that_is_no_party_of_the_job_is_refused_and_written_down(
    federation: Federation, street: Street
) -> None:
    bank, telecom, shop = federation.nodes.values()
    outsider = shop.client.node().organisation_id
    made = Pipeline("two", project=federation.project, guest="bank", hosts=["telecom"])
    split = made.add("split", "split", table=federation.align(made))
    boost = made.add("boost", "hetero_boost", {"trees": 20, "depth": 3}, train=split["train"])
    made.predict("again", model=boost["model"], table=split["train"])
    street.throttle(TRAINING // 4)
    shop.stop()
    try:
        for node in (bank, telecom):
            wait(lambda node=node: not is_linked(node, "shop"), 30, "the shop is gone")  # type: ignore[misc]
        job = JobId(federation.run(made))
        federation.wait_for_progress(bank, job, "boost")
        key = (job, TaskName("boost"), 1)
        forged: dict[str, list[JobRequest]] = {
            "bank": [
                CancelJob(job),
                QueryJob(job),
                AttemptEnded(*key, PartyId("host-1"), "failed"),
                JobEnded(job, "failed"),
            ],
            "telecom": [OrderAttempt(job, TaskName("boost"), 2), EndAttempt(*key), JobEnded(job, "cancelled")],
        }
        for node, receiver in ((bank, "guest"), (telecom, "host-1")):
            codes = asyncio.run(intrude(shop, node, job, receiver, forged[node.name]))
            assert set(codes) == {"job.not_yours"}
        street.throttle(0)
        for node in (bank, telecom):
            wait(lambda node=node: told(node, outsider) >= REASONS, 30, f"{node.name} has written all of it down")  # type: ignore[misc]
        ended = {federation.end(node, job).state for node in (bank, telecom)}
        assert ended == {"succeeded"}, federation.explain(job)
        found = bank.client.job(job)
        assert {task.attempt for task in found.tasks} == {1}
        demand_same_scores(found)
    finally:
        street.throttle(0)
        shop.start()


@pytest.mark.deep
def test_a_host_that_is_suspended_in_the_middle_ends_the_job_by_name_and_hears_it_when_it_is_back(
    federation: Federation, street: Street
) -> None:
    bank, telecom, shop = federation.nodes.values()
    member = telecom.client.node().organisation_id
    street.throttle(TRAINING)
    try:
        job = federation.run(federation.pipeline(trees=20, depth=3))
        federation.wait_for_progress(bank, job, "boost")
        bank.client.suspend_member(member)
        for node in (bank, shop):
            ended = federation.end(node, job)
            assert ended.state == "failed"
            assert ended.fault is not None
            assert (ended.fault.code, ended.fault.party) == ("member.suspended", "host-1")
    finally:
        street.throttle(0)
        bank.client.resume_member(member)
    assert federation.end(telecom, job).state == "failed"
    demand_same_scores(demand_whole(federation, federation.run(federation.pipeline())))
