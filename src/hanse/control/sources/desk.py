"""Ask a source, through a process of its own: the control plane speaks no database's protocol."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hanse.control.access.callers import Caller
from hanse.control.database import Database
from hanse.control.secrets import unseal
from hanse.control.settings import environment_of_child
from hanse.control.sources import service as sources
from hanse.core.addresses import NOTHING, Allowed, resolve_allowed
from hanse.core.faults import Fault, HanseError, fault
from hanse.core.sources import Answer, Order, Reader, TableName

ANSWER_S = 60.0


@dataclass(frozen=True)
class SourceDesk:
    """The sources of the node in `directory`. `allowed` is what they may dial besides public addresses."""

    directory: Path
    database: Database
    allowed: Allowed = NOTHING

    def order(self, caller: Caller, name: str, table: TableName | None = None, query: str = "") -> Order:
        """Return the order that reads a source, password and all; blocks while the host's name is looked up.

        Raises `source.unknown`, `address.*`, `secrets.*`.
        """
        with self.database.read() as session:
            source = sources.find(session, caller, name)
        password = unseal(self.directory, source.secret, sources.purpose(source.id)).decode()
        spec = source.spec
        addresses = tuple(resolve_allowed(spec.host, spec.port, self.allowed))
        return Order(Reader(spec, addresses, table, query, allowed=self.allowed.words), password)

    async def look(self, caller: Caller, name: str, most: int = 1000) -> Answer:
        """Open a source and list at most `most` of its tables. Raises `source.*`, `address.*`."""
        order = await asyncio.to_thread(self.order, caller, name)
        answer = await self._ask(msgspec.structs.replace(order, most=most))
        if isinstance(answer, Fault):
            raise HanseError(answer)
        return answer

    async def test(self, caller: Caller, name: str) -> Answer:
        """Try a source, and note whether it answered. Raises what `look` raises."""
        try:
            answer = await self.look(caller, name)
        except HanseError as error:
            if error.fault.code != "source.unknown":
                await asyncio.to_thread(self._note, caller, name, error.fault.code)
            raise
        await asyncio.to_thread(self._note, caller, name, "")
        return answer

    def _note(self, caller: Caller, name: str, code: str) -> None:
        with self.database.write() as session:
            sources.note_test(session, caller, name, code=code)

    async def _ask(self, order: Order) -> Answer | Fault:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hanse.runtime", "source"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment_of_child(self.directory),
            start_new_session=True,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(msgspec.json.encode(order)), ANSWER_S)
        except TimeoutError:
            raise fault("source.timeout", f"no answer within {ANSWER_S:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            if process.returncode == 0:
                return msgspec.json.decode(said, type=Answer)
            return msgspec.json.decode(said, type=Fault)
        except msgspec.DecodeError:
            raise fault("source.lost", f"the process that asks it ended with {process.returncode}") from None
