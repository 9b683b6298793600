"""Pipelines with an owner, a project, versions and comments."""

import itertools
import json

import msgspec
import sqlalchemy as sa
from alembic import op

from hanse.core.documents import digest_pipeline
from hanse.core.specs import PipelineSpec

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    saved = _read_saved()
    op.drop_index(op.f("ix_pipelines_name"), table_name="pipelines")
    op.drop_table("pipelines")
    op.create_table(
        "pipelines",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("project", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.Column("changed_at", sa.String(length=24), nullable=False),
        sa.Column("archived_at", sa.String(length=24), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipelines")),
    )
    for column in ("name", "project", "owner"):
        op.create_index(op.f(f"ix_pipelines_{column}"), "pipelines", [column], unique=False)
    op.create_index("ix_pipelines_created_at_id", "pipelines", ["created_at", "id"], unique=False)
    op.create_table(
        "pipeline_versions",
        sa.Column("pipeline", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=40), nullable=False),
        sa.Column("note", sa.String(length=1000), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(["pipeline"], ["pipelines.id"], name=op.f("fk_pipeline_versions_pipeline_pipelines")),
        sa.PrimaryKeyConstraint("pipeline", "number", name=op.f("pk_pipeline_versions")),
    )
    op.create_table(
        "pipeline_comments",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("pipeline", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(["pipeline"], ["pipelines.id"], name=op.f("fk_pipeline_comments_pipeline_pipelines")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipeline_comments")),
    )
    op.create_index(op.f("ix_pipeline_comments_pipeline"), "pipeline_comments", ["pipeline"], unique=False)
    _write_saved(saved)


def downgrade() -> None:
    for table in ("pipeline_comments", "pipeline_versions", "pipelines"):
        op.drop_table(table)
    op.create_table(
        "pipelines",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipelines")),
    )
    op.create_index(op.f("ix_pipelines_name"), "pipelines", ["name"], unique=False)


def _read_saved() -> list[tuple[str, str, str, str]]:
    """Return (id, name, spec, created_at) of what earlier releases kept of each pipeline that was run, oldest first."""
    columns = sa.table("pipelines", *map(sa.column, ("id", "name", "version", "spec", "created_at")))
    query = sa.select(columns.c.id, columns.c.name, columns.c.spec, columns.c.created_at)
    rows = op.get_bind().execute(query.order_by(columns.c.name, columns.c.version)).all()
    return [(row.id, row.name, row.spec, row.created_at) for row in rows]


def _write_saved(saved: list[tuple[str, str, str, str]]) -> None:
    pipelines = sa.table(
        "pipelines", *map(sa.column, ("id", "name", "project", "owner", "version", "created_at", "changed_at"))
    )
    versions = sa.table(
        "pipeline_versions",
        *map(sa.column, ("pipeline", "number", "spec", "sha256", "author", "note", "created_at")),
    )
    projects = sa.table("projects", sa.column("id"), sa.column("name"))
    known = {row.name: row.id for row in op.get_bind().execute(sa.select(projects.c.id, projects.c.name))}
    for name, group in itertools.groupby(saved, key=lambda row: row[1]):
        rows = list(group)
        first, last = rows[0], rows[-1]
        said = json.loads(last[2])["project"]
        values = {"id": first[0], "name": name, "project": known.get(said, said)[:40], "owner": "administrator"}
        times = {"created_at": first[3], "changed_at": last[3]}
        op.execute(pipelines.insert().values(**values, version=len(rows), **times))
        for number, (_, _, spec, created_at) in enumerate(rows, 1):
            op.execute(
                versions.insert().values(
                    pipeline=first[0],
                    number=number,
                    spec=spec,
                    sha256=_digest(spec),
                    author="administrator",
                    note="",
                    created_at=created_at,
                )
            )


def _digest(spec: str) -> str:
    return digest_pipeline(msgspec.json.decode(spec, type=PipelineSpec))
