"""What one process may use: threads, memory, and no core file that would hold data or keys."""

import os
import resource
from contextlib import suppress
from pathlib import Path

import msgspec

from hanse.core.memory import keep_freed
from hanse.core.specs import Limits

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
HEADROOM = 2
"""Stacks and allocators reserve more than they use: the hard limit is this many times the one that is aimed at."""


class _Limited(msgspec.Struct):
    limits: Limits = Limits()


def read(arguments: list[str]) -> Limits:
    """Return the limits that the spec named in the arguments sets, or the usual ones."""
    return msgspec.json.decode(Path(arguments[0]).read_bytes(), type=_Limited).limits if arguments else Limits()


def apply(limits: Limits) -> None:
    """Bind this process to its limits. Must come before numpy is imported."""
    keep_freed()
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(limits.threads)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = HEADROOM * limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def peak_memory_bytes() -> int:
    """Return the most memory that this process had resident.

    From `/proc` (proc(5), VmHWM) where there is one: `ru_maxrss` of a process that was started by vfork also counts
    what its parent had.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
