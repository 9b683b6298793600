"""Bring a database to this release's tables; at each start of a node, before anything else reads it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DatabaseError

from hanse.control.database import Database, explain
from hanse.core.faults import fault

HERE = Path(__file__).parent


def upgrade(database: Database, revision: str = "head") -> None:
    """Run the migrations that are missing up to `revision`, in one transaction that nobody else begins meanwhile.

    Raises `database.newer` when a newer release has been here, and `database.*` when the disk will not have it.
    """
    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    try:
        with database.engine.begin() as connection:
            found = set(MigrationContext.configure(connection).get_current_heads())
            if found - known:
                raise fault("database.newer", f"the database is at revision {', '.join(sorted(found - known))}")
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except DatabaseError as error:
        said = explain(error)
        raise fault("database.broken", f"{error.orig}") if said is error else said from error
