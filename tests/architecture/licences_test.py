"""What may be linked and shipped: every Rust crate, and every Python distribution of the locks."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PERMISSIVE = frozenset(
    "0BSD Apache-2.0 BlueOak-1.0.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 ISC MIT MIT-0 PSF-2.0 Unicode-3.0"
    " Unlicense Zlib".split()
)
IMPORTED = frozenset({"LGPL-3.0-only", "LGPL-3.0-or-later"})  # a wheel beside ours, never linked
TOOLS = frozenset({"MPL-2.0"})  # runs beside the project, is not shipped with it

SPOKEN = {  # how distributions without a licence expression say it → SPDX
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
TOKEN = re.compile(r"[()]|[^\s()]+")


def is_allowed(expression: str, allowed: frozenset[str]) -> bool:
    """Judge an SPDX expression: one side of every OR, all sides of every AND; `/` is the older way to write OR."""
    tokens = TOKEN.findall(expression.replace("/", " OR "))

    def any_of() -> bool:
        verdict = all_of()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            verdict = all_of() or verdict
        return verdict

    def all_of() -> bool:
        verdict = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            verdict = one() and verdict
        return verdict

    def one() -> bool:
        name = tokens.pop(0)
        if name == "(":
            verdict = any_of()
            tokens.pop(0)
            return verdict
        if tokens and tokens[0] == "WITH":  # an exception only ever widens a licence
            del tokens[:2]
        return name in allowed

    return any_of() and not tokens


def read_licence(package: Distribution) -> str:
    """The licence expression, else the classifiers (each one a choice), else the free text; SPDX where it is known."""
    metadata = package.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = [c.rsplit(" :: ", 1)[-1] for c in metadata.get_all("Classifier") or [] if c.startswith("License ::")]
    known = [SPOKEN[name] for name in classifiers if name in SPOKEN]
    spoken = [SPOKEN.get(text, text) for text in metadata.get_all("License") or ["unknown"]]
    return " OR ".join(known or spoken)


def list_packages(lock: Path) -> list[Distribution]:
    """The distributions of a lock that this interpreter and platform install."""
    found = []
    for line in lock.read_text("utf-8").splitlines():
        if line.startswith((" ", "#")) or not line.strip():
            continue
        asked = Requirement(line.rstrip(" \\"))
        if asked.marker is None or asked.marker.evaluate():
            found.append(distribution(asked.name))
    return found


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("MIT", True),
        ("MIT/Apache-2.0", True),
        ("(MIT OR GPL-3.0-only) AND Unicode-3.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-only", False),
        ("BSD-3-Clause-Clear", False),
        ("LGPL-3.0-only", False),
        ("", False),
    ],
)
def test_an_expression_is_judged_as_its_words_say(expression: str, verdict: bool) -> None:
    assert (bool(expression) and is_allowed(expression, PERMISSIVE)) is verdict


def test_every_crate_of_the_kernel_may_be_linked(root: Path) -> None:
    version = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    host = re.search(r"^host: (\S+)$", version, re.MULTILINE)
    assert host
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host[1]]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    packages = json.loads(answer.stdout)["packages"]
    crates = {f"{crate['name']} {crate['version']}": crate["license"] or "" for crate in packages}
    assert len(crates) > 2
    assert {name: said for name, said in crates.items() if not (said and is_allowed(said, PERMISSIVE))} == {}


@pytest.mark.parametrize(
    ("lock", "allowed"),
    [
        ("run.txt", PERMISSIVE | IMPORTED),
        ("build.txt", PERMISSIVE | TOOLS),
        ("dev.txt", PERMISSIVE | IMPORTED | TOOLS),
    ],
)
def test_every_distribution_of_a_lock_may_be_used(root: Path, lock: str, allowed: frozenset[str]) -> None:
    packages = list_packages(root / "requirements" / lock)
    assert packages
    licences = {package.name: read_licence(package) for package in packages}
    assert {name: said for name, said in licences.items() if not is_allowed(said, allowed)} == {}


def test_no_environment_of_the_project_holds_what_must_stay_out() -> None:
    """GPL, and cryptography whose licence withholds patents."""
    for name in ("pymerkle", "tfhe-ntt", "concrete-ntt", "crossmool"):
        with pytest.raises(PackageNotFoundError):
            distribution(name)
