"""Save pipelines and list them."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from hanse.control.pipelines.tables import Pipeline
from hanse.core.ids import PipelineId, new_id
from hanse.core.specs import PipelineSpec
from hanse.core.times import now


def save_pipeline(session: Session, spec: PipelineSpec) -> Pipeline:
    """Return the version of the pipeline that says exactly `spec`: the latest one, or a new one."""
    latest = _latest(session, spec.name)
    if latest is not None and latest.spec == spec:
        return latest
    version = 1 if latest is None else latest.version + 1
    saved = Pipeline(id=PipelineId(new_id("pipeline")), name=spec.name, version=version, spec=spec, created_at=now())
    session.add(saved)
    session.flush()
    return saved


def list_pipelines(session: Session) -> list[Pipeline]:
    """Return every version of every pipeline, newest first."""
    return list(session.scalars(select(Pipeline).order_by(Pipeline.created_at.desc(), Pipeline.version.desc())))


def _latest(session: Session, name: str) -> Pipeline | None:
    query = select(Pipeline).where(Pipeline.name == name).order_by(Pipeline.version.desc()).limit(1)
    return session.scalar(query)
