"""Schedules and their records."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("project", sa.String(40), nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("due_at", sa.String(24), nullable=False),
        sa.Column("dataset", sa.String(32)),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    for column in ("project", "owner", "due_at"):
        op.create_index(op.f(f"ix_schedules_{column}"), "schedules", [column])
    op.create_table(
        "schedule_runs",
        sa.Column("schedule", sa.String(40), nullable=False),
        sa.Column("due_at", sa.String(24), nullable=False),
        sa.Column("job", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("noted_at", sa.String(24), nullable=False),
        sa.Column("lease_owner", sa.String(40)),
        sa.Column("lease_until", sa.String(24), nullable=False),
        sa.ForeignKeyConstraint(["schedule"], ["schedules.id"], name=op.f("fk_schedule_runs_schedule_schedules")),
        sa.PrimaryKeyConstraint("schedule", "due_at", name=op.f("pk_schedule_runs")),
    )
    op.create_index(op.f("ix_schedule_runs_state"), "schedule_runs", ["state"])


def downgrade() -> None:
    op.drop_table("schedule_runs")
    op.drop_table("schedules")
