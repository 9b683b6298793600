"""What the tests of this folder run as an attempt: it does what its settings say, the way a real one ends.

`behave` maps an attempt number (or `always`) to `die`, `fail` or `hang`; anything else succeeds. `makes` maps an
output port to its kind.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path


def stay() -> None:
    """Live as long as the node does."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)


def make(folder: Path, kind: str) -> dict[str, object]:
    folder.mkdir(parents=True)
    content = b"{}"
    (folder / ("manifest.json" if kind == "model" else "content")).write_bytes(content)
    return {"kind": kind, "path": str(folder), "sha256": hashlib.sha256(content).hexdigest(), "rows": 3}


def run(path: Path) -> None:
    task = json.loads(path.read_text("utf-8"))
    settings = task.get("settings", {})
    behave = settings.get("behave", {})
    deed = behave.get(str(task["attempt"]), behave.get("always", ""))
    folder = Path(task["directory"])
    Path(task["checkpoints"]).mkdir(parents=True, exist_ok=True)
    result: dict[str, object] = {"state": "succeeded", "seconds": 0.5, "peak_memory_bytes": 1 << 20}
    if deed == "die":
        (folder / "half-written").write_text("x")
        os.kill(os.getpid(), signal.SIGKILL)
    if deed == "hang":
        stay()
    if deed == "fail":
        result = {"state": "failed", "fault": {"code": "label.absent", "cause": "row 17", "remedy": "look at it"}}
    else:
        makes = settings.get("makes", {})
        result["outputs"] = {port: make(folder / "outputs" / port, kind) for port, kind in makes.items()}
    (folder / "inputs.json").write_text(json.dumps(task.get("inputs", {})))
    part = folder / "result.part"
    part.write_text(json.dumps(result))
    part.rename(folder / "result.json")


if __name__ == "__main__":
    if sys.argv[1] == "planner":
        stay()
    else:
        run(Path(sys.argv[2]))
