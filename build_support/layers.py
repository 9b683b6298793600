"""Run import-linter on the contracts of pyproject.toml, with the tests beside the code exempt.

import-linter's wildcards stand for whole names only. So the pattern `*_test` of an ignored import is written out here
as the test modules that exist, into a configuration file that lives as long as the run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = "hanse.**.*_test"


def list_test_modules() -> list[str]:
    source = ROOT / "src"
    return sorted(".".join(path.relative_to(source).with_suffix("").parts) for path in source.rglob("*_test.py"))


def write_out(imports: list[str], tests: list[str]) -> list[str]:
    return [entry.replace(TESTS, test) for entry in imports for test in (tests if TESTS in entry else [""])]


def render(settings: dict[str, object], heading: str) -> str:
    """A TOML table of strings, booleans and lists of strings: JSON writes those the same way."""
    values = (f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in settings.items())
    return f"{heading}\n{''.join(values)}"


def main() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    tests = list_test_modules()
    parts = [render({key: value for key, value in settings.items() if key != "contracts"}, "[tool.importlinter]")]
    for contract in settings["contracts"]:
        exempt = write_out(contract.get("ignore_imports", []), tests)
        parts.append(render({**contract, "ignore_imports": exempt}, "[[tool.importlinter.contracts]]"))
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "layers.toml"
        configuration.write_text("\n".join(parts), "utf-8")
        linter = Path(sys.executable).parent / "lint-imports"
        sys.exit(subprocess.run([linter, "--no-logo", "--config", configuration], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
