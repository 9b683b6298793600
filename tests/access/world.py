"""A node with two of everything: what a caller made in a project that it works in, and what somebody else made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
from sqlalchemy import Table, delete, insert, select
from sqlalchemy.orm import Session

from hanse.cli.node import Running
from hanse.control import secrets
from hanse.control.access.callers import LOCAL
from hanse.control.access.pepper import digest, load_pepper
from hanse.control.access.permissions import GROUPS, Permissions
from hanse.control.admission.gate import caller_of
from hanse.control.approvals.tables import Approval, Delegation, Rule
from hanse.control.database import Base, Database
from hanse.control.datasets.tables import Dataset, DatasetVersion, Reading
from hanse.control.derived.tables import Derived
from hanse.control.grants.tables import Application, Card, Grant, GrantTerms
from hanse.control.invitations.tables import Invitation
from hanse.control.jobs.tables import Attempt, Job, Participant, Task
from hanse.control.keys import service as keys
from hanse.control.keys.tables import AccessKey
from hanse.control.models.tables import ModelVersion
from hanse.control.nodes.certificates import new_key, sign_root, to_pem
from hanse.control.notifications.tables import Channel, Notification, Secret, Settings
from hanse.control.oidc.tables import Provider
from hanse.control.organisations.tables import Member
from hanse.control.pipelines import service as pipelines
from hanse.control.profiles.tables import DatasetProfile, ProfileShare
from hanse.control.projects.tables import Project, ProjectMember
from hanse.control.registry.tables import Register, RegisterEntry, Registry, RegistryListing
from hanse.control.schedules.tables import Plan, Schedule
from hanse.control.schedules.timing import Cron
from hanse.control.sessions import service as sessions
from hanse.control.sessions.service import Span
from hanse.control.sessions.tables import UserSession
from hanse.control.sources import service as sources
from hanse.control.sources.tables import Source
from hanse.control.templates.tables import Template
from hanse.control.uploads import service as uploads
from hanse.control.uploads.tables import Upload
from hanse.control.users import service as users
from hanse.control.users.tables import Link, ProjectPerson, User
from hanse.core.clauses import Clauses
from hanse.core.faults import Fault
from hanse.core.ids import (
    DatasetId,
    GrantId,
    JobId,
    ModelVersionId,
    OrganisationId,
    PipelineId,
    ProjectId,
    TaskName,
)
from hanse.core.roles import GUEST, host
from hanse.core.schema import Column, Schema
from hanse.core.sources import SourceSpec
from hanse.core.specs import Artefact, PipelineSpec, TaskSpec
from hanse.core.templates import TemplateSpec
from hanse.core.times import format_time

SIDES = ("own", "other")
PARTNER = OrganisationId("9" * 32)
JOINER = OrganisationId("8" * 32)
SCHEMA = Schema((Column("id", "text", "id"), Column("a", "real"), Column("b", "real")))
KEY_SCOPES = ("members.read", "projects.read", "datasets.read", "pipelines.read", "jobs.read", "jobs.run")
CODE = "0123456789abcdef"
BYTES = b"id,a,b\n" + b"".join(b"p%d,%d,%d\n" % (row, row, row * 2) for row in range(100))


class Badge(NamedTuple):
    """How one kind of caller is known: the headers that it sends, and the person behind it (none: a stranger)."""

    headers: Mapping[str, str]
    person: str = ""


def now() -> datetime:
    return datetime.now(UTC)


def badges(database: Database, directory: Path) -> dict[str, Badge]:
    """Make a person for each group that a node begins with, an API user, and their sessions and key."""
    found: dict[str, Badge] = {}
    with database.write() as session:
        for group in GROUPS:
            found[group] = _enter(session, _person(session, group.replace(" ", "."), group))
        robot = _person(session, "robot", "modeller")
        scopes: Permissions = {p: s for p, s in GROUPS["modeller"].items() if p in KEY_SCOPES}
        terms = keys.Terms(scopes, per_minute=60_000)
        made = keys.create(session, caller_of(session, robot), load_pepper(directory), "nightly", terms, now())
        found["api user"] = Badge({"authorization": f"Bearer {made.text}"}, robot.id)
        _person(session, "somebody", "administrator")
    return found


def _person(session: Session, name: str, group: str) -> User:
    user = users.add(session, name, f"{name}@bank.example", [group], now())
    session.flush()
    return user


def _enter(session: Session, user: User) -> Badge:
    opened = sessions.begin(session, user.id, "127.0.0.1", "test", now(), Span())
    forgery = sessions.anti_forgery(opened.token)
    return Badge({"cookie": f"__Host-hanse={opened.token}", "x-hanse-csrf": forgery}, user.id)


class Shelf:
    """All rows of a database, to be put back: what a request has changed is changed back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.read() as session:
            self._rows = {
                table: [dict(row) for row in session.execute(select(table)).mappings()] for table in _tables()
            }

    def is_as_it_was(self) -> bool:
        """Say whether the database has the same rows, audit apart."""
        return Shelf(self._database)._rows == self._rows

    def put_back(self) -> None:
        with self._database.write() as session:
            for table in reversed(_tables()):
                session.execute(delete(table))
            for table in _tables():
                if self._rows[table]:
                    session.execute(insert(table), self._rows[table])


