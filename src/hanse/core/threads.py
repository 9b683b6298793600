"""Blocking work off the loop, in the threads of those for whom it is done.

What is done for other organisations has threads of its own, so that it cannot take those of this node's own people.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

_threads: ContextVar[Executor | None] = ContextVar("threads", default=None)


@contextmanager
def kept_to(threads: Executor) -> Iterator[None]:
    """Let what this task runs from here on, and the tasks that it starts, keep to these threads."""
    before = _threads.set(threads)
    try:
        yield
    finally:
        _threads.reset(before)


async def run(work: Callable[..., T], *arguments: Any) -> T:
    """Call `work(*arguments)` in a thread: one of those that the task is kept to, else the loop's."""
    bound = partial(copy_context().run, work, *arguments)
    return await asyncio.get_running_loop().run_in_executor(_threads.get(), bound)
