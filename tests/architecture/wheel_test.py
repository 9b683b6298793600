"""What a user gets: the wheel holds the package and nothing of its tests."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_the_wheel_holds_the_package_the_extension_and_no_test(root: Path, tmp_path: Path) -> None:
    maturin = Path(sys.executable).parent / "maturin"
    command = [str(maturin), "build", "--release", "--locked", "--quiet", "--out", str(tmp_path)]
    built = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = next(name for name in names if name.endswith(".dist-info/entry_points.txt"))
        assert b"hanse=hanse.cli.app:main" in archive.read(entry_points)
    assert "abi3" in wheel.name
    assert [name for name in names if name.endswith("_test.py") or "/tests/" in name] == []
    shipped = {name for name in names if name.startswith("hanse/") and not name.endswith(".so")}
    written = [
        path
        for path in (root / "src" / "hanse").rglob("*")
        if path.suffix in {".py", ".pyi", ".typed", ".toml", ".json"}
    ]
    expected = {str(path.relative_to(root / "src")) for path in written if not path.name.endswith("_test.py")}
    assert expected - shipped == set()
    assert any(name.startswith("hanse/kernel/_kernel") and name.endswith(".so") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
