"""Clauses and versions of grants, their uses, applications and cards, derived datasets."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _clauses()
    _uses()
    _applications()
    _derived()


def _clauses() -> None:
    for table in ("grants", "offers"):
        op.add_column(table, sa.Column("clauses", sa.Text(), nullable=False, server_default="{}"))
        op.add_column(table, sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("grants", sa.Column("state", sa.String(16), nullable=False, server_default="given"))
    op.add_column("grants", sa.Column("owner", sa.String(40), nullable=False, server_default=""))
    op.create_index(op.f("ix_grants_owner"), "grants", ["owner"])
    op.create_table(
        "grant_terms",
        sa.Column("grant", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=True),
        sa.Column("until", sa.String(24), nullable=True),
        sa.Column("disclosure_limit", sa.Double(), nullable=False),
        sa.Column("clauses", sa.Text(), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["grant"], ["grants.id"], name=op.f("fk_grant_terms_grant_grants")),
        sa.PrimaryKeyConstraint("grant", "version", name=op.f("pk_grant_terms")),
    )


def _uses() -> None:
    op.create_table(
        "grant_uses",
        sa.Column("grant", sa.String(32), nullable=False),
        sa.Column("job", sa.String(32), nullable=False),
        sa.Column("guest", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.ForeignKeyConstraint(["grant"], ["grants.id"], name=op.f("fk_grant_uses_grant_grants")),
        sa.PrimaryKeyConstraint("grant", "job", name=op.f("pk_grant_uses")),
    )
    op.create_index("ix_grant_uses_grant_at", "grant_uses", ["grant", "at"])
    op.create_table(
        "dataset_reads",
        sa.Column("job", sa.String(32), nullable=False),
        sa.Column("task", sa.String(48), nullable=False),
        sa.Column("dataset", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("grant", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("job", "task", "dataset", name=op.f("pk_dataset_reads")),
    )


def _applications() -> None:
    op.create_table(
        "applications",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("organisation", sa.String(32), nullable=False),
        sa.Column("mine", sa.Boolean(), nullable=False),
        sa.Column("project", sa.String(32), nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("until", sa.String(24), nullable=True),
        sa.Column("disclosure_limit", sa.Double(), nullable=False),
        sa.Column("clauses", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("answer", sa.String(1000), nullable=False),
        sa.Column("grant", sa.String(32), nullable=True),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.Column("answered_at", sa.String(24), nullable=True),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name=op.f("fk_applications_project_projects")),
        sa.PrimaryKeyConstraint("id", "organisation", name=op.f("pk_applications")),
    )
    for column in ("project", "state", "owner", "created_at"):
        op.create_index(op.f(f"ix_applications_{column}"), "applications", [column])
    op.create_table(
        "cards",
        sa.Column("project", sa.String(32), nullable=False),
        sa.Column("organisation", sa.String(32), nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("description", sa.String(1000), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("rows", _NUMBER, nullable=False),
        sa.Column("published_at", sa.String(24), nullable=False),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name=op.f("fk_cards_project_projects")),
        sa.PrimaryKeyConstraint("project", "organisation", "dataset", name=op.f("pk_cards")),
    )


def _derived() -> None:
    op.create_table(
        "derived_datasets",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("project", sa.String(40), nullable=False),
        sa.Column("job", sa.String(32), nullable=False),
        sa.Column("task", sa.String(48), nullable=False),
        sa.Column("port", sa.String(48), nullable=False),
        sa.Column("component", sa.String(48), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("settings_digest", sa.String(64), nullable=False),
        sa.Column("parties", sa.Text(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("artefact", sa.Text(), nullable=False),
        sa.Column("on_refresh", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_derived_datasets")),
        sa.UniqueConstraint("name", name=op.f("uq_derived_datasets_name")),
        sa.UniqueConstraint("digest", name=op.f("uq_derived_datasets_digest")),
    )
    for column in ("project", "owner"):
        op.create_index(op.f(f"ix_derived_datasets_{column}"), "derived_datasets", [column])
