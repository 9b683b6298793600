"""Where components keep, from job to job, what they made of datasets: a folder for each set of datasets.

It is named after them; a name too long for a folder is hashed, and the folder then holds the datasets' names in a file.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from hanse.core.ids import DatasetId

KEPT = "kept"
NAMES = "datasets"
NAME_CHARACTERS = 200


def folder_of(directory: Path, datasets: Iterable[DatasetId]) -> Path:
    """Return the folder of a set of datasets."""
    named = "+".join(sorted(datasets))
    if len(named) <= NAME_CHARACTERS:
        return directory / KEPT / named
    folder = directory / KEPT / hashlib.sha256(named.encode()).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAMES).write_text(named, "ascii")
    return folder


def folders_with(directory: Path, dataset: DatasetId) -> list[Path]:
    """Return the folders of all sets that a dataset is in, by name."""
    folders = (directory / KEPT).glob("*")
    return sorted(folder for folder in folders if dataset in _names(folder).split("+"))


def _names(folder: Path) -> str:
    try:
        return (folder / NAMES).read_text("ascii")
    except OSError:
        return folder.name
