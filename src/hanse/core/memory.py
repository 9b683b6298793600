"""How this process gives memory back to the system: not at once, where the next message needs it again."""

import ctypes

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # `M_…` of <malloc.h>
MAPPED_BYTES = 32 << 20
KEPT_BYTES = 128 << 20


def keep_freed() -> bool:
    """Have the C library keep up to 128 MiB that was freed at the end of its heap; return whether it does.

    Messages come and go in pieces of a MiB. With the usual thresholds each is mapped and unmapped, or the heap's end
    given back, again and again, and the kernel clears every page anew: half of what a gateway needs to pass a message
    on. See mallopt(3); another C library than glibc, which has other habits, is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(MMAP_THRESHOLD, MAPPED_BYTES) and mallopt(TRIM_THRESHOLD, KEPT_BYTES))
