"""Vertical boosting between processes over mutual TLS: seconds, bytes, memory, AUC, beside peers in the same run.

    python bench/boost.py [--quick] [--runs 3] [--only boost/50k] [--rows 100000]

Every party is a process pinned to a core of its own, with one kernel thread; they speak over one TLS 1.3 connection
(`bench/wire.py`). Each reads its Parquet snapshot, as an attempt does; the data are those of the peer's script (normal
columns, the label needs columns of both sides). `--rows` runs the cases with another number of rows.

    boost/10k    10^4 rows, 10 + 10 columns (guest + host), 5 trees of depth 5, 32 bins
    boost/50k    5·10^4 rows, 20 + 20 columns, 3 trees of depth 5, 10 bins
    boost/1m     10^6 rows, 10 + 100 columns, 4 trees of depth 5, 32 bins
    boost/thin   10^5 rows, 10 + 50 columns, 3 trees of depth 5, 32 bins, over 100 Mbit/s and 50 ms there and back

`seconds` of the first two is the whole fit, from the moment all parties stand ready to the last one's result: reading,
binning, set-up, all trees. Of the last two it is one tree, from the end of the first to the end of the last over their
number; `note.setup_seconds` is what came before the first query. `note.again` is a second job on the same tables, which
goes on with the set-up that both sides have kept. `bytes` is what the messages of all parties hold
together in the whole fit, `note.bytes_per_tree` those of a tree (the first and its successors are alike).
`peak_mb` is the sum of the parties' largest sizes, what they hold at their start (`note.parties`) included. `equal`
says that scoring the training rows gives the training scores to 1e-6, and that the AUC on at least 10^5 new rows is
within 0.005 of that of `local_boost` on all columns in one place. The limit of disclosure is set so high that no bins
are merged; that the guest asks about no node smaller than a quarter of the smallest bin remains, and makes other trees
where rows are few.

`bound_seconds` is the least time of the arithmetic on the parties' cores, see `bound`.

Peers: SecretFlow's SGB with Okamoto-Uchiyama of 2048 bits, found as `bench/wire.py` says, environment `sf`: its `fit`,
without imports, keys and reading; and plain xgboost on all columns in one place, with one thread and with two
(`note.xgboost`), its matrix included. For `boost/thin`, `note.ou_arithmetic` has what an additively homomorphic
protocol needs at least, by the rates of the library that SGB calls.
"""

import argparse
import json
import math
import os
import resource
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader
from arro3.core import Schema as ArrowSchema
from numpy.typing import NDArray

from hanse.components.hetero_boost.hetero_boost import component
from hanse.components.local_boost.local_boost import component as local_boost
from hanse.control.nodes.identity import load_identity
from hanse.core.events import Event, Note, Progress
from hanse.core.roles import GUEST, PartyId
from hanse.core.schema import Column, Schema
from hanse.core.specs import Disclosure, Limits
from hanse.kernel import _kernel
from hanse.kernel.histogram import parameter_set
from hanse.kernel.metrics import auc
from hanse.kernel.threads import set_threads
from hanse.protocols.channel import Channel, Party
from hanse.protocols.messages import kind_of
from hanse.protocols.simulation import MemoryAttempt
from hanse.runtime.channel import SystemEntropy
from hanse.sdk import Params, Report, Table, run
from hanse.sdk.component import perform
from hanse.sdk.engine import Bounds, quote
from hanse.sdk.engine import connect as open_engine
from hanse.sdk.table import ENCODING
from wire import CORES, Process, Stage, Wire, WireChannel, connect, hear, peak_mb, play, run_peer, say, staged, started

Reals = NDArray[np.float64]
HOST = PartyId("host-1")
PARTIES = (GUEST, HOST)
DEPTH, RATE = 5, 0.3
LIMITS = Limits(threads=1)
CHUNK_ROWS = 50_000
LEAST_NEW_ROWS = 100_000
SCORING_STREAM, AGAIN_STREAM = 1000, 2000
CLOSE = 0.005


@dataclass(frozen=True)
class Case:
    """A line of the output."""

    name: str
    rows: int
    guest_columns: int
    host_columns: int
    trees: int
    bins: int
    by_tree: bool = False
    thin: bool = False
    peer: bool = False
    runs: int = 3

    @property
    def columns(self) -> int:
        return self.guest_columns + self.host_columns

    @property
    def settings(self) -> dict[str, Any]:
        return {"trees": self.trees, "depth": DEPTH, "max_bins": self.bins, "learning_rate": RATE}


