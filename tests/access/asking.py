"""What is sent to try an operation: its query and body, with `{word}` where an object of the world is named."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.access.world import BYTES, CODE, PARTNER

PIPELINE = {
    "name": "matching",
    "project": "{project}",
    "parties": {"guest": "bank", "host-1": "telecom"},
    "tasks": {"align": {"component": "no_such_component"}},
}
TEMPLATE = {
    "name": "another matching",
    "title": {"en": "Match", "zh": "求交"},
    "pipeline": {**PIPELINE, "project": "risk"},
}
UNTIL = "2099-01-01T00:00:00Z"
TERMS = {"columns": ["a"], "disclosure_limit": 0.1}
PROVIDER = {"title": "Staff", "client_id": "hanse"}
SOURCE = {
    "name": "another",
    "kind": "mysql",
    "host": "127.0.0.1",
    "database": "crm",
    "user": "reader",
    "password": "tiger",
}
CRON = {"kind": "cron", "expression": "0 6 * * *"}
NEW = "another-2f0c"
GONE = "ffffffffffffffff"
PASSWORD = "twelve green bicycles"


class Ask(NamedTuple):
    """One operation's request. `body` None: none is sent; bytes go as they are. `words` names path parameters anew."""

    body: Any = None
    query: str = ""
    words: Mapping[str, str] = {}


HOUSE = {
    "channel_id": "channel-00000000000000a1",
    "rule_id": "rule-00000000000000a1",
    "organisation": str(PARTNER),
    "organisation_id": str(PARTNER),
    "invitation_id": CODE,
    "kind": "job",
    "component": "evaluation",
    "provider": "staff",
    "registry": str(PARTNER),
    "group": "auditor",
}
"""What belongs to the house and to nobody in it."""

MEANINGS = {
    "cards": {"dataset": "name"},
    "components": {"name": "component"},
    "derived": {"name": "derived"},
    "groups": {"name": "group", "user": "person"},
    "providers": {"name": "provider"},
    "sources": {"name": "source"},
    "projects": {"project": "project", "user": "person"},
}
"""What a path parameter means under the first word of a path, where it means something else than its name says."""

ASKS: dict[str, Ask] = {
    "accept_project": Ask(words={"project_id": "offered"}),
    "add_project_members": Ask({"members": ["telecom"]}),
    "add_register_entry": Ask({"address": "127.0.0.1:1", "fingerprint": "not one"}),
    "add_rule": Ask({"kind": "job"}),
    "add_source": Ask(SOURCE),
    "add_template": Ask({"project": "{project}", "template": TEMPLATE}),
    "change_source": Ask({"user": "reader"}),
    "approve_application": Ask(TERMS),
    "approve_approval": Ask({"digest": "d" * 64}),
    "ask_for_data": Ask({"project": "{project}", "organisation": "telecom", "dataset": "lines", **TERMS}),
    "begin_sign_in": Ask(query="provider=staff"),
    "change_channel": Ask({"name": "room", "url": "https://127.0.0.1:9/hook", "secret": "a key of signatures"}),
    "change_grant": Ask(TERMS),
    "change_group": Ask({"permissions": {"audit.read": "all"}}),
    "change_password": Ask({"old": "not the password", "password": PASSWORD}),
    "change_policy": Ask({"required": "partner"}),
    "change_provider": Ask(PROVIDER),
    "change_subscriptions": Ask({}),
    "change_user": Ask({"email": "new@bank.example"}),
    "check_link": Ask({"target": "nobody"}),
    "check_pipeline": Ask({"pipeline": PIPELINE}),
    "estimate_job": Ask({"pipeline": PIPELINE}),
    "check_template_values": Ask({"values": {}}),
    "choose_password": Ask({"code": "not-a-code", "password": PASSWORD}),
    "comment_pipeline": Ask({"text": "well"}),
    "compare_dataset_versions": Ask(query="old=1&new=2"),
    "compare_dataset_profiles": Ask({"old": 1, "new": 2}),
    "complete_upload": Ask({"sha256": hashlib.sha256(BYTES).hexdigest()}),
    "confirm_member": Ask({"fingerprint": "not one"}),
    "confirm_totp": Ask({"code": "000000"}),
    "copy_pipeline": Ask({"name": NEW}),
    "create_channel": Ask(
        {"name": NEW, "kind": "webhook", "url": "https://127.0.0.1:9/hook", "secret": "a key of signatures"}
    ),
    "create_group": Ask({"name": NEW, "permissions": {"audit.read": "all"}}),
    "create_key": Ask({"name": NEW, "scopes": {"jobs.read": "own"}}),
    "create_pipeline": Ask({"pipeline": PIPELINE}),
    "create_project": Ask({"name": NEW, "members": ["telecom"]}),
    "create_provider": Ask({**PROVIDER, "name": NEW, "issuer": "https://127.0.0.1:10"}),
    "create_schedule": Ask({"name": NEW, "trigger": CRON, "pipeline": "{pipeline_id}"}),
    "create_upload": Ask({"name": "more.csv", "size_bytes": 10}),
    "create_user": Ask({"name": NEW}),
    "delegate_approvals": Ask({"to": "{somebody}", "until": UNTIL, "approval": "{approval_id}"}),
    "delete_dataset": Ask(query="digest=" + "0" * 64),
    "describe_dataset": Ask({"description": "people"}),
    "diff_pipeline": Ask(query="old=1&new=1"),
    "end_sign_in": Ask(query="provider=staff"),
    "fill_template": Ask({"values": {}}),
    "follow_registry": Ask({"registry": "telecom"}),
    "enrol_totp": Ask({"password": "not the password"}),
    "get_dataset_drift": Ask(query="old=1&new=2"),
    "get_report": Ask(words={"task": "task"}),
    "give_grant": Ask({"dataset": "{name}", "project": "{project}", **TERMS}),
    "inspect_invitation": Ask({"code": "not-a-code"}),
    "issue_invitation": Ask({}),
    "join": Ask({"code": "not-a-code", "fingerprint": "0"}),
    "link_user": Ask({"provider": "staff", "subject": NEW}),
    "list_cards": Ask(query="project={project}"),
    "log_in": Ask({"name": "nobody", "password": PASSWORD}),
    "mark_notifications_read": Ask({}),
    "leave_project": Ask(words={"project_id": "offered"}),
    "price_profile_share": Ask({"version": 1, "figures": [{"figure": "rows"}]}),
    "profile_dataset": Ask({"version": 1}),
    "propose_pairing": Ask({"fingerprint": "not one"}),
    "publish_card": Ask({"project": "{project}", "dataset": "{name}", "columns": ["a"]}),
    "refresh_dataset": Ask({"path": "/no/such/file.csv"}),
    "register_dataset": Ask({"name": "{name}", "path": "/no/such/file.csv", "id_column": "id"}),
    "reject_application": Ask({"answer": "no"}),
    "reject_approval": Ask({"digest": "d" * 64}),
    "refresh_registry": Ask({}),
    "remove_totp": Ask({"password": "not the password"}),
    "reset_user": Ask({}),
    "revoke_member": Ask({}),
    "remove_job": Ask(query="digest=" + "0" * 64),
    "rotate_key": Ask({}),
    "run_pipeline": Ask({}, words={"pipeline": "pipeline_id"}),
    "save_derived": Ask({"name": NEW, "job": "{job}", "task": "quality", "port": "table"}),
    "save_pipeline": Ask({"pipeline": PIPELINE, "expected": 1}),
    "send_chunk": Ask(b"x", query="offset=0&sha256=" + "0" * 64),
    "set_job_priority": Ask({"priority": 3}),
    "switch_register": Ask({"is_open": False}),
    "set_privacy_budget": Ask({"most": 2.0}),
    "set_up": Ask({"code": "not-a-code", "name": NEW, "password": PASSWORD}),
    "share_profile": Ask({"project": "{project}", "version": 1, "figures": [{"figure": "rows"}]}),
    "start_job": Ask({"pipeline": PIPELINE}),
    "test_channel": Ask({}),
    "unlink_user": Ask(query="provider=staff&subject={subject}"),
    "watch_approval": Ask({}),
    "withdraw_application": Ask(words={"application_id": "asked"}),
}
"""By operation; whoever is not here is asked without a body and a query."""

