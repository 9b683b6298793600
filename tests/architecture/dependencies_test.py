"""What the package imports is what it asks for, no less and no more."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOADED_BY_OTHERS = frozenset({"httptools", "uvloop", "psycopg"})  # uvicorn and SQLAlchemy take them when they are there


@pytest.fixture
def document(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


def name_packages(lines: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in lines}


def list_imports(folder: Path) -> set[str]:
    """The top-level names that the shipped modules of a folder import, without the standard library and ourselves."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        if path.name.endswith("_test.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"hanse", "__future__"}


def test_every_import_of_the_package_is_asked_for_and_every_asked_package_is_imported(
    root: Path, document: dict[str, Any]
) -> None:
    asked = name_packages(document["project"]["dependencies"])
    optional = name_packages(
        [line for lines in document["project"]["optional-dependencies"].values() for line in lines]
    )
    where = packages_distributions()
    imported = {canonicalize_name(where.get(name, [name])[0]) for name in list_imports(root / "src")}
    assert imported - asked - optional == set()
    assert asked - imported - LOADED_BY_OTHERS == set()


def test_every_asked_package_says_which_release_it_was_written_for(document: dict[str, Any]) -> None:
    groups = [*document["project"]["optional-dependencies"].values(), *document["dependency-groups"].values()]
    lines = document["project"]["dependencies"] + [line for lines in groups for line in lines]
    assert [line for line in lines if ">=" not in line] == []
