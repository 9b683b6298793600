"""Wake those who wait for news of a job, without asking the database over and over."""

import asyncio
from collections import defaultdict
from contextlib import suppress

from hanse.core.ids import JobId

EVERY_JOB = JobId("")
"""Who listens for this hears the rings of all jobs."""


class Bell:
    """One bell a job. Whoever is to hear a ring that comes while they look begins to listen before they look."""

    def __init__(self) -> None:
        self._listeners: dict[JobId, set[asyncio.Event]] = defaultdict(set)

    def ring(self, job: JobId) -> None:
        """Wake everybody who listens for the job."""
        for listener in (*self._listeners.get(job, ()), *self._listeners.get(EVERY_JOB, ())):
            listener.set()

    def listen(self, job: JobId) -> "Listening":
        """Begin to listen: `async with bell.listen(job) as heard: look(); await heard.within(20)`."""
        return Listening(self._listeners, job)


class Listening:
    """One listener, from `async with` to its end."""

    def __init__(self, listeners: dict[JobId, set[asyncio.Event]], job: JobId) -> None:
        self._listeners = listeners
        self._job = job
        self._heard = asyncio.Event()

    async def __aenter__(self) -> "Listening":
        self._listeners[self._job].add(self._heard)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listeners[self._job].discard(self._heard)
        if not self._listeners[self._job]:
            del self._listeners[self._job]

    async def within(self, seconds: float) -> bool:
        """Wait for a ring since the last one that was heard; return whether one came in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        rang = self._heard.is_set()
        self._heard.clear()
        return rang
