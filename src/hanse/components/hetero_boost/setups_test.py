import hashlib
import time
from pathlib import Path

import numpy as np
import pytest

from hanse.components.hetero_boost import setups
from hanse.components.hetero_boost.setups import GuestSetup, HostSetup
from hanse.kernel.ids import Ids

ROWS = b"r" * 32


def host_setup(number: int, created_s: float | None = None, rows: bytes = ROWS) -> HostSetup:
    seed = bytes([number]) * 32
    created_s = time.time() - 1000 + number if created_s is None else created_s
    return HostSetup(setups.setup_id(seed), created_s, "S138", seed, rows, b"s" * 32)


def guest_setup(*hints: bytes) -> GuestSetup:
    seed = b"p" * 32
    digests = setups.hint_digests(hints)
    return GuestSetup(setups.setup_id(seed), time.time(), "S138", seed, ROWS, ("host-1 org",), (5,), digests)


def test_what_is_kept_is_found_again_and_read_by_its_owner_only(tmp_path: Path) -> None:
    kept = host_setup(1)
    setups.keep(tmp_path, kept)
    assert setups.list_setups(tmp_path, HostSetup) == [kept]
    assert setups.list_setups(tmp_path, HostSetup, ROWS) == [kept]
    assert setups.list_setups(tmp_path, HostSetup, b"x" * 32) == []
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_only_the_newest_four_are_kept_newest_first(tmp_path: Path) -> None:
    for number in (3, 1, 6, 5, 2, 4):
        setups.keep(tmp_path, host_setup(number))
    assert setups.list_setups(tmp_path, HostSetup) == [host_setup_of(tmp_path, number) for number in (6, 5, 4, 3)]
    assert len(list(tmp_path.iterdir())) == 4


def host_setup_of(folder: Path, number: int) -> HostSetup:
    wanted = setups.setup_id(bytes([number]) * 32)
    return next(setup for setup in setups.list_setups(folder, HostSetup) if setup.id == wanted)


def test_one_that_is_too_old_serves_no_more(tmp_path: Path) -> None:
    setups.keep(tmp_path, host_setup(1, created_s=time.time() - setups.OLDEST_S - 1))
    assert setups.list_setups(tmp_path, HostSetup) == []
    assert list(tmp_path.iterdir()) == []


def test_hints_come_back_whole_or_not_at_all(tmp_path: Path) -> None:
    hints = (b"a" * 1000, b"b" * 10)
    kept = guest_setup(*hints)
    setups.keep(tmp_path, kept, hints)
    assert setups.read_hints(tmp_path, kept) == list(hints)
    second = next(path for path in tmp_path.iterdir() if path.name.endswith(".1.hint"))
    second.write_bytes(b"b" * 9)
    assert setups.read_hints(tmp_path, kept) is None
    second.unlink()
    assert setups.read_hints(tmp_path, kept) is None


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: b"", lambda raw: raw[::-1]]
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage: object) -> None:
    setups.keep(tmp_path, host_setup(1))
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert setups.list_setups(tmp_path, HostSetup) == []


def test_a_file_of_the_other_side_is_no_set_up_of_mine(tmp_path: Path) -> None:
    raw = b"\x90"
    (tmp_path / "00.setup").write_bytes(hashlib.sha256(raw).digest() + raw)
    assert setups.list_setups(tmp_path, HostSetup) == []


def test_the_digest_of_rows_depends_on_every_id_and_every_code() -> None:
    ids, codes = Ids.from_strings(["a", "bc"]), np.zeros((2, 2), np.uint8)
    digests = {
        setups.rows_digest(ids),
        setups.rows_digest(ids, codes),
        setups.rows_digest(ids, codes + np.uint8(1)),
        setups.rows_digest(ids, codes.reshape(1, 4)),
        setups.rows_digest(Ids.from_strings(["ab", "c"]), codes),
        setups.rows_digest(Ids.from_strings(["bc", "a"]), codes),
    }
    assert len(digests) == 6
    assert setups.rows_digest(ids, codes) in digests
