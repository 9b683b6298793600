"""Grants, projects and datasets on a real database file: what is allowed, what is refused, what partners are told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.databases import open_new

from hanse.control.access.callers import LOCAL
from hanse.control.audit import service as audit
from hanse.control.datasets import service as datasets
from hanse.control.grants import service as grants
from hanse.control.grants.service import Terms
from hanse.control.nodes.certificates import new_key, organisation_id, sign_root
from hanse.control.nodes.identity import Identity, load_identity
from hanse.control.organisations import service as organisations
from hanse.control.outbox import service as outbox
from hanse.control.projects import service as projects
from hanse.core.faults import HanseError
from hanse.core.federation_messages import (
    FederationRequest,
    GrantOffered,
    GrantRevoked,
    Place,
    ProjectAccepted,
    ProjectOffered,
)
from hanse.core.ids import DatasetId, GrantId, OrganisationId, ProjectId
from hanse.core.schema import Column, Schema
from hanse.core.specs import Artefact
from hanse.core.times import later, now

SCHEMA = Schema(
    (
        Column("phone", "text", "id"),
        Column("age", "integer"),
        Column("income", "real"),
        Column("bad", "integer", "label"),
    )
)
THEIRS = ProjectId("project-0123456789abcdef")


class Office:
    """A node's database with one partner, and one dataset."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.me: Identity = load_identity(directory, "bank")
        self.database = open_new(directory)
        root = sign_root("operator", new_key())
        self.partner = organisation_id(root)
        with self.database.write() as session:
            member = organisations.admit(session, self.me.root, root, "", "pending")
            organisations.confirm(session, LOCAL, member.organisation, member.pair_fingerprint)
            datasets.record(session, "people", DatasetId("dataset-1"), snapshot("a"), "people.csv")
            self.project = projects.create(session, LOCAL, self.me, "credit", ["operator"]).id

    def give(self, *columns: str, until: str | None = None, limit: float = 0.1) -> GrantId:
        with self.database.write() as session:
            return grants.give(session, LOCAL, self.me, "people", "credit", Terms(columns, until, limit)).grant.id

    def resolve(self, dataset: str = "people", project: str = "", at: str = "") -> grants.Use:
        with self.database.read() as session:
            chosen = ProjectId(project) if project else self.project
            return grants.resolve(session, self.directory, dataset, chosen, at or now())

    def letters(self) -> list[Any]:
        """Return the letters to the partner, and take them out."""
        taken = []
        with self.database.write() as session:
            while letter := outbox.oldest(session, self.partner):
                taken.append(msgspec.msgpack.decode(letter.message, type=FederationRequest))
                outbox.put_away(session, letter.number)
        return taken

    def agree(self) -> None:
        with self.database.write() as session:
            projects.record_acceptance(session, self.me.organisation, self.partner, ProjectAccepted(self.project))
        self.letters()


def snapshot(sha256: str, schema: Schema = SCHEMA) -> Artefact:
    return Artefact("table", f"data/{sha256}/table.parquet", sha256, rows=100, schema=schema)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.database.close()


