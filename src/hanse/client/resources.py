"""What a node answers, as data. Fields that a newer node adds are ignored; absent ones have their defaults."""

from typing import Any

import msgspec

from hanse.core.clauses import Clauses
from hanse.core.estimates import Estimate
from hanse.core.faults import Fault
from hanse.core.profiles import Drift, Figures
from hanse.core.roles import PartyId
from hanse.core.schema import Schema
from hanse.core.specs import PipelineSpec


class Failure(msgspec.Struct, frozen=True):
    """A fault as a node tells it: what happened, with the catalogue's sentence in `text` (zh, en)."""

    code: str
    party: str | None = None
    step: str | None = ""
    cause: str | None = ""
    remedy: str | None = ""
    text: dict[str, str] = {}

    def fault(self) -> Fault:
        party = None if self.party is None else PartyId(self.party)
        return Fault(self.code, party, self.step or "", self.cause or "", self.remedy or "")


class Node(msgspec.Struct, frozen=True):
    organisation: str
    organisation_id: str
    node: str
    version: str
    fingerprint: str
    party_address: str
    planner: bool = False
    members: int = 0


class Certificate(msgspec.Struct, frozen=True):
    """What partners see of the node. `renews_itself`: the organisation's root key is on it."""

    since: str
    until: str
    serial: str
    renews_itself: bool
    is_asked: bool


class CertificateRequest(msgspec.Struct, frozen=True):
    """PKCS#10 in PEM, for the organisation's authority."""

    request: str


class Register(msgspec.Struct, frozen=True):
    """Whether the node is a registry."""

    is_open: bool


class RegisterEntry(msgspec.Struct, frozen=True):
    """Whom the node, as a registry, lists; `sides` is `both` or `one`."""

    organisation: str
    organisation_id: str
    address: str
    sides: str
    listed_at: str


class Registry(msgspec.Struct, frozen=True):
    """A registry that the node reads, and what it shows there."""

    registry: str
    registry_id: str
    projects: tuple[str, ...]
    datasets: tuple[str, ...]
    told_at: str
    read_at: str
    trouble: str


class ListedProject(msgspec.Struct, frozen=True):
    """A project that an organisation shows at a registry."""

    id: str
    name: str
    owner_id: str
    sides: str


class ListedDataset(msgspec.Struct, frozen=True):
    """A dataset that an organisation shows at a registry; `rows` is the magnitude."""

    name: str
    description: str
    columns: tuple[str, ...]
    rows: int
    projects: tuple[str, ...]
    sides: str


class RegistryListing(msgspec.Struct, frozen=True):
    """An organisation that a registry lists; `state` is how it stands as a member here, or `none`."""

    organisation: str
    organisation_id: str
    address: str
    region: str
    contact: str
    sides: str
    state: str
    pair_fingerprint: str
    as_of: str
    projects: tuple[ListedProject, ...]
    datasets: tuple[ListedDataset, ...]


class Proposal(msgspec.Struct, frozen=True):
    """A pairing that was proposed; `code` is an invitation for one that the registry does not reach."""

    organisation: str
    organisation_id: str
    pair_fingerprint: str
    state: str
    code: str


class Invitation(msgspec.Struct, frozen=True):
    """`fingerprint` is the inviter's own, to be read to the other side over another channel."""

    code: str
    fingerprint: str
    expires_at: str


class InvitationState(msgspec.Struct, frozen=True):
    """An invitation without its secret. `joined`: somebody came with it and waits to be confirmed."""

    id: str
    state: str
    created_at: str = ""
    expires_at: str = ""
    used_by: str | None = None


class Inspection(msgspec.Struct, frozen=True):
    """What an invitation says before it is accepted; both administrators see the same `pair_fingerprint`."""

    organisation: str
    fingerprint: str
    pair_fingerprint: str


