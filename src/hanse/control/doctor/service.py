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
from hanse.control.estimates import service as estimates
from hanse.control.organisations import service as organisations
from hanse.control.organisations.tables import Member
from hanse.core import threads
from hanse.core.faults import fault
from hanse.core.ids import OrganisationId
from hanse.core.links import Reading

AT_ONCE = 2
RATES, BYTES_S = ("bandwidth_up", "bandwidth_down"), 1e6 / 8
"""Findings in Mbit/s: the slower way is what estimates of jobs reckon with."""

Probe = Callable[[str, str], Awaitable[list[Reading]]]
"""(address, PEM of the root that must have signed the certificate there, or "") → what was found."""


class Checked(NamedTuple):
    """What was looked at, and what came of it."""

    target: str
    address: str
    state: State
    findings: list[Finding]


class Target(NamedTuple):
    """What is to be looked at; of a stranger, the address alone."""

    name: str
    address: str
    root_pem: str = ""
    organisation: OrganisationId | None = None


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
        found = await threads.run(self._find, target)
        if self._running.locked():
            raise fault("doctor.busy", f"{AT_ONCE} links are being checked")
        async with self._running:
            readings = (
                await self.probe(found.address, found.root_pem)
                if found.address
                else [Reading("dns", trouble="address.none")]
            )
        findings = [judge(reading, self.release) for reading in readings]
        checked = Checked(found.name, found.address, worst(findings), findings)
        await threads.run(self._note, caller, checked, found.organisation)
        return checked

    def _find(self, target: str) -> Target:
        """Return a member, or the address alone of a stranger."""
        with self.database.read() as session:
            query = select(Member).where((Member.name == target) | (Member.organisation == target))
            member = session.scalar(query)
            if member is None and ":" not in target:
                member = organisations.find_named(session, target)
            if member is None:
                return Target(target, target)
            return Target(member.name, member.address, member.root_pem, member.organisation)

    def _note(self, caller: Caller, checked: Checked, organisation: OrganisationId | None) -> None:
        troubles = [finding.code for finding in checked.findings if finding.code]
        with self.database.write() as session:
            told = {"address": checked.address, "state": checked.state, "troubles": troubles}
            audit.append(session, caller.id, "link.check", checked.target[:64], **told)
            rates = [found.value for found in checked.findings if found.name in RATES]
            if organisation is not None and (known := [rate for rate in rates if isinstance(rate, float)]):
                estimates.note_rate(session, organisation, min(known) * BYTES_S)
