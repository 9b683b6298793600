"""Every question that a node's REST interface answers, as data: verb, path, body and the type of the answer.

Both clients are made of these functions, so that a verb exists once.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import msgspec

from hanse.client.resources import (
    AccessKey,
    Application,
    Approval,
    BlankProblem,
    Certificate,
    CertificateRequest,
    Channel,
    ChannelTest,
    ComponentOutline,
    Consequences,
    Dataset,
    DatasetChange,
    Delegation,
    Delivery,
    Derived,
    Enrolment,
    FilledTemplate,
    Grant,
    GrantUse,
    Group,
    Inspection,
    Invitation,
    InvitationState,
    Job,
    JobConsequences,
    JobEvents,
    JobProblem,
    Joined,
    LinkCheck,
    LoginSession,
    LogTail,
    Me,
    Member,
    ModelVersion,
    Node,
    Notifications,
    OfferedDataset,
    OneTimeLink,
    Person,
    Pipeline,
    PipelineComment,
    PipelinePage,
    PipelineVersion,
    Policy,
    PrivacyBudget,
    ProfilePrice,
    ProfileRun,
    ProfileShare,
    Project,
    Proposal,
    Receipt,
    RecoveryCodes,
    Register,
    RegisterEntry,
    Registry,
    RegistryListing,
    Report,
    Retried,
    Rule,
    SavedPipeline,
    Schedule,
    ScheduleRun,
    Source,
    SourceKindCard,
    SourceTable,
    SourceTest,
    Subscriptions,
    Template,
    TemplatePage,
    Unread,
    Upload,
    User,
    Wish,
)
from hanse.core.clauses import Clauses
from hanse.core.differences import Change
from hanse.core.estimates import Estimate
from hanse.core.planning import ComponentCard
from hanse.core.specs import PipelineSpec
from hanse.core.templates import TemplateSpec

T = TypeVar("T")

INGEST_TIMEOUT_S = 3600.0
ANSWER_TIMEOUT_S = 60.0
CHUNK_TIMEOUT_S = 300.0
CHECK_TIMEOUT_S = 180.0


class Call(msgspec.Struct, Generic[T], frozen=True):
    """One request. `timeout_s` is how long the whole answer may take; `content` are bytes sent in place of a body."""

    verb: str
    path: str
    answer: Any
    body: dict[str, Any] | None = None
    query: dict[str, str] = {}
    timeout_s: float = ANSWER_TIMEOUT_S
    content: bytes | None = None


def node() -> Call[Node]:
    """Who is this node, and how many members does it know?"""
    return Call("GET", "/v1/node", Node)


def invite() -> Call[Invitation]:
    """Make a one-use invitation, to be handed to another organisation's administrator."""
    return Call("POST", "/v1/invitations", Invitation, {})


def inspect(code: str) -> Call[Inspection]:
    """Read an invitation without accepting it: whose it is, and the fingerprint that both sides see."""
    return Call("POST", "/v1/joins/inspect", Inspection, {"code": code})


def join(code: str, pair_fingerprint: str) -> Call[Joined]:
    """Accept an invitation whose pair fingerprint was compared. The other side still has to confirm."""
    return Call("POST", "/v1/joins", Joined, {"code": code, "fingerprint": pair_fingerprint})


def members() -> Call[tuple[Member, ...]]:
    """List the organisations that this node knows."""
    return Call("GET", "/v1/members", tuple[Member, ...])


def confirm_member(organisation_id: str, pair_fingerprint: str) -> Call[Any]:
    """Confirm an organisation that accepted one's invitation, after its fingerprint was compared."""
    return Call("POST", f"/v1/members/{_part(organisation_id)}/confirm", Any, {"fingerprint": pair_fingerprint})


def certificate() -> Call[Certificate]:
    """Say which certificate the node shows to partners, and until when it holds."""
    return Call("GET", "/v1/node/certificate", Certificate)


def request_certificate() -> Call[CertificateRequest]:
    """Ask for the node's next certificate, to be signed by the organisation's authority."""
    return Call("POST", "/v1/node/certificate/request", CertificateRequest, {})


def install_certificate(pem: str) -> Call[Certificate]:
    """Use the certificate that was made of the request."""
    return Call("PUT", "/v1/node/certificate", Certificate, {"certificate": pem})


def renew_certificate() -> Call[Certificate]:
    """Make a new certificate with a new key at once."""
    return Call("POST", "/v1/node/certificate/renew", Certificate, {})


def register() -> Call[Register]:
    """Say whether the node is a registry."""
    return Call("GET", "/v1/register", Register)


def switch_register(is_open: bool) -> Call[Register]:
    """Make the node a registry for its members, or one no longer."""
    return Call("PUT", "/v1/register", Register, {"is_open": is_open})


def register_entries(after: str = "") -> Call[tuple[RegisterEntry, ...]]:
    """List whom the node lists as a registry: up to 1,000, by id, from `after` on."""
    return Call("GET", "/v1/register/entries", tuple[RegisterEntry, ...], query={"after": after})


def add_register_entry(address: str, fingerprint: str) -> Call[RegisterEntry]:
    """List an organisation that is no member, whose fingerprint was compared."""
    return Call("POST", "/v1/register/entries", RegisterEntry, {"address": address, "fingerprint": fingerprint})


def strike_register_entry(organisation_id: str) -> Call[RegisterEntry]:
    """Take an organisation from the node's list."""
    return Call("DELETE", f"/v1/register/entries/{_part(organisation_id)}", RegisterEntry)


def registries() -> Call[tuple[Registry, ...]]:
    """List the registries that the node reads."""
    return Call("GET", "/v1/registries", tuple[Registry, ...])


def follow_registry(registry: str, projects: list[str], datasets: list[str]) -> Call[Registry]:
    """Read a member's registry, and show these projects and datasets there and no others."""
    body = {"registry": registry, "projects": projects, "datasets": datasets}
    return Call("POST", "/v1/registries", Registry, body)


def leave_registry(registry: str) -> Call[None]:
    """Show nothing at a registry any more."""
    return Call("DELETE", f"/v1/registries/{_part(registry)}", None)


def refresh_registry(registry: str) -> Call[Registry]:
    """Read a registry now."""
    return Call("POST", f"/v1/registries/{_part(registry)}/refresh", Registry, {}, timeout_s=CHECK_TIMEOUT_S)


def registry_organisations(registry: str, after: str = "") -> Call[tuple[RegistryListing, ...]]:
    """List whom a registry lists: up to 1,000, by id, from `after` on."""
    place = f"/v1/registries/{_part(registry)}/organisations"
    return Call("GET", place, tuple[RegistryListing, ...], query={"after": after})