def code_of(step: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(HanseError) as error:
        step(*arguments, **named)
    return error.value.fault.code


def test_without_a_grant_nobody_uses_a_dataset_not_even_its_owner(office: Office) -> None:
    assert code_of(office.resolve) == "grant.missing"
    assert code_of(office.resolve, dataset="nothing") == "dataset.unknown"


def test_a_grant_shows_its_columns_and_the_id_and_no_others(office: Office) -> None:
    office.give("age")
    use = office.resolve()
    assert use.artefact.columns == use.schema.names == ("phone", "age", "bad")
    assert use.artefact.schema == SCHEMA
    assert use.artefact.path == str(office.directory / "data/a/table.parquet")
    assert (use.artefact.sha256, use.artefact.rows) == ("a", 100)


def test_a_grant_without_columns_shows_all(office: Office) -> None:
    office.give()
    assert office.resolve().artefact.columns == SCHEMA.names


def test_a_grant_holds_for_its_project_only(office: Office) -> None:
    office.give()
    with office.database.write() as session:
        other = projects.create(session, LOCAL, office.me, "other", ["operator"]).id
    assert code_of(office.resolve, project=other) == "grant.missing"


def test_a_grant_ends_at_its_moment(office: Office) -> None:
    until = later(3600)
    office.give(until=until)
    assert office.resolve(at=later(3000)).grant.until == until
    assert code_of(office.resolve, at=until) == "grant.over"
    assert code_of(office.resolve, at=later(4000)) == "grant.over"


def test_a_revoked_grant_is_gone_at_once_and_may_be_given_anew(office: Office) -> None:
    grant = office.give("age")
    with office.database.write() as session:
        grants.revoke(session, LOCAL, office.me, grant)
        grants.revoke(session, LOCAL, office.me, grant)
    assert code_of(office.resolve) == "grant.missing"
    office.give("income", limit=0.5)
    assert office.resolve().artefact.columns == ("phone", "income", "bad")
    assert office.resolve().grant.disclosure_limit == 0.5
    with office.database.read() as session:
        assert [line.action for line in audit.lines(session)].count("grant.revoke") == 1


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (Terms(["salary"]), "grant.columns"),
        (Terms(until="2020-01-01"), "grant.past"),
        (Terms(until="tomorrow"), "time.unreadable"),
        (Terms(until="2099-01-01T00:00:00"), "time.unreadable"),
        (Terms(disclosure_limit=0.0), "grant.limit"),
        (Terms(disclosure_limit=float("nan")), "grant.limit"),
        (Terms(disclosure_limit=float("inf")), "grant.limit"),
    ],
)
def test_terms_that_make_no_sense_are_refused(office: Office, terms: Terms, code: str) -> None:
    def give() -> None:
        with office.database.write() as session:
            grants.give(session, LOCAL, office.me, "people", "credit", terms)

    assert code_of(give) == code
    assert code_of(office.resolve) == "grant.missing"


def test_partners_hear_of_grants_once_they_have_accepted_the_project(office: Office) -> None:
    office.letters()
    grant = office.give("age")
    assert office.letters() == []
    office.agree()
    with office.database.write() as session:
        grants.offer_all(session, office.project, office.partner)
    (offer,) = office.letters()
    assert isinstance(offer, GrantOffered)
    assert (offer.grant, offer.dataset, offer.rows, offer.schema.names) == (
        grant,
        "people",
        100,
        ("phone", "age", "bad"),
    )
    with office.database.write() as session:
        grants.revoke(session, LOCAL, office.me, grant)
    assert office.letters() == [GrantRevoked(grant)]


def test_a_later_version_is_what_a_grant_resolves_to(office: Office) -> None:
    office.give("age")
    turned = Schema(tuple(reversed(SCHEMA.columns)))
    with office.database.write() as session:
        assert (
            datasets.record(session, "people", DatasetId("dataset-2"), snapshot("b", turned), "x").version.number == 2
        )
        assert (
            datasets.record(session, "people", DatasetId("dataset-3"), snapshot("b", turned), "x").version.number == 2
        )
    use = office.resolve()
    assert (use.artefact.sha256, use.artefact.columns) == ("b", ("bad", "age", "phone"))
    other = Schema((*SCHEMA.columns[:-1], Column("late", "integer", "label")))

    def record() -> None:
        with office.database.write() as session:
            datasets.record(session, "people", DatasetId("dataset-4"), snapshot("c", other), "x")

    assert code_of(record) == "dataset.differs"


def offer_of(me: Identity, *places: Place, project: ProjectId = THEIRS) -> ProjectOffered:
    return ProjectOffered(project, "theirs", (Place(me.organisation, me.name, "accepted"), *places), now())


