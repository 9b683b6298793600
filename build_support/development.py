"""Two nodes of this folder on loopback, started again whenever the Python source changes. Ctrl-C ends both.

Their directories, .dev/bank and .dev/operator, stay for the next time; remove .dev to begin anew. A change of the
kernel is compiled by the next `make dev`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HANSE = str(Path(sys.executable).parent / "hanse")
NODES = {"bank": 9443, "operator": 9444}
LOOK_S = 1.0
STOP_S = 20.0


def directory(name: str) -> Path:
    return ROOT / ".dev" / name


def start(name: str, party_port: int) -> subprocess.Popen[bytes]:
    directory(name).mkdir(parents=True, exist_ok=True)
    where = ["--directory", str(directory(name)), "--party-host", "127.0.0.1", "--party-port", str(party_port)]
    return subprocess.Popen([HANSE, "node", "up", "--name", name, *where, "--rest-port", "0"], cwd=ROOT)


def stop(nodes: list[subprocess.Popen[bytes]]) -> None:
    for node in nodes:
        node.terminate()
    for node in nodes:
        try:
            node.wait(STOP_S)
        except subprocess.TimeoutExpired:
            node.kill()
            node.wait()


def read_times() -> dict[Path, float]:
    """When each module was last written. A file that goes while we look is left out."""
    times = {}
    for path in (ROOT / "src").rglob("*.py"):
        try:
            times[path] = path.stat().st_mtime
        except FileNotFoundError:
            continue
    return times


def await_change(nodes: list[subprocess.Popen[bytes]]) -> bool:
    """Return True when the source has changed, False when a node has ended by itself."""
    before = read_times()
    while all(node.poll() is None for node in nodes):
        time.sleep(LOOK_S)
        if read_times() != before:
            return True
    return False


def main() -> None:
    print("two nodes of this folder; in another terminal, for example:")
    for line in ("invite", "node status", "member list"):
        print(f"    .venv/bin/hanse {line} --directory {directory('bank').relative_to(ROOT)}")
    nodes: list[subprocess.Popen[bytes]] = []
    again = True
    try:
        while again:
            nodes = [start(name, port) for name, port in NODES.items()]
            again = await_change(nodes)
            stop(nodes)
            print("the source has changed: starting again" if again else "a node has ended: see above", flush=True)
    except KeyboardInterrupt:
        stop(nodes)
        return
    sys.exit(1)


if __name__ == "__main__":
    main()
