"""The rows of a training, as all parties have them: which, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

from hanse.components.hetero_boost.settings import Settings
from hanse.kernel.ids import Ids
from hanse.sdk import Table
from hanse.sdk.boosting import Lot


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that count and those that are only routed: left out of the sample, then of the validation table.

    counted, passengers   their ids, in the order of the host's matrix.
    """

    lot: Lot
    counted: Ids
    passengers: Ids

    @classmethod
    def read(cls, train: Table, valid: Table | None, settings: Settings) -> Rows:
        """Read the ids of the tables, once. Raises HanseError("rows.too_few")."""
        ids = train.ids()
        lot = Lot.draw(ids, settings)
        passengers = [ids.take(lot.left_out), *([] if valid is None else [valid.ids()])]
        return cls(lot, ids.take(lot.counted), Ids.joined(passengers))
