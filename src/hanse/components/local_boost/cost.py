"""What boosting on one table takes: binning, then for each level of each tree a pass over half of the rows."""

from hanse.core.costs import Cost, Size
from hanse.sdk.boosting.costs import grow_s
from hanse.sdk.costs import Costs, Work

WALK_S = 2e-9
BIN_S = 4e-8
CELL_BYTES = 10


def cost(work: Work) -> Costs:
    """Nothing is sent; the scores have a row for each row that was read."""
    settings = work.settings[work.me]
    if work.apply:
        rows, trees = work.size("table").rows, settings.trees * settings.outputs
        seconds = rows * trees * settings.depth * WALK_S / work.threads
        return Costs(Cost(seconds, memory_bytes=rows * 16), {work.me: {"scores": Size(rows, 1)}})
    table, beside = work.size("train"), work.size("valid")
    rows = table.rows + beside.rows
    seconds = (rows * table.columns * BIN_S + grow_s(settings, rows, table.columns)) / work.threads
    told = Cost(seconds, memory_bytes=rows * (100 + table.columns * CELL_BYTES))
    return Costs(told, {work.me: {"scores": Size(table.rows, 1), "model": Size(table.rows)}})
