"""What a population is: per organisation a table of its own customers, to be written as that organisation's file."""

import csv
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

Values = NDArray[Any]
"""One column: int64, float64 or text."""


class Column(msgspec.Struct, frozen=True):
    """What one column holds: its unit, what it means, and with how many decimals it is written (0: whole numbers)."""

    name: str
    unit: str
    meaning: str
    decimals: int = 0


class Holding(msgspec.Struct, frozen=True):
    """What one organisation holds: `values` has one array per column, of one length, the id first.

    `label` names the column to be predicted; only one organisation has it.
    """

    organisation: str
    dataset: str
    columns: tuple[Column, ...]
    values: dict[str, Values]
    label: str | None = None

    @property
    def id(self) -> str:
        return self.columns[0].name

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns[1:] if column.name != self.label)

    def __len__(self) -> int:
        return len(self.values[self.id])


class Population(msgspec.Struct, frozen=True):
    """The same people as several organisations see them: the guest first, then the hosts.

    `disclosure_limit` is the figure to which the hosts consent (R1); None leaves the platform's default.
    """

    story: str
    holdings: tuple[Holding, ...]
    disclosure_limit: float | None = None


def write(holding: Holding, path: Path) -> Path:
    """Write a holding as CSV (UTF-8, header, one line per customer) and return the path."""
    cells = [holding.values[column.name].tolist() for column in holding.columns]
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(column.name for column in holding.columns)
        lines.writerows(zip(*cells, strict=True))
    return path
