"""Register a dataset: a local attempt reads the file, checks it and writes a snapshot; then it is noted.

The control plane reads no data itself, so that a file that kills its reader kills no node.
"""

import asyncio
import os
import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hanse.control.database import Database
from hanse.control.datasets import service as datasets
from hanse.control.datasets.service import Snapshot
from hanse.control.settings import environment_of_child
from hanse.core.faults import HanseError, fault
from hanse.core.ids import DatasetId, new_id
from hanse.core.specs import Artefact, AttemptResult, IngestSpec, Limits

DATA, LOG, ORDER = "data", "log", "ingest.json"
LOG_TAIL_BYTES = 2000


@dataclass
class Registration:
    """Registers datasets of the node in `directory`, one file at a time."""

    directory: Path
    database: Database
    limits: Limits = field(default_factory=Limits)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _reader: asyncio.subprocess.Process | None = None

    async def register(self, name: str, path: str, id_column: str, label_column: str | None = None) -> Snapshot:
        """Read the file at `path` (on this machine) and note it as dataset `name`. Raises `dataset.*`."""
        source = Path(path)
        _demand_file(source)
        async with self._turn:
            folder = self.directory / DATA / new_id("snapshot")
            try:
                artefact = await self._ingest(
                    IngestSpec(str(source), id_column, str(folder), label_column, self.limits)
                )
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            return await asyncio.to_thread(self._note, name, artefact, source)

    def sweep(self) -> None:
        """Remove what readers left that a crash has stopped: snapshots that no dataset knows."""
        with self.database.read() as session:
            known = {self.directory / path for path in datasets.list_paths(session)}
        for folder in (self.directory / DATA).glob("snapshot-*"):
            if not any(folder in path.parents for path in known):
                shutil.rmtree(folder, ignore_errors=True)

    async def stop(self) -> None:
        """End the reader that is running."""
        if self._reader is not None:
            await _end(self._reader)

    async def _ingest(self, spec: IngestSpec) -> Artefact:
        folder = Path(spec.directory)
        log = self.directory / LOG / f"{folder.name}.log"
        await asyncio.to_thread(_lay_out, folder, spec, log)
        with log.open("wb") as file:
            self._reader = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hanse.runtime", "ingest", str(folder / ORDER)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=environment_of_child(folder),
                start_new_session=True,
            )
        try:
            code = await self._reader.wait()
        except asyncio.CancelledError:
            await _end(self._reader)
            raise
        finally:
            self._reader = None
        return await asyncio.to_thread(self._outcome, folder, log, code)

    def _outcome(self, folder: Path, log: Path, code: int) -> Artefact:
        result = _read_result(folder / "result.json")
        if result is not None and result.fault is not None:
            raise HanseError(result.fault)
        if result is None or code != 0 or "table" not in result.outputs:
            raise fault("dataset.ingest", f"the process that read the file ended with {code}: {_tail(log)}")
        log.unlink(missing_ok=True)
        artefact = result.outputs["table"]
        place = (folder / artefact.path).relative_to(self.directory)
        return msgspec.structs.replace(artefact, path=str(place))

    def _note(self, name: str, artefact: Artefact, source: Path) -> Snapshot:
        """Note the snapshot, or remove it again when it may not be noted or its content is there already."""
        folder = (self.directory / artefact.path).parent
        try:
            with self.database.write() as session:
                snapshot = datasets.record(session, name, DatasetId(new_id("dataset")), artefact, str(source))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if snapshot.version.path != artefact.path:
            shutil.rmtree(folder, ignore_errors=True)
        return snapshot


def _lay_out(folder: Path, spec: IngestSpec, log: Path) -> None:
    folder.mkdir(parents=True)
    (folder / ORDER).write_bytes(msgspec.json.encode(spec))
    log.parent.mkdir(exist_ok=True)


def _demand_file(source: Path) -> None:
    if not source.is_absolute():
        raise fault("dataset.path", f"{source} is not absolute", "give the whole path, as this node's machine sees it")
    if not source.is_file():
        raise fault("dataset.path", f"{source} is no file that this node can see")
    if not os.access(source, os.R_OK):
        raise fault("dataset.path", f"this node may not read {source}")


def _read_result(path: Path) -> AttemptResult | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=AttemptResult)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _tail(path: Path) -> str:
    lines = path.read_bytes()[-LOG_TAIL_BYTES:].decode("utf-8", "replace").splitlines()
    return lines[-1] if lines else "it said nothing"


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
