"""Profiles of datasets, figures drawn for partners, and what partners tell of theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "dataset_profiles",
        sa.Column("dataset", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("older", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("asked_at", sa.String(24), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("alive_at", sa.String(24), nullable=False),
        sa.Column("ended_at", sa.String(24), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("peak_memory_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("figures", sa.Text(), nullable=True),
        sa.Column("drift", sa.Text(), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_dataset_profiles_dataset_datasets")),
        sa.PrimaryKeyConstraint("dataset", "version", "older", name=op.f("pk_dataset_profiles")),
    )
    op.create_index(op.f("ix_dataset_profiles_state"), "dataset_profiles", ["state"])
    op.create_table(
        "drawn_figures",
        sa.Column("dataset", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("column", sa.String(256), nullable=False),
        sa.Column("figure", sa.String(16), nullable=False),
        sa.Column("epsilon", sa.Integer(), nullable=False),
        sa.Column("drawn", sa.Text(), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_drawn_figures_dataset_datasets")),
        sa.PrimaryKeyConstraint("dataset", "version", "column", "figure", name=op.f("pk_drawn_figures")),
    )
    op.create_table(
        "privacy_budgets",
        sa.Column("dataset", sa.String(32), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_privacy_budgets_dataset_datasets")),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_privacy_budgets")),
    )
    op.create_table(
        "profile_shares",
        sa.Column("dataset", sa.String(32), nullable=False),
        sa.Column("project", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_profile_shares_dataset_datasets")),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name=op.f("fk_profile_shares_project_projects")),
        sa.PrimaryKeyConstraint("dataset", "project", name=op.f("pk_profile_shares")),
    )
    op.create_table(
        "partner_profiles",
        sa.Column("project", sa.String(32), nullable=False),
        sa.Column("organisation", sa.String(32), nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("received_at", sa.String(24), nullable=False),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name=op.f("fk_partner_profiles_project_projects")),
        sa.PrimaryKeyConstraint("project", "organisation", "dataset", name=op.f("pk_partner_profiles")),
    )