CASES = (
    Case("boost/10k", 10_000, 10, 10, 5, 32, peer=True),
    Case("boost/50k", 50_000, 20, 20, 3, 10, peer=True),
    Case("boost/thin", 100_000, 10, 50, 3, 32, by_tree=True, thin=True, runs=1),
    Case("boost/1m", 1_000_000, 10, 100, 4, 32, by_tree=True, runs=1),
)


# ------------------------------------------------------------------------------------------------------------ the data


@dataclass(frozen=True)
class Data:
    """The numbers of a case on disk: float32[rows, columns] of training and of new rows, and labels."""

    folder: Path
    case: Case

    def table(self, party: str, part: str) -> Path:
        return self.folder / f"{party}.{part}.parquet"

    @property
    def numbers(self) -> NDArray[np.float32]:
        found: NDArray[np.float32] = np.load(self.folder / "numbers.npy", mmap_mode="r")
        return found

    @property
    def labels(self) -> Reals:
        found: Reals = np.load(self.folder / "labels.npy")
        return found

    @property
    def parts(self) -> dict[str, slice]:
        rows = self.case.rows
        return {"train": slice(0, rows), "new": slice(rows, max(int(rows * 1.2), rows + LEAST_NEW_ROWS))}

    def columns(self, party: str) -> slice:
        guest = self.case.guest_columns
        return {"guest": slice(0, guest), "host-1": slice(guest, self.case.columns)}.get(
            party, slice(0, self.case.columns)
        )


def make(folder: Path, case: Case) -> Data:
    """Draw the numbers of the peer's script, then more new rows of their kind, and write every party's snapshots."""
    data = Data(folder, case)
    draw = np.random.default_rng(7)
    theirs, total, width = int(case.rows * 1.2), data.parts["new"].stop, case.columns
    numbers = np.lib.format.open_memmap(folder / "numbers.npy", "w+", np.float32, (total, width))
    draw_numbers(draw, numbers[:theirs])
    weights = draw.standard_normal(width) / np.sqrt(width)
    labels = [draw_labels(draw, numbers[:theirs], weights, case.guest_columns)]
    draw_numbers(draw, numbers[theirs:])
    labels.append(draw_labels(draw, numbers[theirs:], weights, case.guest_columns))
    numbers.flush()
    np.save(folder / "labels.npy", np.concatenate(labels))
    for party in (*PARTIES, "all"):
        for part in data.parts:
            write_table(data, party, part)
    return data


def draw_numbers(draw: np.random.Generator, numbers: NDArray[np.float32]) -> None:
    for start in range(0, len(numbers), CHUNK_ROWS):
        chunk = numbers[start : start + CHUNK_ROWS]
        chunk[:] = draw.standard_normal(chunk.shape)


def draw_labels(draw: np.random.Generator, numbers: NDArray[np.float32], weights: Reals, first: int) -> Reals:
    """Return labels that need columns of both sides; `first` is the host's first column."""
    odds = np.empty(len(numbers))
    for start in range(0, len(numbers), CHUNK_ROWS):
        x = np.asarray(numbers[start : start + CHUNK_ROWS])
        z = 1.5 * x @ weights + 0.8 * x[:, 0] * x[:, first] - 0.6 * np.abs(x[:, 1])
        odds[start : start + CHUNK_ROWS] = z + 0.5 * x[:, first + 1] ** 2 - 0.1
    return (draw.random(len(odds)) < 1 / (1 + np.exp(-2 * odds))).astype(np.float64)


def schema(data: Data, party: str) -> Schema:
    label = () if party == HOST else (Column("y", "real", "label"),)
    features = range(*data.columns(party).indices(data.case.columns))
    return Schema((Column("id", "text", "id"), *label, *(Column(f"x{index}", "real", "feature") for index in features)))


def write_table(data: Data, party: str, part: str) -> None:
    """Write a snapshot, some rows at a time."""
    names = schema(data, party).names
    fields = ArrowSchema([Field(name, DataType.string() if name == "id" else DataType.float64()) for name in names])
    path = data.table(party, part)
    with open_engine(writes=path.parent) as engine:
        engine.register("source", RecordBatchReader.from_batches(fields, batches(data, party, part, fields)))
        engine.execute(f"COPY (SELECT * FROM source) TO {quote(str(path))} (FORMAT parquet, {ENCODING})")


