"""What every test of a promise stands on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the extra data sets, `$HANSE_DATA`; the test is skipped where there is none."""
    folder = Path(os.environ.get("HANSE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no extra data sets in {folder} (set HANSE_DATA)")
    return folder
