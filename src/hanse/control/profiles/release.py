"""One release: what is chosen is drawn where the rows are, then noted and told, all of it or nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hanse.control.access.callers import Caller
from hanse.control.database import Database
from hanse.control.nodes.identity import Identity
from hanse.control.outbox.courier import Courier
from hanse.control.profiles import sharing
from hanse.control.profiles.profiler import Profiler
from hanse.control.profiles.sharing import Choice, Plan
from hanse.control.profiles.tables import ProfileShare


@dataclass(frozen=True)
class Releases:
    """Tells partners figures of datasets. `most` is the budget (thousandths) of a dataset for which none was said."""

    database: Database
    identity: Identity
    profiler: Profiler
    courier: Courier
    most: int

    def price(self, caller: Caller, name: str, version: int, choices: Sequence[Choice]) -> Plan:
        """Return what telling figures would take; nothing is drawn."""
        with self.database.read() as session:
            return sharing.plan(session, caller, name, version, choices, self.most)

    async def share(
        self, caller: Caller, name: str, project: str, version: int, choices: Sequence[Choice]
    ) -> tuple[ProfileShare, Plan]:
        """Draw what was not drawn before and tell it. Whatever fails, nothing was told and nothing is spent."""
        plan = await asyncio.to_thread(self._check, caller, name, project, version, choices)
        drawn = await self.profiler.draw(plan.snapshot, plan.wanted) if plan.wanted else ()

        def conclude() -> ProfileShare:
            with self.database.write() as session:
                number = plan.snapshot.version.number
                where = (name, project, number)
                return sharing.share(session, caller, self.identity, *where, choices, drawn, self.most)

        return await self.courier.after(conclude), plan

    def _check(self, caller: Caller, name: str, project: str, version: int, choices: Sequence[Choice]) -> Plan:
        """Refuse before the work what would be refused after it."""
        with self.database.read() as session:
            sharing.demand_offered(session, caller, self.identity, name, project)
            plan = sharing.plan(session, caller, name, version, choices, self.most)
        sharing.demand_budget(plan)
        return plan