class Member(msgspec.Struct, frozen=True):
    organisation: str
    organisation_id: str
    state: str
    pair_fingerprint: str = ""
    address: str = ""
    connected: bool = False
    latency_ms: float | None = None
    version: str | None = None
    last_seen: str | None = None
    latency_median_ms: float | None = None
    connected_since: str = ""
    certificate_until: str = ""
    region: str = ""
    contact: str = ""
    pool: str = ""
    paired_at: str = ""


class LinkFinding(msgspec.Struct, frozen=True):
    """One thing that the link check looked at. `state`: ok, warn or bad; `cause` and `remedy` have en and zh."""

    name: str
    state: str
    value: float | str | None = None
    unit: str = ""
    code: str = ""
    detail: str = ""
    cause: dict[str, str] = {}
    remedy: dict[str, str] = {}


class LinkCheck(msgspec.Struct, frozen=True):
    """What stands between this node and another; `state` is the gravest of the findings."""

    target: str
    address: str
    state: str
    findings: tuple[LinkFinding, ...] = ()


class Joined(msgspec.Struct, frozen=True):
    member: Member


class Dataset(msgspec.Struct, frozen=True):
    """A dataset at one version. `misfits` counts the ids that do not look like their type."""

    id: str
    name: str
    version: int
    rows: int
    schema: Schema
    sha256: str
    created_at: str
    owner: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    sensitivity: str = ""
    sensitivities: dict[str, str] = {}
    id_type: str = "free"
    misfits: int = 0
    retired_at: str | None = None


class DatasetChange(msgspec.Struct, frozen=True):
    """How version `new` differs from version `old`: in columns, and in the number of rows."""

    old: int
    new: int
    rows: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()


class Receipt(msgspec.Struct, frozen=True):
    """What a node has read; `signature` (base64) is by the node's key over `statement`, which is JSON."""

    statement: str
    signature: str


class ProfileRun(msgspec.Struct, frozen=True):
    """A run that finds the figures of a version, or with an `older` one how it differs from that."""

    dataset: str
    version: int
    state: str
    older: int = 0
    asked_at: str = ""
    ended_at: str | None = None
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    fault: Failure | None = None
    figures: Figures | None = None
    drift: Drift | None = None


class PrivacyBudget(msgspec.Struct, frozen=True):
    """Epsilon that all figures of a dataset which partners are told may take, and have taken."""

    most: float
    spent: float
    left: float


class PricedFigure(msgspec.Struct, frozen=True):
    """A figure to be told: 19 of 20 of its counts are as near as `margin`. What `is_known` costs nothing again."""

    figure: str
    column: str
    epsilon: float
    margin: int
    is_known: bool = False


class ProfilePrice(msgspec.Struct, frozen=True):
    """What telling figures would take of the budget."""

    version: int
    epsilon: float
    is_covered: bool
    budget: PrivacyBudget
    figures: tuple[PricedFigure, ...] = ()


class ToldFigure(msgspec.Struct, frozen=True):
    """A figure with noise. Counts: below, bins, above, missing; or values, others, missing; else one number."""

    figure: str
    column: str
    epsilon: float
    margin: int
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    quantiles: tuple[float | None, ...] = ()


class ProfileShare(msgspec.Struct, frozen=True):
    """What the members of a project are told of a version; with an `organisation`, what that one tells."""

    dataset: str
    project: str
    version: int
    organisation: str = ""
    at: str = ""
    figures: tuple[ToldFigure, ...] = ()


class Consequences(msgspec.Struct, frozen=True):
    """What goes with a dataset that is deleted; a deletion names `digest`."""

    dataset: str
    name: str
    versions: int
    rows: int
    digest: str
    grants: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()


class JobConsequences(msgspec.Struct, frozen=True):
    """What goes with a job that is removed here; `models` and `derived` datasets remain. A removal names `digest`."""

    job: str
    name: str
    digest: str
    tasks: tuple[str, ...] = ()
    events: int = 0
    models: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    retries: tuple[str, ...] = ()


