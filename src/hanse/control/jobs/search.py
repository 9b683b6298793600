"""Which jobs somebody wants to see."""

from typing import Any, NamedTuple

from sqlalchemy import Select, or_, select

from hanse.control.access.callers import Caller
from hanse.control.jobs.tables import Job, Participant
from hanse.control.organisations.tables import Member
from hanse.control.projects.tables import Project
from hanse.core.ids import JobId
from hanse.core.job_messages import JobState

LIMIT = 1000


class Wanted(NamedTuple):
    """What a job must be like; what is left out does not matter.

    `project` and `partner` are ids or names, `text` is looked for in id and name. `since` and `until` bound when a job
    was made; the jobs that follow `after` in the list are wanted, at most `limit`.
    """

    states: tuple[JobState, ...] = ()
    project: str | None = None
    partner: str | None = None
    mine: bool = False
    text: str | None = None
    since: str | None = None
    until: str | None = None
    archived: bool = False
    after: JobId | None = None
    limit: int = LIMIT

    def narrow(self, query: Select[Any], caller: Caller) -> Select[Any]:
        """Return the query with these conditions, but for `after` and `limit`."""
        query = query.where(Job.archived_at.is_not(None) if self.archived else Job.archived_at.is_(None))
        if self.states:
            query = query.where(Job.state.in_(self.states))
        if self.project is not None:
            named = select(Project.id).where(Project.name == self.project)
            query = query.where(or_(Job.project == self.project, Job.project.in_(named)))
        if self.partner is not None:
            members = select(Member.organisation).where(Member.name == self.partner)
            part = or_(Participant.organisation == self.partner, Participant.organisation.in_(members))
            query = query.where(Job.id.in_(select(Participant.job).where(part)))
        if self.mine:
            query = query.where(Job.owner == caller.person)
        if self.text is not None:
            found = (column.icontains(self.text, autoescape=True) for column in (Job.name, Job.id))
            query = query.where(or_(*found))
        if self.since is not None:
            query = query.where(Job.created_at >= self.since)
        return query if self.until is None else query.where(Job.created_at <= self.until)


EVERY = Wanted()
