"""What a component leaves behind beside tables: models, rules and reports. Files without code.

A model is `arrays.safetensors` and `manifest.json`, a rule `manifest.json` alone, a report `report.json`. What is too
large for memory lies below `files/` of a model, with the digests of its blocks in `blocks.safetensors`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from hanse.core.faults import fault
from hanse.core.specs import Artefact, ModelManifest
from hanse.sdk.blocks import LargeFile
from hanse.sdk.files import digest, write_file

ARRAYS, BLOCKS, FILES, MANIFEST, REPORT = (
    "arrays.safetensors",
    "blocks.safetensors",
    "files",
    "manifest.json",
    "report.json",
)
DAMAGED = "the files were changed or cut short; take them from the job that made them"


@dataclass(frozen=True)
class Model:
    """One party's part of what was fitted: numpy arrays by name, details that JSON can say, and large files by name.

    `manifest` says what fitted it; it is None until the model has been saved.
    """

    arrays: Mapping[str, NDArray[Any]]
    details: Mapping[str, Any]
    manifest: ModelManifest | None = None
    files: Mapping[str, LargeFile] = field(default_factory=dict)
    _keep: object = None  # files made in a simulation live as long as what made them: a model that reads them holds it

    def save(self, directory: Path, manifest: ModelManifest) -> Artefact:
        """Write the model into `directory` (made if absent). Raises TypeError for details that JSON cannot say."""
        directory.mkdir(parents=True, exist_ok=True)
        _write_arrays(directory / ARRAYS, self.arrays)
        if self.files:
            (directory / FILES).mkdir(exist_ok=True)
            saved = {name: file.save(directory / FILES / name) for name, file in self.files.items()}
            _write_arrays(directory / BLOCKS, {name: _digests_of(file) for name, file in saved.items()})
        _write_manifest(directory, manifest, self.details)
        return Artefact(
            "model",
            str(directory),
            digest(directory, beside=FILES),
            component=manifest.component,
            version=manifest.version,
        )

    @classmethod
    def open(cls, directory: Path) -> "Model":
        """Read a saved model. Raises HanseError("artefact.damaged") when it is not one."""
        manifest = _read_manifest(directory)
        arrays = _read_arrays(directory / ARRAYS)
        blocks = _read_arrays(directory / BLOCKS) if (directory / BLOCKS).exists() else {}
        files = {name: LargeFile.open(directory / FILES / name, digests) for name, digests in blocks.items()}
        return cls(arrays, manifest.details, manifest, files)


@dataclass(frozen=True)
class Rule:
    """What was fitted, where a few numbers and names say it all (bin edges, chosen columns)."""

    details: Mapping[str, Any]
    manifest: ModelManifest | None = None

    def save(self, directory: Path, manifest: ModelManifest) -> Artefact:
        """Write the rule into `directory` (made if absent). Raises TypeError for details that JSON cannot say."""
        directory.mkdir(parents=True, exist_ok=True)
        _write_manifest(directory, manifest, self.details)
        return Artefact(
            "rule", str(directory), digest(directory), component=manifest.component, version=manifest.version
        )

    @classmethod
    def open(cls, directory: Path) -> "Rule":
        """Read a saved rule. Raises HanseError("artefact.damaged") when it is not one."""
        manifest = _read_manifest(directory)
        return cls(manifest.details, manifest)


@dataclass(frozen=True)
class Report:
    """Figures for a person: `view` names how they are drawn, `values` holds numbers, texts and curves as lists.

    Numpy arrays in `values` become lists; numbers that are not finite become null.
    """

    view: str
    values: Mapping[str, Any]

    def save(self, directory: Path) -> Artefact:
        """Write `report.json` into `directory` (made if absent)."""
        directory.mkdir(parents=True, exist_ok=True)
        raw = msgspec.json.encode({"view": self.view, "values": dict(self.values)}, enc_hook=_plain)
        write_file(directory / REPORT, raw)
        return Artefact("report", str(directory), digest(directory))

    @classmethod
    def open(cls, directory: Path) -> "Report":
        """Read a saved report. Raises HanseError("artefact.damaged") when it is not one."""
        try:
            plain = msgspec.json.decode((directory / REPORT).read_bytes())
            return cls(plain["view"], plain["values"])
        except (msgspec.DecodeError, KeyError, TypeError, OSError) as error:
            raise fault("artefact.damaged", f"{REPORT} cannot be read: {error}", DAMAGED) from error


def _digests_of(file: LargeFile) -> NDArray[np.uint8]:
    if file.digests is None:
        raise ValueError(f"{file.path.name} was not saved")
    return file.digests


def _write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    write_file(path, safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return safetensors.numpy.load(path.read_bytes())
    except (safetensors.SafetensorError, OSError) as error:
        raise fault("artefact.damaged", f"{path.name} cannot be read: {error}", DAMAGED) from error


def _write_manifest(directory: Path, manifest: ModelManifest, details: Mapping[str, Any]) -> None:
    full = msgspec.structs.replace(manifest, details={**manifest.details, **details})
    write_file(directory / MANIFEST, msgspec.json.format(msgspec.json.encode(full, enc_hook=_plain), indent=2))


def _read_manifest(directory: Path) -> ModelManifest:
    try:
        return msgspec.json.decode((directory / MANIFEST).read_bytes(), type=ModelManifest)
    except (msgspec.DecodeError, msgspec.ValidationError, OSError) as error:
        raise fault("artefact.damaged", f"{MANIFEST} cannot be read: {error}", DAMAGED) from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
