"""Write the locks, or say whether they still answer what pyproject.toml asks for.

    python build_support/locks.py write [--upgrade]   resolve again (needs a package index)
    python build_support/locks.py check               compare only (works offline)

A lock holds versions and hashes and no address, so that it works with any mirror:

    build.txt        what builds the extension       run.txt   what a node needs
    dev.txt          run + two extras + tools   constraints.txt   build and dev without hashes, for `pip install -c`
    inputs.sha256    digest of the sections of pyproject.toml that were resolved
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
INPUTS = LOCKS / "inputs.sha256"
CONSTRAINTS = LOCKS / "constraints.txt"
ASKS = {  # lock → what it resolves; a later one keeps the versions of those before it
    "build.txt": ["--group", "pyproject.toml:build"],
    "run.txt": ["pyproject.toml"],
    "dev.txt": [
        "pyproject.toml",
        "--extra",
        "ml",
        "--extra",
        "mysql",
        "--group",
        "pyproject.toml:dev",
    ],
}
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<rest>[^\\]+?)\s*\\?$")
HOST = re.compile(r"https?://|--(extra-)?index-url|--find-links")


def digest_inputs() -> str:
    """SHA-256 of everything in pyproject.toml that decides what the locks hold."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = document["project"]
    asked = {
        "python": project["requires-python"],
        "run": sorted(project["dependencies"]),
        "extras": {name: sorted(asks) for name, asks in project.get("optional-dependencies", {}).items()},
        "groups": {name: sorted(asks) for name, asks in document["dependency-groups"].items()},
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def read_pins(lock: str) -> list[str]:
    """The `name==version ; marker` lines of a lock, without hashes, in order."""
    lines = (LOCKS / lock).read_text("utf-8").splitlines()
    return [f"{found['name']}=={found['rest'].strip()}" for line in lines if (found := PIN.match(line))]


def render_constraints() -> str:
    pins = {pin for lock in ("build.txt", "dev.txt") for pin in read_pins(lock)}
    return "".join(f"{pin}\n" for pin in sorted(pins))


def write(upgrade: bool) -> None:
    LOCKS.mkdir(exist_ok=True)
    uv = shutil.which("uv", path=str(ROOT / ".venv" / "bin")) or shutil.which("uv")
    if uv is None:
        sys.exit("uv is missing: run `make setup` first.")
    earlier: list[str] = []
    for lock, asks in ASKS.items():
        print(f"resolving requirements/{lock}", flush=True)
        command = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate"]
        command += ["--python-version", "3.11", "--output-file", f"requirements/{lock}", *asks, *earlier]
        subprocess.run(command + (["--upgrade"] if upgrade else []), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        earlier += ["--constraint", f"requirements/{lock}"]
    CONSTRAINTS.write_text(render_constraints(), "utf-8")
    INPUTS.write_text(digest_inputs() + "\n", "utf-8")


def list_faults() -> list[str]:
    """One sentence for every way in which the locks are stale or tied to one machine."""
    missing = [name for name in (*ASKS, CONSTRAINTS.name, INPUTS.name) if not (LOCKS / name).is_file()]
    if missing:
        return [f"requirements/{name} is missing" for name in missing]
    faults = []
    if INPUTS.read_text("utf-8").strip() != digest_inputs():
        faults.append("pyproject.toml asks for other packages than those that were locked")
    if CONSTRAINTS.read_text("utf-8") != render_constraints():
        faults.append("requirements/constraints.txt does not say what the hashed locks say")
    if clash := set(read_pins("run.txt")) - set(read_pins("dev.txt")):
        faults.append(f"dev.txt does not hold what run.txt holds: {', '.join(sorted(clash))}")
    addressed = [path.name for path in sorted(LOCKS.iterdir()) if HOST.search(path.read_text("utf-8"))]
    return faults + [f"requirements/{name} names the address of a package index" for name in addressed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["write", "check"])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    arguments = parser.parse_args()
    if arguments.action == "write":
        write(arguments.upgrade)
    if faults := list_faults():
        sys.exit("\n".join(faults) + "\nremedy: .venv/bin/python build_support/locks.py write")
    print("the locks answer pyproject.toml")


if __name__ == "__main__":
    main()