def propose_pairing(registry: str, organisation_id: str, fingerprint: str) -> Call[Proposal]:
    """Ask a listed organisation to be paired, the fingerprint of the pair having been compared."""
    place = f"/v1/registries/{_part(registry)}/organisations/{_part(organisation_id)}/propose"
    return Call("POST", place, Proposal, {"fingerprint": fingerprint})


def check_link(target: str) -> Call[LinkCheck]:
    """Check the way to a member's node, or to an address."""
    return Call("POST", "/v1/doctor", LinkCheck, {"target": target}, timeout_s=CHECK_TIMEOUT_S)


def suspend_member(organisation_id: str) -> Call[Any]:
    """Cut an organisation off, running jobs included."""
    return Call("POST", f"/v1/members/{_part(organisation_id)}/suspend", Any, {})


def resume_member(organisation_id: str) -> Call[Any]:
    """Let a suspended organisation in again."""
    return Call("POST", f"/v1/members/{_part(organisation_id)}/resume", Any, {})


def revoke_member(organisation_id: str, reason: str = "") -> Call[Any]:
    """Trust an organisation no longer, for good: only a new pairing lets it in again."""
    return Call("POST", f"/v1/members/{_part(organisation_id)}/revoke", Any, {"reason": reason})


def revocations() -> Call[Any]:
    """List whom this organisation has revoked."""
    return Call("GET", "/v1/revocations", Any)


def invitations() -> Call[tuple[InvitationState, ...]]:
    """List one's own invitations, newest first, without their secrets."""
    return Call("GET", "/v1/invitations", tuple[InvitationState, ...])


def withdraw_invitation(invitation_id: str) -> Call[InvitationState]:
    """Make an invitation worthless that nobody has come with."""
    return Call("DELETE", f"/v1/invitations/{_part(invitation_id)}", InvitationState)


def register_dataset(
    name: str,
    path: str = "",
    id_column: str = "",
    label_column: str | None = None,
    *,
    upload: str = "",
    id_type: str = "free",
    encoding: str = "",
    delimiter: str = "",
    sheet: str = "",
) -> Call[Dataset]:
    """Register a file of the node's machine (`path` is absolute) or a whole upload. It is read once and left alone."""
    body = {"name": name, "path": path, "upload": upload, "id_column": id_column, "label_column": label_column}
    body |= {"id_type": id_type, "encoding": encoding, "delimiter": delimiter, "sheet": sheet}
    said = {key: value for key, value in body.items() if value}
    return Call("POST", "/v1/datasets", Dataset, said, timeout_s=INGEST_TIMEOUT_S)


def read_dataset(
    name: str,
    source: str,
    id_column: str,
    label_column: str | None = None,
    *,
    table: SourceTable | None = None,
    query: str = "",
    **reading: str,
) -> Call[Dataset]:
    """Register a table of a source, or the rows of one SELECT, as a dataset; `reading` as `register_dataset` has it."""
    body: dict[str, Any] = {"name": name, "source": source, "id_column": id_column, "label_column": label_column}
    body |= {"query": query} if table is None else {"table": {"space": table.space, "name": table.name}}
    body |= {key: value for key, value in reading.items() if value}
    return Call("POST", "/v1/datasets", Dataset, body, timeout_s=INGEST_TIMEOUT_S)


def add_source(name: str, kind: str, password: str, **where: Any) -> Call[Source]:
    """Keep a source: `where` is host, port, database, user, tls, ca, region."""
    return Call("POST", "/v1/sources", Source, {"name": name, "kind": kind, "password": password, **where})


def source_kinds() -> Call[tuple[SourceKindCard, ...]]:
    """List the kinds of sources."""
    return Call("GET", "/v1/source-kinds", tuple[SourceKindCard, ...])


def sources() -> Call[tuple[Source, ...]]:
    """List sources."""
    return Call("GET", "/v1/sources", tuple[Source, ...], query={"limit": "1000"})


def source(name: str) -> Call[Source]:
    """Show a source."""
    return Call("GET", f"/v1/sources/{_part(name)}", Source)


def change_source(name: str, **changes: Any) -> Call[Source]:
    """Change where a source is, or its password."""
    return Call("PATCH", f"/v1/sources/{_part(name)}", Source, changes)


def remove_source(name: str) -> Call[Any]:
    """Forget a source and its password."""
    return Call("DELETE", f"/v1/sources/{_part(name)}", Any)


def test_source(name: str) -> Call[SourceTest]:
    """Connect to a source."""
    return Call("POST", f"/v1/sources/{_part(name)}/test", SourceTest, timeout_s=90.0)


def source_tables(name: str) -> Call[tuple[SourceTable, ...]]:
    """List the tables of a source."""
    return Call("GET", f"/v1/sources/{_part(name)}/tables", tuple[SourceTable, ...], timeout_s=90.0)


def datasets(after: str = "") -> Call[tuple[Dataset, ...]]:
    """List one's own datasets, newest version each: up to 1,000, by name, from `after` on."""
    return Call("GET", "/v1/datasets", tuple[Dataset, ...], query={"after": after} if after else {})


def dataset(name: str) -> Call[Dataset]:
    """Describe one dataset."""
    return Call("GET", f"/v1/datasets/{_part(name)}", Dataset)


def describe_dataset(
    name: str,
    description: str | None = None,
    tags: list[str] | None = None,
    sensitivity: str | None = None,
    sensitivities: dict[str, str] | None = None,
) -> Call[Dataset]:
    """Say what a dataset is and how sensitive it and its columns are; None leaves as it is."""
    body = {"description": description, "tags": tags, "sensitivity": sensitivity, "sensitivities": sensitivities}
    said = {key: value for key, value in body.items() if value is not None}
    return Call("PATCH", f"/v1/datasets/{_part(name)}", Dataset, said)


def refresh_dataset(name: str, policy: str = "same", *, path: str = "", upload: str = "") -> Call[Dataset]:
    """Read the source of a dataset again, or another file; `policy` says what may change in the columns."""
    body = {"policy": policy, "path": path, "upload": upload}
    return Call("POST", f"/v1/datasets/{_part(name)}/refresh", Dataset, body, timeout_s=INGEST_TIMEOUT_S)


def dataset_versions(name: str, after: int = 0) -> Call[tuple[Dataset, ...]]:
    """List the versions of a dataset, oldest first: up to 1,000, above the number `after`."""
    query = {"after": str(after), "limit": "1000"}
    return Call("GET", f"/v1/datasets/{_part(name)}/versions", tuple[Dataset, ...], query=query)


