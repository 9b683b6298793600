"""What it takes to grow trees on own columns, for the cost models of boosted components."""

from hanse.sdk.boosting.settings import BoostSettings

CELL_S = 0.5e-9
"""One sample of one feature added to a histogram (design: 0.33 ns, one core, 4 features a pass)."""

ROW_S = 8e-9
"""Gradients of a row, and its way down one level."""

TREE_S = 1e-3


def grow_s(settings: BoostSettings, rows: int, columns: int) -> float:
    """Return the seconds on one core for all trees; of each pair of children the smaller is added up."""
    trees = settings.trees * settings.outputs
    passes = 1 + (settings.depth - 1) / 2
    return trees * (rows * (columns * settings.column_sample * passes * CELL_S + settings.depth * ROW_S) + TREE_S)
