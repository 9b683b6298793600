"""An installation of another release: `python aged.py PLAN run task.json`, or `planner`, with other versions.

PLAN is a JSON list of {"verb", "component", "version"}: for the verb (`run` or `planner`), the component says that it
is of that version. All else is the runtime as it is installed.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from pathlib import Path

from hanse.runtime import __main__ as runtime


def age(plan: Path, verb: str) -> None:
    for change in json.loads(plan.read_text("utf-8")):
        if change["verb"] == verb:
            name = change["component"]
            module = importlib.import_module(f"hanse.components.{name}.{name}")
            vars(module)["component"] = dataclasses.replace(module.component, version=change["version"])


if __name__ == "__main__":
    age(Path(sys.argv[1]), sys.argv[2])
    raise SystemExit(runtime.main(sys.argv[2:]))