def compare_dataset_versions(name: str, old: int, new: int) -> Call[DatasetChange]:
    """Say how two versions of a dataset differ."""
    query = {"old": str(old), "new": str(new)}
    return Call("GET", f"/v1/datasets/{_part(name)}/compare", DatasetChange, query=query)


def dataset_receipt(name: str, number: int) -> Call[Receipt]:
    """Return the signed receipt of a version: rows, columns, bytes and SHA-256 of what was read."""
    return Call("GET", f"/v1/datasets/{_part(name)}/versions/{number}/receipt", Receipt)


def retire_dataset_version(name: str, number: int) -> Call[Dataset]:
    """Give up an old version: its record stays, its rows go."""
    return Call("POST", f"/v1/datasets/{_part(name)}/versions/{number}/retire", Dataset, {})


def foresee_dataset_deletion(name: str) -> Call[Consequences]:
    """Say what deleting a dataset would take with it."""
    return Call("GET", f"/v1/datasets/{_part(name)}/consequences", Consequences)


def delete_dataset(name: str, digest: str) -> Call[Consequences]:
    """Delete a dataset with the consequences that were shown under this digest."""
    return Call("DELETE", f"/v1/datasets/{_part(name)}", Consequences, query={"digest": digest})


def profile_dataset(name: str, version: int = 0) -> Call[ProfileRun]:
    """Have the figures of a version (0: the newest) found; `dataset_profile` shows them."""
    return Call("POST", f"/v1/datasets/{_part(name)}/profile", ProfileRun, {"version": version})


def dataset_profile(name: str, version: int = 0) -> Call[ProfileRun]:
    """Show the figures of a version, 0: the newest."""
    return Call("GET", f"/v1/datasets/{_part(name)}/profile", ProfileRun, query={"version": str(version)})


def dataset_profiles(name: str, after: int = 0) -> Call[tuple[ProfileRun, ...]]:
    """List the profiles and drifts of the versions above the number `after`, without their figures."""
    query = {"after": str(after), "limit": "1000"}
    return Call("GET", f"/v1/datasets/{_part(name)}/profiles", tuple[ProfileRun, ...], query=query)


def compare_dataset_profiles(name: str, old: int, new: int) -> Call[ProfileRun]:
    """Have it found how the rows of two versions differ; `dataset_drift` shows it."""
    return Call("POST", f"/v1/datasets/{_part(name)}/drift", ProfileRun, {"old": old, "new": new})


def dataset_drift(name: str, old: int, new: int) -> Call[ProfileRun]:
    """Show how the rows of two versions differ."""
    query = {"old": str(old), "new": str(new)}
    return Call("GET", f"/v1/datasets/{_part(name)}/drift", ProfileRun, query=query)


def price_profile_share(
    name: str, figures: Sequence[dict[str, Any]], version: int = 0, epsilon: float = 0.1
) -> Call[ProfilePrice]:
    """Say what telling figures would take of the privacy budget. Nothing is drawn."""
    body = {"figures": list(figures), "version": version, "epsilon": epsilon}
    return Call("POST", f"/v1/datasets/{_part(name)}/profile/price", ProfilePrice, body)


def share_profile(
    name: str, project: str, figures: Sequence[dict[str, Any]], version: int = 0, epsilon: float = 0.1
) -> Call[ProfileShare]:
    """Tell the members of a project figures of a version, with noise, in the place of what they were told before.

    A figure: `{"figure": "histogram", "column": "age", "edges": [18, 30, 60], "epsilon": 0.1}`; or rows, missing,
    distinct, malformed (of the id column), quantiles (with edges); texts have `values` in the place of edges.
    `epsilon` is of each figure that names none and was not told of the version before.
    """
    body = {"project": project, "figures": list(figures), "version": version, "epsilon": epsilon}
    return Call("POST", f"/v1/datasets/{_part(name)}/profile/shares", ProfileShare, body, timeout_s=INGEST_TIMEOUT_S)


def profile_shares(name: str) -> Call[tuple[ProfileShare, ...]]:
    """List what is told of a dataset, by project."""
    return Call("GET", f"/v1/datasets/{_part(name)}/profile/shares", tuple[ProfileShare, ...])


def withdraw_profile_share(name: str, project: str) -> Call[Any]:
    """Have the members of a project forget what they were told. The epsilon stays spent."""
    return Call("DELETE", f"/v1/datasets/{_part(name)}/profile/shares/{_part(project)}", Any)


def privacy_budget(name: str) -> Call[PrivacyBudget]:
    """Show how much epsilon the figures of a dataset may take, and have taken."""
    return Call("GET", f"/v1/datasets/{_part(name)}/profile/budget", PrivacyBudget)


def set_privacy_budget(name: str, most: float) -> Call[PrivacyBudget]:
    """Say how much epsilon the figures of a dataset may take."""
    return Call("PUT", f"/v1/datasets/{_part(name)}/profile/budget", PrivacyBudget, {"most": most})


def partner_profiles(project: str) -> Call[tuple[ProfileShare, ...]]:
    """List what partners tell of the datasets that they offer to a project."""
    return Call("GET", f"/v1/projects/{_part(project)}/profiles", tuple[ProfileShare, ...])


def create_upload(name: str, size_bytes: int) -> Call[Upload]:
    """Begin to upload a file; `name` is for people."""
    return Call("POST", "/v1/uploads", Upload, {"name": name, "size_bytes": size_bytes})


def uploads() -> Call[tuple[Upload, ...]]:
    """List uploads that are not registered yet."""
    return Call("GET", "/v1/uploads", tuple[Upload, ...], query={"limit": "1000"})


def upload(upload_id: str) -> Call[Upload]:
    """Say how much of an upload is there."""
    return Call("GET", f"/v1/uploads/{_part(upload_id)}", Upload)


def send_chunk(upload_id: str, offset: int, chunk: bytes) -> Call[Upload]:
    """Send the bytes from `offset` on. What is acknowledged is on the node's disk."""
    query = {"offset": str(offset), "sha256": hashlib.sha256(chunk).hexdigest()}
    place = f"/v1/uploads/{_part(upload_id)}"
    return Call("PUT", place, Upload, query=query, timeout_s=CHUNK_TIMEOUT_S, content=chunk)


def complete_upload(upload_id: str, sha256: str) -> Call[Upload]:
    """Have the node check a whole upload."""
    body = {"sha256": sha256}
    return Call("POST", f"/v1/uploads/{_part(upload_id)}/complete", Upload, body, timeout_s=INGEST_TIMEOUT_S)


def remove_upload(upload_id: str) -> Call[Any]:
    """Give an upload up."""
    return Call("DELETE", f"/v1/uploads/{_part(upload_id)}", Any)


