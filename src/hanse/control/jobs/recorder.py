"""What attempts report while they run: kept in memory for a moment, bounded, then stored in one transaction."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import msgspec

from hanse.control.database import Database
from hanse.control.jobs import shares
from hanse.control.jobs.attempts import AttemptKey
from hanse.control.jobs.bell import Bell
from hanse.core.events import Event, Progress
from hanse.core.roles import PartyId

PERIOD_S = 0.5
"""Progress is stored at most twice a second: whoever looks sees the latest, nobody needs each."""

KEPT_PER_ATTEMPT = 10_000
"""Metrics and notes of one attempt that are stored; a loop gone wild may not fill the disk."""

NOTE_CHARACTERS = 2000

Reported = tuple[AttemptKey, PartyId, str, dict[str, Any]]


class Recorder:
    """Collects the reports of all attempts of this node."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell
        self._progress: dict[tuple[AttemptKey, PartyId], Progress] = {}
        self._waiting: list[Reported] = []
        self._counts: Counter[AttemptKey] = Counter()
        self._storing = asyncio.Lock()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to store what is reported."""
        self._loop = asyncio.create_task(self._flush_forever())

    async def close(self) -> None:
        """Store the rest and stop."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        await self.flush()

    def report(self, key: AttemptKey, party: PartyId, event: Event) -> None:
        """Take an event; it is stored within half a second."""
        if isinstance(event, Progress):
            self._progress[key, party] = event
            return
        self._counts[key] += 1
        if self._counts[key] <= KEPT_PER_ATTEMPT:
            self._waiting.append((key, party, *_describe(event)))
        elif self._counts[key] == KEPT_PER_ATTEMPT + 1:
            text = f"this attempt has reported {KEPT_PER_ATTEMPT} metrics and notes; further ones are not kept"
            self._waiting.append((key, party, "note", {"text": text}))

    async def flush(self) -> None:
        """Store all that was reported up to now."""
        async with self._storing:
            events = self._take()
            if events:
                await asyncio.to_thread(self._store, events)
                for job in {key.job for key, *_ in events}:
                    self._bell.ring(job)

    def _take(self) -> list[Reported]:
        waiting, self._waiting = self._waiting, []
        progress, self._progress = self._progress, {}
        return waiting + [(key, party, *_describe(event)) for (key, party), event in progress.items()]

    def _store(self, events: list[Reported]) -> None:
        with self._database.write() as session:
            shares.store_events(session, events)

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            with suppress(Exception):
                await self.flush()


def _describe(event: Event) -> tuple[str, dict[str, Any]]:
    data = msgspec.structs.asdict(event)
    if "text" in data:
        data["text"] = data["text"][:NOTE_CHARACTERS]
    return type(event).__name__.lower(), data
