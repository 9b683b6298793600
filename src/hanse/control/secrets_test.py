"""A sealed secret opens with its own key, for its own purpose, unaltered, and in no other case."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hanse.control.secrets import KEY_FILE, seal, unseal
from hanse.core.faults import HanseError


def test_what_was_sealed_opens_and_shows_nothing_of_itself(tmp_path: Path) -> None:
    sealed = seal(tmp_path, b"tiger", "source:1")
    assert unseal(tmp_path, sealed, "source:1") == b"tiger"
    assert "tiger" not in sealed
    assert sealed != seal(tmp_path, b"tiger", "source:1")


def test_the_key_is_the_owners_alone_and_many_at_once_make_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda number: seal(tmp_path, b"%d" % number, "p"), range(32)))
    assert [unseal(tmp_path, text, "p") for text in sealed] == [b"%d" % number for number in range(32)]
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["secrets.key"]


@pytest.mark.parametrize("spoil", ["purpose", "letter", "short", "form", "noise", "chinese"])
def test_another_purpose_or_an_altered_text_does_not_open(tmp_path: Path, spoil: str) -> None:
    sealed, purpose = seal(tmp_path, b"tiger", "source:1"), "source:1"
    if spoil == "purpose":
        purpose = "webhook:1"
    spoilt = {
        "purpose": sealed,
        "letter": sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:],
        "short": sealed[:12],
        "form": sealed.removeprefix("v1."),
        "noise": "v1.%%%",
        "chinese": "v1.密码",
    }[spoil]
    with pytest.raises(HanseError, match=r"secrets\.unreadable") as raised:
        unseal(tmp_path, spoilt, purpose)
    assert "tiger" not in str(raised.value)


def test_another_node_cannot_open_it(tmp_path: Path) -> None:
    sealed = seal(tmp_path / "a", b"tiger", "p")
    with pytest.raises(HanseError, match=r"secrets\.unreadable"):
        unseal(tmp_path / "b", sealed, "p")


def test_a_damaged_key_is_said_to_be_one(tmp_path: Path) -> None:
    seal(tmp_path, b"tiger", "p")
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(HanseError, match=r"secrets\.key"):
        seal(tmp_path, b"tiger", "p")
