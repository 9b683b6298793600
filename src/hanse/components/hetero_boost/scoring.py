"""A fitted model at the guest: rows walk its trees by the guest's own numbers and the hosts' left bits."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hanse.components.hetero_boost.cuts import SCORING_BLOCK
from hanse.components.hetero_boost.messages import LeftBits, Scored, alignment, packed_size
from hanse.core.faults import fault
from hanse.sdk import Model, Party, Table
from hanse.sdk.boosting import Ensemble

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Scorer:
    """The guest's part of a model with the hosts that it was fitted with; `splits` names the feature of each split."""

    me: Party
    ensemble: Ensemble
    splits: list[list[str]]

    @classmethod
    def open(cls, me: Party, model: Model) -> Scorer:
        """Read a model. Raises HanseError("model.version" | "model.parties")."""
        ensemble = Ensemble.open(model)
        if [str(peer.id) for peer in me.hosts] != model.details["hosts"]:
            cause = f"the model was fitted with {', '.join(model.details['hosts'])}"
            raise fault("model.parties", cause, "use the same parties in the same roles")
        return cls(me, ensemble, [list(names) for names in model.details["splits"]])

    async def margins(self, table: Table) -> Reals:
        """Return float64[outputs, rows] of a table's rows, in its order. Raises ProtocolError."""
        nonce = self.me.rng.seed()
        await self.me.hosts.send(Scored(nonce, len(table), alignment(nonce, table.ids())))
        numbers = await asyncio.to_thread(self.ensemble.numbers, table)
        margins = np.empty((self.ensemble.loss.outputs, len(table)))
        for start in range(0, len(table), SCORING_BLOCK):
            block = np.ascontiguousarray(numbers[:, start : start + SCORING_BLOCK])
            left = await self._left(block.shape[1])
            margins[:, start : start + SCORING_BLOCK] = self.ensemble.margins(block, left)
        return margins

    async def _left(self, rows: int) -> list[NDArray[np.uint8]]:
        """Receive which of the next rows go left at each host's splits."""
        found = []
        for peer, splits in zip(self.me.hosts, self.splits, strict=True):
            bits = (await peer.recv(LeftBits)).left
            peer.must(len(bits) == packed_size(len(splits), rows), "a bit for each row and split")
            found.append(bits.reshape(len(splits), packed_size(1, rows)))
        return found
