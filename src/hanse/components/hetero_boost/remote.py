"""The hosts' features as the guest sees them: numbered bins, and encrypted queries for their sums."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse.components.hetero_boost.messages import Answer, Hint, Offer, Opening, Query, alignment, public_seed
from hanse.core.faults import fault
from hanse.kernel import histogram
from hanse.kernel.gradients import Rounded
from hanse.kernel.heaps import Node
from hanse.kernel.histogram import GuestKeys, NoiseBudget, ParameterSet, ParsedHint
from hanse.kernel.ids import Ids
from hanse.sdk import Party, Peer, Peers, ProtocolError

IN_FLIGHT = 3
"""Queries sent and not yet answered: enough to keep both sides busy, few enough to keep memory small."""

MAX_FEATURES = 1 << 16

Integers = NDArray[np.int64]
IntegerSums = tuple[Integers, Integers]


@dataclass(frozen=True)
class RemoteColumns:
    """One host's binned features. Bins are counted over all features; `sent` marks those that are answered for."""

    peer: Peer
    offer: Offer
    starts: NDArray[np.int64]
    sent: NDArray[np.bool_]

    @classmethod
    def of(cls, peer: Peer, offer: Offer, max_bins: int) -> RemoteColumns:
        """Check a host's offer. Raises ProtocolError."""
        bins, omitted = offer.bins, offer.omitted
        peer.must(0 < len(bins) <= MAX_FEATURES and len(bins) == len(omitted), "bins and omitted bin of each feature")
        peer.must(bool(np.all((bins >= 2) & (bins <= max_bins))), f"each feature has 2 to {max_bins} bins")
        peer.must(bool(np.all((omitted >= 0) & (omitted < bins))), "the omitted bin is one of the feature's")
        peer.must(1 <= offer.smallest <= offer.largest <= offer.rows, "rows of a possible size")
        starts = np.concatenate([[0], np.cumsum(bins[:-1], dtype=np.int64)])
        sent = np.ones(int(bins.sum()), np.bool_)
        sent[starts + omitted] = False
        return cls(peer, offer, starts, sent)

    @property
    def rows(self) -> int:
        """Rows of the host's matrix: all bins but the omitted ones."""
        return int(self.sent.sum())

    @property
    def bins(self) -> NDArray[np.uint32]:
        return self.offer.bins.astype(np.uint32)

    def complete(self, sums: Integers, total: int) -> Integers:
        """Return the sums of all bins: the omitted one of each feature is what the others leave of the total."""
        every = np.zeros(len(self.sent), np.int64)
        every[self.sent] = sums
        every[~self.sent] = total - np.add.reduceat(every, self.starts)
        return every


@dataclass(frozen=True)
class Sealed:
    """A query under way, and what its answers must agree with: sums of g and h, rows, and the largest |g|."""

    query: histogram.Query
    total: tuple[int, int]
    g_most: int


