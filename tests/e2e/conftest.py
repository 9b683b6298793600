"""Federations of real nodes, for the tests of this folder and of others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.federation import Federation, raised


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three paired organisations with data; the tests of a module share them."""
    with raised(tmp_path_factory.mktemp("federation")) as federation:
        yield federation
