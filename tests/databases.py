"""A node's database at the newest migration: migrated once a process, then copied."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from hanse.control.database import Database
from hanse.control.migrations import upgrade
from tests import postgresql


def open_new(directory: Path) -> Database:
    """Open a database of its own, with this release's tables and nothing in them, in `directory`."""
    path = directory / "hanse.db"
    url = f"sqlite:///{path}"
    if server := os.environ.get(postgresql.SERVER):
        postgresql.named_database(server, postgresql.name_of(url), template=_template_on_server(server))
    else:
        shutil.copyfile(_template(), path)
    return Database(url)


@cache
def _template() -> Path:
    folder = tempfile.mkdtemp(prefix="hanse-template-")
    atexit.register(shutil.rmtree, folder)
    path = Path(folder) / "hanse.db"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@cache
def _template_on_server(server: str) -> str:
    name = f"template_{os.getpid()}"
    database = Database(postgresql.named_database(server, name))
    upgrade(database)
    database.close()
    return name
