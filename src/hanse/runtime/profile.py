"""Measure a snapshot, compare two, or draw figures with noise: a local attempt, without a gateway."""

import os
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from hanse.core.faults import fault
from hanse.core.ids import JobId, TaskName
from hanse.core.profiles import ProfileSpec
from hanse.core.roles import GUEST
from hanse.core.specs import Artefact, AttemptSpec
from hanse.runtime import log
from hanse.runtime.task import conclude
from hanse.sdk.drawing import draw
from hanse.sdk.drift import compare
from hanse.sdk.engine import Bounds
from hanse.sdk.files import write_file
from hanse.sdk.profiling import measure

FIGURES = "figures.json"
NICE = 10
"""Jobs go first: nobody waits for figures as for them."""


def main(path: str) -> int:
    """Do what `path` (a `profile.json`) says, and return the exit status: 0 when it succeeded."""
    os.nice(NICE)
    spec = msgspec.json.decode(Path(path).read_bytes(), type=ProfileSpec)
    log.start(task="profile", work=spec.work)
    Path(spec.directory).mkdir(parents=True, exist_ok=True)
    return 0 if conclude(_as_attempt(spec), _work(spec)).state == "succeeded" else 1


async def _work(spec: ProfileSpec) -> dict[str, Artefact]:
    try:
        found = _find(spec)
    except Exception as error:
        if not isinstance(error, duckdb.Error) and type(error) is not Exception:
            raise
        # The engine, or what reads its batches, says it in words that may quote values: they stay in the log.
        if "Out of Memory" in str(error):
            raise fault("profile.memory", f"{spec.limits.memory_bytes >> 20} MiB are too few") from error
        raise fault("profile.failed", "the snapshot cannot be read") from error
    write_file(Path(spec.directory) / FIGURES, msgspec.json.encode(found))
    return {}


def _find(spec: ProfileSpec) -> Any:
    writes, bounds = Path(spec.directory), Bounds(spec.limits.threads, spec.limits.memory_bytes // 4)
    if spec.work == "measure":
        return measure(spec.table, writes, bounds)
    if spec.work == "draw":
        return draw(spec.table, spec.wanted, writes, bounds)
    if spec.older is None:
        raise fault("profile.failed", "there is nothing to compare with")
    return compare(spec.older, spec.table, writes, bounds)


def _as_attempt(spec: ProfileSpec) -> AttemptSpec:
    return AttemptSpec(
        job=JobId(""),
        task=TaskName("profile"),
        attempt=1,
        component="profile",
        version="",
        party=GUEST,
        parties={},
        settings={},
        inputs={},
        directory=spec.directory,
        checkpoints=spec.directory,
        limits=spec.limits,
    )
