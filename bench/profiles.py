"""The figures of a table, found in a process of its own: seconds, cells a second and the process's memory.

    python bench/profiles.py [--quick] [--runs 3] [--only profile/measure] [--memory-mib 512]

Tables are made by the engine beforehand: an id, columns of numbers (a third of them whole, 1 of 50 missing) and one
column of texts for ten of numbers. `seconds` is what the process itself says, from its start of work to its result; the
median of the runs. `rate` is cells (rows x columns beside the id) a second. `peak_mb` is the process's resident memory.
`equal` says that the figures of the first column are those of numpy over all of it, and the counts of the texts exact.

    profile/measure/RxC   all figures of R rows of C columns
    profile/compare/RxC   drift of R rows from as many others
    profile/draw/RxC      ten histograms of R rows, with noise

`bound_seconds` is the least time to read the file's columns once: its bytes at the speed that a scan by the engine has
in the same run, one thread. There is no peer: `peer`, `peer_seconds` and `ratio` are null.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np

from hanse.core.profiles import QUANTILES, Drawn, Drift, Figures, ProfileSpec, Wanted, Work
from hanse.core.schema import Column, Schema
from hanse.core.specs import Artefact, AttemptResult, Limits

MIB = 1 << 20
QUICK = ((50_000, 11),)
SIZES = ((1_000_000, 22), (5_000_000, 22))
KINDS: dict[Work, Any] = {"measure": Figures, "compare": Drift, "draw": tuple[Drawn, ...]}


def make(path: Path, rows: int, columns: int, seed: int) -> Artefact:
    """Write a table of `columns` columns beside its id."""
    picks, schema = ["printf('%012d', i) AS id"], [Column("id", "text", "id")]
    for place in range(columns):
        number = f"hash(i * {columns} + {place} + {seed} * 1000003)"
        if place % 11 == 10:
            picks.append(f"'value ' || ({number} % 1000)::VARCHAR AS c{place}")
            schema.append(Column(f"c{place}", "text"))
        elif place % 3 == 2:
            picks.append(f"CASE WHEN {number} % 50 > 0 THEN ({number} % 5000)::BIGINT END AS c{place}")
            schema.append(Column(f"c{place}", "integer"))
        else:
            uniform = f"({number} >> 11)::DOUBLE / 9007199254740992"
            picks.append(f"CASE WHEN {number} % 50 > 0 THEN ln(1e-9 + {uniform}) END AS c{place}")
            schema.append(Column(f"c{place}", "real"))
    with duckdb.connect() as engine:
        query = f"SELECT {', '.join(picks)} FROM range({rows}) r(i)"
        engine.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
    return Artefact("table", str(path), "", rows, Schema(tuple(schema)))


def perform(spec: ProfileSpec) -> tuple[Any, AttemptResult]:
    """Run the process and return what it found."""
    folder = Path(spec.directory)
    folder.mkdir(exist_ok=True)
    order = folder / "profile.json"
    order.write_bytes(msgspec.json.encode(spec))
    command = [sys.executable, "-m", "hanse.runtime", "profile", str(order)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    result = msgspec.json.decode((folder / "result.json").read_bytes(), type=AttemptResult)
    return msgspec.json.decode((folder / "figures.json").read_bytes(), type=KINDS[spec.work]), result


def is_equal(work: Work, found: Any, table: Artefact, older: Artefact) -> bool:
    """Compare figures with those of numpy over a whole column."""
    old, new = (column(one, "c0") for one in (older, table))
    if work == "measure":
        numbers = found.columns[0].numbers
        exact = np.allclose(numbers.quantiles, np.quantile(new, QUANTILES), rtol=1e-9)
        return bool(exact and np.isclose(numbers.mean, new.mean()) and np.isclose(numbers.deviation, new.std(ddof=1)))
    if work == "compare":
        every = np.sort(np.concatenate([old, new]))
        gaps = (np.searchsorted(np.sort(part), every, "right") / len(part) for part in (old, new))
        return bool(np.isclose(found.columns[0].ks, np.max(np.abs(np.subtract(*gaps)))))
    exact_counts = np.histogram(new, found[0].wanted.edges)[0]
    return bool(np.max(np.abs(np.array(found[0].counts[1:-2]) - exact_counts)) < 100)


def column(table: Artefact, name: str) -> Any:
    query = f"SELECT {name}::DOUBLE FROM read_parquet('{table.path}') WHERE {name} IS NOT NULL"
    with duckdb.connect() as engine:
        return engine.execute(query).fetchnumpy()[f"CAST({name} AS DOUBLE)"]


def scan(table: Artefact) -> float:
    """Return the seconds that the engine needs to read every column once."""
    assert table.schema is not None
    picks = ", ".join(f"bit_xor(hash({one.name}))" for one in table.schema.columns)
    with duckdb.connect(config={"threads": 1}) as engine:
        began = time.perf_counter()
        engine.execute(f"SELECT {picks} FROM read_parquet('{table.path}')").fetchall()
        return time.perf_counter() - began


def measure(work: Work, table: Artefact, older: Artefact, folder: Path, runs: int, limits: Limits) -> dict[str, Any]:
    """Run a case and return its line."""
    assert table.schema is not None
    assert table.rows is not None
    columns = len(table.schema.columns) - 1
    edges = tuple(float(edge) for edge in np.linspace(-8, 0, 17))
    reals = [one.name for one in table.schema.columns if one.type == "real"][:10]
    wanted = tuple(Wanted("histogram", 500, name, edges) for name in reals) if work == "draw" else ()
    compared = older if work == "compare" else None
    spec = ProfileSpec(work, table, str(folder / "work"), compared, wanted, limits)
    ended = [perform(spec) for _ in range(runs)]
    seconds = statistics.median(result.seconds for _, result in ended)
    cells = table.rows * (len(wanted) or columns)
    return {
        "bench": "profile",
        "case": f"profile/{work}/{table.rows}x{columns}",
        "seconds": round(seconds, 3),
        "rate": round(cells / seconds),
        "bytes": 0,
        "peak_mb": round(max(result.peak_memory_bytes for _, result in ended) / 1e6),
        "equal": is_equal(work, ended[0][0], table, older),
        "peer": None,
        "peer_seconds": None,
        "ratio": None,
        "bound_seconds": round(scan(table), 3),
        "note": {
            "cpu_seconds": round(statistics.median(result.cpu_seconds for _, result in ended), 3),
            "file_mb": round(Path(table.path).stat().st_size / 1e6, 1),
            "memory_limit_mb": round(limits.memory_bytes / 1e6),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small table, once: under 30 s")
    parser.add_argument("--runs", type=int, default=3, help="runs of which the median is taken")
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--memory-mib", type=int, default=512, help="what an attempt may use")
    chosen = parser.parse_args()
    limits = Limits(threads=1, memory_bytes=chosen.memory_mib * MIB)
    for rows, columns in QUICK if chosen.quick else SIZES:
        with tempfile.TemporaryDirectory(prefix="hanse-profile-") as name:
            folder = Path(name)
            older, table = (make(folder / f"{seed}.parquet", rows, columns, seed) for seed in (1, 2))
            for work in KINDS:
                if f"profile/{work}/{rows}x{columns}".startswith(chosen.only):
                    runs = 1 if chosen.quick else chosen.runs
                    print(json.dumps(measure(work, table, older, folder, runs, limits)), flush=True)


if __name__ == "__main__":
    main()