class Upload(msgspec.Struct, frozen=True):
    """A file on its way: `received_bytes` are on the node's disk, the next chunk has at most `chunk_bytes`."""

    id: str
    name: str
    size_bytes: int
    received_bytes: int
    chunk_bytes: int
    sha256: str | None = None


class Source(msgspec.Struct, frozen=True):
    """A database or store that datasets are read from, without its password.

    `tested`: servers of its kind are in our tests.
    """

    id: str
    name: str
    owner: str
    kind: str
    host: str
    port: int
    database: str
    user: str
    tls: str
    ca: str = ""
    region: str = ""
    tested: bool = False
    created_at: str = ""
    changed_at: str = ""
    tested_at: str | None = None


class SourceKindCard(msgspec.Struct, frozen=True):
    """A kind of source. `extra` installs its driver; `tested`: servers of it are in our tests."""

    kind: str
    port: int
    store: bool
    driver: str
    extra: str
    installed: bool
    tested: bool


class SourceTable(msgspec.Struct, frozen=True):
    """A table or view of a source, as its catalogue calls it."""

    space: str
    name: str


class SourceTest(msgspec.Struct, frozen=True):
    """What answered when a source was tried."""

    server: str
    encrypted: bool
    seconds: float
    tables: int


class ProjectMember(msgspec.Struct, frozen=True):
    """`since` is the version of the list in which it came, `agreed` the latest that it has agreed to."""

    organisation: str
    state: str
    organisation_id: str = ""
    since: int = 1
    agreed: int = 0


class Project(msgspec.Struct, frozen=True):
    id: str
    name: str
    owner: str
    version: int = 1
    members: tuple[ProjectMember, ...] = ()


class Grant(msgspec.Struct, frozen=True):
    id: str
    dataset: str
    project: str
    columns: tuple[str, ...] | None = None
    until: str | None = None
    disclosure_limit: float | None = None
    clauses: Clauses = Clauses()
    state: str = "given"
    version: int = 1
    used: int = 0
    revoked_at: str | None = None


class GrantUse(msgspec.Struct, frozen=True):
    """One job that read the data of a grant."""

    job: str
    guest: str
    version: int
    at: str


class Application(msgspec.Struct, frozen=True):
    """What one organisation asks of another; `mine` when this one asks."""

    id: str
    organisation: str
    mine: bool
    project: str
    dataset: str
    state: str
    columns: tuple[str, ...] = ()
    until: str | None = None
    disclosure_limit: float | None = None
    clauses: Clauses = Clauses()
    reason: str = ""
    answer: str = ""
    grant: str | None = None


class Derived(msgspec.Struct, frozen=True):
    """A table that a job made, kept under a name; pipelines name its `reference` as dataset."""

    id: str
    name: str
    reference: str
    state: str
    job: str
    task: str
    reason: str = ""
    project: str = ""
    component: str = ""
    rows: int | None = None
    sources: tuple[dict[str, Any], ...] = ()


class OfferedDataset(msgspec.Struct, frozen=True):
    """A dataset that an organisation lets a project use."""

    organisation: str
    name: str
    schema: Schema
    rows: int
    until: str | None = None
    disclosure_limit: float | None = None


class Pipeline(msgspec.Struct, frozen=True):
    """`project` is the project's id, `version` the latest one."""

    id: str
    name: str
    project: str
    owner: str
    version: int
    created_at: str
    changed_at: str
    archived_at: str | None = None


class PipelinePage(msgspec.Struct, frozen=True):
    """`next` is what to ask for as `after`."""

    pipelines: tuple[Pipeline, ...]
    next: str | None = None


class PipelineVersion(msgspec.Struct, frozen=True):
    number: int
    author: str
    note: str
    sha256: str
    created_at: str


class SavedPipeline(Pipeline, frozen=True, kw_only=True):
    """A pipeline with one of its versions."""

    shown: PipelineVersion
    pipeline: PipelineSpec


