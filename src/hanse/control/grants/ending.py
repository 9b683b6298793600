"""Tell whoever gave a grant that it ends soon."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.access.permissions import Permission
from hanse.control.datasets.tables import Dataset
from hanse.control.grants.tables import Grant
from hanse.control.notifications import service as notifications
from hanse.control.projects.tables import Project
from hanse.core.times import later, now

SOON_S = 7 * 86_400.0


def tell_ending(session: Session) -> None:
    """Tell once of each grant in force that ends within 7 days."""
    query = select(Grant, Dataset.name, Project.name)
    query = query.join(Dataset, Dataset.id == Grant.dataset).join(Project, Project.id == Grant.project)
    query = query.where(Grant.revoked_at.is_(None), Grant.until > now(), Grant.until <= later(SOON_S))
    for grant, dataset, project in session.execute(query.order_by(Grant.until, Grant.id)):
        link = f"/grants/{grant.id}?until={grant.until}"
        if not notifications.was_told(session, "grant.ending", link):
            words = {"dataset": dataset, "project": project, "until": grant.until or ""}
            to = [grant.owner] if grant.owner else Permission.GRANTS_MANAGE
            notifications.tell(session, "grant.ending", to=to, project=grant.project, link=link, words=words)
