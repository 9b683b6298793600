"""Approvals, votes, watchers, delegations, policies and rules."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REQUIRED = {"member": "always", "project": "partner", "job": "partner", "application": "always"}
_KINDS = ("member", "project", "grant", "application", "job", "model", "service", "download")


def upgrade() -> None:
    _approvals()
    _rules()


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("project", sa.String(length=40), nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("requester", sa.String(length=64), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("due_at", sa.String(length=24), nullable=False),
        sa.Column("ended_at", sa.String(length=24), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_approvals")),
        sa.UniqueConstraint("id", name=op.f("uq_approvals_id")),
    )
    op.create_index("ix_approvals_subject", "approvals", ["kind", "subject"], unique=False)
    for column in ("state", "project", "requester", "rule", "created_at"):
        op.create_index(op.f(f"ix_approvals_{column}"), "approvals", [column], unique=False)
    op.create_table(
        "approval_votes",
        sa.Column("approval", sa.String(length=40), nullable=False),
        sa.Column("voter", sa.String(length=64), nullable=False),
        sa.Column("authority", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("at", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(["approval"], ["approvals.id"], name=op.f("fk_approval_votes_approval")),
        sa.PrimaryKeyConstraint("approval", "voter", name=op.f("pk_approval_votes")),
        sa.UniqueConstraint("approval", "authority", name=op.f("uq_approval_votes_approval_authority")),
    )
    op.create_table(
        "approval_watchers",
        sa.Column("approval", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["approval"], ["approvals.id"], name=op.f("fk_approval_watchers_approval")),
        sa.PrimaryKeyConstraint("approval", "person", name=op.f("pk_approval_watchers")),
    )
    op.create_table(
        "approval_delegations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("giver", sa.String(length=64), nullable=False),
        sa.Column("receiver", sa.String(length=64), nullable=False),
        sa.Column("approval", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("until", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_delegations")),
    )
    for column in ("giver", "receiver"):
        op.create_index(op.f(f"ix_approval_delegations_{column}"), "approval_delegations", [column], unique=False)


def _rules() -> None:
    policies = op.create_table(
        "approval_policies",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("required", sa.String(length=8), nullable=False),
        sa.Column("approvers", sa.Integer(), nullable=False),
        sa.Column("remind_hours", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_approval_policies")),
    )
    rows = [{"kind": kind, "required": _REQUIRED.get(kind, "never")} for kind in _KINDS]
    op.bulk_insert(policies, [row | {"approvers": 1, "remind_hours": 24} for row in rows])
    op.create_table(
        "approval_rules",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("project", sa.String(length=40), nullable=False),
        sa.Column("partner", sa.String(length=32), nullable=False),
        sa.Column("components", sa.Text(), nullable=False),
        sa.Column("most_disclosure", sa.Double(), nullable=True),
        sa.Column("most_rows", _NUMBER, nullable=True),
        sa.Column("a_day", sa.Integer(), nullable=True),
        sa.Column("until", sa.String(length=24), nullable=True),
        sa.Column("maker", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("removed_at", sa.String(length=24), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_rules")),
    )
    op.create_index(op.f("ix_approval_rules_kind"), "approval_rules", ["kind"], unique=False)
