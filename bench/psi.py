"""Private set intersection between processes over mutual TLS: seconds, bytes and memory, beside a peer in the same run.

    python bench/psi.py [--quick] [--runs 3] [--only psi/files] [--all]

Every party is a process pinned to a core of its own, with one kernel thread; they speak over one TLS 1.3 connection per
pair, each side with its certificate. Ids have 16 digits, half of the smaller set is shared, the guest alone learns the
result, as in the peer's run. `seconds` is from the moment all parties stand ready to the last one's result, the median
of the runs. `bytes` is what the messages of all parties hold together; `note.tcp_bytes` is what the loopback device
carried meanwhile, headers and acknowledgements included. `peak_mb` is the largest party's. `equal` says that the rows
found are exactly those that a plain set intersection finds.

    psi/memory/N     ids in memory to row numbers in memory, default settings
    psi/files/N      a CSV file at each party to a CSV file of the shared rows at the guest: reading, checking
                     (encoding, form, every id once), intersection, writing
    psi/low/N        psi/memory in the field of 64-bit values, for its bytes: `note.bytes_per_id` is per id of one side
    psi/fast/N       the same in the field of 128-bit values
    psi/ecdh/N       psi/files with the method ecdh
    psi/count/N      psi/files with the number alone as its result
    psi/thin/N       psi/files over 100 Mbit/s and 50 ms there and back, made by a relay between the parties
    psi/cached/NxM   N ids prepared (`note.parties` has the steps), then M asked for: `seconds` is from the model on the
                     guest's disk to the shared rows in a file
    psi/three/N      psi/files with three parties, N ids each

`bound_seconds` is the least time of the guest's arithmetic on the core that the constants name: `VOLE_NS` or `ECDH_NS`
for each id; files, wire and the host's part, on which the guest waits, are not in it.
The peer is SecretFlow's SPU under `$HANSE_PEERS` (default `.peerbench/`: `spu` with 0.9.5, `spu093` with 0.9.3b0), run
by the scripts in `$HANSE_PEERBENCH` (default `../shared/peerbench`); without either, the peer's figures are null.
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanse.components.psi.psi import component as psi
from hanse.components.psi_cached.psi_cached import component as psi_cached
from hanse.control.nodes.identity import load_identity
from hanse.core.events import Metric, Note
from hanse.core.ids import JobId, TaskName
from hanse.core.roles import PartyId
from hanse.core.schema import Column, Schema
from hanse.core.specs import IngestSpec, Limits, ModelManifest
from hanse.kernel import _kernel
from hanse.kernel.ids import Ids
from hanse.kernel.threads import set_threads
from hanse.protocols.channel import Party
from hanse.protocols.simulation import MemoryAttempt
from hanse.runtime.channel import SystemEntropy
from hanse.sdk import Model, Table
from hanse.sdk.engine import Bounds
from hanse.sdk.ingest import ingest
from wire import CORES, Clock, WireChannel, connect, hear, peak_mb, play, run_peer, say, staged

LIMITS = Limits(threads=1)


# ------------------------------------------------------------------------------------------------------------ the data


def numbers(sizes: dict[PartyId, int], party: PartyId) -> NDArray[np.int64]:
    """Return what a party's ids are made of: half of the smallest set is shared by all, the rest its own, shuffled."""
    place = list(sizes).index(party)
    shared = min(sizes.values()) // 2
    own = np.arange(sizes[party] - shared, dtype=np.int64) + (shared if place == 0 else place * 10**9)
    drawn = np.concatenate([np.arange(shared, dtype=np.int64), own])
    np.random.default_rng(place + 1).shuffle(drawn)
    found: NDArray[np.int64] = drawn * 2654435761 % 10**16  # as in the peer's script; below 2^63 for every number here
    return found