SHARED = frozenset(HOUSE) | {"somebody", "task", "port", "number"}
"""Words whose object is the same for everybody: they alone tell no side."""


LISTS = {
    "list_applications": "application_id",
    "list_approvals": "approval_id",
    "list_datasets": "dataset_id",
    "list_delegations": "delegation_id",
    "list_derived": "derived",
    "list_grants": "grant_id",
    "list_jobs": "job_id",
    "list_keys": "key_id",
    "list_models": "model_id",
    "list_pipelines": "pipeline_id",
    "list_projects": "project_id",
    "list_schedules": "schedule_id",
    "list_sessions": "session_id",
    "list_sources": "source_id",
    "list_templates": "template_id",
    "list_uploads": "upload_id",
    "list_users": "user",
}
"""What tells in a list that an object is in it."""


class Tried(NamedTuple):
    """A request that is made of an operation and a side."""

    path: str
    query: str
    body: bytes


class Operation(NamedTuple):
    """One operation of the interface: where it is, and which words of the world its request names."""

    name: str
    verb: str
    path: str

    @property
    def ask(self) -> Ask:
        return ASKS.get(self.name, Ask())

    @property
    def template(self) -> str:
        """Path, query and body as one text, in which the world's words stand as `{word}`."""
        meanings = {**MEANINGS.get(self.path.split("/")[2], {}), **self.ask.words}
        path = re.sub(r"\{(\w+)\}", lambda found: "{" + meanings.get(found[1], found[1]) + "}", self.path)
        body = self.ask.body
        text = "" if body is None or isinstance(body, bytes) else json.dumps(body)
        return f"{path}\n{self.ask.query}\n{text}"

    @property
    def words(self) -> frozenset[str]:
        return frozenset(re.findall(r"\{(\w+)\}", self.template))

    def objects(self) -> tuple[str, ...]:
        """Return on which objects it is tried: own, other, missing; any, missing; or `-` where there is none."""
        if self.name in LISTS:
            return ("own", "other")
        if self.words - SHARED:
            return ("own", "other", "missing")
        return ("any", "missing") if self.words else ("-",)

    def fill(self, words: Mapping[str, str]) -> Tried:
        """Return its request about these objects."""
        path, query, body = re.sub(r"\{(\w+)\}", lambda found: words[found[1]], self.template).split("\n", 2)
        raw = self.ask.body
        return Tried(path, query, raw if isinstance(raw, bytes) else body.encode())


def operations(description: Mapping[str, Any]) -> list[Operation]:
    """Return the operations of an OpenAPI document by name."""
    found = [
        Operation(operation["operationId"], verb.upper(), path)
        for path, verbs in description["paths"].items()
        for verb, operation in verbs.items()
    ]
    return sorted(found)


def missing(words: Mapping[str, str]) -> dict[str, str]:
    """Return names of things that are not there, in the form of those that are."""
    return {word: _gone(value) for word, value in words.items() if word not in SHARED or word in HOUSE}


def _gone(value: str) -> str:
    return re.sub("[0-9a-f]{16}", GONE, value) if re.search("[0-9a-f]{16}", value) else "absent"
