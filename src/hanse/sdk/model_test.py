"""Models with large files: saved beside the arrays, checked where they are read, whatever happens to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hanse.core.faults import HanseError
from hanse.core.ids import JobId, TaskName
from hanse.core.roles import GUEST
from hanse.core.specs import Artefact, ModelManifest
from hanse.sdk import artefacts
from hanse.sdk.blocks import BLOCK_BYTES, LargeFile
from hanse.sdk.model import Model

MANIFEST = ModelManifest("psi_cached", "1.0.0", GUEST, {}, {}, JobId("job-1"), TaskName("prepare"))
SIZE = 5 * BLOCK_BYTES // 2


def content(size: int = SIZE) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8)


def save(folder: Path, size: int = SIZE) -> Artefact:
    made = folder / "made"
    content(size).tofile(made)
    model = Model({"numbers": np.arange(3)}, {"word": "x"}, files={"big": LargeFile(made)})
    return model.save(folder / "model", MANIFEST)


def opened(artefact: Artefact) -> Model:
    found = artefacts.load(artefact)
    assert isinstance(found, Model)
    return found


def whole(size: int = SIZE) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    return np.array([0], np.uint64), np.array([size], np.uint64)


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, SIZE])
def test_a_model_comes_back_with_its_files(tmp_path: Path, size: int) -> None:
    model = opened(save(tmp_path, size))
    model.files["big"].check(*whole(size))
    assert np.array_equal(model.files["big"].data, content(size))
    assert (model.arrays["numbers"].tolist(), model.details) == ([0, 1, 2], {"word": "x"})


def test_a_saved_file_outlives_the_folder_in_which_it_was_made(tmp_path: Path) -> None:
    artefact = save(tmp_path)
    (tmp_path / "made").unlink()
    assert np.array_equal(opened(artefact).files["big"].data, content())


def test_a_file_of_another_model_is_taken_over_without_being_read_again(tmp_path: Path) -> None:
    first = opened(save(tmp_path))
    again = opened(Model({}, {}, files=first.files).save(tmp_path / "next", MANIFEST))
    assert (tmp_path / "next" / "files" / "big").samefile(tmp_path / "model" / "files" / "big")
    assert again.files["big"].rows(np.array([7]), 16).tolist() == [content()[112:128].tolist()]


def test_a_changed_byte_is_found_where_it_is_read_and_only_there(tmp_path: Path) -> None:
    artefact = save(tmp_path)
    with (tmp_path / "model" / "files" / "big").open("r+b") as file:
        file.seek(BLOCK_BYTES + 5)
        file.write(b"\0\0\0\0")
    big = opened(artefact).files["big"]
    big.check(np.array([0, 2 * BLOCK_BYTES], np.uint64), np.array([BLOCK_BYTES, SIZE], np.uint64))
    assert big.rows(np.array([0, 1]), BLOCK_BYTES // 2).shape == (2, BLOCK_BYTES // 2)
    for start, stop in ((0, BLOCK_BYTES + 1), (BLOCK_BYTES - 1, SIZE), (BLOCK_BYTES + 9, BLOCK_BYTES + 10)):
        with pytest.raises(HanseError, match=r"artefact\.damaged"):
            big.check(np.array([start], np.uint64), np.array([stop], np.uint64))


@pytest.mark.parametrize("damage", ["longer", "gone", "digests", "more"])
def test_a_model_whose_files_are_others_is_refused_at_once(tmp_path: Path, damage: str) -> None:
    artefact = save(tmp_path)
    folder = tmp_path / "model"
    big = folder / "files" / "big"
    match damage:
        case "longer":
            big.write_bytes(big.read_bytes() + b"\0")
        case "gone":
            big.unlink()
        case "digests":
            raw = bytearray((folder / "blocks.safetensors").read_bytes())
            raw[-1] ^= 1
            (folder / "blocks.safetensors").write_bytes(bytes(raw))
        case _:
            (folder / "files" / "other").write_bytes(b"")
    with pytest.raises(HanseError, match=r"artefact\.damaged"):
        artefacts.load(artefact)


def test_rows_beyond_the_end_and_empty_ranges_are_told_apart(tmp_path: Path) -> None:
    big = opened(save(tmp_path)).files["big"]
    assert big.rows(np.empty(0, np.int64), 16).shape == (0, 16)
    big.check(np.array([9], np.uint64), np.array([9], np.uint64))
    for place in (-1, SIZE // 16):
        with pytest.raises(IndexError):
            big.rows(np.array([place]), 16)


def test_a_file_without_its_folder_of_digests_is_damage(tmp_path: Path) -> None:
    save(tmp_path)
    (tmp_path / "model" / "files" / "big").unlink()
    with pytest.raises(HanseError, match=r"artefact\.damaged"):
        Model.open(tmp_path / "model")
