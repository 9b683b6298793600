"""What a table looks like, without a row of it."""

from collections.abc import Iterable
from typing import Literal

import msgspec

ColumnType = Literal["integer", "real", "text"]
ColumnUse = Literal["id", "label", "feature"]


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column: its name, the type of its values and what it is for."""

    name: str
    type: ColumnType
    use: ColumnUse = "feature"


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The columns of a table, in order; exactly one is the id, at most one the label."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def id(self) -> str:
        """Name of the id column."""
        return next(column.name for column in self.columns if column.use == "id")

    @property
    def label(self) -> str | None:
        """Name of the label column, if this party has one."""
        return next((column.name for column in self.columns if column.use == "label"), None)

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.use == "feature")

    def only(self, names: Iterable[str]) -> "Schema":
        """Return the schema of the named columns (id and label always stay), order kept."""
        wanted = set(names)
        return Schema(tuple(c for c in self.columns if c.use != "feature" or c.name in wanted))
