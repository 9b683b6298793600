"""What jobs are expected to take, and what their tasks took."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "expectations",
        sa.Column("job", sa.String(32), primary_key=True),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("estimate", sa.Text(), nullable=False),
    )
    op.create_table(
        "measures",
        sa.Column("job", sa.String(32), primary_key=True),
        sa.Column("task", sa.String(48), primary_key=True),
        sa.Column("component", sa.String(48), nullable=False),
        sa.Column("apply", sa.Boolean(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("machine", sa.String(200), nullable=False),
        sa.Column("modelled", sa.Text(), nullable=False),
        sa.Column("measured", sa.Text()),
        sa.Column("measured_at", sa.String(24), nullable=False),
    )
    op.create_index("ix_measures_of", "measures", ["component", "apply", "role", "machine", "measured_at"])
