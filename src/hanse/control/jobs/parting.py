"""End the jobs with an organisation with which this one works no longer, in the transaction of that decision."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from hanse.control.grants import service as grants
from hanse.control.jobs import decisions, service
from hanse.control.jobs.states import has_ended
from hanse.control.jobs.tables import Job
from hanse.control.outbox import service as outbox
from hanse.control.profiles import sharing
from hanse.core.faults import Fault
from hanse.core.ids import JobId, OrganisationId, ProjectId
from hanse.core.job_messages import CancelJob
from hanse.core.roles import GUEST, PartyId

PARTED = frozenset({"member.suspended", "member.revoked", "project.left"})
"""Codes by which a party says that it works with another one no longer."""


def end_jobs(
    session: Session, organisation: OrganisationId, code: str, project: ProjectId | None = None
) -> list[JobId]:
    """End all open jobs (or those of a project) in which an organisation takes part, and return them.

    The fault names its party. As the guest this node tells all others; as a host it ends its own share and tells the
    guest, which then ends the job for everybody.
    """
    ended = []
    for job in service.list_open_jobs(session):
        parties = service.organisations_of(session, job.id)
        party = next((party for party, found in parties.items() if found == organisation), None)
        if party is not None and project in (None, job.project):
            _end(session, job, Fault(code, party, cause=f"{job.me} works with {party} no longer"))
            ended.append(job.id)
    return ended


def leave_project(
    session: Session, me: OrganisationId, project: ProjectId, gone: Iterable[OrganisationId]
) -> list[JobId]:
    """End the jobs of a project with those that have gone from it, and forget what they offered there."""
    ended = []
    for organisation in gone:
        partner = None if organisation == me else organisation
        grants.forget_offers(session, project, partner)
        sharing.forget_partner(session, project, partner)
        ended += end_jobs(session, organisation, "project.left", project)
    return ended


def hear_parting(session: Session, job: Job, teller: PartyId, told: Fault) -> bool:
    """End a job of this guest in which one party works with another no longer; return whether that is news."""
    fault = service.blame(session, job.id, told, teller)
    if has_ended(job) or fault is None or fault.code not in PARTED:
        return False
    cause = f"{teller} works with {fault.party} no longer"
    decisions.fail(session, job, Fault(fault.code, fault.party, fault.step, cause))
    return True


def _end(session: Session, job: Job, fault: Fault) -> None:
    if job.me == GUEST:
        decisions.fail(session, job, fault)
    else:
        service.end_job(session, job, "failed", fault)
        outbox.write(session, job.guest, CancelJob(job.id, fault.for_peers()))
