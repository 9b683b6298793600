"""Save pipelines, version by version; find, compare, copy, archive them and talk about them."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from hanse.control.access.callers import Caller, visible
from hanse.control.access.permissions import Permission
from hanse.control.audit import service as audit
from hanse.control.pipelines.tables import Pipeline, PipelineComment, PipelineVersion
from hanse.control.projects import service as projects
from hanse.core.differences import Change, compare
from hanse.core.documents import digest_pipeline
from hanse.core.faults import fault
from hanse.core.ids import PipelineId, ProjectId, new_id
from hanse.core.specs import PipelineSpec
from hanse.core.times import now

MOST_LISTED = 1000


class Saved(NamedTuple):
    """A pipeline with one of its versions."""

    pipeline: Pipeline
    version: PipelineVersion


def create(session: Session, caller: Caller, spec: PipelineSpec, note: str = "") -> Saved:
    """Save a pipeline as its first version. Raises `pipeline.invalid`, `pipeline.name_taken`, `project.*`."""
    saved = _create(session, caller, spec, note)
    audit.append(
        session, caller.id, "pipeline.create", saved.pipeline.id, name=spec.name, project=saved.pipeline.project
    )
    return saved


def save(
    session: Session, caller: Caller, pipeline_id: PipelineId, spec: PipelineSpec, expected: int, note: str = ""
) -> Saved:
    """Save the next version of a pipeline; what says the same as the latest one is the latest one.

    `expected` is the version that the author saw. Raises `pipeline.changed` when there is a later one,
    `pipeline.archived`, `pipeline.project` when the graph belongs to another project.
    """
    row = _change(session, caller, pipeline_id)
    if row.archived_at is not None:
        raise fault("pipeline.archived", f"{row.name!r} is archived")
    if row.version != expected:
        raise fault("pipeline.changed", f"version {row.version} of {row.name!r} is the latest, not {expected}")
    if projects.find(session, ProjectId(spec.project)).id != row.project:
        raise fault("pipeline.project", f"{row.name!r} belongs to another project than {spec.project!r}")
    latest = _version(session, row, row.version)
    if latest.sha256 == digest_pipeline(spec):
        return Saved(row, latest)
    if spec.name != row.name:
        _demand_free_name(session, row.project, spec.name)
    row.name, row.version, row.changed_at = spec.name, row.version + 1, now()
    version = _append(session, caller, row, spec, note)
    audit.append(session, caller.id, "pipeline.save", row.id, version=row.version, sha256=version.sha256)
    return Saved(row, version)


def find(session: Session, caller: Caller, pipeline_id: PipelineId, number: int | None = None) -> Saved:
    """Return a pipeline with its version `number`, the latest if not said. Raises `pipeline.unknown`."""
    row = _see(session, caller, pipeline_id)
    return Saved(row, _version(session, row, row.version if number is None else number))


def find_named(session: Session, caller: Caller, named: str, number: int | None = None) -> Saved:
    """Return a pipeline by its id or, if one alone has it, its name. Raises `pipeline.unknown`."""
    query = _visible(caller).where(or_(Pipeline.id == named, Pipeline.name == named))
    rows = list(session.scalars(query.where(or_(Pipeline.id == named, Pipeline.archived_at.is_(None)))))
    if len(rows) > 1:
        ids = ", ".join(row.id for row in rows)
        raise fault("pipeline.unknown", f"{len(rows)} pipelines are called {named!r}", f"say which: {ids}")
    return find(session, caller, rows[0].id if rows else PipelineId(named), number)


def list_pipelines(
    session: Session,
    caller: Caller,
    *,
    project: str = "",
    search: str = "",
    archived: bool = False,
    after: str = "",
    limit: int = 100,
) -> list[Pipeline]:
    """Return pipelines, newest first, from the one after `after` on. `search` is a part of the name."""
    query = _visible(caller).where(Pipeline.archived_at.is_not(None) if archived else Pipeline.archived_at.is_(None))
    if project:
        query = query.where(Pipeline.project == projects.find_visible(session, caller, project).id)
    if search:
        query = query.where(Pipeline.name.icontains(search, autoescape=True))
    if after:
        last = _see(session, caller, PipelineId(after))
        same = and_(Pipeline.created_at == last.created_at, Pipeline.id < last.id)
        query = query.where(or_(Pipeline.created_at < last.created_at, same))
    ordered = query.order_by(Pipeline.created_at.desc(), Pipeline.id.desc())
    return list(session.scalars(ordered.limit(min(limit, MOST_LISTED))))


def list_versions(session: Session, caller: Caller, pipeline_id: PipelineId) -> list[PipelineVersion]:
    """Return every version of a pipeline, newest first."""
    row = _see(session, caller, pipeline_id)
    query = select(PipelineVersion).where(PipelineVersion.pipeline == row.id)
    return list(session.scalars(query.order_by(PipelineVersion.number.desc()).limit(MOST_LISTED)))


def diff(session: Session, caller: Caller, pipeline_id: PipelineId, old: int, new: int) -> tuple[Change, ...]:
    """Return what changed from version `old` to version `new`."""
    row = _see(session, caller, pipeline_id)
    return compare(_version(session, row, old).spec, _version(session, row, new).spec)


def copy(session: Session, caller: Caller, pipeline_id: PipelineId, name: str, number: int | None = None) -> Saved:
    """Save a version of a pipeline as the first one of another pipeline in the same project."""
    source = find(session, caller, pipeline_id, number)
    spec = msgspec.structs.replace(source.version.spec, name=name)
    copied = _create(session, caller, spec, f"copy of {source.pipeline.name} {source.version.number}")
    told = {"source": pipeline_id, "version": source.version.number}
    audit.append(session, caller.id, "pipeline.copy", copied.pipeline.id, name=name, **told)
    return copied


def archive(session: Session, caller: Caller, pipeline_id: PipelineId) -> Pipeline:
    """Put a pipeline away: it is listed no more and gets no more versions. What it said can still be read."""
    row = _change(session, caller, pipeline_id)
    if row.archived_at is None:
        row.archived_at = now()
        audit.append(session, caller.id, "pipeline.archive", row.id, name=row.name)
    return row


def restore(session: Session, caller: Caller, pipeline_id: PipelineId) -> Pipeline:
    """Take a pipeline out of the archive again. Raises `pipeline.name_taken`."""
    row = _change(session, caller, pipeline_id)
    if row.archived_at is not None:
        _demand_free_name(session, row.project, row.name)
        row.archived_at = None
        audit.append(session, caller.id, "pipeline.restore", row.id, name=row.name)
    return row


def comment(
    session: Session, caller: Caller, pipeline_id: PipelineId, text: str, number: int | None = None
) -> PipelineComment:
    """Say something about a version of a pipeline that the caller may change."""
    row = _change(session, caller, pipeline_id)
    version = _version(session, row, row.version if number is None else number)
    said = PipelineComment(
        id=new_id("comment"),
        pipeline=row.id,
        version=version.number,
        author=caller.person,
        text=text,
        created_at=now(),
    )
    session.add(said)
    audit.append(session, caller.id, "pipeline.comment", row.id, version=version.number)
    return said


def list_comments(session: Session, caller: Caller, pipeline_id: PipelineId) -> list[PipelineComment]:
    """Return what was said of a pipeline, oldest first, the latest `MOST_LISTED`."""
    row = _see(session, caller, pipeline_id)
    query = select(PipelineComment).where(PipelineComment.pipeline == row.id)
    latest = session.scalars(query.order_by(PipelineComment.created_at.desc(), PipelineComment.id).limit(MOST_LISTED))
    return list(latest)[::-1]


def _create(session: Session, caller: Caller, spec: PipelineSpec, note: str) -> Saved:
    if not spec.name.strip():
        raise fault("pipeline.invalid", "a saved pipeline needs a name")
    project = projects.find_for(session, caller, Permission.PIPELINES_WRITE, spec.project).id
    _demand_free_name(session, project, spec.name)
    moment = now()
    row = Pipeline(
        id=PipelineId(new_id("pipeline")),
        name=spec.name,
        project=project,
        owner=caller.person,
        version=1,
        created_at=moment,
        changed_at=moment,
    )
    session.add(row)
    session.flush()
    return Saved(row, _append(session, caller, row, spec, note))


def _append(session: Session, caller: Caller, row: Pipeline, spec: PipelineSpec, note: str) -> PipelineVersion:
    version = PipelineVersion(
        pipeline=row.id,
        number=row.version,
        spec=spec,
        sha256=digest_pipeline(spec),
        author=caller.person,
        note=note,
        created_at=now(),
    )
    session.add(version)
    session.flush()
    return version


def _visible(caller: Caller) -> Select[Any]:
    owner, project = Pipeline.owner, Pipeline.project
    return visible(select(Pipeline), caller, Permission.PIPELINES_READ, owner=owner, project=project)


def _see(session: Session, caller: Caller, pipeline_id: PipelineId, *, lock: bool = False) -> Pipeline:
    query = _visible(caller).where(Pipeline.id == pipeline_id)
    row: Pipeline | None = session.scalars(query.with_for_update() if lock else query).first()
    if row is None:
        raise fault("pipeline.unknown", f"there is no pipeline {pipeline_id!r}")
    return row


def _change(session: Session, caller: Caller, pipeline_id: PipelineId) -> Pipeline:
    row = _see(session, caller, pipeline_id, lock=True)
    caller.demand(Permission.PIPELINES_WRITE, owner=row.owner, project=row.project)
    return row


def _version(session: Session, row: Pipeline, number: int) -> PipelineVersion:
    version = session.get(PipelineVersion, (row.id, number))
    if version is None:
        raise fault("pipeline.unknown", f"{row.name!r} has no version {number}")
    return version


def _demand_free_name(session: Session, project: ProjectId, name: str) -> None:
    query = select(Pipeline.id).where(
        Pipeline.project == project, Pipeline.name == name, Pipeline.archived_at.is_(None)
    )
    if session.scalar(query.limit(1)) is not None:
        raise fault("pipeline.name_taken", f"the project has a pipeline {name!r}")
