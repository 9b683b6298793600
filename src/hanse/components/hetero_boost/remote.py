"""The hosts' features as the guest sees them: numbered cells, and encrypted queries for their sums."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hanse.components.hetero_boost import setups
from hanse.components.hetero_boost.messages import (
    HINT_PIECE_BYTES,
    MOST_FEATURES,
    Answers,
    Block,
    Hint,
    Offer,
    Opening,
    Step,
    alignment,
    pack,
    public_seed,
)
from hanse.components.hetero_boost.questions import Books, Question, slots
from hanse.components.hetero_boost.rows import Rows
from hanse.components.hetero_boost.settings import Settings
from hanse.components.hetero_boost.setups import GuestSetup
from hanse.core.faults import fault
from hanse.kernel import histogram
from hanse.kernel.binning import Shape
from hanse.kernel.gradients import Rounded
from hanse.kernel.histogram import GuestKeys, Level, NoiseBudget, ParameterSet, ParsedHint, Plane
from hanse.kernel.trees import Growth
from hanse.sdk import Party, Peer, Peers, ProtocolError

MOST_HINT_BYTES = 8 << 30

Integers = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True)
class RemoteColumns:
    """One host's binned features. Cells are counted over all features; `sent` marks those that are answered for."""

    peer: Peer
    offer: Offer
    shape: Shape
    sent: NDArray[np.bool_]

    @classmethod
    def of(cls, peer: Peer, offer: Offer, max_bins: int) -> RemoteColumns:
        """Check a host's offer. Raises ProtocolError."""
        count = len(offer.bins)
        same = {len(offer.missing), len(offer.categorical), len(offer.monotone), len(offer.omitted)} == {count}
        peer.must(0 < count <= MOST_FEATURES and same, "a shape of each feature")
        flags = bool(np.all(offer.missing <= 1) and np.all(offer.categorical <= 1))
        peer.must(flags and np.all(np.abs(offer.monotone.astype(int)) <= 1), "flags of each feature")
        shape = Shape(offer.bins.astype(np.uint32), offer.missing, offer.categorical, offer.monotone)
        peer.must(np.all((offer.bins >= 1) & (offer.bins <= max_bins)), f"each feature has at most {max_bins} bins")
        cells = offer.bins + offer.missing
        peer.must(np.all(cells >= 2), "each feature has two cells")
        peer.must(np.all((offer.omitted >= 0) & (offer.omitted < cells)), "the omitted cell is one of the feature's")
        peer.must(1 <= offer.smallest <= offer.largest <= offer.rows, "cells of a possible size")
        sent = np.ones(int(cells.sum()), np.bool_)
        sent[shape.starts[:-1] + offer.omitted] = False
        return cls(peer, offer, shape, sent)

    @property
    def features(self) -> int:
        return len(self.offer.bins)

    @property
    def answered(self) -> int:
        """Cells that are answered for: all but one of each feature."""
        return int(self.sent.sum())

    def complete(self, sums: Integers, totals: Integers, drawn: NDArray[np.uint8]) -> Integers:
        """Return int64[queries, cells] from the sums of the drawn features' answered cells.

        The omitted cell of each feature is what the others leave of the total; features not drawn stay zero.
        """
        asked = np.repeat(drawn.astype(np.bool_), self.shape.cells)
        every = np.zeros((len(totals), len(self.sent)), np.int64)
        every[:, self.sent & asked] = sums
        left = totals[:, None] - np.add.reduceat(every, self.shape.starts[:-1], axis=1)
        every[:, ~self.sent] = np.where(drawn, left, 0)
        return every


@dataclass(frozen=True)
class Sealed:
    """The queries of one step, encrypted under keys of their own, and what they are about."""

    questions: Sequence[Question]
    level: Level


