"""Registries: what this node lists, and what it shows and reads in others'."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0021"

COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "register",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.String(24), nullable=False),
    )
    op.create_table(
        "register_entries",
        sa.Column("organisation", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("root_pem", sa.Text(), nullable=False),
        sa.Column("address", sa.String(255), nullable=False),
        sa.Column("sides", sa.String(8), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("signature", sa.String(256), nullable=False),
        sa.Column("serial", COUNT, nullable=False),
        sa.Column("listed_at", sa.String(24), nullable=False),
    )
    op.create_table(
        "register_proposals",
        sa.Column("proposer", sa.String(32), primary_key=True),
        sa.Column("target", sa.String(32), primary_key=True),
        sa.Column("at", sa.String(24), nullable=False),
    )
    op.create_table(
        "registries",
        sa.Column("organisation", sa.String(32), primary_key=True),
        sa.Column("projects", sa.Text(), nullable=False),
        sa.Column("datasets", sa.Text(), nullable=False),
        sa.Column("serial", COUNT, nullable=False),
        sa.Column("told", sa.String(64), nullable=False),
        sa.Column("told_at", sa.String(24), nullable=False),
        sa.Column("read_at", sa.String(24), nullable=False),
        sa.Column("trouble", sa.String(64), nullable=False),
    )
    op.create_table(
        "registry_listings",
        sa.Column("listed_by", sa.String(32), primary_key=True),
        sa.Column("organisation", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("root_pem", sa.Text(), nullable=False),
        sa.Column("address", sa.String(255), nullable=False),
        sa.Column("region", sa.String(200), nullable=False),
        sa.Column("contact", sa.String(200), nullable=False),
        sa.Column("sides", sa.String(8), nullable=False),
        sa.Column("projects", sa.Text(), nullable=False),
        sa.Column("datasets", sa.Text(), nullable=False),
        sa.Column("as_of", sa.String(24), nullable=False),
        sa.Column("vouch", sa.String(256), nullable=False),
    )
