from pathlib import Path

import msgspec
import pytest

from hanse.components.hetero_boost.hetero_boost import component
from hanse.core.ids import JobId, TaskName
from hanse.core.roles import PartyId
from hanse.core.specs import AttemptSpec
from hanse.runtime.storage import Checkpoints, kept_folder

SPEC = AttemptSpec(
    JobId("job"), TaskName("fit"), 1, "hetero_boost", "2.0.0", PartyId("host-1"), {}, {}, {}, "attempt", "checkpoints"
)


def test_the_last_two_checkpoints_stay(tmp_path: Path) -> None:
    held = Checkpoints(tmp_path / "c", attempt=1)
    for number in range(1, 6):
        held.save(number, b"state %d" % number)
    assert held.marks() == [(4, 1), (5, 1)]
    assert held.read((5, 1)) == b"state 5"


def test_a_restart_forgets_what_comes_after_its_start(tmp_path: Path) -> None:
    first = Checkpoints(tmp_path, attempt=1)
    first.save(3, b"3")
    first.save(4, b"4, which the others never reached")
    second = Checkpoints(tmp_path, attempt=2)
    second.start_from((3, 1))
    assert second.marks() == [(3, 1)]
    second.save(4, b"4 anew")
    assert second.marks() == [(3, 1), (4, 2)]
    second.start_from(None)
    assert second.marks() == []


def test_files_beside_the_checkpoints_outlive_an_attempt_and_are_no_checkpoint(tmp_path: Path) -> None:
    first = Checkpoints(tmp_path, attempt=1)
    first.scratch.mkdir()
    (first.scratch / "shard").write_bytes(b"done")
    first.save(1, b"1")
    second = Checkpoints(tmp_path, attempt=2)
    second.start_from(None)
    assert second.marks() == []
    assert (second.scratch / "shard").read_bytes() == b"done"


def test_a_damaged_checkpoint_is_not_held(tmp_path: Path) -> None:
    held = Checkpoints(tmp_path, attempt=1)
    held.save(1, b"whole")
    held.save(2, b"damaged")
    path = max(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    (tmp_path / "00000003.1.checkpoint").write_bytes(b"")
    (tmp_path / "something else").write_bytes(b"")
    assert held.marks() == [(1, 1)]


@pytest.mark.parametrize(
    ("ports", "folder"),
    [
        ({"train": "kept/x"}, "kept/x"),
        ({"train": "kept/x", "valid": "kept/v"}, "kept/x"),
        ({"train": "kept/x", "valid": "kept/x+v", "warm": "kept/w"}, "kept/x"),
        ({"valid": "kept/v"}, "kept/all"),
        ({}, "kept/all"),
    ],
)
def test_a_second_table_for_validation_gives_no_second_folder_and_so_no_second_grid(
    ports: dict[str, str], folder: str
) -> None:
    spec = msgspec.structs.replace(SPEC, kept="kept/all", kept_by_port=ports)
    assert kept_folder(spec, component.needs("host")) == Path(folder)


def test_where_two_inputs_are_needed_the_datasets_behind_both_count() -> None:
    spec = msgspec.structs.replace(SPEC, kept="kept/x+y", kept_by_port={"left": "kept/x", "right": "kept/y"})
    assert kept_folder(spec, ("left", "right")) == Path("kept/x+y")
    assert kept_folder(SPEC) == Path("checkpoints/kept")
