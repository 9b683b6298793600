"""From where what is recorded was asked for; records in a chain of hashes, those of before included."""

from collections.abc import Iterator
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from hanse.control.audit.chain import START, Link, link_all

revision = "0018"
down_revision = "0023"

_PAGE = 1000
_TEXTS = {"person": 64, "door": 16, "via": 64, "address": 64, "correlation": 32, "project": 64, "partner": 64}
_OLD = ("at", "actor", "action", "subject", "details")


def upgrade() -> None:
    for name, characters in _TEXTS.items():
        op.add_column("audit_lines", _text(name, characters))
    op.add_column("audit_lines", _text("result", 64, "done"))
    op.add_column("audit_lines", _text("before", 64))
    op.add_column("audit_lines", _text("hash", 64))
    op.create_index("ix_audit_lines_at", "audit_lines", ["at"])
    for name in ("actor", "person", "subject", "project", "partner"):
        op.create_index(f"ix_audit_lines_{name}_number", "audit_lines", [name, "number"])
    op.create_table(
        "audit_chain",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        *(_number(name) for name in ("begins_after", "ends_with")),
        *(sa.Column(name, sa.String(64), nullable=False) for name in ("begins_hash", "ends_hash")),
        sa.PrimaryKeyConstraint("id", name="pk_audit_chain"),
    )
    _chain(op.get_bind())


def _text(name: str, characters: int, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.String(characters), nullable=False, server_default=default)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _chain(connection: sa.Connection) -> None:
    """Link the records of before, under their numbers; where a transaction was rolled back, a number is missing."""
    begins = end = Link(0, START)
    write = sa.text("UPDATE audit_lines SET person = :actor, before = :before, hash = :hash WHERE number = :number")
    for number, fields in _read(connection):
        if number != end.number + 1:
            _renumber(connection, number, end.number + 1)
        linked = next(link_all([fields], end))
        connection.execute(write, {name: linked[name] for name in ("actor", "before", "hash", "number")})
        end = Link(linked["number"], linked["hash"])
    row = {"begins": begins.number, "first": begins.hash, "ends": end.number, "last": end.hash}
    names = "id, begins_after, begins_hash, ends_with, ends_hash"
    connection.execute(sa.text(f"INSERT INTO audit_chain ({names}) VALUES (1, :begins, :first, :ends, :last)"), row)  # noqa: S608 (constants)


def _renumber(connection: sa.Connection, before: int, now: int) -> None:
    query = sa.text("UPDATE audit_lines SET number = :now WHERE number = :before")
    connection.execute(query, {"before": before, "now": now})


def _read(connection: sa.Connection) -> Iterator[tuple[int, dict[str, Any]]]:
    names = ", ".join(("number", *_OLD))
    page = sa.text(f"SELECT {names} FROM audit_lines WHERE number > :after ORDER BY number LIMIT {_PAGE}")  # noqa: S608 (constants)
    after = 0
    while rows := connection.execute(page, {"after": after}).mappings().all():
        for row in rows:
            fields = {**dict.fromkeys(_TEXTS, ""), **row, "person": row["actor"], "result": "done"}
            yield row["number"], fields | {"details": msgspec.json.decode(row["details"])}
        after = rows[-1]["number"]
