"""Folders of what components keep are found again by each of the datasets they are about."""

from pathlib import Path

from hanse.control.datasets.keeping import NAME_CHARACTERS, folder_of, folders_with
from hanse.core.ids import DatasetId


def test_a_folder_is_found_by_each_of_its_datasets_however_many_they_are(tmp_path: Path) -> None:
    names = [DatasetId(f"dataset-{number:016d}") for number in range(12)]
    few, many = names[:2], names[1:]
    for group in (few, many, many):
        folder_of(tmp_path, group).mkdir(parents=True, exist_ok=True)
    assert folder_of(tmp_path, few) == folder_of(tmp_path, reversed(few)) != folder_of(tmp_path, many)
    assert len(folder_of(tmp_path, many).name) <= NAME_CHARACTERS
    assert folders_with(tmp_path, names[0]) == [folder_of(tmp_path, few)]
    assert folders_with(tmp_path, names[1]) == sorted([folder_of(tmp_path, few), folder_of(tmp_path, many)])
    assert folders_with(tmp_path, names[11]) == [folder_of(tmp_path, many)]
    assert folders_with(tmp_path, DatasetId("dataset-0")) == []