def _tables() -> list[Table]:
    return [table for table in Base.metadata.sorted_tables if not table.name.startswith("audit")]


def furnish(node: Running, directory: Path, caller: str) -> dict[str, dict[str, str]]:
    """Put two of everything into a node; return by side (`own` of `caller`, `other`) what paths and bodies name."""
    with node.database.write() as session:
        _house(session, directory)
        somebody = session.scalars(select(User.id).where(User.name == "somebody")).one_or_none()
        if somebody is None:
            somebody = _person(session, "somebody", "administrator").id
        placed = _Placed(session, directory, node.identity.organisation)
        found = {
            "own": placed.everything("own", "a", caller or somebody),
            "other": placed.everything("other", "b", somebody),
        }
        for user in session.scalars(select(User.id).where(User.id != somebody)):
            for kind in ("project", "offered"):
                session.add(ProjectPerson(project=found["own"][kind], user=user))
    return found


def _house(session: Session, directory: Path) -> None:
    """What belongs to nobody: members, a channel, a rule, a provider, an invitation."""
    for organisation, name, state in ((PARTNER, "telecom", "active"), (JOINER, "shop", "pending")):
        words = {"root_pem": "", "address": "127.0.0.1:1", "pair_fingerprint": "0" * 32, "paired_at": _at()}
        session.add(Member(organisation=organisation, name=name, state=state, **words))
    session.add(
        Channel(
            id="channel-00000000000000a1",
            name="room",
            kind="webhook",
            state="off",
            kinds=(),
            language="en",
            settings=Settings("127.0.0.1:9"),
            sealed=secrets.seal(
                directory, msgspec.json.encode(Secret("https://127.0.0.1:9/hook")), "channel:channel-00000000000000a1"
            ),
            created_at=_at(),
        )
    )
    empty = {"project": "", "partner": "", "components": (), "most_disclosure": None, "most_rows": None}
    limits = {"a_day": None, "until": None, "removed_at": None}
    session.add(
        Rule(id="rule-00000000000000a1", kind="job", maker="administrator", created_at=_at(), **empty, **limits)
    )
    session.add(
        Provider(
            name="staff",
            title="Staff",
            issuer="https://127.0.0.1:9",
            client="hanse",
            secret="",
            scopes=["openid"],
            admits="linked",
            group_claim="",
            group_map={},
            default_groups=[],
            created_at=_at(),
        )
    )
    _registry(session)
    session.add(Invitation(id=CODE, secret=b"x" * 32, created_at=_at(), expires_at=_at(days=1), used_by=None))


