"""How much the links to members carry, as measured: what estimates of jobs reckon with."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "link_rates",
        sa.Column("organisation", sa.String(32), primary_key=True),
        sa.Column("bytes_s", sa.Double(), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
    )