def create_project(name: str, members: list[str]) -> Call[Project]:
    """Start a project and offer it to the named organisations."""
    return Call("POST", "/v1/projects", Project, {"name": name, "members": members})


def projects() -> Call[tuple[Project, ...]]:
    """List projects, those offered to this node included."""
    return Call("GET", "/v1/projects", tuple[Project, ...])


def accept_project(project_id: str) -> Call[Any]:
    """Take part in a project that another organisation offered."""
    return Call("POST", f"/v1/projects/{_part(project_id)}/accept", Any, {})


def add_project_members(project_id: str, members: list[str]) -> Call[Project]:
    """Ask more organisations into one's own project."""
    return Call("POST", f"/v1/projects/{_part(project_id)}/members", Project, {"members": members})


def remove_project_member(project_id: str, organisation: str) -> Call[Project]:
    """Take an organisation out of one's own project. The project's jobs with it end."""
    return Call("DELETE", f"/v1/projects/{_part(project_id)}/members/{_part(organisation)}", Project)


def leave_project(project_id: str) -> Call[Project]:
    """Leave a partner's project. Its jobs end."""
    return Call("POST", f"/v1/projects/{_part(project_id)}/leave", Project, {})


def project_datasets(project_id: str) -> Call[tuple[OfferedDataset, ...]]:
    """List what all members let a project use: schemas and row counts, never rows."""
    return Call("GET", f"/v1/projects/{_part(project_id)}/datasets", tuple[OfferedDataset, ...])


def add_grant(
    dataset: str,
    project: str,
    columns: list[str] | None = None,
    until: str | None = None,
    disclosure_limit: float | None = None,
    clauses: Clauses | None = None,
) -> Call[Grant]:
    """Let a project use a dataset: these columns (None: all), until then, disclosing at most that much."""
    body = {"dataset": dataset, "project": project, **_terms(columns, until, disclosure_limit, clauses)}
    return Call("POST", "/v1/grants", Grant, body)


def change_grant(
    grant_id: str,
    columns: list[str] | None = None,
    until: str | None = None,
    disclosure_limit: float | None = None,
    clauses: Clauses | None = None,
) -> Call[Grant]:
    """Put a grant under new terms, all of them; jobs that these do not cover end."""
    return Call("PUT", f"/v1/grants/{_part(grant_id)}", Grant, _terms(columns, until, disclosure_limit, clauses))


def grant(grant_id: str) -> Call[Grant]:
    """Show one grant."""
    return Call("GET", f"/v1/grants/{_part(grant_id)}", Grant)


def grant_uses(grant_id: str, after: str = "") -> Call[tuple[GrantUse, ...]]:
    """List the jobs that have read the data of a grant."""
    return Call("GET", f"/v1/grants/{_part(grant_id)}/uses", tuple[GrantUse, ...], query={"after": after})


def ask_for_data(
    project: str,
    organisation: str,
    dataset: str,
    reason: str,
    columns: list[str] | None = None,
    until: str | None = None,
    clauses: Clauses | None = None,
) -> Call[Application]:
    """Ask a member of a project for a dataset."""
    body = {"project": project, "organisation": organisation, "dataset": dataset, "reason": reason}
    return Call("POST", "/v1/applications", Application, {**body, **_terms(columns, until, None, clauses)})


def applications(after: str = "") -> Call[tuple[Application, ...]]:
    """List what this organisation asked for and was asked."""
    return Call("GET", "/v1/applications", tuple[Application, ...], query={"after": after})


def approve_application(
    application_id: str,
    answer: str = "",
    columns: list[str] | None = None,
    until: str | None = None,
    disclosure_limit: float | None = None,
    clauses: Clauses | None = None,
) -> Call[Application]:
    """Grant what a partner asked for, or less."""
    body = {"answer": answer, **_terms(columns, until, disclosure_limit, clauses)}
    return Call("POST", f"/v1/applications/{_part(application_id)}/approve", Application, body)


def reject_application(application_id: str, answer: str) -> Call[Application]:
    """Tell a partner no, and why."""
    return Call("POST", f"/v1/applications/{_part(application_id)}/reject", Application, {"answer": answer})


def withdraw_application(application_id: str) -> Call[Application]:
    """Take back what this organisation asked for."""
    return Call("POST", f"/v1/applications/{_part(application_id)}/withdraw", Application, {})


def save_derived(name: str, job: str, task: str, on_refresh: str = "invalid") -> Call[Derived]:
    """Keep this party's part of a table that a job made, to be read by later jobs."""
    body = {"name": name, "job": job, "task": task, "on_refresh": on_refresh}
    return Call("POST", "/v1/derived", Derived, body)


def derived(after: str = "") -> Call[tuple[Derived, ...]]:
    """List derived datasets, with how each stands."""
    return Call("GET", "/v1/derived", tuple[Derived, ...], query={"after": after})


def remove_derived(name: str) -> Call[Any]:
    """Forget a derived dataset."""
    return Call("DELETE", f"/v1/derived/{_part(name)}", Any)


def grants() -> Call[tuple[Grant, ...]]:
    """List one's own grants."""
    return Call("GET", "/v1/grants", tuple[Grant, ...])


def revoke_grant(grant_id: str) -> Call[Any]:
    """Take a grant back: no task may use the dataset under it from now on."""
    return Call("DELETE", f"/v1/grants/{_part(grant_id)}", Any)


def components() -> Call[tuple[ComponentOutline, ...]]:
    """List the components that the node has."""
    return Call("GET", "/v1/components", tuple[ComponentOutline, ...])


def component(name: str) -> Call[ComponentCard]:
    """Describe one component: settings, ports, who learns what."""
    return Call("GET", f"/v1/components/{_part(name)}", ComponentCard)


def create_pipeline(pipeline: PipelineSpec, note: str = "") -> Call[SavedPipeline]:
    """Save a pipeline as its first version."""
    return Call("POST", "/v1/pipelines", SavedPipeline, {"pipeline": msgspec.to_builtins(pipeline), "note": note})


def save_pipeline(pipeline_id: str, pipeline: PipelineSpec, expected: int, note: str = "") -> Call[SavedPipeline]:
    """Save the next version of a pipeline whose latest version is still `expected`."""
    body = {"pipeline": msgspec.to_builtins(pipeline), "note": note, "expected": expected}
    return Call("POST", f"/v1/pipelines/{_part(pipeline_id)}/versions", SavedPipeline, body)


def check_pipeline(pipeline: PipelineSpec) -> Call[tuple[JobProblem, ...]]:
    """Say what is wrong with a pipeline, as far as the node can tell without data. Nothing is kept."""
    return Call("POST", "/v1/pipelines/check", tuple[JobProblem, ...], {"pipeline": msgspec.to_builtins(pipeline)})


