import asyncio

import pytest

from hanse.protocols.psi.together import together


async def give(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def test_what_all_parts_return_comes_in_their_order() -> None:
    assert await together(give(1), give(2), give(3)) == [1, 2, 3]
    assert await together() == []


async def test_the_first_failure_stops_the_others_and_is_raised_plain() -> None:
    stopped = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await together(wait(), fail(), wait())
    assert stopped == [True, True]
