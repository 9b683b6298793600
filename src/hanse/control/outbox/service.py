"""Write letters, take the oldest, put the answered ones away."""

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hanse.control.outbox.tables import Letter
from hanse.core.federation_messages import FederationRequest
from hanse.core.ids import OrganisationId
from hanse.core.job_messages import JobRequest
from hanse.core.times import now


def write(session: Session, organisation: OrganisationId, message: FederationRequest | JobRequest) -> None:
    """Leave a letter, to be delivered after those written before it."""
    session.add(Letter(organisation=organisation, message=msgspec.msgpack.encode(message), written_at=now()))


def addressees(session: Session) -> list[OrganisationId]:
    """Return those for whom letters lie here."""
    return list(session.scalars(select(Letter.organisation).distinct()))


def oldest(session: Session, organisation: OrganisationId) -> Letter | None:
    """Return the letter that is next for an organisation."""
    query = select(Letter).where(Letter.organisation == organisation)
    return session.scalar(query.order_by(Letter.number).limit(1))


def drop(session: Session, organisation: OrganisationId) -> None:
    """Drop all letters to an organisation that is never spoken to again."""
    session.execute(delete(Letter).where(Letter.organisation == organisation))


def put_away(session: Session, number: int) -> None:
    """Drop a letter that was answered."""
    session.execute(delete(Letter).where(Letter.number == number))