def pipelines(
    project: str = "", search: str = "", archived: bool = False, after: str = "", limit: int = 100
) -> Call[PipelinePage]:
    """List saved pipelines, newest first, a page at a time."""
    query = {"project": project, "search": search, "after": after, "limit": str(limit)}
    return Call("GET", "/v1/pipelines", PipelinePage, query={**query, "archived": "true" if archived else "false"})


def pipeline(pipeline_id: str, version: int | None = None) -> Call[SavedPipeline]:
    """Show a pipeline with one of its versions, the latest if not said."""
    query = {} if version is None else {"version": str(version)}
    return Call("GET", f"/v1/pipelines/{_part(pipeline_id)}", SavedPipeline, query=query)


def pipeline_versions(pipeline_id: str) -> Call[tuple[PipelineVersion, ...]]:
    """List the versions of a pipeline, newest first."""
    return Call("GET", f"/v1/pipelines/{_part(pipeline_id)}/versions", tuple[PipelineVersion, ...])


def diff_pipeline(pipeline_id: str, old: int, new: int) -> Call[tuple[Change, ...]]:
    """Say what changed from one version to another."""
    query = {"old": str(old), "new": str(new)}
    return Call("GET", f"/v1/pipelines/{_part(pipeline_id)}/diff", tuple[Change, ...], query=query)


def copy_pipeline(pipeline_id: str, name: str, version: int | None = None) -> Call[SavedPipeline]:
    """Save a version as the first one of another pipeline."""
    body: dict[str, Any] = {"name": name} | ({} if version is None else {"version": version})
    return Call("POST", f"/v1/pipelines/{_part(pipeline_id)}/copy", SavedPipeline, body)


def archive_pipeline(pipeline_id: str) -> Call[Pipeline]:
    """Put a pipeline away."""
    return Call("POST", f"/v1/pipelines/{_part(pipeline_id)}/archive", Pipeline, {})


def restore_pipeline(pipeline_id: str) -> Call[Pipeline]:
    """Take a pipeline out of the archive."""
    return Call("POST", f"/v1/pipelines/{_part(pipeline_id)}/restore", Pipeline, {})


def comment_pipeline(pipeline_id: str, text: str, version: int | None = None) -> Call[PipelineComment]:
    """Say something about a version of a pipeline."""
    body: dict[str, Any] = {"text": text} | ({} if version is None else {"version": version})
    return Call("POST", f"/v1/pipelines/{_part(pipeline_id)}/comments", PipelineComment, body)


def pipeline_comments(pipeline_id: str) -> Call[tuple[PipelineComment, ...]]:
    """List what was said of a pipeline, oldest first."""
    return Call("GET", f"/v1/pipelines/{_part(pipeline_id)}/comments", tuple[PipelineComment, ...])


def templates(after: str = "", limit: int = 100) -> Call[TemplatePage]:
    """List templates, a page at a time: those of the product, then those that people keep."""
    return Call("GET", "/v1/templates", TemplatePage, query={"after": after, "limit": str(limit)})


def template(template_id: str) -> Call[Template]:
    """Show a template, by id or name."""
    return Call("GET", f"/v1/templates/{_part(template_id)}", Template)


def add_template(project: str, template: TemplateSpec) -> Call[Template]:
    """Keep a template for who works in a project."""
    body = {"project": project, "template": msgspec.to_builtins(template)}
    return Call("POST", "/v1/templates", Template, body)


def remove_template(template_id: str) -> Call[None]:
    """Remove a template that somebody keeps."""
    return Call("DELETE", f"/v1/templates/{_part(template_id)}", None)


def fill_template(template_id: str, values: dict[str, Any]) -> Call[FilledTemplate]:
    """Return the pipeline of a template with these values, by the name of their blank."""
    return Call("POST", f"/v1/templates/{_part(template_id)}/fill", FilledTemplate, {"values": values})


def check_template_values(template_id: str, values: dict[str, Any]) -> Call[tuple[BlankProblem, ...]]:
    """Say everything that is wrong with values for a template's blanks."""
    return Call("POST", f"/v1/templates/{_part(template_id)}/check", tuple[BlankProblem, ...], {"values": values})


def run_job(pipeline: PipelineSpec, **wishes: Any) -> Call[Job]:
    """Propose a pipeline to all of its parties; it runs when they accept and the node has room.

    Wishes: `priority` 0 (lowest) to 9, 5 if not given; `time_limit_s` and `task_time_limit_s`, 0 those of the node;
    `fresh=True` runs what earlier jobs have made, too; `part` ("only", "from", "to") and `task`, for a part of it.
    """
    return Call("POST", "/v1/jobs", Job, {"pipeline": msgspec.to_builtins(pipeline), **_said(wishes)})


def estimate_job(pipeline: PipelineSpec, **wishes: Any) -> Call[Estimate]:
    """Say what a pipeline would take at this node before it runs. Wishes: `part`, `task` and `fresh` of `run_job`."""
    return Call("POST", "/v1/jobs/estimate", Estimate, {"pipeline": msgspec.to_builtins(pipeline), **_said(wishes)})


def run_pipeline(pipeline: str, version: int | None = None, **wishes: Any) -> Call[Job]:
    """Start a saved pipeline, by id or name; wishes as for `run_job`."""
    return Call("POST", f"/v1/pipelines/{_part(pipeline)}/jobs", Job, _said({"version": version, **wishes}))


def resume_job(job_id: str) -> Call[Job]:
    """Start a job that ended without success once more; what it has finished is taken from it."""
    return Call("POST", f"/v1/jobs/{_part(job_id)}/resume", Job, {})


def _said(wishes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wishes.items() if value is not None}


def jobs(**wanted: str | None) -> Call[tuple[Job, ...]]:
    """List the jobs that this node takes part in, newest first.

    `state`, `project`, `partner`, `text`, `since`, `until`, `mine="true"`, `archived="true"` narrow the list; `limit`
    and `after` (a job's id) turn its pages.
    """
    return Call("GET", "/v1/jobs", tuple[Job, ...], query={k: v for k, v in wanted.items() if v is not None})


def retry_job(job_id: str) -> Call[Job]:
    """Start the pipeline of a job that ended without success once more, as a new job."""
    return Call("POST", f"/v1/jobs/{_part(job_id)}/retry", Job, {})


def foresee_job_removal(job_id: str) -> Call[JobConsequences]:
    """Say what removing an ended job from this node would take with it, and what remains."""
    return Call("GET", f"/v1/jobs/{_part(job_id)}/consequences", JobConsequences)


