"""What an attempt leaves on its own disk: checkpoints, outputs, and its result."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from hanse.core.specs import Artefact, AttemptResult, AttemptSpec, ModelManifest
from hanse.sdk import artefacts
from hanse.sdk.component import Value
from hanse.sdk.files import write_file
from hanse.sdk.table import Table

KEPT = 2
SCRATCH = "scratch"
KEPT_FOLDER = "kept"
_name = re.compile(r"^(\d{8})\.(\d{1,6})\.checkpoint$")

Mark = tuple[int, int]
"""A checkpoint's number and the attempt that kept it: two parties' checkpoints fit when both agree."""


class Checkpoints:
    """The checkpoints of one party's task, over all of its attempts: files that are whole or absent, the last two.

    A number alone would not do: after a restart one party may still hold what an ended attempt kept under a number that
    another party has since kept anew.
    """

    def __init__(self, directory: Path, attempt: int) -> None:
        self._directory = directory
        self._attempt = attempt
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def scratch(self) -> Path:
        """Where the task's programs keep files beside their checkpoints; it goes when these go."""
        return self._directory / SCRATCH

    def marks(self) -> list[Mark]:
        """Return the marks of the whole checkpoints that are held, sorted."""
        found = [match for path in self._directory.iterdir() if (match := _name.match(path.name))]
        marks = sorted((int(match[1]), int(match[2])) for match in found)
        return [mark for mark in marks if self.read(mark) is not None]

    def read(self, mark: Mark) -> bytes | None:
        """Return what was kept under a mark, or None when it is absent or damaged."""
        path = self._path(mark)
        content = path.read_bytes() if path.is_file() else b""
        digest, state = content[:32], content[32:]
        return state if hashlib.sha256(state).digest() == digest else None

    def start_from(self, mark: Mark | None) -> None:
        """Forget every checkpoint after `mark`: the parties go on from there."""
        for held in self._held():
            if mark is None or (held != mark and held[0] >= mark[0]):
                self._path(held).unlink()

    def save(self, number: int, state: bytes) -> None:
        """Keep a checkpoint durably; of the older ones the latest stays."""
        write_file(self._path((number, self._attempt)), hashlib.sha256(state).digest() + state)
        for old in self._held()[:-KEPT]:
            self._path(old).unlink()

    def _held(self) -> list[Mark]:
        found = [match for path in self._directory.iterdir() if (match := _name.match(path.name))]
        return sorted((int(match[1]), int(match[2])) for match in found)

    def _path(self, mark: Mark) -> Path:
        return self._directory / f"{mark[0]:08d}.{mark[1]}.checkpoint"


def kept_folder(spec: AttemptSpec, needed: Iterable[str] = ()) -> Path:
    """Return where the attempt finds what outlives jobs; without a dataset behind it, what outlives its attempts.

    `needed` are the input ports that the component cannot do without. Where datasets reach one of these only, the
    folder is that of these datasets: else who proposes a job could have a second folder for the same dataset by naming
    another one for a port that may be empty.
    """
    named = {spec.kept_by_port[port] for port in needed if port in spec.kept_by_port} or {spec.kept}
    kept = named.pop() if len(named) == 1 else spec.kept
    return Path(kept) if kept else Path(spec.checkpoints) / KEPT_FOLDER


def save_outputs(spec: AttemptSpec, inputs: dict[str, Value], outputs: dict[str, Value]) -> dict[str, Artefact]:
    """Write every output below `outputs/` and return their records."""
    tables = [value for value in inputs.values() if isinstance(value, Table)]
    manifest = ModelManifest(
        component=spec.component,
        version=spec.version,
        party=spec.party,
        parties=spec.parties,
        settings=spec.settings,
        job=spec.job,
        task=spec.task,
        features=tables[0].schema.features if tables else (),
    )
    root = Path(spec.directory) / "outputs"
    return {port: artefacts.save(value, root / port, manifest) for port, value in outputs.items()}


def write_result(directory: str, result: AttemptResult) -> None:
    """Write `result.json`, whole: with it the attempt has ended."""
    write_file(Path(directory) / "result.json", msgspec.json.encode(result))
