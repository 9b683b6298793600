"""Vertical boosting against plain xgboost on all columns in one place: seconds, bytes, AUC.

    python bench/boost.py [--quick] [--runs 3] [--threads 1]

Case `boost/50k`: 50,000 rows, guest 20 columns and the label, host 20 columns; 3 trees of depth 5, 10 bins, rate 0.3,
the default disclosure limit. `seconds` is the whole fit with set-up, both parties in one process and one after the
other (`sdk.run`): what two machines compute together, without the network. `bytes` is what both send. `equal` says
that the AUC on new rows is at most 0.005 below that of the same trees grown on all columns in one place, and that
scoring the training rows gives the training scores to 1e-6.

`bound_seconds` is the least time in which one core can do the arithmetic that the protocol asks for:
    queries · rows · columns · limbs · 0.3 ns      sums of ciphertext words, one addition each, at memory speed
  + 2 · queries · blocks · limbs · N·log2(N)/2 · 0.6 ns    transforms of the guest's encryptions (there and back)
  + rows of the matrix · blocks · limbs · N·log2(N)/2 · 0.6 ns   transforms of the host's set-up
with 16 queries a tree, N = 8192, three limbs (parameter set S138), ⌈rows/N⌉ blocks; 0.6 ns is a butterfly of seven
instructions at four a cycle and 3 GHz.
"""

import argparse
import cProfile
import json
import math
import pstats
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hanse.components.hetero_boost.hetero_boost import component
from hanse.components.hetero_boost.settings import Settings
from hanse.components.local_boost import local_boost
from hanse.kernel.histogram import parameter_set
from hanse.kernel.metrics import auc
from hanse.kernel.threads import set_threads
from hanse.protocols.simulation import Recorder
from hanse.sdk import Report, Table, run

Reals = NDArray[np.float64]
TREES, DEPTH, BINS, RATE = 3, 5, 10, 0.3
PLAIN = {"eta": RATE, "lambda": 1, "objective": "binary:logistic", "tree_method": "hist", "max_bin": BINS}

STEPS = {
    "host set-up": ("histogram.py", "setup"),
    "host answers": ("histogram.py", "answer"),
    "guest reads hint": ("histogram.py", "parse"),
    "guest encrypts": ("histogram.py", "encrypt"),
    "guest decrypts": ("histogram.py", "decrypt"),
    "public ring elements (guest)": ("histogram.py", "__init__"),
    "binning": ("binning.py", "bin_columns"),
    "guest's own histograms": ("trees.py", "histogram"),
    "split search": ("trees.py", "best_split"),
    "reading tables": ("table.py", "numbers"),
    "reading ids": ("table.py", "ids"),
    "routing": ("guest.py", "_splits"),
}


@dataclass(frozen=True)
class Rows:
    """A share of the population: columns of the guest, columns of the host, labels."""

    guest: Reals
    host: Reals
    labels: Reals

    def table(self, party: str) -> Table:
        numbers = {"guest": self.guest, "host-1": self.host, "all": np.concatenate([self.guest, self.host])}[party]
        ids = [f"{row:08d}" for row in range(len(self.labels))]
        columns = {f"x{index}": column for index, column in enumerate(numbers)}
        label = {} if party == "host-1" else {"y": self.labels}
        return Table.of({"id": ids, **label, **columns}, id="id", label="y" if label else None)


def population(rows: int, columns: int, seed: int = 7) -> tuple[Rows, Rows]:
    """Return training rows and a fifth as many new ones; the label needs columns of both sides."""
    draw = np.random.default_rng(seed)
    total = int(rows * 1.2)
    numbers = draw.standard_normal((total, 2 * columns)).astype(np.float32)
    weights = draw.standard_normal(2 * columns) / np.sqrt(2 * columns)
    odds = 1.5 * numbers @ weights + 0.8 * numbers[:, 0] * numbers[:, columns] - 0.6 * np.abs(numbers[:, 1])
    odds += 0.5 * numbers[:, columns + 1] ** 2 - 0.1
    labels = (draw.random(total) < 1 / (1 + np.exp(-2 * odds))).astype(np.float64)
    by_column = np.ascontiguousarray(numbers.T, np.float64)

    def share(part: slice) -> Rows:
        return Rows(by_column[:columns, part], by_column[columns:, part], labels[part])

    return share(slice(0, rows)), share(slice(rows, total))


