"""The one seat at a node's database: who holds it serves, others stand by, and the seat of who dies is free.

SQLite needs none: the lock of the directory keeps a second process out. A PostgreSQL server is reached from several
machines, so the seat is an advisory lock there. It belongs to a connection and falls with it: at once when a process
is killed, and within the connection's keep-alive (15 s) when its machine is gone. Who has lost the connection cannot
know whether another has sat down, and stops.
"""

import asyncio
from types import TracebackType
from typing import Any, Self

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.exc import DBAPIError

from hanse.control.database import Database, explain
from hanse.core.faults import fault

SEAT = int.from_bytes(b"seat")
"""The advisory lock of who serves; it is the database's own, so that each node has one."""

LOOK_S = 1.0


class Seat:
    """`with Seat(url) as seat:` gives the seat, if it was taken, back at the end."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._held: PoolProxiedConnection | None = None
        self._line: Any = None  # the driver's own connection

    def take(self) -> bool:
        """Sit down; False when another process sits there. Raises `database.*` for a server that cannot be reached."""
        if self._database.engine.dialect.name != "postgresql":
            return True
        try:
            if self._line is None:
                self._held = self._database.engine.raw_connection()
                self._line = self._held.driver_connection
                self._line.autocommit = True
            return bool(self._line.execute("SELECT pg_try_advisory_lock(%s)", [SEAT]).fetchone()[0])
        except self._database.engine.dialect.loaded_dbapi.Error as error:
            raise fault("database.away", f"the seat cannot be taken: {error}") from error
        except DBAPIError as error:
            raise explain(error) from error

    async def wait(self) -> None:
        """Return as soon as the seat is taken."""
        while not await asyncio.to_thread(self.take):  # noqa: ASYNC110 (nobody tells that a lock of the server is free)
            await asyncio.sleep(LOOK_S)

    async def keep(self) -> None:
        """Look over and over whether the seat is still this process's. Raises `node.superseded` when it may not be."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._line is not None:
                await asyncio.to_thread(self._demand)

    def _demand(self) -> None:
        try:
            self._line.execute("SELECT 1")
        except self._database.engine.dialect.loaded_dbapi.Error as error:
            raise fault("node.superseded", f"the connection that holds the node's seat is lost: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is not None:
            self._held.invalidate()
        self._database.close()
