"""Register a dataset: a local attempt reads the file, checks it and writes a snapshot; then it is noted.

The control plane reads no data itself, so that a file that kills its reader kills no node.
"""

import asyncio
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.orm import Session

from hanse.control.access.callers import LOCAL, NODE, Caller
from hanse.control.access.permissions import Permission
from hanse.control.database import Database
from hanse.control.datasets import service as datasets
from hanse.control.datasets.service import Policy, Settle, Snapshot
from hanse.control.datasets.tables import Reading
from hanse.control.settings import environment_of_child
from hanse.control.sources.desk import SourceDesk
from hanse.control.uploads import service as uploads
from hanse.control.uploads.tables import Upload
from hanse.core.faults import HanseError, fault
from hanse.core.ids import DatasetId, new_id
from hanse.core.sources import Order
from hanse.core.specs import Artefact, AttemptResult, IngestSpec, Intake, Limits

DATA, LOG, ORDER, INTAKE = "data", "log", "ingest.json", "intake.json"
LOG_TAIL_BYTES = 2000


@dataclass
class Registration:
    """Registers datasets of the node in `directory`, one file at a time. `settle` as `datasets.record` has it."""

    directory: Path
    database: Database
    limits: Limits = field(default_factory=Limits)
    data_paths: tuple[Path, ...] = ()
    settle: Settle | None = None
    sources: SourceDesk | None = None
    _chunks: threading.Lock = field(default_factory=threading.Lock)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _reader: asyncio.subprocess.Process | None = None

    async def register(
        self,
        name: str,
        path: str,
        id_column: str,
        label_column: str | None = None,
        *,
        caller: Caller = LOCAL,
        **how: Any,
    ) -> Snapshot:
        """Read the file at `path` (on this machine) and note it as dataset `name`; `how` as `Reading` has it."""
        return await self.take(caller, name, path, Reading(id_column, label_column, **how))

    async def take(
        self,
        caller: Caller,
        name: str,
        path: str,
        reading: Reading,
        *,
        upload: str = "",
        policy: Policy = "same",
        known: bool = False,
    ) -> Snapshot:
        """Read a file, or with `upload` a whole upload of the caller, and note it. Raises `dataset.*`, `upload.*`.

        `known`: it must be a version of a dataset that exists.
        """
        await asyncio.to_thread(self._demand_right, caller, name, known=known)
        origin, order = await asyncio.to_thread(self._origin, caller, path, reading, upload)
        async with self._turn:
            folder = self.directory / DATA / new_id("snapshot")
            try:
                artefact = await self._ingest(_order(origin, folder, reading, self.limits, order), order)
                intake = await asyncio.to_thread(_read_intake, folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            noted = _Noted(
                caller, name, artefact, f"upload {upload}" if upload else origin, reading, intake, policy, upload
            )
            return await asyncio.to_thread(self._note, noted)

    async def refresh(
        self, caller: Caller, name: str, *, policy: Policy = "same", path: str = "", upload: str = ""
    ) -> Snapshot:
        """Read the source of a dataset again, or another file in its way; the same content is the version that is."""
        snapshot = await asyncio.to_thread(self._changeable, caller, name)
        reading = snapshot.version.reading
        is_file = not snapshot.version.source.startswith("upload ")
        if reading is None or not (path or upload or is_file or reading.source):
            cause = f"where {snapshot.dataset.name!r} came from is not there to be read again"
            raise fault("dataset.no_source", cause)
        if path or upload:
            reading = msgspec.structs.replace(reading, source="", table=None, query="")
        again = path or ("" if upload or reading.source else snapshot.version.source)
        return await self.take(caller, snapshot.dataset.name, again, reading, upload=upload, policy=policy, known=True)

    def receive(self, caller: Caller, upload_id: str, offset: int, chunk: bytes, sha256: str) -> Upload:
        """Take the next chunk of an upload: it is on the disk when this returns."""
        with self._chunks:  # two chunks for one offset are not to be written at once
            with self.database.read() as session:
                uploads.check_chunk(uploads.find(session, caller, upload_id), offset, chunk, sha256)
            uploads.store_chunk(self.directory, upload_id, offset, chunk)
            with self.database.write() as session:
                return uploads.note_chunk(session, caller, upload_id, offset, len(chunk))

    def complete(self, caller: Caller, upload_id: str, sha256: str) -> Upload:
        """Check a whole upload and give its file its name; asked again, it says the same."""
        with self.database.read() as session:
            upload = uploads.find(session, caller, upload_id)
        uploads.demand_all(upload)
        uploads.seal(self.directory, upload_id, upload.size_bytes, sha256)
        with self.database.write() as session:
            return uploads.complete(session, caller, upload_id, sha256)

    def tidy(self, dataset: DatasetId) -> None:
        """Remove the snapshots of a dataset's retired versions from the disk."""
        with self.database.read() as session:
            paths = list(datasets.retired_paths(session, dataset))
        for path in paths:
            shutil.rmtree((self.directory / path).parent, ignore_errors=True)

    def _changeable(self, caller: Caller, name: str) -> Snapshot:
        with self.database.read() as session:
            return datasets.find_for(session, caller, name, change=True)

    def _demand_right(self, caller: Caller, name: str, *, known: bool) -> None:
        """Refuse before the work what would be refused after it."""
        with self.database.read() as session:
            try:
                datasets.find_for(session, caller, name, change=True)
            except HanseError as error:
                if known or error.fault.code != "dataset.unknown":
                    raise
                caller.demand(Permission.DATASETS_MANAGE)

    def _origin(self, caller: Caller, path: str, reading: Reading, upload: str) -> tuple[str, Order | None]:
        """Return what is read, a file or in words, and the order for a source. Raises `dataset.*`, `source.*`."""
        if not reading.source:
            return str(self._source(caller, path, upload)), None
        if self.sources is None:
            raise fault("source.unknown", "this node keeps no sources")
        order = self.sources.order(caller, reading.source, reading.table, reading.query)
        what = f"{reading.table.schema}.{reading.table.name}" if reading.table else "a query"
        return f"source {reading.source}: {what}", order

    def _source(self, caller: Caller, path: str, upload: str) -> Path:
        if not upload:
            return admitted(caller, Path(path), self.data_paths)
        with self.database.read() as session:
            found = uploads.find(session, caller, upload)
            if found.sha256 is None:
                raise fault("upload.incomplete", f"{found.name!r} is not complete")
        return uploads.place(self.directory, upload)

    def sweep(self) -> None:
        """Remove what a crash has left: snapshots that no dataset knows, and uploads that nobody goes on with."""
        with self.database.write() as session:
            uploads.expire(session, NODE)
        with self.database.read() as session:
            uploads.sweep(session, self.directory)
            known = {self.directory / path for path in datasets.list_paths(session)}
        for folder in (self.directory / DATA).glob("snapshot-*"):
            if not any(folder in path.parents for path in known):
                shutil.rmtree(folder, ignore_errors=True)

    async def stop(self) -> None:
        """End the reader that is running."""
        if self._reader is not None:
            await _end(self._reader)

    async def _ingest(self, spec: IngestSpec, order: Order | None = None) -> Artefact:
        folder = Path(spec.directory)
        log = self.directory / LOG / f"{folder.name}.log"
        await asyncio.to_thread(_lay_out, folder, spec, log)
        with log.open("wb") as file:
            self._reader = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "hanse.runtime", "ingest", str(folder / ORDER)),
                stdin=asyncio.subprocess.PIPE if order else asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=environment_of_child(folder),
                start_new_session=True,
            )
        try:
            if order:
                await self._reader.communicate(order.password.encode())
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

    def _note(self, noted: "_Noted") -> Snapshot:
        """Note the snapshot, or remove it again when it may not be noted or its content is there already."""
        folder = (self.directory / noted.artefact.path).parent
        try:
            with self.database.write() as session:
                snapshot = _enter(session, noted, self.settle)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if snapshot.version.path != noted.artefact.path:
            shutil.rmtree(folder, ignore_errors=True)
        if noted.upload:
            uploads.discard(self.directory, noted.upload)
        return snapshot


