"""A CSV file of any size becomes a checked snapshot in a process of its own: seconds, bytes a second, its memory.

    python bench/ingest.py [--quick] [--only ingest/wide] [--gigabytes 5] [--memory-mib 1024]

Files are written by the engine beforehand. `seconds` is what the process itself says, from its start of work to its
result, `rate` is bytes of CSV a second, `peak_mb` its resident memory. `equal` says that the snapshot has all rows and
that the sum of each column of whole numbers is that of the generator.

    ingest/wide    an id and 21 columns: 14 of reals, 5 of whole numbers, 2 of texts (quoted, Chinese)
    ingest/thin    an id and one whole number: the most ids in the bytes

`bound_seconds` is the least time to write the copy and read it twice, at the speed of a plain copy of the same file in
the same run. There is no peer: `peer`, `peer_seconds` and `ratio` are null.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from hanse.core.specs import Artefact, AttemptResult, IngestSpec, Limits

ROW_BYTES = {"wide": 238, "thin": 16}
QUICK_BYTES = 40_000_000


def columns(kind: str) -> dict[str, str]:
    """Return the columns of a kind of table with the expressions that make them from the row's number."""
    if kind == "thin":
        return {"w0": "hash(i) % 1000"}
    reals = {f"r{n}": f"round((hash(i * 31 + {n}) >> 11)::DOUBLE / 9007199254740992, 9)" for n in range(14)}
    wholes = {f"w{n}": f"(hash(i * 17 + {n}) % 100000)::BIGINT" for n in range(5)}
    texts = {"t0": "'said \"' || (hash(i) % 97) || '\", once'", "t1": "'城市 ' || (hash(i * 3) % 300)"}
    return reals | wholes | texts


def write(path: Path, kind: str, rows: int) -> dict[str, int]:
    """Write the file; return the sum of each column of whole numbers."""
    made = columns(kind)
    picks = ", ".join(f"{expression} AS {name}" for name, expression in made.items())
    query = f"SELECT printf('1%010d', i) AS id, {picks} FROM range({rows}) r(i)"
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as engine:
        engine.execute(f"COPY ({query}) TO '{path}' (FORMAT csv, HEADER)")
        wholes = [name for name in made if name.startswith("w")]
        sums = ", ".join(f"sum({made[name]})" for name in wholes)
        found = engine.execute(f"SELECT {sums} FROM range({rows}) r(i)").fetchone()
    assert found is not None
    return dict(zip(wholes, map(int, found), strict=True))


def take_in(source: Path, folder: Path, limits: Limits) -> AttemptResult:
    """Run the process and return its result."""
    order = folder / "ingest.json"
    spec = IngestSpec(str(source), "id", str(folder / "snapshot"), limits=limits)
    order.write_bytes(msgspec.json.encode(spec))
    subprocess.run([sys.executable, "-m", "hanse.runtime", "ingest", str(order)], check=True, stderr=subprocess.DEVNULL)
    return msgspec.json.decode((folder / "snapshot" / "result.json").read_bytes(), type=AttemptResult)


def is_equal(table: Artefact, rows: int, sums: dict[str, int]) -> bool:
    picks = ", ".join(f"sum({name})" for name in sums)
    with duckdb.connect(config={"threads": 1}) as engine:
        found = engine.execute(f"SELECT count(*), {picks} FROM read_parquet('{table.path}')").fetchone()
    return found is not None and tuple(map(int, found)) == (rows, *sums.values())


def copy_seconds(source: Path, target: Path) -> float:
    began = time.perf_counter()
    shutil.copyfile(source, target)
    target.unlink()
    return time.perf_counter() - began


def measure(kind: str, size_bytes: int, limits: Limits) -> dict[str, Any]:
    """Run a case and return its line."""
    rows = size_bytes // ROW_BYTES[kind]
    with tempfile.TemporaryDirectory(prefix="hanse-ingest-") as name:
        source = Path(name) / "table.csv"
        sums = write(source, kind, rows)
        size = source.stat().st_size
        copying = copy_seconds(source, Path(name) / "copy.csv")
        result = take_in(source, Path(name), limits)
        table = result.outputs["table"]
        return {
            "bench": "ingest",
            "case": f"ingest/{kind}/{rows}",
            "seconds": round(result.seconds, 3),
            "rate": round(size / result.seconds),
            "bytes": size,
            "peak_mb": round(result.peak_memory_bytes / 1e6),
            "equal": is_equal(table, rows, sums),
            "peer": None,
            "peer_seconds": None,
            "ratio": None,
            "bound_seconds": round(3 * copying, 3),
            "note": {
                "cpu_seconds": round(result.cpu_seconds, 3),
                "snapshot_mb": round(Path(table.path).stat().st_size / 1e6, 1),
                "memory_limit_mb": round(limits.memory_bytes / 1e6),
            },
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="files of 40 MB")
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--gigabytes", type=float, default=5.0, help="size of the files")
    parser.add_argument("--memory-mib", type=int, default=1024, help="what the process may use")
    chosen = parser.parse_args()
    limits = Limits(threads=1, memory_bytes=chosen.memory_mib << 20)
    size = QUICK_BYTES if chosen.quick else round(chosen.gigabytes * 1e9)
    for kind in ROW_BYTES:
        if f"ingest/{kind}".startswith(chosen.only):
            print(json.dumps(measure(kind, size, limits)), flush=True)


if __name__ == "__main__":
    main()
