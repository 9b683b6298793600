"""Who listens hears what rings for them, and nothing is kept for who does not."""

import asyncio

from hanse.control.jobs.bell import Bell
from hanse.core.ids import JobId

JOB, OTHER = JobId("job-1"), JobId("job-2")


async def test_a_ring_between_looking_and_waiting_is_heard() -> None:
    bell = Bell()
    async with bell.listen(JOB) as heard:
        bell.ring(JOB)
        assert await heard.within(60)
        assert not await heard.within(0)


async def test_a_ring_wakes_everybody_who_listens_for_that_job() -> None:
    bell = Bell()

    async def listen(job: JobId) -> bool:
        async with bell.listen(job) as heard:
            return await heard.within(60)

    async with bell.listen(OTHER) as other:
        waiting = [asyncio.create_task(listen(JOB)) for _ in range(3)]
        await asyncio.sleep(0)
        bell.ring(JOB)
        assert await asyncio.gather(*waiting) == [True] * 3
        assert not await other.within(0)


async def test_nothing_is_left_of_who_has_stopped_listening() -> None:
    bell = Bell()
    async with bell.listen(JOB):
        pass
    bell.ring(JOB)
    assert bell._listeners == {}