class _Noted(NamedTuple):
    """A snapshot that is about to be noted."""

    caller: Caller
    name: str
    artefact: Artefact
    source: str
    reading: Reading
    intake: Intake
    policy: Policy
    upload: str


def _enter(session: Session, noted: _Noted, settle: Settle | None) -> Snapshot:
    """Note a snapshot as the version of its dataset, and settle what that means for grants and for the upload."""
    snapshot = datasets.record(
        session,
        noted.name,
        DatasetId(new_id("dataset")),
        noted.artefact,
        noted.source,
        caller=noted.caller,
        reading=noted.reading,
        intake=noted.intake,
        policy=noted.policy,
        settle=settle,
    )
    if noted.upload:
        uploads.take(session, noted.caller, noted.upload)
    return snapshot


def admitted(caller: Caller, path: Path, allowed: Iterable[Path]) -> Path:
    """Return the real path of a file that a caller may have the node read. Raises `dataset.path`.

    Whoever holds the node's token may read its machine's files anyway. Anybody else names files below the folders of
    the setting `data_paths`; symbolic links are followed before that is judged, and what lies outside is not told
    from what is absent.
    """
    if caller.kind == "local":
        _demand_file(path)
        return path
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        real = None
    roots = [root.resolve() for root in allowed]
    if real is None or not path.is_absolute() or not any(real.is_relative_to(root) for root in roots):
        named = ", ".join(map(str, roots)) or "none"
        raise fault(
            "dataset.path",
            f"{path} is no file below a folder of this node that data may come from",
            f"these are: {named}",
        )
    _demand_file(real)
    return real


def _order(origin: str, folder: Path, reading: Reading, limits: Limits, order: Order | None) -> IngestSpec:
    return IngestSpec(
        origin,
        reading.id_column,
        str(folder),
        reading.label_column,
        limits,
        reading.id_type,
        reading.encoding,
        reading.delimiter,
        reading.sheet,
        order.reader if order else None,
    )


def _read_intake(folder: Path) -> Intake:
    return msgspec.json.decode((folder / INTAKE).read_bytes(), type=Intake)


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
