"""Registries while the node runs: read them, tell them what has changed, and pair with whom one finds there."""

import asyncio
from contextlib import suppress
from typing import NamedTuple

import msgspec
import structlog

from hanse.control.access.callers import Caller
from hanse.control.audit import service as audit
from hanse.control.database import Database
from hanse.control.nodes.certificates import pair_fingerprint, read_fingerprint
from hanse.control.nodes.identity import Identity
from hanse.control.organisations import service as organisations
from hanse.control.organisations.membership import Membership
from hanse.control.organisations.tables import Member
from hanse.control.peers import Peers
from hanse.control.registry import following, keeping
from hanse.control.registry.following import Shown, root_of
from hanse.control.registry.tables import RegisterEntry, Registry, RegistryListing
from hanse.core import threads
from hanse.core.faults import HanseError, fault
from hanse.core.ids import OrganisationId
from hanse.core.registry_messages import RegisterAsked, RegisterPage

REFRESH_S = 300.0
READ_S = 20.0
MOST_PAGES = 4000

log = structlog.get_logger("hanse.control.registry")


class Proposed(NamedTuple):
    """How a pairing was begun: `member` awaits its people, or `code` is an invitation to be handed to them."""

    listing: RegistryListing
    pair_fingerprint: str
    member: Member | None
    code: str = ""


class RegistryDesk:
    """This organisation's doings at registries, its own included."""

    def __init__(self, database: Database, identity: Identity, peers: Peers, membership: Membership) -> None:
        self._database = database
        self._identity = identity
        self._peers = peers
        self._membership = membership

    async def add_outsider(self, caller: Caller, address: str, fingerprint: str) -> RegisterEntry:
        """List who answers at an address, if its root has the fingerprint that people have compared."""
        wanted = OrganisationId(read_fingerprint(fingerprint))
        root = await self._membership.meet(address, wanted)

        def write() -> RegisterEntry:
            with self._database.write() as session:
                return keeping.add_outsider(session, caller, self._identity, root, address)

        return await threads.run(write)

    async def follow(self, caller: Caller, name: str, shown: Shown) -> Registry:
        """Show this organisation at a member's registry, and read it as soon as that has taken the entry."""

        def write() -> Registry:
            with self._database.write() as session:
                return following.follow(session, caller, self._identity, self._membership.profile, name, shown)

        return await threads.run(write)

    async def refresh(self, caller: Caller, name: str) -> Registry:
        """Read a registry now; what is in the way stands at its row. Raises `registry.unknown`, `member.state`."""
        return await self._read(name, caller)

    async def propose(self, caller: Caller, name: str, organisation: str, fingerprint: str) -> Proposed:
        """Ask to be paired with a listed organisation, the fingerprint of the pair having been compared.

        One that is no member of the registry is not reached through it: it gets an invitation, by hand.
        """

        def look() -> tuple[Registry, RegistryListing]:
            with self._database.read() as session:
                row = following.find(session, name)
                return row, following.find_listing(session, row.organisation, organisation)

        row, listing = await threads.run(look)
        pair = pair_fingerprint(self._identity.root, root_of(listing))
        organisations.demand_fingerprint(pair, fingerprint)
        if listing.sides == "one":
            return Proposed(listing, pair, None, (await self._membership.invite(caller)).code)

        def write() -> Member:
            with self._database.write() as session:
                return following.propose(session, caller, self._identity, row, listing, fingerprint)

        member = await threads.run(write)
        await self._membership.pin_all()
        return Proposed(listing, pair, member)

    async def run(self) -> None:
        """Keep registries told and read, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            with suppress(HanseError):
                await self.round()

    async def round(self) -> None:
        """Tell each registry what has changed, and read it; what is in the way stands at the registry's row."""
        for organisation in await threads.run(self._tell_all):
            with suppress(HanseError):  # it was left, suspended or revoked in between; the others are read
                await self._read(organisation, None)

    def _tell_all(self) -> list[OrganisationId]:
        with self._database.write() as session:
            found = [row for row in following.list_registries(session) if following.is_heard(session, row)]
            for row in found:
                try:
                    following.publish(session, self._identity, self._membership.profile, row)
                except HanseError as error:
                    row.trouble = error.fault.code
            return [row.organisation for row in found]

    async def _read(self, name: str, caller: Caller | None) -> Registry:
        row, registry = await threads.run(self._find, name)
        taken, trouble = list[str](), ""
        try:
            taken = await self._read_pages(registry)
        except HanseError as error:
            trouble = error.fault.code
            log.info("registry.unread", registry=registry.name, code=trouble, cause=error.fault.cause)

        def finish() -> Registry:
            with self._database.write() as session:
                found = following.find(session, row.organisation)
                following.finish(session, found, taken, trouble)
                if caller is not None:
                    audit.append(session, caller.id, "registry.refresh", found.organisation, trouble=found.trouble)
                return found

        return await threads.run(finish)

    async def _read_pages(self, registry: Member) -> list[str]:
        taken, after = list[str](), ""
        for _ in range(MOST_PAGES):
            asked = msgspec.msgpack.encode(RegisterAsked(after))
            raw = await self._peers.call(registry.organisation, asked, timeout_s=READ_S)
            try:
                page = msgspec.msgpack.decode(raw, type=RegisterPage)
            except msgspec.DecodeError as error:
                raise fault("registry.entry", f"{registry.name} answers with something else: {error}") from error
            ids = [listing.organisation for listing in page.listings]
            if ids != sorted(set(ids)) or (ids and ids[0] <= after) or (page.more and not ids):
                raise fault("registry.entry", f"{registry.name} lists out of order")
            taken += await threads.run(self._take, registry, page)
            if not page.more:
                return taken
            after = ids[-1]
        raise fault("registry.entry", f"{registry.name} lists without end")

    def _take(self, registry: Member, page: RegisterPage) -> list[str]:
        with self._database.write() as session:
            taken, refused = following.take_page(session, self._identity, registry, page)
        for reason in refused[:3]:
            log.warning("listing.refused", registry=registry.name, reason=reason)
        return taken

    def _find(self, name: str) -> tuple[Registry, Member]:
        with self._database.read() as session:
            row = following.find(session, name)
            return row, organisations.demand_active(session, row.organisation)
