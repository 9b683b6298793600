"""Files that grow together step by step: after a restart they are as after the last whole step."""

import os
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from hanse.sdk.files import write_file

SIZES = "sizes"


class Journal:
    """Open the files `names` in `folder`, cut back to the last whole step; close it to read them."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        sizes = _read_sizes(folder, names)
        self._files: dict[str, BinaryIO] = {}
        for name in names:
            path = folder / name
            path.touch()
            file = path.open("r+b")
            file.truncate(sizes[name])
            file.seek(sizes[name])
            self._files[name] = file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def size_bytes(self, name: str) -> int:
        """Return how long a file is by now."""
        return self._files[name].tell()

    def append(self, name: str, column: NDArray[Any]) -> None:
        """Add a column's bytes to a file."""
        self._files[name].write(np.ascontiguousarray(column).view(np.uint8).reshape(-1).data)

    def commit(self) -> None:
        """End the step: what was appended stays, whatever happens."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        sizes = {name: file.tell() for name, file in self._files.items()}
        write_file(self.folder / SIZES, msgspec.json.encode(sizes))


def _read_sizes(folder: Path, names: tuple[str, ...]) -> dict[str, int]:
    """Return the sizes after the last whole step, all 0 when there is none."""
    path = folder / SIZES
    sizes = msgspec.json.decode(path.read_bytes(), type=dict[str, int]) if path.is_file() else {}
    whole = all((folder / name).is_file() and (folder / name).stat().st_size >= sizes.get(name, 0) for name in names)
    return {name: sizes.get(name, 0) if whole else 0 for name in names}
