"""What leaves an attempt and what arrives: declared messages only, and nobody's values at anybody else.

One whole job runs over tables of canaries, every attempt behind a recorder; then disks and recordings are searched.
"""

from __future__ import annotations

import base64
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pytest
from tests.conformance.messages import declared
from tests.e2e.federation import PARTIES, Federation, Node, raised, read_scores
from tests.e2e.recorded import Recording, read_recordings

from hanse.client.resources import Job
from hanse.core import frames
from hanse.protocols.messages import decode, kind_of
from hanse.runtime import catalogue
from hanse.runtime.agreement import Hello
from hanse.runtime.post import CONTROL_STREAM, NOTICES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROWS = 240
KNOWN = 200
"""Rows that all know; the rest of each table are people of its own."""

SOUGHT = (0, 57, 111, 199, 200, 219, 239)
"""Rows whose values are looked for: shared ones and others, first and last ones."""

DIGITS = 12
"""A number that was rounded on its way is still found by its first digits."""


@dataclass(frozen=True)
class Canary:
    """What an organisation keeps to itself, and in which rows."""

    owner: str

    @property
    def hidden_column(self) -> str:
        return f"hidden_{self.owner}_5e1f77c0"

    def number(self, column: int, row: int) -> float:
        """A value that nobody meets by chance: sixteen digits."""
        return 1.0 + np.random.default_rng([column, row, *self.owner.encode()]).random()

    def text(self, row: int) -> str:
        return f"note{np.random.default_rng([99, row, *self.owner.encode()]).integers(1 << 62):019d}"

    def id(self, row: int) -> str:
        own = np.random.default_rng([98, row, *self.owner.encode()]).integers(1 << 62)
        return f"known{row:05d}" if row < KNOWN else f"only{own:019d}"

    def write(self, folder: Path) -> Path:
        """Write the table: id, two numbers (the guest's second one is its label), a text and the hidden column."""
        path = folder / f"{self.owner}-canary.csv"
        lines = [f"id,{self.owner}_a,{self.owner}_b,words,{self.hidden_column}"]
        for row in range(ROWS):
            numbers = [repr(self.number(column, row)) for column in range(3)]
            lines.append(",".join([self.id(row), numbers[0], numbers[1], self.text(row), numbers[2]]))
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    def traces(self) -> dict[str, list[bytes]]:
        """Return, by name, every form of every value that is looked for."""
        found = {"hidden column": text_forms(self.hidden_column)}
        for row in SOUGHT:
            found[f"words {row}"] = text_forms(self.text(row))
            for column in range(3):
                found[f"number {column} {row}"] = number_forms(self.number(column, row))
            if row >= KNOWN:
                found[f"id {row}"] = text_forms(self.id(row))
        return found


def text_forms(text: str) -> list[bytes]:
    """Return the forms in which a text is usually written."""
    plain = text.encode()
    return [plain, text.encode("utf-16-le"), text.encode("utf-16-be"), *byte_forms(plain)]


def number_forms(number: float) -> list[bytes]:
    """Return the forms in which a number is usually written, its digits cut as if it had been rounded."""
    packed = [struct.pack(order, number) for order in ("<d", ">d")]
    return [*text_forms(repr(number)[:DIGITS]), *packed, *(form for raw in packed for form in byte_forms(raw))]


