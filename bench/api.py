"""How many reads a node's REST interface answers, and how long one takes: alone, and while the node trains.

    python bench/api.py [--quick]        one case a line; read by nothing else on the machine

A demonstration of three nodes is given and kept, so that the guest's node has members, datasets, grants, pipelines,
jobs with events and models. Then readers ask it for what a console's pages show, each as fast as it is answered, with
the cookie of an administrator's session: every request is authenticated and authorised, and read from the database.
The readers are a process of their own; on two cores they and the node share them, and in the second case the attempts
of three parties do, too.
"""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil

from hanse.cli.demo.cast import Cast, write_case
from hanse.cli.demo.play import training_pipeline
from hanse.client import AsyncClient

READERS = 16
MUST_RATE, MUST_P95_MS = 500, 50
PAGES = ("/v1/node", "/v1/members", "/v1/datasets", "/v1/projects", "/v1/grants", "/v1/jobs?limit=20", "/v1/models")


@contextlib.contextmanager
def federation(rows: int) -> Iterator[Path]:
    """Give the demonstration in a folder of its own and yield its guest's directory; its nodes end with the block."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hanse.cli", "demo", "--json", "--rows", str(rows)]
        said = subprocess.run([*command, "--keep-in", f"{folder}/stage"], check=True, capture_output=True, cwd=folder)
        kept = json.loads(said.stdout)["kept"]
        try:
            yield Path(next(iter(kept.values()))["directory"])
        finally:
            nodes = [psutil.Process(node["pid"]) for node in kept.values() if psutil.pid_exists(node["pid"])]
            for node in nodes:
                node.terminate()
            psutil.wait_procs(nodes, timeout=20)


async def open_session(client: AsyncClient) -> str:
    """Make an administrator with a password nobody knows; return the cookie of its session."""
    made = await client.add_user(f"reader-{secrets.token_hex(4)}", ["administrator"])
    password = secrets.token_urlsafe(24)
    await client.choose_password(made.code, password)
    assert made.user is not None
    async with aiohttp.ClientSession() as session:
        body = {"name": made.user.name, "password": password}
        async with session.post(f"{client.address}/v1/session", json=body) as answer:
            answer.raise_for_status()
            cookie = SimpleCookie(answer.headers["Set-Cookie"])
    return "; ".join(f"{name}={morsel.value}" for name, morsel in cookie.items())


async def read(url: str, paths: list[str], cookie: str, seconds: float) -> dict[str, Any]:
    """Ask for the paths in turn with all readers at once; return how many answers there were, and their times."""
    took: list[float] = []
    wrong = 0
    end = time.perf_counter() + seconds

    async def keep_reading(session: aiohttp.ClientSession, place: int) -> None:
        nonlocal wrong
        while time.perf_counter() < end:
            began = time.perf_counter()
            async with session.get(url + paths[place % len(paths)]) as answer:
                wrong += answer.status != 200 or not await answer.read()
            took.append(time.perf_counter() - began)
            place += 1

    began = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=READERS)
    async with aiohttp.ClientSession(headers={"Cookie": cookie}, connector=connector) as session:
        await asyncio.gather(*(keep_reading(session, place) for place in range(READERS)))
    p50, p95, p99 = (round(float(1e3 * value), 1) for value in np.quantile(took, (0.5, 0.95, 0.99)))
    elapsed = time.perf_counter() - began
    return {"answers": len(took), "wrong": wrong, "seconds": elapsed, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


def ask_from_outside(url: str, paths: list[str], cookie: str, seconds: float) -> subprocess.Popen[str]:
    """Start the readers in a process of their own."""
    order = json.dumps({"url": url, "paths": paths, "cookie": cookie, "seconds": seconds})
    command = [sys.executable, __file__, "--reader"]
    readers = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert readers.stdin is not None
    readers.stdin.write(order)
    readers.stdin.close()
    return readers


async def heard(readers: subprocess.Popen[str]) -> dict[str, Any]:
    assert readers.stdout is not None
    said = await asyncio.to_thread(readers.stdout.read)
    readers.wait()
    return dict(json.loads(said))


async def measure(directory: Path, cast: Cast, seconds: float) -> None:
    async with AsyncClient(directory) as client:
        cookie = await open_session(client)
        job = (await client.jobs())[0].id
        paths = [*PAGES, f"/v1/jobs/{job}", f"/v1/jobs/{job}/events?after=0"]
        await read(client.address, paths, cookie, 1)
        tell("api/read", await heard(ask_from_outside(client.address, paths, cookie, seconds)), jobs=0)
        readers = ask_from_outside(client.address, paths, cookie, seconds)
        ran = 0
        while readers.poll() is None:
            started = await client.run_job(training_pipeline(cast, "binary").spec())
            ended = (await client.watch(started.id)).state
            if ended != "succeeded":
                raise RuntimeError(f"the job beside the readers has {ended}")
            ran += 1
        tell("api/read/training", await heard(readers), jobs=ran)


def tell(case: str, found: dict[str, Any], jobs: int) -> None:
    line = {
        "bench": "api",
        "case": case,
        "seconds": round(found["seconds"], 2),
        "rate": round(found["answers"] / found["seconds"]),
        "bytes": None,
        "peak_mb": None,
        "equal": found["wrong"] == 0,
        "peer": None,
        "peer_seconds": None,
        "ratio": None,
        "bound_seconds": None,
        "note": {
            "rate": f"answers a second, at least {MUST_RATE} asked",
            "p50_ms": found["p50_ms"],
            "p95_ms": found["p95_ms"],
            "p99_ms": found["p99_ms"],
            "must_p95_ms": MUST_P95_MS,
            "readers": READERS,
            "jobs": jobs,
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
        },
    }
    print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="4 s a case instead of 20")
    parser.add_argument("--reader", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.reader:
        print(json.dumps(asyncio.run(read(**json.load(sys.stdin)))))
        return
    rows = 6_000
    with tempfile.TemporaryDirectory() as folder, federation(rows) as directory:
        asyncio.run(measure(directory, write_case("credit", rows, Path(folder)), 4 if chosen.quick else 20))


if __name__ == "__main__":
    main()
