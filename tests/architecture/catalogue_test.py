"""Adding an algorithm touches one folder, and the folder is complete."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

SECTIONS = ("Protocol", "Secure", "Learns")


def list_folders(root: Path) -> list[Path]:
    components = root / "src" / "hanse" / "components"
    return sorted(path for path in components.iterdir() if path.is_dir() and path.name != "__pycache__")


def test_every_component_folder_holds_code_tests_transcript_and_chinese_names(root: Path) -> None:
    folders = list_folders(root)
    assert folders
    missing = [
        f"{folder.name}/{name}"
        for folder in folders
        for name in (f"{folder.name}.py", f"{folder.name}_test.py", "transcript.json", "zh.toml", "__init__.py")
        if not (folder / name).is_file()
    ]
    assert missing == []


def test_nothing_but_component_folders_lies_in_the_catalogue(root: Path) -> None:
    files = {path.name for path in (root / "src" / "hanse" / "components").iterdir() if path.is_file()}
    assert {name for name in files if not name.endswith("_test.py")} <= {"__init__.py"}


def test_every_header_says_protocol_secure_and_learns(root: Path) -> None:
    silent = []
    for folder in list_folders(root):
        header = ast.get_docstring(ast.parse((folder / f"{folder.name}.py").read_text("utf-8"))) or ""
        silent += [
            f"{folder.name}: {word}" for word in SECTIONS if not re.search(rf"^{word}\s+\S", header, re.MULTILINE)
        ]
    assert silent == []


def test_chinese_names_are_readable_tables(root: Path) -> None:
    for folder in list_folders(root):
        assert tomllib.loads((folder / "zh.toml").read_text("utf-8")), folder.name


def test_a_process_that_loads_the_catalogue_ends_without_a_word(root: Path) -> None:
    """DuckDB's bindings complain on stderr of types that something still holds at exit, such as an annotation."""
    command = [sys.executable, "-c", "from hanse.runtime.catalogue import load_all; load_all()"]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
