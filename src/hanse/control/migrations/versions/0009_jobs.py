"""Whose a job is, how urgent, what it waits for, how long it may take; which node processes run attempts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0004"


def list_columns() -> tuple[sa.Column[Any], ...]:
    seconds = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return (
        sa.Column("owner", sa.String(40), nullable=False, server_default=""),
        sa.Column("priority", sa.Integer(), nullable=False, server_default="5"),
        sa.Column("retry_of", sa.String(32)),
        sa.Column("time_limit_s", seconds, nullable=False, server_default="0"),
        sa.Column("task_time_limit_s", seconds, nullable=False, server_default="0"),
        sa.Column("waiting", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("archived_at", sa.String(24)),
    )


def upgrade() -> None:
    for column in list_columns():
        op.add_column("jobs", column)
    op.create_index("ix_jobs_owner", "jobs", ["owner"])
    op.add_column("job_participants", sa.Column("asked_at", sa.String(24)))
    op.create_index("ix_job_events_kind_at", "job_events", ["kind", "at"])
    op.create_table(
        "workplaces",
        sa.Column("owner", sa.String(40), primary_key=True),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("seen_at", sa.String(24), nullable=False),
    )
    turnstile = op.create_table("job_turnstile", sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False))
    op.bulk_insert(turnstile, [{"id": 1}])
