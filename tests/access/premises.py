"""One running node for the tests of a module that ask it everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from hanse.cli.node import Running, opened
from hanse.cli.premises import claimed
from hanse.control.settings import load_settings


@dataclass
class Premises:
    """A node that serves, and its directory."""

    node: Running
    directory: Path

    @property
    def token(self) -> str:
        return (self.directory / "token").read_text()


@pytest.fixture
async def premises(tmp_path: Path) -> AsyncIterator[Premises]:
    directory = tmp_path / "bank"
    given = {
        "organisation": "bank",
        "rest_port": 0,
        "party_port": 0,
        "party_host": "127.0.0.1",
        "profile_datasets": False,
    }
    settings = load_settings(directory, given, environment={})
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # thousands of refusals are meant
    try:
        with claimed(directory):
            async with opened(settings) as node:
                yield Premises(node, directory)
    finally:
        structlog.reset_defaults()