def texts(values: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return uint8[n, 16]: the digits of each number, leading zeros kept."""
    digits = np.empty((len(values), 16), np.uint8)
    rest = values.copy()
    for place in range(15, -1, -1):
        rest, digits[:, place] = np.divmod(rest, 10)
    digits += ord("0")
    return digits


def write_csv(path: Path, values: NDArray[np.int64]) -> None:
    lines = np.concatenate([texts(values), np.full((len(values), 1), ord("\n"), np.uint8)], axis=1)
    with path.open("wb") as file:
        file.write(b"id\n")
        file.write(lines.tobytes())


def read_csv(path: Path) -> NDArray[np.int64]:
    """Return the numbers of a result file, sorted."""
    raw = path.read_bytes()
    body = np.frombuffer(raw, np.uint8, offset=raw.index(b"\n") + 1)
    if len(body) % 17:
        raise RuntimeError(f"{path.name} does not hold 16 digits a line")
    digits = body.reshape(-1, 17)[:, :16].astype(np.int64) - ord("0")
    return np.sort(digits @ (10 ** np.arange(15, -1, -1, dtype=np.int64)))


# --------------------------------------------------------------------------------------------------------- the parties


class IdColumn:
    """Ids in memory in the place of a table: what is measured is the intersection alone. `rows` are those taken."""

    schema = Schema((Column("id", "text", "id"),))

    def __init__(self, ids: Ids, rows: NDArray[np.int64] | None = None) -> None:
        self.ids = ids
        self.rows = rows

    def __len__(self) -> int:
        return len(self.ids)

    def id_batches(self, rows: int) -> Iterator[Ids]:
        width = 16
        for start in range(0, len(self.ids), rows):
            stop = min(start + rows, len(self.ids))
            data = self.ids.data[start * width : stop * width]
            yield Ids(data, np.arange(stop - start + 1, dtype=np.int64) * width)

    def take(self, rows: NDArray[np.int64]) -> "IdColumn":
        return IdColumn(self.ids, rows)


@dataclass(frozen=True)
class Order:
    """What one party is told to do: a case's kind, the parties and how many ids each has, and the settings."""

    kind: str
    sizes: dict[PartyId, int]
    me: PartyId
    folder: Path
    settings: dict[str, Any]

    @property
    def source(self) -> Path:
        return self.folder / f"{self.me}.{self.sizes[self.me]}.csv"

    @property
    def result(self) -> Path:
        return self.folder / f"{self.me}.shared.csv"


async def run_party(order: Order) -> None:
    """Play one party: make ready, wait for the word, run, say how it went."""
    set_threads(1)
    parties = list(order.sizes)
    wire = await connect(order.folder, order.me, parties)
    others = tuple(party for party in parties if party != order.me)
    attempt = MemoryAttempt()
    me = Party(order.me, others, WireChannel(wire), SystemEntropy(), attempt, threads=1)
    work = KINDS[order.kind](order, me, attempt)
    await anext(work)  # what comes before the clock
    say(ready=True)
    await hear()
    steps = await anext(work)
    at = time.monotonic()
    peak = peak_mb()
    equal = await anext(work)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    notes = [event.text for event in attempt.events if isinstance(event, Note)]
    say(
        at=at,
        bytes=wire.sent_bytes,
        peak_mb=peak,
        cpu_s=round(usage.ru_utime + usage.ru_stime, 2),
        equal=equal,
        steps={name: round(value, 3) for name, value in steps.items()},
        notes=notes,
    )
    await hear()


Work = AsyncIterator[Any]
"""Yields three times: when ready (None), when done (seconds by step), and whether the result is right."""


async def in_memory(order: Order, me: Party, _: MemoryAttempt) -> Work:
    own = numbers(order.sizes, order.me)
    column = IdColumn(Ids(texts(own).reshape(-1), np.arange(len(own) + 1, dtype=np.int64) * 16))
    yield None
    shared = await psi.roles[me.role](me, table=column, settings=psi.params.parse(order.settings))
    yield {}
    yield me.role != "guest" or np.array_equal(np.sort(own[shared.rows]), expected(order.sizes))


async def from_files(order: Order, me: Party, attempt: MemoryAttempt) -> Work:
    yield None
    clock = Clock()
    table = await asyncio.to_thread(read, order)
    clock.step("reading")
    shared = await psi.roles[me.role](me, table=table, settings=psi.params.parse(order.settings))
    clock.step("intersection")
    if me.role == "guest":
        await asyncio.to_thread(shared.export, order.result)
        clock.step("writing")
    yield clock.steps
    if me.role != "guest":
        yield True
    elif order.settings.get("result") == "count":
        yield found(attempt) == len(expected(order.sizes))
    else:
        yield np.array_equal(read_csv(order.result), expected(order.sizes))


async def prepared(order: Order, me: Party, _: MemoryAttempt) -> Work:
    """Both phases of the cached intersection; the clock of the case starts when all is prepared."""
    clock = Clock()
    table = await asyncio.to_thread(read, order)
    settings = psi_cached.params.parse(order.settings)
    given = {"table": table} if me.role == "host" else {}
    clock.step("reading")
    model = await psi_cached.roles[me.role](me, **given, previous=None, settings=settings)
    clock.step("preparing")
    manifest = ModelManifest(
        "psi_cached", psi_cached.version, me.id, {}, order.settings, JobId("job-1"), TaskName("prepare")
    )
    saved = model.save(order.folder / f"{me.id}.model", manifest)
    clock.step("saving")
    yield None
    began = time.monotonic()
    model = Model.open(Path(saved.path))
    shared = await psi_cached.apply[me.role](me, model=model, table=table, settings=settings)
    if me.role == "guest":
        await asyncio.to_thread(shared.export, order.result)
    clock.steps["asking"] = time.monotonic() - began
    yield clock.steps
    yield me.role != "guest" or np.array_equal(read_csv(order.result), expected(order.sizes))


def found(attempt: MemoryAttempt) -> float:
    """Return the number of shared ids that the guest has reported."""
    return next(event.value for event in attempt.events if isinstance(event, Metric) and event.name == "shared_ids")


KINDS: dict[str, Callable[[Order, Party, MemoryAttempt], Work]] = {
    "memory": in_memory,
    "files": from_files,
    "cached": prepared,
}


def read(order: Order) -> Table:
    """Take the party's file in, as a node registers a dataset."""
    spec = IngestSpec(str(order.source), "id", str(order.folder / f"{order.me}.snapshot"), limits=LIMITS)
    artefact = ingest(spec)
    assert artefact.schema is not None
    return Table.open(Path(artefact.path), artefact.schema, bounds=Bounds(1, LIMITS.memory_bytes // 2))


def expected(sizes: dict[PartyId, int]) -> NDArray[np.int64]:
    """Return the numbers that a plain intersection of all parties' sets finds, sorted."""
    found = numbers(sizes, next(iter(sizes)))
    for party in list(sizes)[1:]:
        found = np.intersect1d(found, numbers(sizes, party), assume_unique=True)
    return np.sort(found)


# ----------------------------------------------------------------------------------------------------------- the cases


@dataclass(frozen=True)
class Case:
    """A line of the output: what runs, how often, and the peer's run that it stands beside."""

    name: str
    kind: str
    sizes: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    thin: bool = False
    runs: int = 3
    peer: tuple[str, ...] = ()
    bound_ns: float = 0.0
    """Least nanoseconds of one party's core for each id of a side."""


GUEST, HOSTS = PartyId("guest"), tuple(PartyId(f"host-{number}") for number in (1, 2))
KEPT = {"share_result": False}


def rr22(mode: str, size: int, proto: str = "rr22") -> tuple[str, ...]:
    """Return the environment and the arguments of the peer's script."""
    environment = "spu093" if mode == "mem" else "spu"
    cores = f"{CORES[0]}-{CORES[-1]}" if mode == "mem" else f"{CORES[0]},{CORES[-1]}"
    return (environment, "--proto", proto, "--mode", mode, "--n", str(size), "--cores", cores)


def cases(*, quick: bool, everything: bool) -> list[Case]:
    """Return the cases: small ones, those of the guide, and with `everything` the largest as well."""
    if quick:
        n, small = 1 << 16, 1 << 13
        return [
            Case("psi/memory/2^16", "memory", (n, n), KEPT, runs=1, bound_ns=VOLE_NS),
            Case("psi/files/2^16", "files", (n, n), KEPT, runs=1, bound_ns=VOLE_NS),
            Case("psi/ecdh/2^13", "files", (small, small), {"method": "ecdh", **KEPT}, runs=1, bound_ns=ECDH_NS),
            Case("psi/cached/2^13x2^10", "cached", (1 << 10, small), KEPT, runs=1),
            Case("psi/three/2^13", "files", (small,) * 3, KEPT, runs=1),
        ]
    n, large = 1 << 20, 1 << 24
    found = [
        Case("psi/memory/2^20", "memory", (n, n), KEPT, peer=rr22("mem", n), bound_ns=VOLE_NS),
        Case("psi/files/2^20", "files", (n, n), KEPT, peer=rr22("csv", n), bound_ns=VOLE_NS),
        Case("psi/low/2^20", "memory", (n, n), {"method": "vole", **KEPT}, bound_ns=VOLE_NS),
        Case("psi/fast/2^20", "memory", (n, n), {"method": "vole", "field": "wide", **KEPT}, bound_ns=VOLE_NS),
        Case(
            "psi/ecdh/2^20", "files", (n, n), {"method": "ecdh", **KEPT}, peer=rr22("csv", n, "ecdh"), bound_ns=ECDH_NS
        ),
        Case("psi/count/2^20", "files", (n, n), {"result": "count"}, runs=1, bound_ns=ECDH_NS),
        Case("psi/thin/2^20", "files", (n, n), KEPT, thin=True),
        Case("psi/thin-ecdh/2^16", "files", (1 << 16,) * 2, {"method": "ecdh", **KEPT}, thin=True, runs=1),
        Case("psi/thin/2^16", "files", (1 << 16,) * 2, KEPT, thin=True, runs=1),
        Case(
            "psi/cached/2^20x2^12",
            "cached",
            (1 << 12, n),
            {"share_result": False, "most_ids": 1 << 12},
            peer=(*rr22("csv", n, "ub_ecdh"), "--n2", str(1 << 12)),
        ),
        Case("psi/three/2^20", "files", (n, n, n), KEPT),
    ]
    if everything:
        found += [
            Case("psi/files/10^7", "files", (10**7,) * 2, KEPT, runs=1, bound_ns=VOLE_NS),
            Case("psi/files/2^24", "files", (large,) * 2, KEPT, runs=1, peer=rr22("csv", large), bound_ns=VOLE_NS),
            Case("psi/files/10^8x10^6", "files", (10**6, 10**8), KEPT, runs=1),
        ]
    return found


VOLE_NS = 7.0 + 10.2 + 1.24 * 27.7 + 15.9 + 4.0 + 1.8 + 1.6
"""The guest's: digest, encoding, 1.24 rows of the VOLE, tag, sorting, decoding, matching; each by the bound that
bench/kernels.py derives for one core of 3.66 GHz with AVX-512 and one multiplication of 52 bits a cycle (Zen 4)."""

ECDH_NS = 2 * 3810.0 + 350.0
"""Two ladders of 437 multiplier instructions a step, 256 steps, for 8 points; one id hashed. The same core."""


def measure(case: Case, workplace: Path) -> dict[str, Any]:
    """Run a case and its peer, and return its line."""
    sizes = dict(zip((GUEST, *HOSTS), case.sizes, strict=False))
    for party in sizes:
        (workplace / party).mkdir(exist_ok=True)
        load_identity(workplace / party, party)
        if case.kind != "memory":
            write_csv(Order("", sizes, party, workplace, {}).source, numbers(sizes, party))
    runs = [run(case, sizes, workplace) for _ in range(case.runs)]
    peer = peer_of(case, workplace)
    seconds = statistics.median(one["seconds"] for one in runs)
    middle = min(runs, key=lambda one: abs(one["seconds"] - seconds))
    bound = case.bound_ns * 1e-9 * max(case.sizes)
    return {
        "bench": "psi",
        "case": case.name,
        "seconds": round(seconds, 3),
        "rate": round(sum(case.sizes) / seconds),
        "bytes": middle["bytes"],
        "peak_mb": max(one["peak_mb"] for one in runs),
        "equal": all(one["equal"] for one in runs),
        "peer": peer.get("name"),
        "peer_seconds": peer.get("seconds"),
        "ratio": round(peer["seconds"] / seconds, 2) if peer.get("seconds") else None,
        "bound_seconds": round(bound, 3) or None,
        "note": {
            "runs": [round(one["seconds"], 3) for one in runs],
            "bytes_per_id": round(middle["bytes"] / max(case.sizes), 2),
            "tcp_bytes": middle["tcp_bytes"],
            "parties": middle["parties"],
            "peer": peer.get("note"),
            "path": _kernel.simd_path(),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
        },
    }


def run(case: Case, sizes: dict[PartyId, int], workplace: Path) -> dict[str, Any]:
    """Run a case once."""
    settings = json.dumps(case.settings)
    parts = {party: ("party", case.kind, json.dumps(sizes), party, workplace, settings) for party in sizes}
    with staged(__file__, parts, thin=case.thin) as stage:
        seconds, tcp_bytes, ended = stage.act()
    return {
        "seconds": seconds,
        "bytes": sum(one["bytes"] for one in ended),
        "tcp_bytes": tcp_bytes,
        "peak_mb": max(one["peak_mb"] for one in ended),
        "equal": all(one["equal"] for one in ended),
        "parties": [{name: one[name] for name in ("cpu_s", "peak_mb", "bytes", "steps", "notes")} for one in ended],
    }


def peer_of(case: Case, workplace: Path) -> dict[str, Any]:
    """Run the peer's script for the same case; say why when it cannot run."""
    if not case.peer:
        return {"note": "no peer for this case"}
    environment, *arguments = case.peer
    seconds = []
    for _ in range(case.runs):
        figures = run_peer(environment, "psi_spu.py", arguments, workplace)
        if not figures.get("ok"):
            return {"note": figures.get("why", "the peer's run failed")}
        seconds.append(figures["wall_s"])
    name = f"SPU {figures['spu']} {figures['proto']} ({figures['mode']})"
    sent = figures.get("sent_MB")
    peaks = [party.get("peak_rss_MB") for party in figures["parties"]]
    prepared_s = [party["offline_s"] for party in figures["parties"] if "offline_s" in party]
    return {
        "name": name,
        "seconds": round(statistics.median(seconds), 3),
        "note": {"runs": seconds, "sent_mb": sent, "peak_mb": peaks, "prepared_s": prepared_s or None},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small cases, once, without the peer: under 30 s")
    parser.add_argument("--all", action="store_true", help="the largest cases as well: some minutes and 10 GB of disk")
    parser.add_argument(
        "--runs", type=int, help="runs of which the median is taken, in place of each case's own number"
    )
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        play(chosen.core, take_part(*chosen.part[1:]))
        return
    with tempfile.TemporaryDirectory(prefix="hanse-psi-") as folder:
        for case in cases(quick=chosen.quick, everything=chosen.all):
            if case.name.startswith(chosen.only):
                runs = chosen.runs or case.runs
                print(json.dumps(measure(replace(case, runs=runs), Path(folder))), flush=True)


async def take_part(kind: str, sizes: str, me: str, folder: str, settings: str) -> None:
    await run_party(Order(kind, json.loads(sizes), PartyId(me), Path(folder), json.loads(settings)))


if __name__ == "__main__":
    main()
