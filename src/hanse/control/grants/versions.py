"""What a dataset's new version, or its end, means for its grants."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.access.callers import NODE
from hanse.control.datasets.service import Snapshot, compare
from hanse.control.grants.tables import Grant, GrantTerms
from hanse.control.outbox import service as outbox
from hanse.control.projects import service as projects
from hanse.core.federation_messages import GrantRevoked
from hanse.core.ids import DatasetId, OrganisationId
from hanse.core.schema import Schema
from hanse.core.times import now


def standing_grants(session: Session, dataset: DatasetId) -> Sequence[Grant]:
    """Return the grants of a dataset that were not taken back."""
    query = select(Grant).where(Grant.dataset == dataset, Grant.revoked_at.is_(None)).order_by(Grant.id)
    return session.scalars(query).all()


def settle(session: Session, before: Schema, snapshot: Snapshot, me: OrganisationId) -> list[str]:
    """Make the grants of a dataset hold for its new version; return the ids of those that end.

    A grant of all columns is one of the columns that there were, so that an added one is granted by nobody by mistake.
    A grant ends when a column that it names is gone or of another type; when the id or the label is, all do.
    """
    change = compare(before, snapshot.version.schema)
    ended: list[str] = []
    for grant in standing_grants(session, snapshot.dataset.id):
        covered = set(before.names if grant.columns is None else before.only(grant.columns).names)
        if covered & set(change.broken):
            end(session, grant, me)
            ended.append(grant.id)
        elif change.added and grant.columns is None:
            _narrow(session, grant, before.names)
    return ended


def _narrow(session: Session, grant: Grant, columns: tuple[str, ...]) -> None:
    """Name the columns that a grant of all of them has meant so far: a version of its terms, made by the node."""
    grant.columns = columns
    grant.version += 1
    session.add(
        GrantTerms(
            grant=grant.id,
            version=grant.version,
            columns=grant.columns,
            until=grant.until,
            disclosure_limit=grant.disclosure_limit,
            clauses=grant.clauses,
            at=now(),
            actor=NODE.id,
        )
    )


def end(session: Session, grant: Grant, me: OrganisationId) -> None:
    """Take a grant back and tell the project; what ends it is audited by the caller."""
    grant.revoked_at = now()
    for partner in projects.partners(session, grant.project, me):
        outbox.write(session, partner, GrantRevoked(grant.id))
