"""The script that recomputes the histogram's bounds passes as things are, and fails for every way of breaking them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


def load(root: Path) -> tuple[Callable[..., list[str]], list[str]]:
    """The script's `check_all`, and the sources that it reads."""
    path = root / "kernel/core/parameters.py"
    spec = importlib.util.spec_from_file_location("histogram_parameters", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script
    spec.loader.exec_module(script)
    return script.check_all, list(script.read_sources())


def test_the_script_passes_and_its_table_is_in_the_document(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, root / "kernel/core/parameters.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = (root / "docs/protocols/histogram.md").read_text("utf-8")
    assert all(line in document for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("source", "old", "new", "complaint"),
    [
        (0, "0x3ffffffffc001", "0x3fffffffffffb", "not 1 modulo 2N"),
        (0, "0x3ffffffffc001", "0x3ffffffff8001", "not prime"),
        (0, "0x3fffffffcc001", "0x3ffffffffc001", "occurs twice"),
        (0, "0x3ffffff84001, ", "", "the margin is"),
        (0, "ring_degree: 4096", "ring_degree: 2048", "exceeds the limit"),
        (0, "ring_degree: 8192", "ring_degree: 4096", "exceeds the limit"),
        (0, "gradient_bits: 5", "gradient_bits: 6", "the margin is"),
        (0, "hessian_bits: 18", "hessian_bits: 19", "the margin is"),
        (0, "row_samples_log2: 16", "row_samples_log2: 17", "the margin is"),
        (0, "flood_shift: 47", "flood_shift: 46", "the flood is below 2^44"),
        (0, "flood_shift: 48", "flood_shift: 49", "the margin is"),
        (0, "flood_coarse_sigma: 107", "flood_coarse_sigma: 60", "σ below 64"),
        (0, "flood_bits: 43", "flood_bits: 42", "not what the argument was made for"),
        (0, "answer_cap_log2: 28", "answer_cap_log2: 30", "answers allows a distance"),
        (0, "hint_dropped_bits: 44", "hint_dropped_bits: 52", "the bits left out"),
        (0, "hint_dropped_bits: 44", "hint_dropped_bits: 45", "not a whole number of bytes"),
        (0, "row_samples_log2: 17", "row_samples_log2: 18", "the flood is below 2^40"),
        (0, "0x7ffff6001", "0x7ffc00001", "not prime"),
        (0, "answer_cap_log2: 22", "answer_cap_log2: 23", "answers allows a distance"),
        (0, "MAX_BLOCKS: usize = 4096", "MAX_BLOCKS: usize = 8192", "set-up may overflow"),
        (0, 'name: "S138"', 'name: "S139"', "other sets"),
        (1, "1 << 13", "1 << 15", "between reductions may overflow"),
        (2, "ACCEPTED_SIGMAS: f64 = 9.0", "ACCEPTED_SIGMAS: f64 = 9.5", "decryption accepts"),
        (3, "0x7ffffffffffffffb", "0x7ffffffffffffffa", "error distribution"),
    ],
)
def test_a_change_that_breaks_a_bound_is_noticed(root: Path, source: int, old: str, new: str, complaint: str) -> None:
    check_all, sources = load(root)
    assert check_all(*sources) == []
    assert old in sources[source]
    sources[source] = sources[source].replace(old, new)
    assert any(complaint in fault for fault in check_all(*sources))
