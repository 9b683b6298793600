"""Run an attempt as the plan says: `python planned.py PLAN run task.json`, or `planner`, as the runtime would.

PLAN is a JSON list of {"party", "task", "at", "nth"}; the first attempt of a task that one of them names is run by
tests/faults/attempt.py, with that fault, every other one by the runtime itself.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

BROKEN = Path(__file__).resolve().parent.parent / "faults" / "attempt.py"


def choose(plan: Path, rest: list[str]) -> list[str]:
    if rest[0] != "run":
        return ["-m", "hanse.runtime", *rest]
    task = json.loads(Path(rest[1]).read_text("utf-8"))
    for fault in json.loads(plan.read_text("utf-8")):
        if (fault["party"], fault["task"], 1) == (task["party"], task["task"], task["attempt"]):
            words = [f"--{name}={fault[name]}" for name in ("at", "nth", "party", "task")]
            return [str(BROKEN), *words, *rest]
    return ["-m", "hanse.runtime", *rest]


if __name__ == "__main__":
    os.execv(sys.executable, [sys.executable, *choose(Path(sys.argv[1]), sys.argv[2:])])  # noqa: S606 (our own words)
