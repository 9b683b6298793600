"""A project's owner says who is in it; what others have agreed to stays what it was."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.databases import open_new

from hanse.control.access.callers import LOCAL
from hanse.control.nodes.certificates import new_key, organisation_id, sign_root
from hanse.control.nodes.identity import Identity, load_identity
from hanse.control.organisations import service as organisations
from hanse.control.projects import service as projects
from hanse.core.faults import HanseError
from hanse.core.federation_messages import Place, ProjectOffered
from hanse.core.ids import OrganisationId, ProjectId
from hanse.core.times import now

PROJECT = ProjectId("project-0123456789abcdef")
STRANGER = OrganisationId("f" * 32)


class Office:
    """A retailer's node that has paired with a bank and an operator."""

    def __init__(self, directory: Path) -> None:
        self.me: Identity = load_identity(directory, "retailer")
        self.database = open_new(directory)
        self.bank, self.operator = self.pair("bank"), self.pair("operator")

    def pair(self, name: str) -> OrganisationId:
        root = sign_root(name, new_key())
        with self.database.write() as session:
            member = organisations.admit(session, self.me.root, root, "", "pending")
            organisations.confirm(session, LOCAL, member.organisation, member.pair_fingerprint)
        return organisation_id(root)

    def hear(self, *places: Place) -> None:
        """Take an offer of the bank's."""
        offer = ProjectOffered(PROJECT, "credit", (Place(self.me.organisation, "retailer", "invited"), *places), now())
        with self.database.write() as session:
            projects.record_offer(session, self.me.organisation, self.bank, offer)

    def names(self) -> dict[OrganisationId, str]:
        with self.database.read() as session:
            return {place.organisation: place.name for place in projects.members(session, PROJECT)}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.database.close()


def test_an_owner_cannot_bring_somebody_into_a_project_that_was_agreed_to(office: Office) -> None:
    bank = Place(office.bank, "bank", "accepted")
    office.hear(bank)
    with office.database.write() as session:
        projects.accept(session, LOCAL, office.me, PROJECT)
    with pytest.raises(HanseError) as error:
        office.hear(bank, Place(office.operator, "operator", "accepted"))
    assert error.value.fault.code == "project.changed"
    with office.database.read() as session, pytest.raises(HanseError, match=r"project\.not_member"):
        projects.demand_member(session, PROJECT, office.operator)
    office.hear(bank)


def test_a_member_is_called_by_the_name_it_was_paired_under(office: Office) -> None:
    office.hear(Place(office.bank, "operator", "accepted"), Place(office.operator, "bank", "accepted"))
    assert office.names()[office.operator] == "operator"
    assert office.names()[office.bank] == "bank"


def test_one_that_this_house_does_not_know_takes_nobodys_name(office: Office) -> None:
    office.hear(Place(office.bank, "bank", "accepted"), Place(STRANGER, "operator", "accepted"))
    assert office.names()[STRANGER] == STRANGER
