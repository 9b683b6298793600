"""What a dataset's version looks like in figures, for its owner, and what of it partners are told.

The first part is exact and stays at its owner. The second is what the owner chose to tell, with noise: whoever reads it
learns about no single row more than a factor of exp(epsilon).
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from hanse.core.schema import ColumnType, ColumnUse, IdType
from hanse.core.specs import Artefact, Limits

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
STABLE_BELOW, SHIFTED_BELOW = 0.1, 0.25
"""A stability index below the first is called stable, below the second shifted, else drifted (Siddiqi 2006, ch. 6)."""

ONE = 1000
"""Epsilon is counted in thousandths, so that sums of it are exact."""

MOST_BINS = 200
MOST_FIGURES = 500

Verdict = Literal["stable", "shifted", "drifted"]


# ------------------------------------------------------------------------------------------------ the owner's figures


class Counted(msgspec.Struct, frozen=True):
    """A value, and in how many rows it stands."""

    value: str
    count: int


class NumberFigures(msgspec.Struct, frozen=True):
    """A column of numbers. `quantiles` are at `QUANTILES`, between two values by straight line.

    `fences` lie 1.5 interquartile ranges beyond the quartiles (Tukey 1977); `below` and `above` count the rows beyond
    them. Without fences (both quartiles are one value) nothing counts as outlier. The bins of `counts` lie between
    `edges`, of equal width, the last one with its upper edge; they cover what is not beyond the fences.
    """

    minimum: float
    maximum: float
    mean: float
    deviation: float | None
    quantiles: tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    fences: tuple[float, float] | None
    below: int
    above: int


class ColumnFigures(msgspec.Struct, frozen=True):
    """One column. `distinct` is counted, or where it `is_estimated` true to about 1 in 100.

    `values` are the most frequent ones, of texts and of numbers with few values. `shortest` and `longest`
    are characters of texts.
    """

    name: str
    type: ColumnType
    use: ColumnUse
    filled: int
    missing: int
    distinct: int
    is_estimated: bool = False
    numbers: NumberFigures | None = None
    values: tuple[Counted, ...] = ()
    shortest: int | None = None
    longest: int | None = None


class IdFigures(msgspec.Struct, frozen=True):
    """The ids. `duplicates` are rows too many, `malformed` ids do not look like their type.

    `resembles` counts, for each type, the ids that look like one of it.
    """

    name: str
    id_type: IdType
    blank: int
    duplicates: int
    malformed: int
    resembles: dict[IdType, int]
    shortest: int
    longest: int


class Correlation(msgspec.Struct, frozen=True):
    """Pearson's correlation of each pair of `columns`, over the rows in which both are filled; None: undefined."""

    columns: tuple[str, ...] = ()
    matrix: tuple[tuple[float | None, ...], ...] = ()
    left_out: int = 0


class Figures(msgspec.Struct, frozen=True):
    """A dataset's version. `balance` counts the classes of the label, where it has few values."""

    rows: int
    columns: tuple[ColumnFigures, ...]
    ids: IdFigures
    correlation: Correlation
    balance: tuple[Counted, ...] = ()


class ColumnDrift(msgspec.Struct, frozen=True):
    """How a column of one version differs from that of another.

    `stability` is the population stability index, the sum of (q - p) ln(q / p) over bins: tenths of the older version
    (`edges`) or its most frequent `values` and the others, then what is missing; shares below 0.0001 count as that.
    `ks` is the greatest difference of the two distribution functions, `p` the probability of one as great if nothing
    had changed (asymptotic, Kolmogorov 1933).
    """

    name: str
    verdict: Verdict
    stability: float
    old: tuple[int, ...]
    new: tuple[int, ...]
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    ks: float | None = None
    p: float | None = None
    old_mean: float | None = None
    new_mean: float | None = None


class Drift(msgspec.Struct, frozen=True):
    """How two versions differ: in columns that both have (`columns`), and in which they have."""

    old_rows: int
    new_rows: int
    columns: tuple[ColumnDrift, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()


def judge(stability: float) -> Verdict:
    """Return what a stability index means."""
    if stability < STABLE_BELOW:
        return "stable"
    return "shifted" if stability < SHIFTED_BELOW else "drifted"


# --------------------------------------------------------------------------------------------- what partners are told

FigureName = Literal["rows", "missing", "distinct", "malformed", "histogram"]
"""What can be drawn: each changes by at most 1 when one row comes or goes, a histogram in one bin."""

SharedName = Literal["rows", "missing", "distinct", "malformed", "histogram", "quantiles"]
"""What can be told: quantiles follow from the noised histogram."""

Edge = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Edges = Annotated[tuple[Edge, ...], msgspec.Meta(max_length=MOST_BINS + 1)]
Values = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=256)], ...], msgspec.Meta(max_length=MOST_BINS)]
Thousandths = Annotated[int, msgspec.Meta(ge=1, le=100 * ONE)]
Count = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]


