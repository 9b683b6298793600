"""Federations of real nodes, for the tests of this folder and of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.federation import Federation, raised

HERE = Path(__file__).resolve().parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all tests of a module to one process (`--dist loadgroup`): each process would raise its own federation."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three paired organisations with data; the tests of a module share them."""
    with raised(tmp_path_factory.mktemp("federation")) as federation:
        yield federation
