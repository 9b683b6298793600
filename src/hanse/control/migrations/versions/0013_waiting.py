"""Participants whose approvers have to decide; jobs that were under way before approvals count as approved."""

import hashlib
import json
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0010"

_UNDER_WAY = (
    "SELECT id, project, guest, me, name, spec, versions, problems, created_at FROM jobs "
    "WHERE state IN ('proposed', 'running')"
)
_APPROVED = (
    "INSERT INTO approvals (id, kind, subject, digest, state, title, details, facts, project, organisation, "
    "requester, needed, rule, reason, created_at, due_at, ended_at) VALUES (:id, 'job', :job, :digest, 'approved', "
    ":name, '{}', '{}', :project, :organisation, :requester, 0, '', 'it was under way before approvals', "
    ":at, :at, :at)"
)


def upgrade() -> None:
    op.add_column("job_participants", sa.Column("pending", sa.Boolean(), server_default=sa.false(), nullable=False))
    connection = op.get_bind()
    for job in connection.execute(sa.text(_UNDER_WAY)).mappings().all():
        if not _has(connection, job["id"]) and not json.loads(job["problems"]):
            connection.execute(sa.text(_APPROVED), _describe(connection, dict(job)))


def _has(connection: sa.Connection, job: str) -> bool:
    query = sa.text("SELECT 1 FROM approvals WHERE kind = 'job' AND subject = :job")
    return connection.execute(query, {"job": job}).first() is not None


def _describe(connection: sa.Connection, job: dict[str, Any]) -> dict[str, Any]:
    query = sa.text("SELECT party, organisation FROM job_participants WHERE job = :job")
    parties = {row.party: row.organisation for row in connection.execute(query, {"job": job["id"]})}
    whole = [job["project"], json.loads(job["spec"]), parties, json.loads(job["versions"])]
    partner = "" if job["me"] == "guest" else job["guest"]
    return {
        "id": f"approval-{job['id'].removeprefix('job-')}",
        "job": job["id"],
        "digest": hashlib.sha256(msgspec.json.encode(whole, order="sorted")).hexdigest(),
        "name": job["name"],
        "project": job["project"],
        "organisation": partner,
        "requester": partner or "administrator",
        "at": job["created_at"],
    }