@dataclass
class Remote:
    """All hosts' features, opened for one training."""

    me: Party
    settings: Settings
    columns: Sequence[RemoteColumns]
    parameters: ParameterSet
    samples: int
    keys: GuestKeys
    hints: list[ParsedHint]
    reused: bool
    keeping: asyncio.Future[None] | None = None
    queries: int = 0
    books: Books = field(default_factory=Books)

    async def close(self) -> None:
        """Wait until the set-up is kept."""
        if self.keeping is not None:
            await self.keeping

    @property
    def peers(self) -> Peers:
        return Peers(remote.peer for remote in self.columns)

    @property
    def least_node(self) -> int:
        """Rows of the smallest node that may be asked for: a quarter of the hosts' smallest cell."""
        return max(-(-remote.offer.smallest // 4) for remote in self.columns)

    async def learn(
        self, growths: Sequence[Growth], rounded: Sequence[Rounded], drawn: Sequence[NDArray[np.uint8]], level: int
    ) -> None:
        """Learn the hosts' sums for the open nodes of all trees of the round.

        One query for the smaller child of each pair, its sibling by subtraction; a query of zeros where there is no
        pair, or where the smaller child is too small to be asked for (then its sibling, which would tell the same, is
        not learnt either).
        """
        count = self.settings.queries_at(level)
        questions = [
            question
            for output, growth in enumerate(growths)
            for question in self.books.ask(output, growth, rounded[output], count, self.least_node)
        ]
        steps, start = [], 0
        for queries in self.settings.steps_at(level):
            steps.append(questions[start : start + queries])
            start += queries
        sealed: asyncio.Queue[Sealed] = asyncio.Queue()
        unsound: set[Peer] = set()
        async with beside(self._send(steps, growths, rounded, drawn, sealed)):
            for _ in steps:
                await self._open(await sealed.get(), drawn, unsound)
        self.queries += len(questions)
        _abort_if(unsound)

    async def _send(
        self,
        steps: Sequence[Sequence[Question]],
        growths: Sequence[Growth],
        rounded: Sequence[Rounded],
        drawn: Sequence[NDArray[np.uint8]],
        sealed: asyncio.Queue[Sealed],
    ) -> None:
        """Encrypt step after step and block after block; the next block is encrypted while one travels."""
        for questions in steps:
            planes = _planes(questions, growths, rounded)
            level = await asyncio.to_thread(self.keys.begin, planes, self.me.rng.seed())
            dummies = await asyncio.to_thread(level.dummies)
            sealed.put_nowait(Sealed(questions, level))
            for remote, mask in zip(self.columns, drawn, strict=True):
                await remote.peer.send(Step(dummies, pack(mask.astype(np.bool_))))
            async for data in self._blocks(level):
                await self.peers.send(Block(data))

    async def _blocks(self, level: Level) -> AsyncIterator[bytes]:
        blocks = level.blocks
        ahead = asyncio.ensure_future(asyncio.to_thread(level.encrypt, 0))
        try:
            for block in range(1, blocks + 1):
                data = await ahead
                if block < blocks:
                    ahead = asyncio.ensure_future(asyncio.to_thread(level.encrypt, block))
                yield data
        finally:
            ahead.cancel()

    async def _open(self, sealed: Sealed, drawn: Sequence[NDArray[np.uint8]], unsound: set[Peer]) -> None:
        """Receive and decrypt every host's answers of one step. What does not add up is noted, not told yet."""
        totals = np.array([question.total for question in sealed.questions], np.int64)
        most = np.array([question.most(self.parameters.gradient_bits) for question in sealed.questions], np.int64)
        found: list[tuple[Integers, Integers]] = []
        for remote, hint, mask in zip(self.columns, self.hints, drawn, strict=True):
            answers = await remote.peer.recv(Answers)
            cells = int((remote.sent & np.repeat(mask.astype(np.bool_), remote.shape.cells)).sum())
            size_bytes = histogram.answer_size(self.parameters, cells, len(sealed.questions))
            remote.peer.must(len(answers.sums) == size_bytes, f"answers of {size_bytes} bytes")
            try:
                g, h = await asyncio.to_thread(sealed.level.decrypt, hint, answers.sums, mask)
            except (ValueError, NoiseBudget):
                g = h = np.zeros((len(totals), cells), np.int64)
                unsound.add(remote.peer)
            sums = remote.complete(g, totals[:, 0], mask), remote.complete(h, totals[:, 1], mask)
            if np.any(np.abs(sums[0]) > most[:, None]) or np.any((sums[1] < 0) | (sums[1] > totals[:, 1:])):
                unsound.add(remote.peer)
            found.append(sums)
        for place, question in enumerate(sealed.questions):
            guilty = self.books.note(question, [(g[place], h[place]) for g, h in found])
            unsound |= {self.columns[host].peer for host in guilty}


def _planes(questions: Sequence[Question], growths: Sequence[Growth], rounded: Sequence[Rounded]) -> list[Plane]:
    """Return the gradients of the trees that the questions are about, and which samples each question counts."""
    planes = []
    for output in sorted({question.output for question in questions}):
        own = [question for question in questions if question.output == output]
        planes.append(Plane(rounded[output].g, rounded[output].h, slots(own, growths[output]), len(own)))
    return planes


async def open_hosts(me: Party, settings: Settings, rows: Rows) -> Remote:
    """Agree with all hosts on rows, set-up and parameter set, and take their hints unless they are kept.

    Raises HanseError("rows.misaligned" | "rows.too_many"), ProtocolError.
    """
    samples = len(rows.counted)
    offers = await me.hosts.gather(Offer)
    if any(offer.rows != samples or offer.passengers != len(rows.passengers) for offer in offers):
        cause = f"guest and hosts have other numbers of rows: {samples} and {[offer.rows for offer in offers]}"
        raise fault("rows.misaligned", cause, "align the tables with psi first", step="set-up")
    columns = [RemoteColumns.of(peer, offer, settings.max_bins) for peer, offer in zip(me.hosts, offers, strict=True)]
    nonces = (me.rng.seed(), *(offer.nonce for offer in offers))
    parameters, digest = _parameters(settings, columns, samples), setups.rows_digest(rows.counted)
    wanted = None if settings.precision == "auto" else parameters.name
    found = await asyncio.to_thread(_kept, me, columns, digest, wanted) if settings.keep_hint else None
    setup, hints = found or (None, None)
    if setup is not None:
        parameters = histogram.parameter_set(setup.parameters)
    seed = public_seed(nonces)
    named = b"" if setup is None else setup.id
    await me.hosts.send(Opening(nonces, named, parameters.name, alignment(seed, rows.counted, rows.passengers)))
    keys = asyncio.to_thread(GuestKeys, parameters, seed if setup is None else setup.public_seed, samples)
    if hints is None:
        async with beside(keys) as making:
            hints = await asyncio.gather(*(_receive(remote, parameters) for remote in columns))
        made = making.result()
    else:
        made = await keys
    parsed = [
        await asyncio.to_thread(_parse, remote, parameters, hint) for remote, hint in zip(columns, hints, strict=True)
    ]
    remote = Remote(me, settings, columns, parameters, samples, made, parsed, setup is not None)
    if settings.keep_hint and setup is None:
        remote.keeping = asyncio.ensure_future(asyncio.to_thread(_keep, me, columns, parameters, seed, digest, hints))
    return remote


def _kept(
    me: Party, columns: Sequence[RemoteColumns], rows: bytes, wanted: str | None
) -> tuple[GuestSetup, list[bytes]] | None:
    """Return the newest set-up of these rows (and of this parameter set) that all hosts still have, with its hints."""
    hosts, answered = _names(me), tuple(remote.answered for remote in columns)
    for setup in setups.list_setups(me.kept, GuestSetup, rows):
        shared = all(setup.id in remote.offer.setups for remote in columns)
        if shared and wanted in (None, setup.parameters) and (setup.hosts, setup.cells) == (hosts, answered):
            hints = setups.read_hints(me.kept, setup)
            if hints is not None:
                return setup, hints
    return None


def _keep(
    me: Party,
    columns: Sequence[RemoteColumns],
    parameters: ParameterSet,
    seed: bytes,
    rows: bytes,
    hints: Sequence[bytes],
) -> None:
    digests = setups.hint_digests(hints)
    answered = tuple(remote.answered for remote in columns)
    which = setups.setup_id(seed), time.time(), parameters.name, seed, rows
    setups.keep(me.kept, GuestSetup(*which, _names(me), answered, digests), hints)


def _names(me: Party) -> tuple[str, ...]:
    """Return who the hosts are: their place in the job and their organisation."""
    return tuple(f"{peer.id} {me.organisations.get(peer.id, '')}" for peer in me.hosts)


def _parameters(settings: Settings, columns: Sequence[RemoteColumns], samples: int) -> ParameterSet:
    """Choose the parameter set. Raises HanseError("rows.too_many" | "hint.too_large")."""
    largest = max(remote.offer.largest for remote in columns)
    answered = max(remote.answered for remote in columns)
    queries = settings.trees * settings.queries_per_round
    try:
        parameters = histogram.choose(samples, largest, answered, queries, settings.precision_for(samples))
    except ValueError as error:
        remedy = "train on fewer rows, fewer or shallower trees, or set precision to auto"
        raise fault("rows.too_many", str(error), remedy, step="set-up") from error
    cells = sum(remote.answered for remote in columns)
    if (size_bytes := histogram.hint_size(parameters, cells)) > MOST_HINT_BYTES:
        cause = f"the set-up of {cells} cells takes {size_bytes >> 20} MiB"
        raise fault("hint.too_large", cause, "have the hosts grant fewer columns, or use fewer bins", step="set-up")
    return parameters


async def _receive(remote: RemoteColumns, parameters: ParameterSet) -> bytes:
    """Take a host's hint, piece by piece."""
    size_bytes, pieces = histogram.hint_size(parameters, remote.answered), []
    for start in range(0, size_bytes, HINT_PIECE_BYTES):
        piece = (await remote.peer.recv(Hint)).piece
        whole = min(size_bytes - start, HINT_PIECE_BYTES)
        remote.peer.must(len(piece) == whole, f"a hint of {size_bytes} bytes in whole pieces")
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _parse(remote: RemoteColumns, parameters: ParameterSet, hint: bytes) -> ParsedHint:
    try:
        return ParsedHint.parse(parameters, hint, remote.shape.cells - 1)
    except ValueError as error:
        raise ProtocolError(remote.peer.id, "sent a hint with numbers out of range") from error


def _abort_if(unsound: set[Peer]) -> None:
    """End the task after the level, in the same words whichever answer it was: more would tell of the gradients."""
    if unsound:
        guilty = min(unsound, key=lambda peer: peer.id)
        raise ProtocolError(guilty.id, "its answers of this level are no sums of the encrypted numbers")


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Do `work` beside the body; whichever fails first ends both."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group.create_task(work)
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
