"""How many threads the kernel may use."""

from __future__ import annotations

from hanse.kernel import _kernel


def set_threads(count: int) -> None:
    """Lets every later kernel call of this process use ``count`` threads; 0 means one per core."""
    _kernel.set_threads(count)
