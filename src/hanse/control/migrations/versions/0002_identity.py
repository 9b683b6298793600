"""Users, groups, sessions and access keys."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "groups",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_groups")),
    )
    op.create_table(
        "login_failures",
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=24), nullable=False),
        sa.Column("until", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_login_failures")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("password", sa.String(length=200), nullable=True),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("totp", sa.Text(), nullable=True),
        sa.Column("totp_since", sa.String(length=24), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("login_at", sa.String(length=24), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "access_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=True),
        sa.Column("previous_until", sa.String(length=24), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("networks", sa.Text(), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("expires_at", sa.String(length=24), nullable=True),
        sa.Column("used_at", sa.String(length=24), nullable=True),
        sa.Column("revoked_at", sa.String(length=24), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_access_keys_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_keys")),
    )
    op.create_index(op.f("ix_access_keys_user"), "access_keys", ["user"], unique=False)
    op.create_table(
        "group_users",
        sa.Column("group", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["group"], ["groups.name"], name=op.f("fk_group_users_group")),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_group_users_user")),
        sa.PrimaryKeyConstraint("group", "user", name=op.f("pk_group_users")),
    )
    op.create_index(op.f("ix_group_users_user"), "group_users", ["user"], unique=False)
    op.create_table(
        "project_people",
        sa.Column("project", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["project"], ["projects.id"], name=op.f("fk_project_people_project")),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_project_people_user")),
        sa.PrimaryKeyConstraint("project", "user", name=op.f("pk_project_people")),
    )
    op.create_index(op.f("ix_project_people_user"), "project_people", ["user"], unique=False)
    op.create_table(
        "recovery_codes",
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_recovery_codes_user")),
        sa.PrimaryKeyConstraint("user", "digest", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "tickets",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("expires_at", sa.String(length=24), nullable=False),
        sa.Column("used_at", sa.String(length=24), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_tickets_user")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_tickets")),
    )
    op.create_index(op.f("ix_tickets_user"), "tickets", ["user"], unique=False)
    op.create_table(
        "user_links",
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_user_links_user")),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_user_links")),
    )
    op.create_index(op.f("ix_user_links_user"), "user_links", ["user"], unique=False)
    op.create_table(
        "user_sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("seen_at", sa.String(length=24), nullable=False),
        sa.Column("ends_at", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name=op.f("fk_user_sessions_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_user_sessions_digest")),
    )
    op.create_index(op.f("ix_user_sessions_user"), "user_sessions", ["user"], unique=False)
