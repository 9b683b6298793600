"""OpenID providers, sign-ins under way, and which provider opened a session."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "oidc_providers",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("title", sa.String(64), nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("client", sa.String(255), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("admits", sa.String(16), nullable=False),
        sa.Column("group_claim", sa.String(64), nullable=False),
        sa.Column("group_map", sa.Text(), nullable=False),
        sa.Column("default_groups", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_oidc_providers")),
        sa.UniqueConstraint("issuer", name=op.f("uq_oidc_providers_issuer")),
    )
    op.create_table(
        "oidc_sign_ins",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.String(24), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider"], ["oidc_providers.name"], name=op.f("fk_oidc_sign_ins_provider_oidc_providers")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_oidc_sign_ins")),
    )
    op.create_index(op.f("ix_oidc_sign_ins_provider"), "oidc_sign_ins", ["provider"])
    op.create_index(op.f("ix_oidc_sign_ins_expires_at"), "oidc_sign_ins", ["expires_at"])
    op.create_table(
        "oidc_sessions",
        sa.Column("session", sa.String(40), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider"], ["oidc_providers.name"], name=op.f("fk_oidc_sessions_provider_oidc_providers")
        ),
        sa.ForeignKeyConstraint(
            ["session"],
            ["user_sessions.id"],
            name=op.f("fk_oidc_sessions_session_user_sessions"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_oidc_sessions")),
    )
    op.create_index(op.f("ix_oidc_sessions_provider"), "oidc_sessions", ["provider"])
