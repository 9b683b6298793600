"""What an organisation says about things that it has no part in changes nothing here, whatever it says and is."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import msgspec
import pytest
from tests.access.premises import Premises
from tests.access.world import JOINER, PARTNER, SCHEMA, Shelf, furnish

from hanse.api.peer.dispatch import Dispatch
from hanse.api.peer.jobs import answer
from hanse.control.jobs.desk import JobDesk
from hanse.control.organisations.membership import Membership
from hanse.control.organisations.tables import Member
from hanse.control.outbox.courier import Courier
from hanse.core.faults import HanseError
from hanse.core.federation_messages import FederationRequest
from hanse.core.ids import OrganisationId
from hanse.core.job_messages import JobRequest

OUTSIDER, SUSPENDED, REVOKED, UNKNOWN = (OrganisationId(digit * 32) for digit in "7654")
SENDERS = {
    "partner": PARTNER,
    "outsider": OUTSIDER,
    "pending": JOINER,
    "suspended": SUSPENDED,
    "revoked": REVOKED,
    "unknown": UNKNOWN,
}
ELSEWHERE = frozenset({"EntryPublished", "PairingForwarded", "FiguresShared"})
"""Letters whose content is signed or drawn: the tests of the register and of profiles send those."""
INACTIVE = frozenset({"pending", "suspended", "revoked", "unknown"})
EFFECTIVE = {"ApplicationAnswered", "CardPublished", "GrantOffered", "ProjectAccepted", "ProjectLeft"}
"""What the same letters change here when a partner in the project writes them: they are what they should be."""

KINDS = sorted(
    (kind for union in (FederationRequest, JobRequest) for kind in get_args(union) if kind.__name__ not in ELSEWHERE),
    key=lambda kind: kind.__name__,
)


def letter(kind: type, premises: Premises, found: dict[str, str]) -> bytes:
    """Return a letter of a kind about this house's things, as a partner of theirs could write it."""
    me = premises.node.identity.organisation
    values: dict[str, Any] = {
        **{name: found[name] for name in ("project", "job", "task")},
        "name": "own-risk",
        "grant": found["grant_id"],
        "application": found["asked"],
        "dataset": found["name"],
        "organisation": PARTNER,
        "members": [{"organisation": one, "name": one[:4], "state": "accepted"} for one in (me, OUTSIDER)],
        "created_at": "2026-01-01T00:00:00.000Z",
        "version": 9,
        "schema": msgspec.to_builtins(SCHEMA),
        "rows": 10,
        "until": None,
        "disclosure_limit": 0.1,
        "clauses": {},
        "columns": ["a"],
        "reason": "",
        "description": "",
        "answer": "",
        "attempt": 1,
        "party": "host-1",
        "pipeline": {
            "name": "x",
            "project": "own-risk",
            "parties": {"guest": "telecom", "host-1": "bank"},
            "tasks": {},
        },
        "parties": {"guest": OUTSIDER, "host-1": me},
        "versions": {},
        "release": "1",
        "state": "rejected" if kind.__name__ in ("ApplicationAnswered", "JobEnded") else "failed",
    }
    fields = {field.name: values[field.name] for field in msgspec.structs.fields(kind) if field.name in values}
    return msgspec.msgpack.encode(msgspec.convert(fields, kind))


def dispatch(premises: Premises) -> Dispatch:
    """Return what answers members, over the parts of the running node."""
    parts = premises.node.app._app.state.parts  # type: ignore[attr-defined]
    desk: JobDesk = parts[JobDesk]
    return Dispatch(
        premises.node.database,
        premises.node.identity,
        parts[Membership],
        parts[Courier],
        lambda sender, asked: answer(desk, sender, asked),
    )


def know(premises: Premises) -> None:
    with premises.node.database.write() as session:
        for organisation, state in ((OUTSIDER, "active"), (SUSPENDED, "suspended"), (REVOKED, "revoked")):
            words = {"root_pem": "", "address": "127.0.0.1:1", "pair_fingerprint": "0" * 32, "paired_at": "2026"}
            session.add(Member(organisation=organisation, name=state, state=state, **words))


@pytest.mark.timeout(300)
async def test_a_letter_of_somebody_without_a_part_in_it_changes_nothing(premises: Premises) -> None:
    found = furnish(premises.node, premises.directory, "")["own"]
    know(premises)
    answering, before = dispatch(premises), Shelf(premises.node.database)
    changed, told = [], {}
    for kind in KINDS:
        for name, sender in SENDERS.items():
            try:
                await answering.answer(sender, letter(kind, premises, found))
                told[kind.__name__, name] = "answered"
            except HanseError as error:
                told[kind.__name__, name] = error.fault.code
            if not await asyncio.to_thread(before.is_as_it_was):
                changed.append((kind.__name__, name))
                await asyncio.to_thread(before.put_back)
    assert {name for _, name in changed} == {"partner"}, changed
    assert {kind for kind, _ in changed} == EFFECTIVE
    heard = {kind for (kind, name), code in told.items() if name in INACTIVE and code == "answered"}
    assert heard <= {"MemberConfirmed"}, "only a confirmation is taken of who is no active member, and changes nothing"
    assert "node.failed" not in told.values(), told
