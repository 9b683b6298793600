"""Settings of hetero_boost, and the sizes that follow from them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from hanse.kernel import histogram
from hanse.sdk.boosting import BoostSettings

MOST_QUERIES = 32
"""Queries of one step: as many as keep a block of samples and what answers it small."""

FEW_SAMPLES, MANY_SAMPLES = 1 << 13, 1 << 17
"""Below the one, bytes hardly matter; from the other on, sums are over so many rows that they bear more rounding."""

Route = Annotated[
    Literal["host", "bitmap"],
    Meta(
        title="Routing",
        description=(
            "Who learns what of a split on a host's feature. host: the host is told the node's rows and says which go"
            " left. bitmap: the host is told nothing and says of every row on which side it lies."
        ),
    ),
]
Precision = Annotated[
    Literal["auto", "coarse", "medium", "fine"],
    Meta(
        title="Precision",
        description=(
            "Bits of the gradients that hosts add up, rounded without bias: 5 (coarse), 8 (medium), 20 (fine); fewer"
            " bits are fewer bytes and less work. auto: fine below 8,192 rows; for classes, whose gradients are alike"
            " in size, medium, and coarse from 131,072 rows on; for other objectives fine, and medium from there on."
        ),
    ),
]
KeepHint = Annotated[
    bool,
    Meta(
        title="Keep the set-up",
        description=(
            "Keep the encrypted set-up with the datasets, so that later jobs on the same rows and bins begin at once."
        ),
    ),
]


class Settings(BoostSettings, frozen=True):
    """How the trees are grown; the same at all parties."""

    route: Route = "host"
    precision: Precision = "auto"
    keep_hint: KeepHint = True

    def precision_for(self, samples: int) -> histogram.Precision:
        """What `auto` means for so many rows. It follows from settings that all parties know, not from any label."""
        if self.precision != "auto":
            return self.precision
        if samples < FEW_SAMPLES:
            return "fine"
        alike = self.objective in ("binary", "multiclass")
        return ("medium" if alike else "fine") if samples < MANY_SAMPLES else ("coarse" if alike else "medium")

    @property
    def levels(self) -> int:
        """How many times in a round the best splits of some nodes are sought: always as often, whatever the trees."""
        return self.depth if self.growth == "level" else self.leaves - 1

    def queries_at(self, level: int) -> int:
        """Queries for one tree at one level: one for the root, then one for each pair of children."""
        return max(1, 1 << level >> 1) if self.growth == "level" else 1

    def splits_at(self, level: int) -> int:
        """The most splits of one tree at one level."""
        return 1 << level if self.growth == "level" else 1

    def steps_at(self, level: int) -> Iterator[int]:
        """Yield how many queries each step of one level has, those of all trees of the round together."""
        for start in range(0, total := self.outputs * self.queries_at(level), MOST_QUERIES):
            yield min(MOST_QUERIES, total - start)
