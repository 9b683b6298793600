"""What a split takes: a draw at the guest, one bit a row to every host, and two tables written."""

from hanse.core.costs import Size
from hanse.sdk.costs import Costs, Work, exchanged

ROW_S = 1e-7
CELL_S = 2e-8


def cost(work: Work) -> Costs:
    """The aligned rows are as many at all parties."""
    own = work.size("table")
    share = getattr(work.settings.get(work.me), "test_ratio", 0.2)
    seconds = own.rows * (ROW_S + own.columns * CELL_S)
    told = exchanged(work, len(work.asked) * own.rows / 8, 0.0, seconds=seconds, memory_bytes=own.rows * 32)
    return Costs(told, {party: _parts(work.size("table", party), share) for party in work.parties})


def _parts(table: Size, share: float) -> dict[str, Size]:
    held = round(table.rows * share)
    return {"train": Size(table.rows - held, table.columns), "test": Size(held, table.columns)}
