"""What the shipped source may not say, whatever the linters overlook."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

CODE_BEARING = frozenset("pickle _pickle cPickle cloudpickle dill marshal shelve joblib jsonpickle random".split())
RUNS_TEXT = frozenset({"eval", "exec", "compile", "__import__"})
UNSAFE_LOADS = {("yaml", "load"), ("torch", "load"), ("numpy", "load"), ("np", "load"), ("importlib", "reload")}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError|todo!|unimplemented!)")
OTHER_INDEX = re.compile(r"--(extra-)?index-url|--find-links|\"resolved\": \"http|^registry = ")
HOME_FOLDER = re.compile(r"(?<![\w.}$])/(?:home|root|Users)/[\w.-]+")
BANNED_WORDS = frozenset(
    "utils util helper helpers manager handler handlers wrapper wrappers processor common base misc impl".split()
)


def list_tracked(root: Path, *patterns: str) -> list[Path]:
    """The files that git knows or would add, so that a file is judged before it is committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(root / name for name in set(names) if name and (root / name).is_file())


def list_faults(tree: ast.AST) -> list[str]:
    """Say where a module reads or runs what could carry code."""
    faults = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                faults += [
                    f"line {node.lineno}: import {n.name}" for n in names if n.name.split(".")[0] in CODE_BEARING
                ]
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in CODE_BEARING:
                faults.append(f"line {node.lineno}: from {module}")
            case ast.Call(func=ast.Name(id=name)) if name in RUNS_TEXT:
                faults.append(f"line {node.lineno}: {name}()")
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name)) if (owner, name) in UNSAFE_LOADS:
                faults.append(f"line {node.lineno}: {owner}.{name}()")
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                faults.append(f"line {node.value.lineno}: allow_pickle")
            case _:
                pass
    return faults


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from marshal import loads",
        "import random as r",
        "eval('1')",
        "__import__('os')",
        "np.load(f)",
        "f(allow_pickle=True)",
    ],
)
def test_the_scan_finds(line: str) -> None:
    assert list_faults(ast.parse(line)) != []


def test_no_module_reads_or_runs_what_could_carry_code(root: Path) -> None:
    modules = sorted((root / "src").rglob("*.py"))
    assert len(modules) > 10
    faults = {str(path.relative_to(root)): list_faults(ast.parse(path.read_text("utf-8"))) for path in modules}
    assert {path: found for path, found in faults.items() if found} == {}


def test_nothing_is_left_open_in_the_source(root: Path) -> None:
    sources = [path for path in list_tracked(root, "src", "kernel", "bench") if path.suffix in {".py", ".rs", ".pyi"}]
    assert sources
    assert [str(path.relative_to(root)) for path in sources if UNFINISHED.search(path.read_text("utf-8"))] == []


def test_modules_are_named_for_what_they_hold(root: Path) -> None:
    files = list_tracked(root, "src", "kernel", "bench", "build_support")
    names = {part for path in files for part in path.relative_to(root).with_suffix("").parts}
    assert sorted(name for name in names if set(name.lower().split("_")) & BANNED_WORDS) == []


def test_no_file_names_a_package_index_or_a_folder_of_one_machine(root: Path) -> None:
    exempt = [":!tests/architecture/source_test.py", ":!build_support/locks.py"]  # they hold the patterns
    here = f"{root.parent}/"
    found = []
    for path in list_tracked(root, ".", *exempt):
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1):
            if OTHER_INDEX.search(line) or HOME_FOLDER.search(line) or here in line:
                found.append(f"{path.relative_to(root)}:{number}")
    assert found == []


def test_no_file_is_too_large_to_review(root: Path) -> None:
    assert [str(path) for path in list_tracked(root, ".") if path.stat().st_size > 1_000_000] == []
