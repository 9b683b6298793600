"""What a table looks like, without a row of it."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from hanse.core.roles import PartyId

ColumnType = Literal["integer", "real", "text"]
ColumnUse = Literal["id", "label", "feature"]
IdType = Literal["free", "phone", "national_id", "email", "device"]
Sensitivity = Literal["public", "internal", "sensitive", "identifier"]

ID_FORM = 1
"""Version of the rules by which ids of all types are normalised (docs/guides/en/datasets.md)."""


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One column: its name, the type of its values and what it is for.

    An id also has a type and the version of the rules that normalised it: two tables whose ids differ in them do not
    meet.
    """

    name: str
    type: ColumnType
    use: ColumnUse = "feature"
    id_type: IdType = "free"
    id_form: int = ID_FORM


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
    def id_type(self) -> tuple[IdType, int]:
        """Type of the ids, and the version of its rules."""
        return next((column.id_type, column.id_form) for column in self.columns if column.use == "id")

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


class KnownColumn(msgspec.Struct, frozen=True):
    """A column that a table will have, with the values of `party`. `type` None: only the rows will show it."""

    name: str
    type: ColumnType | None
    use: ColumnUse
    party: PartyId


class KnownTable(msgspec.Struct, frozen=True):
    """What is known of a table before there is one: its columns, in order; an `open` one may have others, too."""

    columns: tuple[KnownColumn, ...] = ()
    open: bool = False

    @classmethod
    def of(cls, schema: Schema, party: PartyId) -> "KnownTable":
        """Return what a schema says of a party's own table."""
        return cls(tuple(KnownColumn(column.name, column.type, column.use, party) for column in schema.columns))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def features(self) -> dict[str, ColumnType | None]:
        """The features that are known, with their types."""
        return {column.name: column.type for column in self.columns if column.use == "feature"}

    @property
    def label(self) -> KnownColumn | None:
        """The label, if one is known."""
        return next((column for column in self.columns if column.use == "label"), None)

    def only(self, names: Iterable[str]) -> "KnownTable":
        """Return the table with the named features only (id and label always stay), order kept."""
        wanted = set(names)
        kept = tuple(c for c in self.columns if c.use != "feature" or c.name in wanted)
        return KnownTable(kept, self.open)

    def plus(self, columns: Iterable[KnownColumn]) -> "KnownTable":
        """Return the table with more columns behind its own."""
        return KnownTable((*self.columns, *columns), self.open)


UNKNOWN = KnownTable(open=True)