class Wanted(msgspec.Struct, frozen=True):
    """A figure to be drawn, with its epsilon. `column` is empty for `rows`; a histogram has `edges` or `values`.

    They are chosen by the owner without looking at single rows: what is chosen is told as it is.
    """

    figure: FigureName
    epsilon: Thousandths
    column: str = ""
    edges: Edges = ()
    values: Values = ()

    @property
    def key(self) -> tuple[str, FigureName]:
        """What is drawn once for each version."""
        return self.column, self.figure


class Drawn(msgspec.Struct, frozen=True):
    """A figure with noise: discrete Laplace, P(x) ~ exp(-epsilon |x|), in each of `counts`; they may be below zero.

    Of a histogram they are: below the first edge, each bin (the last one with its upper edge), above the last edge,
    missing; or each value, other values, missing.
    """

    wanted: Wanted
    counts: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1, max_length=MOST_BINS + 3)]


class SharedFigure(msgspec.Struct, frozen=True):
    """A figure as partners see it. `quantiles` (at `QUANTILES`) follow from a histogram; None: beyond its bins."""

    figure: SharedName
    epsilon: Annotated[int, msgspec.Meta(ge=1, le=100 * ONE)]
    column: Annotated[str, msgspec.Meta(max_length=256)] = ""
    edges: Edges = ()
    values: Values = ()
    counts: Annotated[tuple[Count, ...], msgspec.Meta(max_length=MOST_BINS + 3)] = ()
    quantiles: Annotated[tuple[Edge | None, ...], msgspec.Meta(max_length=len(QUANTILES))] = ()

    def __post_init__(self) -> None:
        bins = {"histogram": len(self.edges) + 2 if self.edges else len(self.values) + 2, "quantiles": 0}
        if len(self.counts) != bins.get(self.figure, 1):
            raise ValueError(f"{self.figure} has another number of counts")
        if len(self.quantiles) != (len(QUANTILES) if self.figure == "quantiles" else 0):
            raise ValueError(f"{self.figure} has another number of quantiles")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError("edges rise")


def tell(drawn: Drawn, figure: SharedName) -> SharedFigure:
    """Return a drawn figure, or the quantiles of a drawn histogram, as partners see it."""
    wanted = drawn.wanted
    if figure == "quantiles":
        quantiles = quantiles_of(wanted.edges, drawn.counts[:-1])
        return SharedFigure("quantiles", wanted.epsilon, wanted.column, quantiles=quantiles)
    return SharedFigure(figure, wanted.epsilon, wanted.column, wanted.edges, wanted.values, drawn.counts)


def quantiles_of(edges: Sequence[float], counts: Sequence[int]) -> tuple[float | None, ...]:
    """Return the quantiles of a histogram (below, bins, above), by straight line within a bin.

    Counts below zero are taken for zero. None where a quantile lies beyond the edges, or nothing was counted.
    """
    plain = [max(count, 0) for count in counts]
    total = sum(plain)
    found: list[float | None] = []
    for share in QUANTILES:
        aim, passed = share * total, plain[0]
        place = None
        for low, high, count in zip(edges[:-1], edges[1:], plain[1:-1], strict=True):
            if count and passed <= aim <= passed + count:
                place = low + (high - low) * (aim - passed) / count
                break
            passed += count
        found.append(place)
    return tuple(found)


def margin(epsilon: int) -> int:
    """Return the m that discrete Laplace noise of `epsilon` thousandths passes in at most 1 of 20 draws.

    P(|x| > m) = 2 a^(m+1) / (1 + a) with a = exp(-epsilon).
    """
    rate = epsilon / ONE
    return max(0, math.ceil(math.log(40 / (1 + math.exp(-rate))) / rate) - 1)


# ---------------------------------------------------------------------------------------------- the two planes' files

Work = Literal["measure", "compare", "draw"]


class ProfileSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`profile.json`: measure a snapshot, compare it with an older one, or draw figures of it with noise.

    A local attempt, without a gateway; what it finds is `figures.json` in `directory`: `Figures`, `Drift` or
    `tuple[Drawn, ...]`.
    """

    work: Work
    table: Artefact
    directory: str
    older: Artefact | None = None
    wanted: tuple[Wanted, ...] = ()
    limits: Limits = Limits()