class TemplateOutline(msgspec.Struct, frozen=True):
    """A pipeline with blanks. Of one that comes with the product the id is its name, and it has no project."""

    id: str
    name: str
    title: dict[str, str]
    built_in: bool
    description: dict[str, str] | None = None
    project: str | None = None
    owner: str | None = None
    created_at: str | None = None


class Blank(msgspec.Struct, frozen=True):
    """One thing to say to a template. It may be left out when it has a default or is optional."""

    name: str
    kind: str
    title: dict[str, str]
    description: dict[str, str] | None = None
    default: Any = None
    optional: bool = False
    at_least: float | None = None
    at_most: float | None = None
    choices: tuple[str, ...] = ()


class Template(TemplateOutline, frozen=True, kw_only=True):
    """A template with its blanks; in `pipeline`, `{"blank": NAME}` stands where a value goes."""

    blanks: tuple[Blank, ...]
    pipeline: dict[str, Any]


class TemplatePage(msgspec.Struct, frozen=True):
    """`next` is what to ask for as `after`."""

    templates: tuple[TemplateOutline, ...]
    next: str | None = None


class BlankProblem(msgspec.Struct, frozen=True):
    """What is wrong with the value of a blank, in `en` and `zh`."""

    blank: str
    message: dict[str, str]


class FilledTemplate(msgspec.Struct, frozen=True):
    """The pipeline that a template makes."""

    pipeline: PipelineSpec


class PipelineComment(msgspec.Struct, frozen=True):
    id: str
    version: int
    author: str
    text: str
    created_at: str


class ComponentOutline(msgspec.Struct, frozen=True):
    name: str
    version: str
    title: dict[str, str]
    summary: dict[str, str]
    roles: tuple[str, ...]


class Progress(msgspec.Struct, frozen=True):
    done: int = 0
    total: int = 0
    note: str = ""


class TaskOutput(msgspec.Struct, frozen=True):
    kind: str
    path: str
    sha256: str
    rows: int | None = None


class Attempt(msgspec.Struct, frozen=True):
    """One try of this party's own; bytes are by peer."""

    number: int
    state: str
    started_at: str | None = None
    ended_at: str | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    bytes_sent: dict[str, int] = {}
    bytes_received: dict[str, int] = {}
    fault: Failure | None = None


class Task(msgspec.Struct, frozen=True):
    """One task of a job, as the asked node knows it: bytes, memory and outputs are its own."""

    name: str
    component: str
    version: str
    state: str
    parties: tuple[str, ...] = ()
    attempt: int = 0
    most_attempts: int = 0
    attempts: tuple[Attempt, ...] = ()
    others: dict[str, str] = {}
    progress: Progress | None = None
    cpu_seconds: float = 0.0
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    bytes_sent: dict[str, int] = {}
    bytes_received: dict[str, int] = {}
    digests: dict[str, str] = {}
    outputs: dict[str, TaskOutput] = {}
    fault: Failure | None = None
    reused_from: str | None = None
    seconds_left: float | None = None


class Report(msgspec.Struct, frozen=True):
    """What a task says of its own work: `values` holds figures, texts, lists of records, curves as lists of numbers."""

    view: str
    values: dict[str, Any] = {}


class DisclosureUse(msgspec.Struct, frozen=True):
    """How many exact sums of one's own dataset a guest was told, of how many `limit` (rho of rule R1) allows."""

    dataset: str
    guest: str
    used: int
    limit: float
    ceiling: int | None = None


class JobProblem(msgspec.Struct, frozen=True):
    """One reason why a job was not accepted: at which party and task, and what would help."""

    message: str
    party: str | None = None
    task: str | None = None
    remedy: str | None = None


class Reason(Failure, frozen=True):
    """What a job waits for, with what would help in `advice` (zh, en)."""

    advice: dict[str, str] = {}


