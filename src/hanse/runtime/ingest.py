"""Read a file, or what a database holds, into a snapshot: a local attempt, without a gateway."""

import sys
from pathlib import Path

import msgspec

from hanse.core.ids import JobId, TaskName
from hanse.core.roles import GUEST
from hanse.core.specs import Artefact, AttemptSpec, IngestSpec, Intake
from hanse.runtime import log
from hanse.runtime.readers.stage import stage
from hanse.runtime.task import conclude
from hanse.sdk.files import digest, write_file
from hanse.sdk.identifiers import count_misfits
from hanse.sdk.ingest import ingest

INTAKE = "intake.json"


def main(path: str) -> int:
    """Ingest what `path` (an `ingest.json`) names, and return the exit status: 0 when it succeeded."""
    spec = msgspec.json.decode(Path(path).read_bytes(), type=IngestSpec)
    log.start(task="ingest", source=Path(spec.source).name)
    Path(spec.directory).mkdir(parents=True, exist_ok=True)
    return 0 if conclude(as_attempt(spec), _work(spec)).state == "succeeded" else 1


async def _work(spec: IngestSpec) -> dict[str, Artefact]:
    if spec.reader is None:
        return {"table": _take_in(spec)}
    staged = stage(spec.reader, sys.stdin.read(), Path(spec.directory), spec.limits)
    try:
        return {"table": _take_in(msgspec.structs.replace(spec, source=str(staged)))}
    finally:
        staged.unlink(missing_ok=True)


def _take_in(spec: IngestSpec) -> Artefact:
    artefact, source = ingest(spec), Path(spec.source)
    intake = Intake(source.stat().st_size, digest(source), count_misfits(artefact, spec))
    write_file(Path(spec.directory) / INTAKE, msgspec.json.encode(intake))
    return artefact


def as_attempt(spec: IngestSpec) -> AttemptSpec:
    """Return the frame of an attempt around an ingest, which has no job and no other party."""
    return AttemptSpec(
        job=JobId(""),
        task=TaskName("ingest"),
        attempt=1,
        component="dataset",
        version="",
        party=GUEST,
        parties={},
        settings={},
        inputs={},
        directory=spec.directory,
        checkpoints=spec.directory,
        limits=spec.limits,
    )
