"""Every table of the control plane, for whoever needs all of them: migrations and their test."""

from hanse.control.approvals.tables import Approval, Delegation, Policy, Rule, Vote, Watcher
from hanse.control.audit.tables import AuditLine
from hanse.control.database import Base
from hanse.control.datasets.tables import Dataset, DatasetVersion
from hanse.control.grants.tables import Grant, Offer
from hanse.control.invitations.tables import Invitation
from hanse.control.jobs.tables import Attempt, Job, JobEvent, Participant, Spending, Task, Turnstile, Workplace
from hanse.control.models.tables import ModelVersion
from hanse.control.organisations.tables import Member
from hanse.control.outbox.tables import Letter
from hanse.control.pipelines.tables import Pipeline
from hanse.control.projects.tables import Project, ProjectMember

TABLES: tuple[type[Base], ...] = (
    Approval,
    Attempt,
    AuditLine,
    Dataset,
    DatasetVersion,
    Delegation,
    Grant,
    Invitation,
    Job,
    JobEvent,
    Letter,
    Member,
    ModelVersion,
    Offer,
    Participant,
    Pipeline,
    Policy,
    Project,
    ProjectMember,
    Rule,
    Spending,
    Task,
    Turnstile,
    Vote,
    Watcher,
    Workplace,
)
METADATA = Base.metadata