class LogTail(msgspec.Struct, frozen=True):
    """The end of an attempt's log."""

    attempt: int
    text: str
    left_out_bytes: int = 0


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline that is run by itself; `due_at` is the next time, `reason` why the node has paused it."""

    id: str
    name: str
    project: str
    owner: str
    state: str
    trigger: dict[str, Any]
    created_at: str
    reason: Reason | None = None
    pipeline: str | None = None
    version: int | None = None
    spec: PipelineSpec | None = None
    missed: str = "once"
    most_missed: int = 10
    overlap: str = "skip"
    priority: int = 5
    time_limit_s: int = 0
    task_time_limit_s: int = 0
    due_at: str | None = None


class ScheduleRun(msgspec.Struct, frozen=True, kw_only=True):
    """One due time of a schedule: its job, or why there is none."""

    due_at: str
    state: str
    noted_at: str
    job: str | None = None
    job_state: str | None = None
    reason: Reason | None = None


class Use(msgspec.Struct, frozen=True):
    """What one's own attempts of a job used, all together."""

    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    bytes_sent: dict[str, int] = {}
    bytes_received: dict[str, int] = {}


class Job(msgspec.Struct, frozen=True):
    id: str
    name: str
    state: str
    role: str | None = None
    guest: str | None = None
    parties: dict[str, str] = {}
    created_at: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    fault: Failure | None = None
    problems: tuple[JobProblem, ...] = ()
    started_by: str = ""
    priority: int = 5
    waiting: tuple[Reason, ...] = ()
    retry_of: str | None = None
    retried_as: tuple[str, ...] = ()
    time_limit_s: int = 0
    task_time_limit_s: int = 0
    archived_at: str | None = None
    pipeline: str | None = None
    pipeline_version: int | None = None
    fragment: str = ""
    used: Use = Use()
    learns: dict[str, dict[str, list[str]]] = {}
    tasks: tuple[Task, ...] = ()
    disclosure: tuple[DisclosureUse, ...] = ()
    estimate: Estimate | None = None
    seconds_left: float | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    def task(self, name: str) -> Task:
        """Return a task by name. Raises KeyError."""
        found = next((task for task in self.tasks if task.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


ENDED = frozenset({"succeeded", "failed", "cancelled", "rejected"})
"""States of a job from which it does not move."""


class JobEvent(msgspec.Struct, frozen=True):
    number: int
    at: str
    kind: str
    task: str | None = None
    party: str | None = None
    data: dict[str, Any] = {}


class JobEvents(msgspec.Struct, frozen=True):
    events: tuple[JobEvent, ...]
    last: int


class ModelVersion(msgspec.Struct, frozen=True):
    id: str
    name: str
    job: str
    task: str
    component: str
    version: str
    created_at: str
    parties: Any = None
    metrics: dict[str, Any] = {}
    path: str | None = None
    sha256: str | None = None
    manifest: dict[str, Any] | None = None


class User(msgspec.Struct, frozen=True):
    """An account. `state` is active, disabled or locked (until `locked_until`)."""

    id: str
    name: str
    state: str
    groups: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    email: str = ""
    totp: bool = False
    must_change: bool = False
    has_password: bool = False
    locked_until: str | None = None
    created_at: str = ""
    login_at: str | None = None


class OneTimeLink(msgspec.Struct, frozen=True):
    """A link that works once, for a day: the first administrator's, or where a user chooses its password."""

    code: str
    link: str
    user: User | None = None


class Enrolment(msgspec.Struct, frozen=True):
    """What an authenticator needs: an address, the same as a text to type, a drawing (SVG)."""

    uri: str
    secret: str
    svg: str


class RecoveryCodes(msgspec.Struct, frozen=True):
    """Codes that each stand once for the authenticator."""

    recovery_codes: tuple[str, ...]


class Person(msgspec.Struct, frozen=True):
    """A user by name."""

    id: str
    name: str


class Group(msgspec.Struct, frozen=True):
    """What the people of a group may do: permission → own or all."""

    name: str
    permissions: dict[str, str]
    people: tuple[Person, ...] = ()
    created_at: str = ""


class LoginSession(msgspec.Struct, frozen=True):
    """Somebody who is logged in."""

    id: str
    user: str
    address: str
    agent: str
    created_at: str
    seen_at: str
    ends_at: str
    current: bool = False


class AccessKey(msgspec.Struct, frozen=True):
    """A key that programs call with. `key` is its text, only in the answer that made it."""

    id: str
    name: str
    user: str
    scopes: dict[str, str]
    networks: tuple[str, ...] = ()
    per_minute: int = 0
    created_at: str = ""
    expires_at: str | None = None
    used_at: str | None = None
    revoked_at: str | None = None
    previous_until: str | None = None
    key: str = ""


class Notification(msgspec.Struct, frozen=True):
    """What one was told; `read_at` is None while it is unread."""

    number: int
    kind: str
    title: str
    body: str
    link: str
    at: str
    read_at: str | None = None


class Notifications(msgspec.Struct, frozen=True):
    """A page, newest first; `unread` counts all that is unread."""

    unread: int
    notifications: tuple[Notification, ...] = ()


class Unread(msgspec.Struct, frozen=True):
    """How much is unread."""

    unread: int


class Wish(msgspec.Struct, frozen=True):
    """Whether one hears of a kind in the node and by e-mail."""

    kind: str
    app: bool
    email: bool


class Subscriptions(msgspec.Struct, frozen=True):
    """What one hears of, and the language of one's e-mail."""

    language: str
    wishes: tuple[Wish, ...]


class Channel(msgspec.Struct, frozen=True):
    """A way out of the house: a mail server, a webhook or a room of chat, at `place`."""

    id: str
    name: str
    kind: str
    state: str
    kinds: tuple[str, ...]
    language: str
    place: str
    sender: str = ""
    username: str = ""
    security: str = ""
    authority: str = ""
    plain: bool = False
    created_at: str = ""


class ChannelTest(msgspec.Struct, frozen=True):
    """What became of a test."""

    delivered: bool
    error: str


class Delivery(msgspec.Struct, frozen=True):
    """One notification on its way over a channel: waiting, sent or dead."""

    number: int
    kind: str
    reader: str
    state: str
    tries: int
    error: str
    at: str
    due_at: str
    ended_at: str | None = None


class Retried(msgspec.Struct, frozen=True):
    """How many deliveries are tried again."""

    count: int


class Me(msgspec.Struct, frozen=True):
    """Who calls, and how far each of its permissions reaches."""

    id: str
    name: str
    kind: str
    user: str
    permissions: dict[str, str]
    projects: tuple[str, ...] = ()
    must_change: bool = False
    session: str = ""
    csrf: str = ""


class Approval(msgspec.Struct, frozen=True):
    """A decision awaited or taken; `details` and `votes` are told of one that is shown by itself."""

    id: str
    kind: str
    subject: str
    digest: str
    state: str
    title: str
    project: str
    organisation: str
    requester: str
    needed: int
    rule: str
    reason: str
    created_at: str
    ended_at: str | None = None
    details: dict[str, Any] = {}
    votes: tuple[dict[str, str], ...] = ()


class Delegation(msgspec.Struct, frozen=True):
    id: str
    giver: str
    receiver: str
    approval: str
    created_at: str
    until: str


class Rule(msgspec.Struct, frozen=True):
    """What is approved without a person; empty or None does not limit."""

    id: str
    kind: str
    project: str
    partner: str
    components: tuple[str, ...]
    most_disclosure: float | None
    most_rows: int | None
    a_day: int | None
    until: str | None
    maker: str
    created_at: str


class Policy(msgspec.Struct, frozen=True):
    kind: str
    required: str
    approvers: int
    remind_hours: int