def byte_forms(raw: bytes) -> list[bytes]:
    """Return bytes in hex, and in base64 at each of its three offsets, less the letters that neighbours share."""
    found = [raw.hex().encode(), raw.hex().upper().encode()]
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + raw + bytes(2))
        found.append(whole[-(-8 * offset // 6) : 8 * (offset + len(raw)) // 6])
    return found


@dataclass(frozen=True)
class Stage:
    """The federation after its jobs: training, and scoring everybody with the model."""

    federation: Federation
    training: Job
    scoring: Job

    def recordings(self, node: Node) -> list[Recording]:
        return read_recordings(node.plan)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Run a regression on the guest's canary label, everything recorded."""
    folder = tmp_path_factory.mktemp("privacy")
    scripts = dict.fromkeys(PARTIES.values(), "recorded.py")
    with raised(folder, rows=60, scripts=scripts) as federation:
        project = federation.guest.client.projects()[0].id
        for node in federation.nodes.values():
            canary = Canary(node.name)
            label = f"{node.name}_b" if node is federation.guest else None
            node.client.register_dataset("canaries", str(canary.write(folder)), "id", label)
            granted = [f"{node.name}_a", f"{node.name}_b"]
            node.client.add_grant("canaries", project, ["id", *granted], disclosure_limit=5.0)
        training = finish(federation, train(federation))
        (model,) = (found for found in federation.guest.client.models() if found.job == training.id)
        scoring = finish(federation, score(federation, model.id))
        yield Stage(federation, training, scoring)


def train(federation: Federation) -> str:
    made = federation.start("canaries")
    data = made.add("data", "dataset", {"dataset": "canaries"})
    aligned = made.add("align", "psi", {"method": "vole"}, table=data["table"])
    split = made.add("split", "split", table=aligned["table"])
    settings = {"trees": 3, "depth": 3, "objective": "regression", "max_bins": 8}
    boost = made.add("boost", "hetero_boost", settings, train=split["train"], valid=split["test"])
    scored = made.predict("scored", model=boost["model"], table=split["test"])
    made.add("judge", "evaluation", {"objective": "regression"}, scores=scored["scores"])
    return federation.run(made)


def score(federation: Federation, model: str) -> str:
    made = federation.start("everybody")
    data = made.add("data", "dataset", {"dataset": "canaries"})
    aligned = made.add("align", "psi", table=data["table"])
    made.predict("scored", model=f"model:{model}", table=aligned["table"])
    return federation.run(made)


def finish(federation: Federation, job: str) -> Job:
    assert federation.ends(job) == {"succeeded"}, federation.explain(job)
    return federation.guest.client.job(job)


def read_disk(node: Node) -> bytes:
    """Return all that lies in a node's directory: each file as it is, tables and the database in words as well."""
    found = []
    for path in sorted(node.directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found += [str(path.relative_to(node.directory)).encode(), path.read_bytes()]
            if path.suffix == ".parquet":
                found.append(read_table(path))
    with closing(sqlite3.connect(f"file:{node.directory / 'hanse.db'}?mode=ro", uri=True)) as database:
        found += [line.encode() for line in database.iterdump()]
    return b"\n".join(found)


def read_table(path: Path) -> bytes:
    with duckdb.connect() as connection:
        read = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in read.description]
        return repr([names, *read.fetchall()]).encode()


def read_arrivals(stage: Stage, node: Node) -> bytes:
    """Return all that other parties sent to a node's attempts, and all that its own attempts wrote down of it."""
    party = next(party for party, name in PARTIES.items() if name == node.name)
    sent = [
        payload
        for other in stage.federation.nodes.values()
        if other is not node
        for recording in stage.recordings(other)
        for peer, _, payload in recording.messages
        if peer == party
    ]
    kept = [state for recording in stage.recordings(node) for state in recording.checkpoints]
    assert sent
    return b"\n".join([*sent, *kept])


def find(traces: dict[str, list[bytes]], place: bytes) -> set[str]:
    return {name for name, forms in traces.items() if any(form in place for form in forms)}


@pytest.mark.parametrize("owner", PARTIES.values())
def test_an_organisations_values_are_on_no_other_ones_disk_and_in_nothing_that_it_received(
    stage: Stage, owner: str
) -> None:
    traces = Canary(owner).traces()
    for node in stage.federation.nodes.values():
        if node.name != owner:
            assert find(traces, read_disk(node)) == set(), f"on the disk of {node.name}"
            assert find(traces, read_arrivals(stage, node)) == set(), f"received by {node.name}"


@pytest.mark.parametrize("owner", PARTIES.values())
def test_the_same_search_finds_all_of_them_at_home(stage: Stage, owner: str) -> None:
    traces = Canary(owner).traces()
    assert find(traces, read_disk(stage.federation.nodes[owner])) == set(traces)


@pytest.mark.parametrize(
    "leak",
    [
        "hidden_bank_5e1f77c0".encode("utf-16-le"),
        Canary("bank").text(57).encode(),
        base64.b64encode(b"xy" + Canary("bank").id(219).encode() + b"z"),
        struct.pack("<d", Canary("bank").number(1, 111)),
        base64.b64encode(b"abcd" + struct.pack("<d", Canary("bank").number(2, 0)) + b"efgh"),
        f"{Canary('bank').number(0, 239):.11f}".encode(),
    ],
)
def test_the_search_finds_each_kind_of_leak(leak: bytes) -> None:
    assert len(find(Canary("bank").traces(), b"...." + leak + b"....")) == 1
    assert find(Canary("shop").traces(), b"...." + leak + b"....") == set()


def test_only_declared_messages_leave_an_attempt(stage: Stage) -> None:
    components = catalogue.load_all()
    talkers = set()
    for node in stage.federation.nodes.values():
        for recording in stage.recordings(node):
            kinds = declared(components[recording.component])
            for _, stream, payload in recording.messages:
                runtimes = {"Hello": Hello, **NOTICES}
                known = runtimes if stream == CONTROL_STREAM else kinds
                assert kind_of(payload) in known, (recording.task, recording.party, payload[:40])
                message = decode(payload, known[kind_of(payload)])
                assert message.encode() == payload
                talkers.add((recording.component, recording.party))
            assert {type(head) for head in recording.other} <= {
                frames.Attach,
                frames.Report,
                frames.Spend,
                frames.Leave,
            }
    assert talkers >= {(name, party) for name in ("psi", "split", "hetero_boost") for party in PARTIES}


def test_the_node_sends_what_its_attempts_sent_and_nothing_beside(stage: Stage) -> None:
    for node in stage.federation.nodes.values():
        job = node.client.job(stage.training.id)
        assert job.role is not None
        for task in job.tasks:
            recorded: dict[str, int] = {}
            for recording in stage.recordings(node):
                if (recording.job, recording.task) == (job.id, task.name):
                    for peer, _, payload in recording.messages:
                        recorded[peer] = recorded.get(peer, 0) + len(payload)
            assert {peer: sent for peer, sent in task.bytes_sent.items() if sent} == recorded


def test_a_later_job_scores_the_training_rows_as_the_training_did(stage: Stage) -> None:
    trained = read_scores(stage.training, "boost")
    tested = read_scores(stage.training, "scored")
    again = read_scores(stage.scoring, "scored")
    assert not trained.keys() & tested.keys()
    assert again.keys() == trained.keys() | tested.keys()
    assert len(again) == KNOWN
    assert max(abs(again[person] - score) for person, score in (trained | tested).items()) <= 1e-6
    assert len(set(again.values())) > 5