def remove_job(job_id: str, digest: str) -> Call[JobConsequences]:
    """Remove an ended job from this node with the consequences that were shown under this digest."""
    return Call("DELETE", f"/v1/jobs/{_part(job_id)}", JobConsequences, query={"digest": digest})


def set_job_priority(job_id: str, priority: int) -> Call[Job]:
    """Say anew how urgent a job is: 0 (lowest) to 9."""
    return Call("PUT", f"/v1/jobs/{_part(job_id)}/priority", Job, {"priority": priority})


def job(job_id: str) -> Call[Job]:
    """Describe one job: tasks, bytes, memory, what each party learns."""
    return Call("GET", f"/v1/jobs/{_part(job_id)}", Job)


def job_events(job_id: str, after: int = 0, wait_s: float = 0.0) -> Call[JobEvents]:
    """Return the events numbered above `after`; with `wait_s`, wait that long for the next one."""
    query = {"after": str(after), "wait_s": f"{wait_s:g}"}
    path = f"/v1/jobs/{_part(job_id)}/events"
    return Call("GET", path, JobEvents, query=query, timeout_s=wait_s + ANSWER_TIMEOUT_S)


def cancel_job(job_id: str) -> Call[Any]:
    """End a job at all of its parties."""
    return Call("POST", f"/v1/jobs/{_part(job_id)}/cancel", Any, {})


def output(job_id: str, task: str, port: str) -> Call[dict[str, Any]]:
    """Return a report's values, or where on the node's disk a table or model lies."""
    return Call("GET", f"/v1/jobs/{_part(job_id)}/tasks/{_part(task)}/outputs/{_part(port)}", dict[str, Any])


def archive_job(job_id: str) -> Call[Any]:
    """Put a job that has ended away."""
    return Call("POST", f"/v1/jobs/{_part(job_id)}/archive", Any, {})


def restore_job(job_id: str) -> Call[Any]:
    """Take a job out of the archive."""
    return Call("POST", f"/v1/jobs/{_part(job_id)}/restore", Any, {})


def job_log(job_id: str, task: str, attempt: int | None = None, most_bytes: int = 65_536) -> Call[LogTail]:
    """Return the end of the log of an own attempt of a task, the latest if not said."""
    query = {"most_bytes": str(most_bytes)} | ({} if attempt is None else {"attempt": str(attempt)})
    return Call("GET", f"/v1/jobs/{_part(job_id)}/tasks/{_part(task)}/log", LogTail, query=query)


def report(job_id: str, task: str) -> Call[Report]:
    """Return one's own report of a task."""
    return Call("GET", f"/v1/jobs/{_part(job_id)}/tasks/{_part(task)}/report", Report)


def add_schedule(
    name: str,
    trigger: dict[str, Any],
    *,
    pipeline: str | None = None,
    version: int | None = None,
    spec: PipelineSpec | None = None,
    **how: Any,
) -> Call[Schedule]:
    """Have a saved pipeline, or one that is said, run when `trigger` says: `{"kind": "cron", "expression": …}`.

    `how` may say `missed`, `most_missed`, `overlap`, `priority`, `time_limit_s`, `task_time_limit_s`.
    """
    body = {"name": name, "trigger": trigger, "pipeline": pipeline, "version": version, **how}
    body |= {} if spec is None else {"spec": msgspec.to_builtins(spec)}
    return Call("POST", "/v1/schedules", Schedule, {key: value for key, value in body.items() if value is not None})


def schedules(after: str = "", limit: int = 1000) -> Call[tuple[Schedule, ...]]:
    """List schedules, a page at a time."""
    return Call("GET", "/v1/schedules", tuple[Schedule, ...], query={"after": after, "limit": str(limit)})


def schedule(schedule_id: str) -> Call[Schedule]:
    """Show a schedule."""
    return Call("GET", f"/v1/schedules/{_part(schedule_id)}", Schedule)


def schedule_runs(schedule_id: str, after: str = "", limit: int = 100) -> Call[tuple[ScheduleRun, ...]]:
    """List the times at which a schedule was due, newest first, with their jobs."""
    query = {"after": after, "limit": str(limit)}
    return Call("GET", f"/v1/schedules/{_part(schedule_id)}/runs", tuple[ScheduleRun, ...], query=query)


def pause_schedule(schedule_id: str) -> Call[Schedule]:
    """Have a schedule rest."""
    return Call("POST", f"/v1/schedules/{_part(schedule_id)}/pause", Schedule, {})


def resume_schedule(schedule_id: str) -> Call[Schedule]:
    """Let a schedule go on from now."""
    return Call("POST", f"/v1/schedules/{_part(schedule_id)}/resume", Schedule, {})


def run_schedule(schedule_id: str) -> Call[ScheduleRun]:
    """Start a schedule's pipeline now."""
    return Call("POST", f"/v1/schedules/{_part(schedule_id)}/run", ScheduleRun, {})


def remove_schedule(schedule_id: str) -> Call[Any]:
    """Forget a schedule."""
    return Call("DELETE", f"/v1/schedules/{_part(schedule_id)}", Any)


def models() -> Call[tuple[ModelVersion, ...]]:
    """List model versions of which this node has a part."""
    return Call("GET", "/v1/models", tuple[ModelVersion, ...])


def model(model_id: str) -> Call[ModelVersion]:
    """Describe one model version: what fitted it, on what, how good it is."""
    return Call("GET", f"/v1/models/{_part(model_id)}", ModelVersion)


def _terms(
    columns: list[str] | None, until: str | None, disclosure_limit: float | None, clauses: Clauses | None
) -> dict[str, Any]:
    body: dict[str, Any] = {"columns": columns or []}
    body |= {} if until is None else {"until": until}
    body |= {} if disclosure_limit is None else {"disclosure_limit": disclosure_limit}
    return body | ({} if clauses is None else {"clauses": msgspec.to_builtins(clauses)})


def me() -> Call[Me]:
    """Who calls, and what may that do?"""
    return Call("GET", "/v1/session", Me)


def log_in(name: str, password: str, code: str = "") -> Call[Me]:
    """Log in; the session's token comes as a cookie. `code` is one of the authenticator, where there is one."""
    return Call("POST", "/v1/session", Me, {"name": name, "password": password, "code": code})


def log_out() -> Call[Any]:
    """End the session that asks."""
    return Call("DELETE", "/v1/session", Any)


def sessions(everybody: bool = False) -> Call[tuple[LoginSession, ...]]:
    """List one's own live sessions, or everybody's."""
    query = {"everybody": "true"} if everybody else {}
    return Call("GET", "/v1/sessions", tuple[LoginSession, ...], query={**query, "limit": "1000"})


