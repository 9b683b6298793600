"""Check the link to a member, or to an address that is to become one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import select

from hanse.control.access.callers import Caller
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.doctor.verdicts import Finding, State, judge, worst
from hanse.control.organisations import service as organisations
from hanse.control.organisations.tables import Member
from hanse.core import threads
from hanse.core.faults import fault
from hanse.core.links import Reading

AT_ONCE = 2

Probe = Callable[[str, str], Awaitable[list[Reading]]]
"""(address, PEM of the root that must have signed the certificate there, or "") → what was found."""


class Checked(NamedTuple):
    """What was looked at, and what came of it."""

    target: str
    address: str
    state: State
    findings: list[Finding]


@dataclass
class Doctor:
    """Looks at links, a few at once."""

    database: Database
    probe: Probe
    release: str
    _running: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def check(self, caller: Caller, target: str) -> Checked:
        """Check the way to a member (its name or id) or an address.

        Raises `member.unknown` for what is neither, and `doctor.busy`.
        """
        name, address, root_pem = await threads.run(self._find, target)
        if self._running.locked():
            raise fault("doctor.busy", f"{AT_ONCE} links are being checked")
        async with self._running:
            readings = await self.probe(address, root_pem) if address else [Reading("dns", trouble="address.none")]
        findings = [judge(reading, self.release) for reading in readings]
        checked = Checked(name, address, worst(findings), findings)
        await threads.run(self._note, caller, checked)
        return checked

    def _find(self, target: str) -> tuple[str, str, str]:
        """Return name, address and root of a member, or the address alone of a stranger."""
        with self.database.read() as session:
            query = select(Member).where((Member.name == target) | (Member.organisation == target))
            member = session.scalar(query)
            if member is None and ":" not in target:
                member = organisations.find_named(session, target)
            return (target, target, "") if member is None else (member.name, member.address, member.root_pem)

    def _note(self, caller: Caller, checked: Checked) -> None:
        troubles = [finding.code for finding in checked.findings if finding.code]
        with self.database.write() as session:
            told = {"address": checked.address, "state": checked.state, "troubles": troubles}
            audit.append(session, caller.id, "link.check", checked.target[:64], **told)
