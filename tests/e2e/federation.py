"""Three organisations on this machine: real nodes as processes, paired, with datasets, a project and grants.

    with raised(folder) as federation:
        job = federation.run(federation.pipeline())
        assert federation.ends(job) == {"succeeded"}

Everything goes through the REST interface, as an administrator's script would.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import psutil

from hanse.client import Client, Pipeline
from hanse.client.directory import read_address
from hanse.client.resources import Job
from hanse.core.faults import HanseError

T = TypeVar("T")
START_S = 60.0
END_S = 240.0
ROWS = 600
HERE = Path(__file__).resolve().parent
NAMES = ("bank", "telecom", "shop")
PARTIES = dict(zip(("guest", "host-1", "host-2"), NAMES, strict=True))
PLANNED = "planned.py"

Advertise = Callable[[str, int], str]
"""What partners are told to dial, for a name and the port on which its node listens; empty: that port itself."""


class Node:
    """One organisation's node: a process that can be killed and started again on its directory.

    `script`, of this folder, runs its attempts and its planner. `settings` are words of its environment.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        script: str = PLANNED,
        advertise: Advertise = lambda *_: "",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.script = script
        self.directory = folder / name
        self.directory.mkdir(parents=True)
        self.plan = self.directory / "faults.json"
        self.break_attempts([])
        self.port = _find_port()
        advertised = advertise(name, self.port)
        self._settings = {"HANSE_PROFILE_DATASETS": "false", **({"HANSE_ADVERTISE": advertised} if advertised else {})}
        self._settings |= settings or {}
        self.start()

    def break_attempts(self, plan: list[dict[str, object]]) -> None:
        """Say which attempts of this node die where, from now on."""
        self.plan.write_text(json.dumps(plan), "utf-8")

    def start(self) -> None:
        """Start the process and wait until it answers; a second start takes the same party port."""
        self.process = self._run("up")
        self.client = wait(self._connect, START_S, f"{self.name} answers")

    def stand_by(self) -> subprocess.Popen[bytes]:
        """Start a second process that waits for the first one's end."""
        return self._run("standby")

    def take_over(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the process that serves, and wait until the one that has stood by answers."""
        self.kill()
        self.process = process
        self.client = wait(self._connect, START_S, f"{self.name} is taken over")

    def kill(self) -> None:
        """Kill the node's process, with what is left of its attempts' sockets, as a power cut would."""
        self.client.close()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> list[psutil.Process]:
        """End the node as its administrator would; return its processes that have outlived it."""
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.client.close()
            self.process.terminate()
            self.process.wait(30)
            _, alive = psutil.wait_procs(family, 10)
            for process in alive:
                process.kill()
            return alive
        return []

    @property
    def log(self) -> str:
        return (self.directory / "node.log").read_text("utf-8", "replace")

    def command(self, how: str, directory: Path) -> list[str]:
        """Return the words that run ("up") or stand by for ("standby") this node in a directory."""
        command = [sys.executable, str(HERE / "node.py"), how, str(directory), self.name, str(self.port)]
        return [*command, sys.executable, str(HERE / self.script), str(self.plan)]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self._settings

    def _run(self, how: str) -> subprocess.Popen[bytes]:
        command = self.command(how, self.directory)
        with (self.directory / "node.log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=self.environment
            )

    def _connect(self) -> Client | None:
        assert self.process.poll() is None, self.log[-2000:]
        with suppress(HanseError):
            if read_address(self.directory).pid == self.process.pid:
                client = Client(self.directory)
                client.node()
                return client
        return None


@dataclass
class Federation:
    """The nodes by name, and the project that they share."""

    nodes: dict[str, Node]
    project: str = "risk"
    grants: dict[str, str] = field(default_factory=dict)

    @property
    def guest(self) -> Node:
        return self.nodes["bank"]

    @property
    def hosts(self) -> tuple[Node, ...]:
        return self.nodes["telecom"], self.nodes["shop"]

    def pipeline(self, trees: int = 2, depth: int = 2) -> Pipeline:
        """Return the pipeline that aligns, splits, trains, and scores the rows that it was trained on."""
        made = self.start("credit")
        split = made.add("split", "split", {"test_ratio": 0.2}, table=self.align(made))
        boost = made.add("boost", "hetero_boost", {"trees": trees, "depth": depth}, train=split["train"])
        made.predict("again", model=boost["model"], table=split["train"])
        return made

    def start(self, name: str) -> Pipeline:
        """Return an empty pipeline of all three."""
        return Pipeline(name, project=self.project, guest="bank", hosts=["telecom", "shop"])

    def align(self, made: Pipeline) -> str:
        """Add everybody's dataset and their alignment; return the aligned table's port."""
        data = made.add("data", "dataset", {"dataset": "people"})
        return made.add("align", "psi", table=data["table"])["table"]

    def run(self, pipeline: Pipeline) -> str:
        """Start a job at the guest that runs every task, and return its id."""
        return self.guest.client.run_job(pipeline.spec(), fresh=True).id

    def ends(self, job: str) -> set[str]:
        """Return the states in which the job has ended, at all parties."""
        return {self.end(node, job).state for node in self.nodes.values()}

    def end(self, node: Node, job: str) -> Job:
        """Wait until a node knows how the job has ended."""

        def look() -> Job | None:
            found = node.client.job(job)
            return found if found.ended else None

        return wait(look, END_S, f"{job} ends at {node.name}")

    def wait_for_task(self, node: Node, job: str, task: str, state: str = "running") -> Job:
        """Wait until a task is in a state (or has passed it) at a node."""

        def look() -> Job | None:
            found = node.client.job(job)
            return found if found.task(task).state == state or found.ended else None

        return wait(look, END_S, f"{task} of {job} is {state} at {node.name}")

    def wait_for_progress(self, node: Node, job: str, task: str) -> None:
        """Wait until a task has reported progress at a node: it is in the middle of its work."""

        def look() -> bool:
            found = node.client.job(job)
            progress = found.task(task).progress
            return found.ended or (progress is not None and progress.done > 0)

        wait(look, END_S, f"{task} of {job} works at {node.name}")

    def explain(self, job: str) -> str:
        """Return what each node says of a job, for a test that has failed."""
        return "\n".join(f"{node.name}: {node.client.job(job)}" for node in self.nodes.values())


@contextmanager
def raised(
    folder: Path,
    *,
    rows: int = ROWS,
    disclosure_limit: float = 5.0,
    scripts: Mapping[str, str] | None = None,
    advertise: Advertise = lambda *_: "",
    settings: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[Federation]:
    """Start the three nodes, pair them, share data and a project; at the end stop them and see that nothing is left.

    `scripts` names, for some of the nodes, another program for their attempts, `settings` words of their environment.
    """
    with ExitStack() as stack:
        federation = Federation({})
        for name in NAMES:
            federation.nodes[name] = Node(
                name, folder, (scripts or {}).get(name, PLANNED), advertise, (settings or {}).get(name)
            )
            stack.callback(federation.nodes[name].stop)
        bank, telecom, shop = federation.nodes.values()
        for inviter, joiner in ((bank, telecom), (bank, shop), (telecom, shop)):
            pair(inviter, joiner)
        write_people(folder, rows)
        project = bank.client.create_project(federation.project, ["telecom", "shop"]).id
        for node in federation.hosts:
            wait(lambda node=node: [p for p in node.client.projects() if p.id == project], START_S, "project offered")  # type: ignore[misc]
            node.client.accept_project(project)
            node.client.add_rule("job", project)
        for node in federation.nodes.values():
            label = "y" if node is bank else None
            node.client.register_dataset("people", str(folder / f"{node.name}.parquet"), "id", label)
            grant = node.client.add_grant("people", project, disclosure_limit=disclosure_limit)
            federation.grants[node.name] = grant.id
        for node in federation.nodes.values():
            wait(lambda node=node: _all_joined(node, project), START_S, f"{node.name} knows all members")  # type: ignore[misc]
        yield federation


def pair(inviter: Node, joiner: Node) -> None:
    """Let one organisation invite another, both comparing the fingerprint."""
    invitation = inviter.client.invite()
    seen = joiner.client.inspect(invitation.code)
    joined = joiner.client.join(invitation.code, seen.pair_fingerprint).member
    me = joiner.client.node().organisation_id
    inviter.client.confirm_member(me, seen.pair_fingerprint)
    wait(
        lambda: any(
            m.organisation_id == joined.organisation_id and m.state == "active" for m in joiner.client.members()
        ),
        START_S,
        f"{joiner.name} is a member of {inviter.name}",
    )


def write_people(folder: Path, rows: int, seed: int = 7) -> None:
    """Write each organisation's table: the label depends on columns of all three, and most people are known to all."""
    draw = np.random.default_rng(seed)
    columns = draw.normal(size=(6, rows))
    chance = 1 / (1 + np.exp(-1.5 * columns.sum(axis=0)))
    label = (draw.random(rows) < chance).astype(np.int64)
    ids = np.array([f"p{number:06d}" for number in range(rows)])
    known = {"bank": slice(0, rows), "telecom": slice(0, rows - rows // 10), "shop": slice(rows // 10, rows)}
    for place, name in enumerate(NAMES):
        rows_known = known[name]
        table = {"id": ids[rows_known]}
        if name == "bank":
            table["y"] = label[rows_known]
        table |= {f"{name}_{n}": columns[2 * place + n][rows_known] for n in range(2)}
        _write_parquet(folder / f"{name}.parquet", table)


def read_scores(job: Job, task: str) -> dict[str, float]:
    """Return the scores that a task of the guest has left, by id."""
    path = job.task(task).outputs["scores"].path
    file = path if Path(path).is_file() else f"{path}/*.parquet"
    with duckdb.connect() as connection:
        return dict(connection.execute("SELECT id, score FROM read_parquet(?)", [file]).fetchall())


def _write_parquet(path: Path, table: dict[str, np.ndarray]) -> None:
    with duckdb.connect() as connection:
        columns = ", ".join(f'unnest($"{name}") AS "{name}"' for name in table)
        values = {name: column.tolist() for name, column in table.items()}
        connection.execute(f"CREATE TABLE people AS SELECT {columns}", values)
        connection.execute(f"COPY people TO '{path}' (FORMAT parquet)")


def _all_joined(node: Node, project: str) -> bool:
    (found,) = (p for p in node.client.projects() if p.id == project)
    return all(place.state == "accepted" for place in found.members)


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(look: Callable[[], T | None], limit_s: float, what: str) -> T:
    deadline = time.monotonic() + limit_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {limit_s:g} s: {what}"
        time.sleep(0.05)
    return found
