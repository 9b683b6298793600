"""What a task's outputs follow from, whose results a job takes, and which saved pipeline it runs."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("reuse", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("jobs", sa.Column("pipeline", sa.String(40)))
    op.add_column("jobs", sa.Column("pipeline_version", sa.Integer()))
    op.add_column("jobs", sa.Column("fragment", sa.String(64), nullable=False, server_default=""))
    op.add_column("attempts", sa.Column("key", sa.String(64), nullable=False, server_default=""))
    op.add_column("attempts", sa.Column("reused_from", sa.String(32)))
    op.create_index("ix_attempts_key", "attempts", ["key"])