def _registry(session: Session) -> None:
    """This node lists the partner, and reads the partner's registry."""
    root = to_pem(sign_root("telecom", new_key()))
    seen = {"organisation": PARTNER, "name": "telecom", "root_pem": root, "address": "127.0.0.1:1", "sides": "one"}
    session.add(Register(id=1, is_open=True, changed_at=_at()))
    session.add(RegisterEntry(entry=b"", chain="", signature="", serial=0, listed_at=_at(), **seen))
    told = {"serial": 0, "told": "", "told_at": "", "read_at": "", "trouble": ""}
    session.add(Registry(organisation=PARTNER, projects=(), datasets=(), **told))
    words = {"region": "", "contact": "", "projects": (), "datasets": (), "as_of": _at(), "vouch": ""}
    session.add(RegistryListing(listed_by=PARTNER, **seen, **words))


def _at(**later: float) -> str:
    return format_time(now() + timedelta(**later))


class _Placed:
    """Writes one side's objects; ids end with the side's letter and a number."""

    def __init__(self, session: Session, directory: Path, me: OrganisationId) -> None:
        self.session, self.directory, self.me = session, directory, me

    def everything(self, side: str, letter: str, owner: str) -> dict[str, str]:
        project, offered = (ProjectId(f"project-00000000000000{letter}{n}") for n in (1, 2))
        names = {"project": project, "project_id": project, "offered": offered, "person": owner}
        self._projects(side, project, offered)
        names |= self._datasets(side, letter, owner, project)
        names |= self._jobs(side, letter, owner, project)
        names |= self._approvals(letter, owner, project)
        names |= self._accounts(letter, owner)
        names |= self._planned(side, letter, owner, project)
        return names

    def _projects(self, side: str, project: ProjectId, offered: ProjectId) -> None:
        for row, name, founder in ((project, f"{side}-risk", self.me), (offered, f"{side}-offer", PARTNER)):
            self.session.add(Project(id=row, name=name, owner=founder, created_at=_at()))
            self.session.flush()
            for organisation, called in ((self.me, "bank"), (PARTNER, "telecom")):
                agreed = row == project or organisation == PARTNER
                self.session.add(
                    ProjectMember(
                        project=row,
                        organisation=organisation,
                        name=called,
                        state="accepted" if agreed else "invited",
                        agreed=int(agreed),
                    )
                )
        self.session.flush()

    def _datasets(self, side: str, letter: str, owner: str, project: ProjectId) -> dict[str, str]:
        dataset, name = DatasetId(f"dataset-00000000000000{letter}1"), f"{side}-people"
        self.session.add(Dataset(id=dataset, name=name, version=2, owner=owner, created_at=_at()))
        self.session.flush()
        for number in (1, 2):
            self.session.add(
                DatasetVersion(
                    dataset=dataset,
                    number=number,
                    path=f"data/{side}-{number}/table.parquet",
                    sha256=f"{number:064x}",
                    rows=100,
                    schema=SCHEMA,
                    source=str(self.directory / "in" / "people.csv"),
                    created_at=_at(),
                    reading=Reading("id"),
                    retired_at=_at() if number == 1 else None,
                )
            )
        self.session.flush()
        for version, older in ((1, 0), (2, 0), (2, 1)):
            run = {"state": "failed", "asked_at": _at(), "asked_by": "node", "fault": Fault("profile.failed")}
            self.session.add(DatasetProfile(dataset=dataset, version=version, older=older, ended_at=_at(), **run))
        told = {"figures": (), "at": _at(), "actor": owner}
        self.session.add(ProfileShare(dataset=dataset, project=project, version=2, **told))
        terms = {"columns": ("a",), "until": None, "disclosure_limit": 0.1, "clauses": Clauses()}
        grant = GrantId(f"grant-00000000000000{letter}1")
        self.session.add(Grant(id=grant, dataset=dataset, project=project, owner=owner, created_at=_at(), **terms))
        self.session.flush()
        self.session.add(GrantTerms(grant=grant, version=1, at=_at(), actor=owner, **terms))
        asked = {**terms, "project": project, "dataset": name, "reason": "", "owner": owner, "created_at": _at()}
        found = {"name": name, "dataset": name, "grant_id": grant, "number": "1", "dataset_id": dataset}
        for number, mine in ((1, True), (2, False)):
            application = f"application-00000000000000{letter}{number}"
            row = Application(id=application, organisation=PARTNER, mine=mine, state="pending", **asked)
            self.session.add(row)
            found["asked" if mine else "application_id"] = application
        words = {"description": "", "columns": ("a",), "rows": 100, "published_at": _at()}
        self.session.add(Card(project=project, organisation=self.me, dataset=name, **words))
        self.session.add(
            Upload(
                id=f"upload-00000000000000{letter}1",
                owner=owner,
                name="people.csv",
                size_bytes=len(BYTES),
                received_bytes=len(BYTES),
                sha256=None,
                created_at=_at(),
                touched_at=_at(),
            )
        )
        place = uploads.part(self.directory, f"upload-00000000000000{letter}1")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(BYTES)
        source = f"source-00000000000000{letter}1"
        sealed = secrets.seal(self.directory, b"tiger", sources.purpose(source))
        spec = SourceSpec("postgresql", "127.0.0.1", 5432, "crm", "reader")
        self.session.add(
            Source(
                id=source,
                name=f"{side}-crm",
                owner=owner,
                spec=spec,
                secret=sealed,
                created_at=_at(),
                changed_at=_at(),
            )
        )
        return {**found, "upload_id": f"upload-00000000000000{letter}1", "source": f"{side}-crm", "source_id": source}

    def _jobs(self, side: str, letter: str, owner: str, project: ProjectId) -> dict[str, str]:
        job, task = JobId(f"job-00000000000000{letter}1"), TaskName("quality")
        parties = {GUEST: "bank", host(1): "telecom"}
        spec = PipelineSpec(f"{side} quality", f"{side}-risk", parties, {task: TaskSpec("evaluation")})
        ended = {"started_at": _at(), "ended_at": _at()}
        self.session.add(
            Job(
                id=job,
                name=spec.name,
                project=project,
                state="failed",
                me=GUEST,
                guest=self.me,
                spec=spec,
                versions={"evaluation": "1.0.0"},
                learns={},
                owner=owner,
                created_at=_at(),
                heard_at=_at(),
                **ended,
            )
        )
        self.session.flush()
        for party, organisation in ((GUEST, self.me), (host(1), PARTNER)):
            self.session.add(Participant(job=job, party=party, organisation=organisation, accepted=True))
        whole = {"component": "evaluation", "version": "1.0.0", "parties": (GUEST,), "after": (), "state": "succeeded"}
        self.session.add(Task(job=job, name=task, position=0, attempt=1, **whole, **ended))
        folder = self.directory / "jobs" / job / "report"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text('{"view": "quality", "values": {"rows": 100}}')
        report = Artefact("report", str(folder), hashlib.sha256((folder / "report.json").read_bytes()).hexdigest())
        made = {"report": report, "table": Artefact("table", "data/none/table.parquet", "0" * 64, 100, SCHEMA)}
        self.session.add(
            Attempt(
                job=job,
                task=task,
                number=1,
                party=GUEST,
                state="succeeded",
                ordered_at=_at(),
                outputs=made,
                **ended,
            )
        )
        log = self.directory / "log" / f"{job}-{task}-1.log"
        log.parent.mkdir(exist_ok=True)
        log.write_text("well\n")
        model = ModelVersionId(f"{job}:{task}")
        kept = self.directory / "jobs" / job / "model"
        kept.mkdir(exist_ok=True)
        (kept / "manifest.json").write_text(
            json.dumps(
                {"component": "hetero_boost", "version": "1.0.0", "party": "guest", "parties": {}, "settings": {}}
                | {"job": job, "task": task}
            )
        )
        lineage = {"project": project, "job": job, "task": task, "component": "hetero_boost", "version": "1.0.0"}
        sides = {GUEST: self.me, host(1): PARTNER}
        self.session.add(
            ModelVersion(
                id=model,
                name="score",
                me=GUEST,
                parties=sides,
                artefact=Artefact("model", str(kept), "0" * 64),
                metrics={},
                created_at=_at(),
                **lineage,
            )
        )
        self.session.add(
            Derived(
                id=f"derived-00000000000000{letter}1",
                name=f"{side}-aligned",
                digest=letter * 64,
                port="table",
                settings_digest="0" * 64,
                parties=sides,
                sources=(),
                artefact=Artefact("table", f"derived/{side}/table.parquet", "0" * 64, 100, SCHEMA),
                on_refresh="invalid",
                owner=owner,
                created_at=_at(),
                **lineage,
            )
        )
        ids = {"job_id": job, "task": task, "port": "report", "model_id": model, "derived": f"{side}-aligned"}
        return {**ids, "job": job}

    def _approvals(self, letter: str, owner: str, project: ProjectId) -> dict[str, str]:
        approval = f"approval-00000000000000{letter}1"
        self.session.add(
            Approval(
                id=approval,
                kind="project",
                subject=project,
                digest="d" * 64,
                state="pending",
                title="a project",
                details={},
                facts={},
                project=project,
                organisation="",
                requester=owner,
                needed=1,
                rule="",
                reason="",
                created_at=_at(),
                due_at=_at(days=1),
            )
        )
        delegation = f"delegation-00000000000000{letter}1"
        everything = {"approval": "", "created_at": _at(), "until": _at(days=1)}
        self.session.add(Delegation(id=delegation, giver=owner, receiver="user-0000000000000000", **everything))
        return {"approval_id": approval, "delegation_id": delegation}

    def _accounts(self, letter: str, owner: str) -> dict[str, str]:
        key = f"key-00000000000000{letter}1"
        secret = digest(load_pepper(self.directory), letter * 64)
        terms = {"scopes": {}, "networks": [], "per_minute": 600, "created_at": _at()}
        self.session.add(AccessKey(id=key, user=owner, name=f"key {letter}", digest=secret, **terms))
        seen = {"created_at": _at(), "seen_at": _at(), "ends_at": _at(hours=1)}
        session = f"session-00000000000000{letter}1"
        words = {"address": "127.0.0.1", "agent": "test"}
        self.session.add(UserSession(id=session, digest=letter * 64, user=owner, **words, **seen))
        self.session.add(Link(issuer="https://127.0.0.1:9", subject=f"person-{letter}", user=owner))
        told = Notification(
            reader=owner, kind="job.ended", words={"name": "a", "state": "failed"}, link="/jobs", at=_at()
        )
        self.session.add(told)
        self.session.flush()
        return {
            "key_id": key,
            "session_id": session,
            "user": owner,
            "subject": f"person-{letter}",
            "told": str(told.number),
        }

    def _planned(self, side: str, letter: str, owner: str, project: ProjectId) -> dict[str, str]:
        spec = PipelineSpec(f"{side} matching", f"{side}-risk", {GUEST: "bank"}, {TaskName("a"): TaskSpec("dataset")})
        row = pipelines.create(self.session, LOCAL, spec, "").pipeline
        self.session.flush()
        row.owner = owner
        pipeline = PipelineId(row.id)
        schedule = f"schedule-00000000000000{letter}1"
        self.session.add(
            Schedule(
                id=schedule,
                name=f"{side} nightly",
                project=project,
                owner=owner,
                trigger=Cron("0 6 * * *"),
                plan=Plan(pipeline=pipeline),
                state="active",
                reason=None,
                due_at=_at(days=300),
                dataset=None,
                seen=0,
                created_at=_at(),
            )
        )
        template = f"template-00000000000000{letter}1"
        self.session.add(
            Template(
                id=template,
                name=f"{side} matching",
                project=project,
                owner=owner,
                spec=TemplateSpec(f"{side} matching", {"en": "Match"}, msgspec.to_builtins(spec)),
                created_at=_at(),
            )
        )
        return {"pipeline_id": pipeline, "schedule_id": schedule, "template_id": template}
