"""What the cells of a text column are."""

from __future__ import annotations

from typing import NamedTuple, Self

from hanse.kernel import _kernel
from hanse.kernel.ids import Ids


class Survey(NamedTuple):
    """How many cells of a column are what.

    filled    not empty, spaces aside.
    numbers   finite decimal numbers.
    wholes    among the numbers: whole ones of 64 bits, without fraction or exponent.
    texts     no number in anybody's reading.
    doubtful  neither surely a number nor surely none: infinities, NaN, very long, very large, very small.
    padded    with spaces at an end, or nothing but spaces.
    """

    filled: int = 0
    numbers: int = 0
    wholes: int = 0
    texts: int = 0
    doubtful: int = 0
    padded: int = 0

    def plus(self, other: Self) -> Survey:
        """The survey of both columns, one after the other."""
        return Survey(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


def survey(cells: Ids) -> Survey:
    """Looks at cells packed end to end; a missing one is empty."""
    return Survey(*_kernel.cells_survey(cells.data, cells.offsets))
