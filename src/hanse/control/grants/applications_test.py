"""Applications on a real database: asked, answered, withdrawn, and never more than a partner may send."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hanse.control.access.callers import LOCAL
from hanse.control.grants import applications
from hanse.control.grants import service as grants
from hanse.control.grants.service import Terms
from hanse.control.grants.service_test import Office, code_of
from hanse.core.clauses import Clauses
from hanse.core.federation_messages import ApplicationAnswered, ApplicationMade, CardPublished, GrantOffered
from hanse.core.ids import GrantId


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    office.agree()
    yield office
    office.database.close()


def asked(office: Office, number: int = 1) -> ApplicationMade:
    key = f"application-{number:016x}"
    wanted = Clauses(purpose="credit", uses=9)
    return ApplicationMade(key, office.project, "people", ("age", "income"), None, 0.1, wanted, "a scorecard")


def hear(office: Office, number: int = 1) -> str:
    with office.database.write() as session:
        applications.record_application(session, office.partner, asked(office, number))
    return asked(office, number).application


def test_an_application_is_approved_with_narrower_terms_and_becomes_a_grant(office: Office) -> None:
    key = hear(office)
    narrower = Terms(("age",), None, 0.05, Clauses(purpose="credit", uses=2))
    with office.database.write() as session:
        row = applications.approve(session, LOCAL, office.me, key, narrower, "two times, without income")
        assert row.grant is not None
        grant = grants.find_grant(session, row.grant)
        assert (row.state, grant.columns, grant.clauses.uses, grant.disclosure_limit) == ("approved", ("age",), 2, 0.05)
    offer, answer = office.letters()
    assert isinstance(offer, GrantOffered)
    assert isinstance(answer, ApplicationAnswered)
    assert (answer.state, answer.grant) == ("approved", offer.grant)
    with office.database.write() as session:
        assert code_of(applications.reject, session, LOCAL, key, "no") == "application.answered"


def test_a_partner_may_not_have_more_open_than_a_few(office: Office) -> None:
    for number in range(applications.MOST_OPEN):
        hear(office, number)
    assert hear(office, 0) == asked(office, 0).application, "said twice is said once"
    assert code_of(hear, office, 99) == "application.too_many"


def test_what_is_asked_of_a_partner_is_answered_once_and_may_be_withdrawn_before(office: Office) -> None:
    where = (office.me, "credit", "operator", "calls")
    with office.database.write() as session:
        first = applications.ask(session, LOCAL, *where, Terms(("tenure",)), "to score").id
        second = applications.ask(session, LOCAL, *where, Terms(), "to score").id
        applications.withdraw(session, LOCAL, second)
        said = ApplicationAnswered(first, "approved", "yes", GrantId("grant-0123456789abcdef"))
        applications.record_answer(session, office.partner, said)
        applications.record_answer(session, office.partner, ApplicationAnswered(second, "approved", "late"))
    with office.database.read() as session:
        rows = {row.id: row.state for row in applications.list_applications(session, LOCAL)}
    assert rows == {first: "approved", second: "withdrawn"}


def test_a_card_tells_a_magnitude_and_the_chosen_columns_alone(office: Office) -> None:
    with office.database.write() as session:
        applications.publish(session, LOCAL, office.me, "credit", "people", ("age",), "customers")
    (card,) = office.letters()
    assert card == CardPublished(office.project, "people", "customers", ("age",), 100)
    with office.database.write() as session:
        assert (
            code_of(applications.publish, session, LOCAL, office.me, "credit", "people", ("no",), "") == "grant.columns"
        )
