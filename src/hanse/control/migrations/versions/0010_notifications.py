"""Notifications, subscriptions, channels and deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0011"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _notifications()
    _wishes()
    _channels()


def _notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("reader", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("link", sa.String(200), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("read_at", sa.String(24), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_notifications")),
    )
    op.create_index("ix_notifications_reader_read_at", "notifications", ["reader", "read_at"])
    for column in ("link", "at"):
        op.create_index(op.f(f"ix_notifications_{column}"), "notifications", [column])


def _wishes() -> None:
    op.create_table(
        "notification_languages",
        sa.Column("reader", sa.String(64), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.PrimaryKeyConstraint("reader", name=op.f("pk_notification_languages")),
    )
    op.create_table(
        "notification_subscriptions",
        sa.Column("reader", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("medium", sa.String(8), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("reader", "kind", "medium", name=op.f("pk_notification_subscriptions")),
    )


def _channels() -> None:
    op.create_table(
        "notification_channels",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("language", sa.String(2), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(24), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_channels")),
        sa.UniqueConstraint("name", name=op.f("uq_notification_channels_name")),
    )
    op.create_table(
        "notification_deliveries",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("channel", sa.String(40), nullable=False),
        sa.Column("reader", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("link", sa.String(200), nullable=False),
        sa.Column("at", sa.String(24), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.String(24), nullable=False),
        sa.Column("error", sa.String(300), nullable=False),
        sa.Column("ended_at", sa.String(24), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel"],
            ["notification_channels.id"],
            name=op.f("fk_notification_deliveries_channel_notification_channels"),
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_notification_deliveries")),
    )
    op.create_index(op.f("ix_notification_deliveries_channel"), "notification_deliveries", ["channel"])
    op.create_index("ix_notification_deliveries_state_due_at", "notification_deliveries", ["state", "due_at"])