def batches(data: Data, party: str, part: str, fields: ArrowSchema) -> Iterator[RecordBatch]:
    numbers, labels, whole = data.numbers, data.labels, data.parts[part]
    for start in range(whole.start, whole.stop, CHUNK_ROWS):
        rows = slice(start, min(start + CHUNK_ROWS, whole.stop))
        ids = Array([f"{row:08d}" for row in range(rows.start, rows.stop)], type=DataType.string())
        own = np.ascontiguousarray(numbers[rows, data.columns(party)].T, np.float64)
        label = [] if party == HOST else [Array(labels[rows])]
        yield RecordBatch.from_arrays([ids, *label, *map(Array, own)], schema=fields)


def read_table(data: Data, party: str, part: str) -> Table:
    return Table.open(data.table(party, part), schema(data, party), bounds=Bounds(1, LIMITS.memory_bytes // 2))


# --------------------------------------------------------------------------------------------------------- the parties


class Watched(MemoryAttempt):
    """An attempt that notes when the first query was counted and when each tree was done."""

    def __init__(self, after: MemoryAttempt | None = None) -> None:
        super().__init__(after)
        self.first_query: float | None = None
        self.trees: list[float] = []

    def report(self, event: Event) -> None:
        super().report(event)
        if isinstance(event, Progress) and event.note == "tree":
            self.trees.append(time.monotonic())

    async def spend(self, queries: int, most: int | None = None) -> None:
        self.first_query = self.first_query or time.monotonic()
        await super().spend(queries, most)


@dataclass(frozen=True)
class Metered:
    """A channel that adds up what leaves by kind of message."""

    inner: Channel
    sent: Counter[str]

    async def send(self, peer: PartyId, payload: bytes) -> None:
        self.sent[kind_of(payload)] += len(payload)
        await self.inner.send(peer, payload)

    async def recv(self, peer: PartyId, most_bytes: int | None = None) -> bytes:
        return await self.inner.recv(peer, most_bytes)

    def fork(self, stream: int) -> Channel:
        return Metered(self.inner.fork(stream), self.sent)


@dataclass(frozen=True)
class Player:
    """One party of a case, in its process."""

    me: PartyId
    data: Data
    wire: Wire

    async def train(self, attempt: Watched, stream: int, used: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
        """Train on a stream of its own; return the outputs, and how it went."""
        sent = Counter[str]()
        me = self._party(Metered(WireChannel(self.wire, stream), sent), attempt, used)
        table = read_table(self.data, self.me, "train")
        fitted = await perform(component, me, {"train": table}, self._settings)
        at, usage = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
        report = fitted.get("report")
        return fitted, {
            "at": at,
            "bytes": sent,
            "peak_mb": peak_mb(),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
            "first_query": attempt.first_query,
            "trees": attempt.trees,
            "report": report.values if isinstance(report, Report) else {},
            "notes": [event.text for event in attempt.events if isinstance(event, Note)],
        }

    async def score(self, fitted: dict[str, Any]) -> dict[str, Any]:
        """Score both tables; the guest says the AUC of each, and how far training rows are from what training said."""
        found: dict[str, Any] = {"at": time.monotonic()}
        for place, part in enumerate(self.data.parts):
            me = self._party(WireChannel(self.wire, SCORING_STREAM + place), Watched(), 0)
            given = {"model": fitted["model"], "table": read_table(self.data, self.me, part)}
            outputs = await perform(component, me, given, self._settings, apply=True)
            if self.me == GUEST:
                scores = scores_of(outputs)
                found[part] = auc(self.data.labels[self.data.parts[part]], scores)
                if part == "train":
                    found["again"] = float(np.abs(scores - scores_of(fitted)).max())
        return found

    def _party(self, channel: Channel, attempt: Watched, used: int) -> Party:
        others = tuple(one for one in PARTIES if one != self.me)
        limit = Disclosure(used, 1e6)
        return Party(self.me, others, channel, SystemEntropy(), attempt, threads=1, disclosure=limit)

    @property
    def _settings(self) -> Params:
        return component.params.parse(self.data.case.settings)


async def take_part(me: PartyId, data: Data) -> None:
    """Play one party: make ready, wait for the word, train, score both tables, train again; say how each went."""
    set_threads(1)
    player = Player(me, data, await connect(data.folder, me, PARTIES))
    before_mb = peak_mb()
    say(ready=True)
    await hear()
    first = Watched()
    fitted, how = await player.train(first, 0)
    say(**how, before_mb=before_mb)
    await hear()
    say(**await player.score(fitted))
    await hear()
    _, how = await player.train(Watched(first), AGAIN_STREAM, first.spent)
    say(**how)
    await hear()


def scores_of(outputs: dict[str, Any]) -> Reals:
    scores: Reals = outputs["scores"].numbers(["score"])[0]
    return scores


# ----------------------------------------------------------------------------------------------------- beside ourselves


def grow_in_one_place(data: Data) -> None:
    """Say the AUC of the same trees on all columns."""
    settings = local_boost.params.parse(data.case.settings)
    fitted = run(local_boost, settings, {"guest": {"train": read_table(data, "all", "train")}})["guest"]
    given = {"guest": {"model": fitted["model"], "table": read_table(data, "all", "new")}}
    scores = scores_of(run(local_boost, settings, given, apply=True)["guest"])
    say(auc=auc(data.labels[data.parts["new"]], scores))


def grow_plainly(data: Data, threads: int) -> None:
    """Say the seconds and the AUC of xgboost on all columns, with some threads, matrix included; or why not."""
    try:
        import xgboost
    except ImportError:
        say(why="xgboost is not installed (extra [ml])")
        return
    case, labels = data.case, data.labels
    rows, new = (data.parts[part] for part in ("train", "new"))
    options = {
        "eta": RATE,
        "lambda": 1,
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_bin": case.bins,
        "max_depth": DEPTH,
        "nthread": threads,
        "base_score": float(labels[rows].mean()),
    }
    seconds, tree_seconds = [], []
    numbers = np.ascontiguousarray(data.numbers[rows])
    for _ in range(1 if case.rows > CHUNK_ROWS else 3):
        began = time.perf_counter()
        booster = xgboost.Booster(options, [matrix := xgboost.DMatrix(numbers, labels[rows])])
        ends = []
        for number in range(case.trees):
            booster.update(matrix, number)
            ends.append(time.perf_counter())
        seconds.append(ends[-1] - began)
        tree_seconds.append((ends[-1] - ends[0]) / (case.trees - 1))
    scores = booster.predict(xgboost.DMatrix(np.ascontiguousarray(data.numbers[new]))).astype(np.float64)
    say(
        name=f"xgboost {xgboost.__version__}",
        threads=threads,
        seconds=round(statistics.median(seconds), 4),
        seconds_per_tree=round(statistics.median(tree_seconds), 4),
        auc=round(auc(labels[new], scores), 5),
    )


def beside(part: str, data: Data, *arguments: object, core: int | None = None) -> dict[str, Any]:
    """Run one of the above in a process of its own, so that it takes no memory of another's."""
    with started(Process(__file__, part, order_of(data), *arguments, core=core)) as (process,):
        return process.hear()


def secretflow(case: Case, workplace: Path) -> dict[str, Any]:
    """Run SecretFlow's boosting for the same case; say why when it cannot run."""
    if not case.peer:
        return {"why": "not run for this case"}
    given = {
        "--algo": "sgb",
        "--he": "ou",
        "--bits": 2048,
        "--n": case.rows,
        "--fg": case.guest_columns,
        "--fh": case.host_columns,
        "--trees": case.trees,
        "--depth": DEPTH,
        "--bins": case.bins,
        "--cores": f"{CORES[0]},{CORES[-1]}",
    }
    arguments = [str(word) for pair in given.items() for word in pair]
    figures = run_peer("sf", "vert_sf.py", arguments, workplace)
    parties = figures.get("parties", [])
    if "why" in figures or any("fit_s" not in party for party in parties):
        return {"why": figures.get("why") or str(parties)[-300:]}
    return {
        "name": f"SecretFlow {figures['secretflow']} SGB, OU-{figures['bits']}",
        "seconds": figures["wall_s"],
        "auc": parties[0]["auc"].get("test"),
        "sent_mb": figures["sent_MB"],
        "peak_mb": [party["peak_rss_MB"] for party in parties],
    }


ENCRYPTIONS, ADDITIONS, DECRYPTIONS, CIPHERTEXT_BYTES = 36_500, 617_000, 6_332, 269
"""A second of one core, Okamoto-Uchiyama of 2048 bits in HEU 0.6.0 (which SecretFlow 1.14 uses), measured on a core of
this kind (Zen 4, 3.7 GHz); bytes of a ciphertext as it travels."""


def okamoto_uchiyama(case: Case) -> dict[str, float]:
    """Return what a tree costs at least when g and h of a sample share one ciphertext.

    The guest encrypts every sample, the host adds each sample's to one bin of every feature: at the root, then in the
    smaller child of each pair, about half of the samples a level; the guest decrypts every bin of 2^(depth-1) nodes.
    Nothing overlaps but the network with itself.
    """
    nodes, cells = 1 << (DEPTH - 1), case.host_columns * case.bins
    added = case.rows * case.host_columns * (1 + (DEPTH - 1) / 2)
    sent = (case.rows + nodes * cells) * CIPHERTEXT_BYTES
    parts = {
        "encrypt_s": case.rows / ENCRYPTIONS,
        "add_s": added / ADDITIONS,
        "decrypt_s": nodes * cells / DECRYPTIONS,
        "network_s": sent * 8 / 100e6 + DEPTH * 0.05,
    }
    return {
        **{name: round(value, 2) for name, value in parts.items()},
        "seconds": round(sum(parts.values()), 2),
        "bytes": sent,
    }


# ----------------------------------------------------------------------------------------------------------- the cases


CYCLES_A_SECOND = 3.7e9
TABLE_LAYERS = 3


def bound(case: Case, cells: int, parameters: str) -> float:
    """Return the seconds of a fit, or of a tree, that the arithmetic takes at least on one core of each party.

    The core: 3.7 GHz, 512-bit vectors; one multiplication of eight 52-bit words a cycle, one store of eight words in
    two (Zen 4). With 16 queries a tree of depth 5, N and the limbs of the parameter set, ⌈rows/N⌉ blocks:

        host, sums      queries · rows · columns · limbs words to store
        guest           queries · (blocks + 1) · limbs transforms, three multiplications for each of N/2 · log2(N)
                        butterflies
        host, set-up    cells · blocks · limbs transforms, less three layers, which tables of 0/1 inputs can do

    Sums and encryption overlap, so the longer counts; the set-up comes before, and in a fit only.
    """
    chosen = parameter_set(parameters)
    limbs, degree = len(chosen.primes), chosen.ring_degree
    queries, blocks = (1 if case.by_tree else case.trees) << (DEPTH - 1), math.ceil(case.rows / degree)
    layer = degree / 2 * 3 / 8 / CYCLES_A_SECOND
    sums = queries * case.rows * case.host_columns * limbs * 2 / 8 / CYCLES_A_SECOND
    encryption = queries * (blocks + 1) * limbs * layer * math.log2(degree)
    set_up = cells * blocks * limbs * layer * (math.log2(degree) - TABLE_LAYERS)
    return max(sums, encryption) + (0.0 if case.by_tree else set_up)


def order_of(data: Data) -> str:
    return json.dumps({"folder": str(data.folder), "case": vars(data.case)})


def fit(data: Data) -> dict[str, Any]:
    """Train, score, and train again."""
    parts = {party: ("party", order_of(data), party) for party in PARTIES}
    with staged(__file__, parts, thin=data.case.thin) as stage:
        first, guest, host = trained(stage)
        _, _, (scored, _) = stage.act()
        again, _, _ = trained(stage)
    return {
        **first,
        "peak_mb": round(guest["peak_mb"] + host["peak_mb"]),
        "auc": scored["new"],
        "again": scored["again"],
        "second": {name: again[name] for name in ("seconds", "setup_seconds", "tree_seconds", "bytes")},
        "report": guest["report"],
        "parties": [{key: one[key] for key in ("cpu_s", "peak_mb", "before_mb", "notes")} for one in (guest, host)],
    }


def trained(stage: Stage) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Let the parties train; return the figures of both together, and what each said."""
    began = time.monotonic()
    seconds, tcp_bytes, (guest, host) = stage.act()
    trees = guest["trees"]
    by_kind = Counter(guest["bytes"]) + Counter(host["bytes"])
    set_up = sum(by_kind[kind] for kind in ("Offer", "Opening", "Hint"))
    figures = {
        "seconds": round(seconds, 3),
        "setup_seconds": round(host["first_query"] - began, 3),
        "tree_seconds": round((trees[-1] - trees[0]) / (len(trees) - 1), 4),
        "bytes": by_kind.total(),
        "bytes_by_kind": dict(by_kind),
        "bytes_per_tree": (by_kind.total() - set_up) // len(trees),
        "tcp_bytes": tcp_bytes,
    }
    return figures, guest, host


def measure(case: Case, workplace: Path, *, peers: bool) -> dict[str, Any]:
    """Run a case and its peers, and return its line."""
    for party in PARTIES:
        (workplace / party).mkdir(exist_ok=True)
        load_identity(workplace / party, party)
    data = make(workplace, case)
    runs = [fit(data) for _ in range(case.runs)]
    plain = [beside("xgboost", data, 1, core=CORES[0]), beside("xgboost", data, 2)]
    alike = float(beside("one-place", data)["auc"])
    peer = secretflow(case, workplace) if peers else {"why": "not asked for"}
    taken = "tree_seconds" if case.by_tree else "seconds"
    ours = statistics.median(one[taken] for one in runs)
    middle = min(runs, key=lambda one: abs(one[taken] - ours))
    report = middle["report"]
    host = report["hosts"][0]
    beside_ours: float | None = plain[0].get("seconds_per_tree" if case.by_tree else "seconds")
    return {
        "bench": "boost",
        "case": case.name,
        "seconds": round(ours, 3),
        "rate": round(case.rows * (1 if case.by_tree else case.trees) / ours),
        "bytes": middle["bytes"],
        "peak_mb": max(one["peak_mb"] for one in runs),
        "equal": all(abs(one["auc"] - alike) <= CLOSE and one["again"] <= 1e-6 for one in runs),
        "peer": peer.get("name"),
        "peer_seconds": peer.get("seconds"),
        "ratio": round(peer["seconds"] / ours, 1) if peer.get("seconds") else None,
        "bound_seconds": round(bound(case, host["rows"], report["parameter_set"]), 3),
        "note": {
            "runs": [round(one[taken], 3) for one in runs],
            "fit_seconds": round(middle["seconds"], 3),
            "setup_seconds": middle["setup_seconds"],
            "tree_seconds": middle["tree_seconds"],
            "times_xgboost": round(ours / beside_ours, 2) if beside_ours else None,
            "xgboost": plain,
            "auc": round(middle["auc"], 5),
            "auc_same_trees_in_one_place": round(alike, 5),
            "scores_again": middle["again"],
            "again": middle["second"],
            "bytes_per_tree": middle["bytes_per_tree"],
            "bytes_by_kind": middle["bytes_by_kind"],
            "tcp_bytes": middle["tcp_bytes"],
            "parties": middle["parties"],
            "parameter_set": report["parameter_set"],
            "queries": report["queries"],
            "cells": host["rows"],
            "ou_arithmetic": okamoto_uchiyama(case) if case.thin else None,
            "peer": peer,
            "path": _kernel.simd_path(),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the two small cases, once, without SGB: under 30 s")
    parser.add_argument("--runs", type=int, help="fits of which the median is taken, in place of each case's number")
    parser.add_argument("--rows", type=int, help="rows, in place of each case's number")
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        take(chosen.part, chosen.core)
        return
    for case in CASES[: 2 if chosen.quick else None]:
        if not case.name.startswith(chosen.only):
            continue
        runs = chosen.runs or (1 if chosen.quick else case.runs)
        name = case.name if chosen.rows is None else f"{case.name} with {chosen.rows} rows"
        shaped = replace(case, runs=runs, rows=chosen.rows or case.rows, name=name)
        with tempfile.TemporaryDirectory(prefix="hanse-boost-") as folder:
            print(json.dumps(measure(shaped, Path(folder), peers=not chosen.quick)), flush=True)


def take(part: list[str], core: int | None) -> None:
    """Be one of the processes."""
    name, order, *rest = part
    given = json.loads(order)
    data = Data(Path(given["folder"]), Case(**given["case"]))
    if name == "party":
        play(core, take_part(PartyId(rest[0]), data))
        return
    os.sched_setaffinity(0, CORES if core is None else {core})
    if name == "one-place":
        grow_in_one_place(data)
    else:
        grow_plainly(data, int(rest[0]))


if __name__ == "__main__":
    main()