def end_session(session_id: str) -> Call[Any]:
    """End a session."""
    return Call("DELETE", f"/v1/sessions/{_part(session_id)}", Any)


def users(after: str = "", limit: int = 1000) -> Call[tuple[User, ...]]:
    """List accounts by name, those after a name."""
    return Call("GET", "/v1/users", tuple[User, ...], query={"after": after, "limit": str(limit)})


def user(name: str) -> Call[User]:
    """Show an account by name or id."""
    return Call("GET", f"/v1/users/{_part(name)}", User)


def add_user(name: str, groups: list[str], email: str = "") -> Call[OneTimeLink]:
    """Make an account; the link is where its user chooses a password."""
    return Call("POST", "/v1/users", OneTimeLink, {"name": name, "groups": groups, "email": email})


def change_user(name: str, email: str | None = None, must_change: bool | None = None) -> Call[User]:
    """Change an account's address, or make its user choose another password."""
    body = {"email": email, "must_change": must_change}
    said = {key: value for key, value in body.items() if value is not None}
    return Call("PATCH", f"/v1/users/{_part(name)}", User, said)


def disable_user(name: str) -> Call[User]:
    """Shut an account; its sessions and keys end at once."""
    return Call("POST", f"/v1/users/{_part(name)}/disable", User, {})


def enable_user(name: str) -> Call[User]:
    """Open a disabled account again."""
    return Call("POST", f"/v1/users/{_part(name)}/enable", User, {})


def unlock_user(name: str) -> Call[User]:
    """Forget an account's failed logins."""
    return Call("POST", f"/v1/users/{_part(name)}/unlock", User, {})


def reset_user(name: str, totp: bool = False) -> Call[OneTimeLink]:
    """Make a link where the user chooses a new password; `totp` takes a lost authenticator away, too."""
    return Call("POST", f"/v1/users/{_part(name)}/reset", OneTimeLink, {"totp": totp})


def change_password(old: str, password: str) -> Call[Me]:
    """Change one's own password; one's other sessions end."""
    return Call("PUT", "/v1/me/password", Me, {"old": old, "password": password})


def enrol_totp(password: str) -> Call[Enrolment]:
    """Begin with an authenticator."""
    return Call("POST", "/v1/me/totp", Enrolment, {"password": password})


def confirm_totp(code: str) -> Call[RecoveryCodes]:
    """Let the authenticator count from the next login on."""
    return Call("POST", "/v1/me/totp/confirm", RecoveryCodes, {"code": code})


def remove_totp(password: str) -> Call[Me]:
    """Do without the authenticator again."""
    return Call("POST", "/v1/me/totp/remove", Me, {"password": password})


def setup_link() -> Call[OneTimeLink]:
    """Make the link with which the first administrator is set up."""
    return Call("POST", "/v1/setup/links", OneTimeLink, {})


def choose_password(code: str, password: str) -> Call[Any]:
    """Choose a password with the code of a one-time link."""
    return Call("POST", "/v1/password", Any, {"code": code, "password": password})


def set_up(code: str, name: str, password: str, email: str = "") -> Call[Me]:
    """Make the first administrator with the code of the set-up link."""
    return Call("POST", "/v1/setup", Me, {"code": code, "name": name, "password": password, "email": email})


def permissions() -> Call[tuple[str, ...]]:
    """List everything that a group can permit."""
    return Call("GET", "/v1/permissions", tuple[str, ...])


def groups() -> Call[tuple[Group, ...]]:
    """List the groups with their permissions and people."""
    return Call("GET", "/v1/groups", tuple[Group, ...])


def add_group(name: str, permissions: dict[str, str]) -> Call[Group]:
    """Make a group: permission → own or all."""
    return Call("POST", "/v1/groups", Group, {"name": name, "permissions": permissions})


def change_group(name: str, permissions: dict[str, str]) -> Call[Group]:
    """Give a group other permissions."""
    return Call("PUT", f"/v1/groups/{_part(name)}", Group, {"permissions": permissions})


def remove_group(name: str) -> Call[Any]:
    """Remove a group."""
    return Call("DELETE", f"/v1/groups/{_part(name)}", Any)


def add_to_group(name: str, user: str) -> Call[Any]:
    """Put a user into a group."""
    return Call("PUT", f"/v1/groups/{_part(name)}/users/{_part(user)}", Any)


def remove_from_group(name: str, user: str) -> Call[Any]:
    """Take a user out of a group."""
    return Call("DELETE", f"/v1/groups/{_part(name)}/users/{_part(user)}", Any)


def project_people(project: str) -> Call[tuple[Person, ...]]:
    """List who of this organisation works in a project."""
    return Call("GET", f"/v1/projects/{_part(project)}/people", tuple[Person, ...])


def add_project_person(project: str, user: str) -> Call[Any]:
    """Let a user work in a project."""
    return Call("PUT", f"/v1/projects/{_part(project)}/people/{_part(user)}", Any)


def remove_project_person(project: str, user: str) -> Call[Any]:
    """Let a user work in a project no longer."""
    return Call("DELETE", f"/v1/projects/{_part(project)}/people/{_part(user)}", Any)


def keys() -> Call[tuple[AccessKey, ...]]:
    """List one's own access keys."""
    return Call("GET", "/v1/keys", tuple[AccessKey, ...], query={"limit": "1000"})


def add_key(
    name: str, scopes: dict[str, str], networks: list[str] | None = None, expires_at: str | None = None
) -> Call[AccessKey]:
    """Make an access key with some of one's own permissions; its text is in this answer only."""
    body: dict[str, Any] = {"name": name, "scopes": scopes, "networks": networks or []}
    body |= {} if expires_at is None else {"expires_at": expires_at}
    return Call("POST", "/v1/keys", AccessKey, body)


def rotate_key(key_id: str, overlap_s: int = 86400) -> Call[AccessKey]:
    """Give a key a new secret; the one before goes on working for a while."""
    return Call("POST", f"/v1/keys/{_part(key_id)}/rotate", AccessKey, {"overlap_s": overlap_s})


def revoke_key(key_id: str) -> Call[Any]:
    """End a key."""
    return Call("DELETE", f"/v1/keys/{_part(key_id)}", Any)


def notifications(
    unread: bool = False, language: str = "", after: int | None = None, limit: int = 100
) -> Call[Notifications]:
    """What was the caller told? Newest first, in `language` (en, zh) or the caller's own."""
    query = (
        {"limit": str(limit)} | ({"unread": "true"} if unread else {}) | ({"language": language} if language else {})
    )
    return Call(
        "GET", "/v1/notifications", Notifications, query=query | ({} if after is None else {"after": str(after)})
    )


