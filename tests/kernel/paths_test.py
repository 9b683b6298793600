"""Everything that stands on the kernel, on each set of instructions that this processor has beside its widest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hanse.kernel import _kernel

pytestmark = [pytest.mark.deep, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2]
PATHS = ("portable", "avx2", "avx512")


def read_path(forced: str) -> str | None:
    """Return the path that a process takes when this one is forced, or None when the processor lacks it."""
    command = [sys.executable, "-c", "from hanse.kernel import _kernel; print(_kernel.simd_path())"]
    environment = {**os.environ, "HANSE_KERNEL_PATH": forced}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return ended.stdout.strip() or None


@pytest.mark.parametrize("path", PATHS)
def test_what_stands_on_the_kernel_holds_on_every_path(path: str) -> None:
    taken = read_path(path)
    if path == _kernel.simd_path() or taken is None:
        pytest.skip("the other tests take this path" if taken else "this processor lacks the instructions")
    assert taken == path
    suites = [f"src/hanse/{name}" for name in ("kernel", "protocols", "components/psi", "components/psi_cached")]
    tier = ["-m", "not deep and not e2e", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", *tier, *suites]
    environment = {**os.environ, "HANSE_KERNEL_PATH": path}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-4000:]


def test_a_name_that_is_no_path_ends_the_import_in_words() -> None:
    command = [sys.executable, "-c", "import hanse.kernel._kernel"]
    environment = {**os.environ, "HANSE_KERNEL_PATH": "sse"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "HANSE_KERNEL_PATH=sse is no path: choose one of portable, avx2, avx512" in ended.stderr