def timed(work: Callable[[], dict]) -> tuple[float, dict]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def plain_boosting(train: Rows, new: Rows) -> tuple[float | None, float, str]:
    """Return seconds and AUC on new rows of xgboost on one thread, or no seconds and the reason."""
    try:
        import xgboost
    except ImportError:
        return None, float("nan"), "xgboost is not installed (extra [ml])"
    joined = np.concatenate([train.guest, train.host]).T
    options = {**PLAIN, "max_depth": DEPTH, "nthread": 1, "base_score": float(train.labels.mean())}
    seconds: list[float] = []
    found: dict[str, Any] = {}
    for _ in range(3):
        taken, found = timed(lambda: {"model": xgboost.train(options, xgboost.DMatrix(joined, train.labels), TREES)})
        seconds.append(taken)
    scores = found["model"].predict(xgboost.DMatrix(np.concatenate([new.guest, new.host]).T)).astype(np.float64)
    return statistics.median(seconds), auc(new.labels, scores), f"xgboost {xgboost.__version__} on all columns"


def breakdown(profile: cProfile.Profile) -> dict[str, float]:
    """Return the seconds below each step's function."""
    found: dict[str, float] = {}
    for (path, _, name), (_, _, _, below, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        for step, (file, function) in STEPS.items():
            if name == function and path.endswith(f"/{file}"):
                found[step] = round(found.get(step, 0.0) + below, 3)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def bound(rows: int, columns: int, matrix_rows: int, parameters: str) -> float:
    """Return the seconds of the arithmetic in the module's docstring."""
    chosen = parameter_set(parameters)
    limbs, degree = len(chosen.primes), chosen.ring_degree
    queries, blocks = TREES << (DEPTH - 1), math.ceil(rows / degree)
    transform = degree * math.log2(degree) / 2 * 0.6e-9
    sums = queries * rows * columns * limbs * 0.3e-9
    return sums + 2 * queries * blocks * limbs * transform + matrix_rows * blocks * limbs * transform


def scored(outputs: dict) -> Reals:
    return outputs["guest"]["scores"].numbers(["score"])[0]


def measure(rows: int, columns: int, runs: int, case: str) -> dict[str, object]:
    train, new = population(rows, columns)
    settings = Settings(trees=TREES, depth=DEPTH, max_bins=BINS, learning_rate=RATE)
    tables = {party: train.table(party) for party in ("guest", "host-1")}
    inputs = {party: {"train": table, "valid": None} for party, table in tables.items()}
    seconds = []
    for _ in range(runs):
        recorder = Recorder()
        taken, fitted = timed(lambda: run(component, settings, inputs, wrap=recorder))  # noqa: B023
        seconds.append(taken)
    profile = cProfile.Profile()
    profile.runcall(run, component, settings, inputs)
    given = {
        name: {party: {"model": fitted[party]["model"], "table": part.table(party)} for party in tables}
        for name, part in {"train": train, "new": new}.items()
    }
    again = scored(run(component, settings, given["train"], apply=True))
    federated = auc(new.labels, scored(run(component, settings, given["new"], apply=True)))
    own = local_boost.Settings(trees=TREES, depth=DEPTH, max_bins=BINS, learning_rate=RATE)
    pooled = run(local_boost.component, own, {"guest": {"train": train.table("all"), "valid": None}})["guest"]
    rest = {"guest": {"model": pooled["model"], "table": new.table("all")}}
    together = auc(new.labels, scored(run(local_boost.component, own, rest, apply=True)))
    peer_seconds, peer_auc, peer = plain_boosting(train, new)
    report = fitted["guest"]["report"]
    assert isinstance(report, Report)
    host = report.values["hosts"][0]
    sent = {party: sum(one.size_bytes for one in recorder.sent if one.sender == party) for party in tables}
    ours = statistics.median(seconds)
    return {
        "bench": "boost",
        "case": case,
        "seconds": round(ours, 3),
        "rate": round(rows * TREES / ours),
        "bytes": sum(sent.values()),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "equal": federated >= together - 0.005 and float(np.abs(again - scored(fitted)).max()) <= 1e-6,
        "peer": peer,
        "peer_seconds": None if peer_seconds is None else round(peer_seconds, 3),
        "ratio": None if peer_seconds is None else round(peer_seconds / ours, 4),
        "bound_seconds": round(bound(rows, columns, host["rows"], report.values["parameter_set"]), 3),
        "note": {
            "auc": round(federated, 4),
            "auc_same_trees_in_one_place": round(together, 4),
            "auc_peer": round(peer_auc, 4),
            "bytes_sent": sent,
            "parameter_set": report.values["parameter_set"],
            "rho": round(host["rho"], 4),
            "queries": report.values["queries"],
            "runs": [round(taken, 3) for taken in seconds],
            "seconds_by_step": breakdown(profile),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one run of each case: under 30 s")
    parser.add_argument("--runs", type=int, default=3, help="fits of which the median is taken")
    parser.add_argument("--threads", type=int, default=1, help="threads of the kernel; 0: one a core")
    chosen = parser.parse_args()
    set_threads(chosen.threads)
    runs = 1 if chosen.quick else chosen.runs
    for case, rows, columns in (("boost/10k", 10_000, 10), ("boost/50k", 50_000, 20)):
        print(json.dumps(measure(rows, columns, runs, case)), flush=True)


if __name__ == "__main__":
    main()
