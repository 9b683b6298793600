"""Several parts of a conversation at once, ending as one: the first failure stops the others and is what is raised."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together(*parts: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run all parts and return what they return, in their order. Raises the first error, after all ended."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
