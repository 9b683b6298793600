from pathlib import Path

import pytest

from hanse.core.faults import HanseError
from hanse.core.lines import Line
from hanse.gateway import socket
from hanse.gateway.socket import AttemptSocket


async def serve(token: bytes, line: Line) -> None:
    raise AssertionError(f"nobody attaches here: {token!r} {line!r}")


async def test_a_node_far_down_still_gets_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    attempts = AttemptSocket(deep / "node", serve, lambda reason: None)
    await attempts.start()
    assert attempts.path.is_socket()
    assert attempts.path.parent.stat().st_mode & 0o777 == 0o700
    await attempts.stop()
    assert not attempts.path.parent.exists()


def test_where_no_path_is_short_enough_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "PATH_BYTES", 10)
    with pytest.raises(HanseError) as raised:
        AttemptSocket(tmp_path, serve, lambda reason: None)
    assert raised.value.fault.code == "node.directory"
    assert "shorter" in raised.value.fault.remedy
