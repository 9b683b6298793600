"""What members say of themselves, whom we trust no longer, and versions of a project's list of members."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0008"

TOLD = (("release", 200), ("region", 64), ("contact", 200), ("pool", 64), ("told_at", 24))


def upgrade() -> None:
    with op.batch_alter_table("members") as members:
        for name, length in TOLD:
            members.add_column(sa.Column(name, sa.String(length=length), server_default="", nullable=False))
    with op.batch_alter_table("projects") as projects:
        projects.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    with op.batch_alter_table("project_members") as places:
        places.add_column(sa.Column("since", sa.Integer(), server_default="1", nullable=False))
        places.add_column(sa.Column("agreed", sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE project_members SET agreed = 1 WHERE state = 'accepted'")
    op.create_table(
        "revocations",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("organisation", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("revoked_by", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_revocations")),
    )
    op.create_index(op.f("ix_revocations_organisation"), "revocations", ["organisation"], unique=False)
