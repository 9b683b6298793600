"""Datasets have owners, descriptions, labels of sensitivity and a history; files come in chunks."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("datasets", sa.Column("owner", sa.String(length=40), nullable=False, server_default="administrator"))
    op.add_column("datasets", sa.Column("description", sa.Text(), nullable=False, server_default=""))
    op.add_column("datasets", sa.Column("tags", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("datasets", sa.Column("sensitivity", sa.String(length=12), nullable=False, server_default="internal"))
    op.add_column("datasets", sa.Column("sensitivities", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("datasets", sa.Column("deleted_at", sa.String(length=24), nullable=True))
    op.create_index("ix_datasets_owner", "datasets", ["owner"])
    op.add_column("dataset_versions", sa.Column("reading", sa.Text(), nullable=True))
    op.add_column("dataset_versions", sa.Column("source_bytes", NUMBER, nullable=False, server_default="0"))
    op.add_column(
        "dataset_versions", sa.Column("source_sha256", sa.String(length=64), nullable=False, server_default="")
    )
    op.add_column("dataset_versions", sa.Column("misfits", NUMBER, nullable=False, server_default="0"))
    op.add_column("dataset_versions", sa.Column("retired_at", sa.String(length=24), nullable=True))
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("size_bytes", NUMBER, nullable=False),
        sa.Column("received_bytes", NUMBER, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("touched_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_owner", "uploads", ["owner"])
    op.create_index("ix_uploads_touched_at", "uploads", ["touched_at"])