def test_what_this_organisation_decides_is_not_decided_by_an_offer(office: Office) -> None:
    partner = Place(office.partner, "operator", "accepted")
    with office.database.write() as session:
        for _ in range(2):
            projects.record_offer(session, office.me.organisation, office.partner, offer_of(office.me, partner))
    with office.database.write() as session:
        states = {place.name: place.state for place in projects.members(session, THEIRS)}
        assert states == {"bank": "invited", "operator": "accepted"}
        projects.accept(session, LOCAL, office.me, THEIRS)
    with office.database.write() as session:
        assert projects.demand_member(session, THEIRS, office.me.organisation).state == "accepted"
    assert ProjectAccepted(THEIRS) in office.letters()


def test_nobody_changes_a_project_of_somebody_else(office: Office) -> None:
    stranger = OrganisationId("f" * 32)
    place = Place(stranger, "stranger", "accepted")
    me = office.me.organisation

    def offer_ours() -> None:
        with office.database.write() as session:
            projects.record_offer(session, me, office.partner, offer_of(office.me, place, project=office.project))

    def offer_others() -> None:
        with office.database.write() as session:
            others = ProjectOffered(THEIRS, "theirs", (place, Place(office.partner, "operator", "accepted")), now())
            projects.record_offer(session, me, office.partner, others)

    def accept_uninvited() -> None:
        with office.database.write() as session:
            projects.record_acceptance(session, me, stranger, ProjectAccepted(office.project))

    def offer_data_uninvited() -> None:
        with office.database.write() as session:
            offer = GrantOffered(GrantId("grant-0123456789abcdef"), office.project, "x", SCHEMA, 1, None, 0.1)
            grants.record_offer(session, stranger, offer)

    assert code_of(offer_ours) == code_of(offer_others) == code_of(accept_uninvited) == "project.foreign"
    assert code_of(offer_data_uninvited) == "project.not_member"


def test_a_revoked_offer_stays_revoked_however_often_it_is_repeated(office: Office) -> None:
    offer = GrantOffered(GrantId("grant-0123456789abcdef"), office.project, "calls", SCHEMA, 7, None, 0.1)
    with office.database.write() as session:
        grants.record_offer(session, office.partner, offer)
        session.flush()
        assert [known.dataset for known in grants.list_offers(session, office.project)] == ["calls"]
        grants.record_revocation(session, OrganisationId("f" * 32), offer.grant)  # of another sender: nothing
        assert len(grants.list_offers(session, office.project)) == 1
        grants.record_revocation(session, office.partner, offer.grant)
    with office.database.write() as session:
        grants.record_offer(session, office.partner, offer)
    with office.database.read() as session:
        assert grants.list_offers(session, office.project) == []


def test_a_partner_tells_of_so_many_grants_and_no_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "MOST_OFFERS", 2)

    def offer(number: int) -> None:
        grant = GrantId(f"grant-{number:016x}")
        with office.database.write() as session:
            told = GrantOffered(grant, office.project, "calls", SCHEMA, 7, None, 0.1)
            grants.record_offer(session, office.partner, told)
            grants.record_revocation(session, office.partner, grant)

    for number in (0, 1, 0):
        offer(number)
    assert code_of(offer, 2) == "grant.too_many"


@pytest.mark.parametrize("name", ["", "\x1b[2J", "two\nlines", "n" * 257])
def test_an_offer_whose_names_a_terminal_would_obey_is_not_even_read(name: str) -> None:
    grant = GrantId("grant-0123456789abcdef")
    columns = (Column("phone", "text", "id"), Column(name, "text"))
    column = {"type": "GrantOffered", "grant": grant, "project": THEIRS, "dataset": "calls", "rows": 7, "until": None}
    column |= {"schema": Schema(columns), "disclosure_limit": 0.1}
    dataset = {**column, "schema": SCHEMA, "dataset": name}
    for offer in (column, dataset):
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(offer), type=FederationRequest)
    well = msgspec.msgpack.encode({**column, "schema": SCHEMA})
    assert msgspec.msgpack.decode(well, type=FederationRequest).dataset == "calls"