class Remote:
    """All hosts' features, opened for one training."""

    def __init__(
        self, me: Party, columns: Sequence[RemoteColumns], parameters: ParameterSet, seed: bytes, samples: int
    ) -> None:
        self.columns = columns
        self.parameters = parameters
        self.queries = 0
        self._me = me
        self._keys = GuestKeys(parameters, seed, samples)
        self._samples = samples
        self._hints: list[ParsedHint] = []
        self._sums: dict[int, list[IntegerSums]] = {}

    @classmethod
    async def open(cls, me: Party, ids: tuple[Ids, Ids], max_bins: int) -> Remote:
        """Agree with all hosts on rows, public seed and parameter set, and take their hints.

        Raises HanseError("rows.misaligned" | "rows.too_many"), ProtocolError.
        """
        samples = len(ids[0])
        offers = await me.hosts.gather(Offer)
        if any(offer.rows != samples or offer.valid_rows != len(ids[1]) for offer in offers):
            cause = f"guest and hosts have other numbers of rows: {samples} and {[offer.rows for offer in offers]}"
            raise fault("rows.misaligned", cause, "align the tables with psi first", step="set-up")
        columns = [RemoteColumns.of(peer, offer, max_bins) for peer, offer in zip(me.hosts, offers, strict=True)]
        parameters = histogram.choose(samples, max(offer.largest for offer in offers))
        if samples > parameters.max_samples:
            cause = f"{samples} rows are more than the {parameters.max_samples} of parameter set {parameters.name}"
            raise fault("rows.too_many", cause, "train on fewer rows", step="set-up")
        for remote in columns:
            remote.peer.must(remote.offer.largest <= parameters.max_row_samples, "rows that a parameter set can sum")
        nonces = (me.rng.seed(), *(offer.nonce for offer in offers))
        seed = public_seed(nonces)
        await me.hosts.send(Opening(nonces, parameters.name, alignment(seed, *ids)))
        opened = cls(me, columns, parameters, seed, samples)
        for remote in columns:
            hint = await remote.peer.recv(Hint)
            size_bytes = histogram.hint_size(parameters, remote.rows)
            remote.peer.must(len(hint.data) == size_bytes, f"a hint of {size_bytes} bytes")
            opened._hints.append(_parse(remote.peer, parameters, hint.data, remote.rows))
        return opened

    @property
    def peers(self) -> Peers:
        return Peers(remote.peer for remote in self.columns)

    @property
    def least_node(self) -> int:
        """Rows of the smallest node that may be asked for: a quarter of the hosts' smallest row."""
        return max(-(-remote.offer.smallest // 4) for remote in self.columns)

    def sums_of(self, node: Node) -> list[IntegerSums] | None:
        """Return each host's sums of (g, h) over the bins of a node, None for a node that was not asked for."""
        return self._sums.get(node.place)

    async def learn_level(self, nodes: Sequence[Node | None], rounded: Rounded) -> None:
        """Learn the hosts' sums for the nodes of one level.

        One query for the smaller child of each pair, its sibling by subtraction; a query of zeros where there is no
        pair, or where the smaller child is too small to be asked for (then its sibling, which would tell the same, is
        not learnt either).
        """
        pairs = [(None, nodes[0])] if len(nodes) == 1 else list(zip(nodes[::2], nodes[1::2], strict=True))
        asked = [self._smaller(*pair) for pair in pairs]
        answers = await self._ask(asked, rounded)
        before, self._sums = self._sums, {}
        for pair, node, sums in zip(pairs, asked, answers, strict=True):
            if node is None:
                continue
            self._sums[node.place] = sums
            sibling = next((other for other in pair if other is not None and other is not node), None)
            whole = before.get((node.place - 1) // 2)
            if sibling is not None and whole is not None:
                rest = [(all_g - g, all_h - h) for (all_g, all_h), (g, h) in zip(whole, sums, strict=True)]
                self._sums[sibling.place] = rest
        self._check(nodes, rounded)

    def _smaller(self, left: Node | None, right: Node | None) -> Node | None:
        """Return the child of a pair to ask for; the root comes as a right one without a left."""
        if right is None or (left is None and right.place):
            return None
        node = left if left is not None and len(left.rows) <= len(right.rows) else right
        return node if len(node.rows) >= self.least_node else None

    async def _ask(self, nodes: Sequence[Node | None], rounded: Rounded) -> list[list[IntegerSums]]:
        """Send one query for each node to all hosts and open the answers, few in flight at once."""
        under_way: deque[Sealed] = deque()
        answers: list[list[IntegerSums]] = []
        unsound: set[Peer] = set()
        for node in nodes:
            sealed = self._seal(node, rounded)
            await self.peers.send(Query(sealed.query.ciphertext))
            under_way.append(sealed)
            if len(under_way) > IN_FLIGHT:
                answers.append(await self._open(under_way.popleft(), unsound))
        while under_way:
            answers.append(await self._open(under_way.popleft(), unsound))
        self.queries += len(nodes)
        _abort_if(unsound)
        return answers

    def _seal(self, node: Node | None, rounded: Rounded) -> Sealed:
        g, h = np.zeros(self._samples, np.int32), np.zeros(self._samples, np.int32)
        if node is not None:
            g[node.rows], h[node.rows] = rounded.g[node.rows], rounded.h[node.rows]
        total = int(g.sum(dtype=np.int64)), int(h.sum(dtype=np.int64))
        return Sealed(self._keys.encrypt(g, h, self._me.rng.seed()), total, int(np.abs(g).sum(dtype=np.int64)))

    async def _open(self, sealed: Sealed, unsound: set[Peer]) -> list[IntegerSums]:
        """Receive and decrypt every host's answer to one query. What does not add up is noted, not told yet."""
        found: list[IntegerSums] = []
        for remote, hint in zip(self.columns, self._hints, strict=True):
            answer = await remote.peer.recv(Answer)
            size_bytes = histogram.answer_size(self.parameters, remote.rows)
            remote.peer.must(len(answer.sums) == size_bytes, f"an answer of {size_bytes} bytes")
            try:
                g, h = self._keys.decrypt(sealed.query, hint, answer.sums)
            except (ValueError, NoiseBudget):
                g = h = np.zeros(remote.rows, np.int64)
                unsound.add(remote.peer)
            sums = remote.complete(g, sealed.total[0]), remote.complete(h, sealed.total[1])
            if np.any(np.abs(sums[0]) > sealed.g_most) or np.any((sums[1] < 0) | (sums[1] > sealed.total[1])):
                unsound.add(remote.peer)
            found.append(sums)
        return found

    def _check(self, nodes: Sequence[Node | None], rounded: Rounded) -> None:
        """What was subtracted must be sums of a sibling's rows, too."""
        unsound = set()
        for node in nodes:
            if node is None or node.place not in self._sums:
                continue
            _, most = rounded.total(node.rows)
            for remote, (_, h) in zip(self.columns, self._sums[node.place], strict=True):
                if np.any((h < 0) | (h > most)):
                    unsound.add(remote.peer)
        _abort_if(unsound)


def _abort_if(unsound: set[Peer]) -> None:
    """End the task after the level, in the same words whichever answer it was: more would tell of the gradients."""
    if unsound:
        guilty = min(unsound, key=lambda peer: peer.id)
        raise ProtocolError(guilty.id, "its answers of this level are no sums of the encrypted numbers")


def _parse(peer: Peer, parameters: ParameterSet, data: bytes, rows: int) -> ParsedHint:
    try:
        return ParsedHint.parse(parameters, data, rows)
    except ValueError as error:
        raise ProtocolError(peer.id, "sent a hint with numbers out of range") from error
