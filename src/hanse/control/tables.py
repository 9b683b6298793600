"""Every table of the control plane, for whoever needs all of them: migrations and their test."""

from hanse.control.approvals.tables import Approval, Delegation, Policy, Rule, Vote, Watcher
from hanse.control.audit.tables import AuditChain, AuditLine
from hanse.control.database import Base
from hanse.control.datasets.tables import Dataset, DatasetVersion
from hanse.control.derived.tables import Derived
from hanse.control.estimates.tables import Expectation, LinkRate, Measure
from hanse.control.grants.tables import Application, Card, DatasetRead, Grant, GrantTerms, GrantUse, Offer
from hanse.control.invitations.tables import Invitation
from hanse.control.jobs.tables import Attempt, Job, JobEvent, Participant, Spending, Task, Turnstile, Workplace
from hanse.control.keys.tables import AccessKey
from hanse.control.models.tables import ModelVersion
from hanse.control.notifications.tables import Channel, Delivery, Notification, ReaderLanguage, Subscription
from hanse.control.oidc.tables import Provider, ProviderSession, SignIn
from hanse.control.organisations.tables import Member, Revocation
from hanse.control.outbox.tables import Letter
from hanse.control.pipelines.tables import Pipeline, PipelineComment, PipelineVersion
from hanse.control.profiles.tables import (
    DatasetProfile,
    DrawnFigure,
    PartnerProfile,
    PrivacyBudget,
    ProfileShare,
)
from hanse.control.projects.tables import Project, ProjectMember
from hanse.control.registry.tables import Register, RegisterEntry, RegisterProposal, Registry, RegistryListing
from hanse.control.schedules.tables import Schedule, ScheduleRun
from hanse.control.sessions.tables import UserSession
from hanse.control.sources.tables import Source
from hanse.control.templates.tables import Template
from hanse.control.uploads.tables import Upload
from hanse.control.users.tables import (
    Failure,
    Group,
    GroupUser,
    Link,
    ProjectPerson,
    RecoveryCode,
    Ticket,
    User,
)

TABLES: tuple[type[Base], ...] = (
    AccessKey,
    Application,
    Approval,
    Attempt,
    AuditChain,
    AuditLine,
    Card,
    Channel,
    Dataset,
    DatasetProfile,
    DatasetRead,
    DatasetVersion,
    Delegation,
    Delivery,
    Derived,
    DrawnFigure,
    Expectation,
    Failure,
    Grant,
    GrantTerms,
    GrantUse,
    Group,
    GroupUser,
    Invitation,
    Job,
    JobEvent,
    Letter,
    Link,
    Member,
    LinkRate,
    Measure,
    ModelVersion,
    Notification,
    Offer,
    Participant,
    PartnerProfile,
    Pipeline,
    PipelineComment,
    PipelineVersion,
    Policy,
    PrivacyBudget,
    ProfileShare,
    Project,
    ProjectMember,
    ProjectPerson,
    Provider,
    ProviderSession,
    ReaderLanguage,
    RecoveryCode,
    Register,
    RegisterEntry,
    RegisterProposal,
    Registry,
    RegistryListing,
    Revocation,
    Rule,
    Schedule,
    ScheduleRun,
    Source,
    SignIn,
    Spending,
    Subscription,
    Task,
    Template,
    Ticket,
    Turnstile,
    Upload,
    User,
    UserSession,
    Vote,
    Watcher,
    Workplace,
)
METADATA = Base.metadata
