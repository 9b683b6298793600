"""The event loop of this node's processes."""

import asyncio
import sys


def new_runner() -> asyncio.Runner:
    """Return a runner with uvloop's loop, where there is one: it writes several buffers without joining them."""
    if sys.platform == "win32":
        return asyncio.Runner()
    import uvloop  # noqa: PLC0415 (not made for Windows)

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
