"""Templates: pipelines with blanks that people keep."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "templates",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
        sa.UniqueConstraint("project", "name", name=op.f("uq_templates_project_name")),
    )
    for column in ("name", "project", "owner"):
        op.create_index(op.f(f"ix_templates_{column}"), "templates", [column], unique=False)
    op.create_index("ix_templates_created_at_id", "templates", ["created_at", "id"], unique=False)