def read_notifications(numbers: Sequence[int] = ()) -> Call[Unread]:
    """Mark notifications read, all when none is named."""
    return Call("POST", "/v1/notifications/read", Unread, {"numbers": list(numbers)})


def subscriptions() -> Call[Subscriptions]:
    """What does the caller hear of?"""
    return Call("GET", "/v1/notifications/subscriptions", Subscriptions)


def subscribe(wishes: Sequence[Wish] = (), language: str = "") -> Call[Subscriptions]:
    """Choose what to hear of, and the language of e-mail; what is not named stays."""
    body: dict[str, Any] = {"wishes": [msgspec.to_builtins(wish) for wish in wishes]}
    body |= {"language": language} if language else {}
    return Call("PUT", "/v1/notifications/subscriptions", Subscriptions, body)


def channels() -> Call[list[Channel]]:
    """Which ways out of the house are there?"""
    return Call("GET", "/v1/channels", list[Channel])


def channel(channel_id: str) -> Call[Channel]:
    """Show a channel."""
    return Call("GET", f"/v1/channels/{_part(channel_id)}", Channel)


def add_channel(kind: str, name: str, **terms: Any) -> Call[Channel]:
    """Make a channel: `email`, `webhook`, `dingtalk`, `wecom` or `feishu`; `terms` as in the REST interface."""
    return Call("POST", "/v1/channels", Channel, {"kind": kind, "name": name} | terms)


def change_channel(channel_id: str, name: str, **terms: Any) -> Call[Channel]:
    """Change a channel; all terms are said again, but for its address and secret."""
    return Call("PUT", f"/v1/channels/{_part(channel_id)}", Channel, {"name": name} | terms)


def remove_channel(channel_id: str) -> Call[Any]:
    """Remove a channel with its log."""
    return Call("DELETE", f"/v1/channels/{_part(channel_id)}", Any)


def try_channel(channel_id: str, receiver: str = "") -> Call[ChannelTest]:
    """Send a test now; by e-mail, to `receiver`."""
    return Call("POST", f"/v1/channels/{_part(channel_id)}/test", ChannelTest, {"receiver": receiver})


def deliveries(channel_id: str, state: str = "", after: int | None = None, limit: int = 100) -> Call[list[Delivery]]:
    """What goes and went over a channel? `state`: waiting, sent, dead."""
    query = (
        {"limit": str(limit)} | ({"state": state} if state else {}) | ({} if after is None else {"after": str(after)})
    )
    return Call("GET", f"/v1/channels/{_part(channel_id)}/deliveries", list[Delivery], query=query)


def retry_deliveries(channel_id: str) -> Call[Retried]:
    """Try again what a channel has given up."""
    return Call("POST", f"/v1/channels/{_part(channel_id)}/retry", Retried, {})


def approvals(view: str = "all", after: str = "", limit: int = 100) -> Call[tuple[Approval, ...]]:
    """List approvals, newest first: `to-decide`, `mine`, `decided`, `watched` or `all`."""
    query = {"view": view, "after": after, "limit": str(limit)}
    return Call("GET", "/v1/approvals", tuple[Approval, ...], query=query)


def approval(approval_id: str) -> Call[Approval]:
    """Show an approval with all that its approver decides on."""
    return Call("GET", f"/v1/approvals/{_part(approval_id)}", Approval)


def approve(approval_id: str, digest: str, reason: str = "") -> Call[Approval]:
    """Approve exactly the digest that was shown."""
    return Call("POST", f"/v1/approvals/{_part(approval_id)}/approve", Approval, {"digest": digest, "reason": reason})


def reject(approval_id: str, digest: str, reason: str = "") -> Call[Approval]:
    """Reject exactly the digest that was shown: one rejection ends it."""
    return Call("POST", f"/v1/approvals/{_part(approval_id)}/reject", Approval, {"digest": digest, "reason": reason})


def withdraw(approval_id: str) -> Call[Approval]:
    """Take back what one asked for."""
    return Call("POST", f"/v1/approvals/{_part(approval_id)}/withdraw", Approval, {})


def watch_approval(approval_id: str, wanted: bool = True) -> Call[Approval]:
    """Hear what becomes of an approval, or no more."""
    return Call("POST", f"/v1/approvals/{_part(approval_id)}/watch", Approval, {"wanted": wanted})


def delegate(person: str, until: str, approval_id: str = "") -> Call[Delegation]:
    """Let another person decide in one's place until a time: one approval, or all."""
    body = {"to": person, "until": until, "approval": approval_id}
    return Call("POST", "/v1/approvals/delegations", Delegation, body)


def delegations() -> Call[tuple[Delegation, ...]]:
    """List the delegations in force that one gave or received."""
    return Call("GET", "/v1/approvals/delegations", tuple[Delegation, ...])


def end_delegation(delegation_id: str) -> Call[Delegation]:
    """End a delegation that one gave or received."""
    return Call("DELETE", f"/v1/approvals/delegations/{_part(delegation_id)}", Delegation)


def add_rule(
    kind: str,
    project: str = "",
    partner: str = "",
    components: list[str] | None = None,
    most_disclosure: float | None = None,
    most_rows: int | None = None,
    a_day: int | None = None,
    until: str | None = None,
) -> Call[Rule]:
    """Approve from now on what stays inside these limits; a limit that is left out does not limit."""
    body = {"kind": kind, "project": project, "partner": partner, "components": components or []}
    limits = {"most_disclosure": most_disclosure, "most_rows": most_rows, "a_day": a_day, "until": until}
    return Call("POST", "/v1/rules", Rule, body | limits)


def rules() -> Call[tuple[Rule, ...]]:
    """List the rules that approve by themselves."""
    return Call("GET", "/v1/rules", tuple[Rule, ...])


def remove_rule(rule_id: str) -> Call[Rule]:
    """Let a rule approve nothing more."""
    return Call("DELETE", f"/v1/rules/{_part(rule_id)}", Rule)


def policies() -> Call[tuple[Policy, ...]]:
    """List how each kind is decided."""
    return Call("GET", "/v1/policies", tuple[Policy, ...])


def change_policy(kind: str, required: str, approvers: int = 1, remind_hours: int = 24) -> Call[Policy]:
    """Say when a kind waits for approval (`never`, `partner`, `always`), by how many, and when they are told again."""
    body = {"required": required, "approvers": approvers, "remind_hours": remind_hours}
    return Call("PUT", f"/v1/policies/{_part(kind)}", Policy, body)


def _part(text: str) -> str:
    return quote(text, safe="")
