"""Datasets and their versions."""

import msgspec
from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number, Record
from hanse.core.ids import DatasetId
from hanse.core.schema import IdType, Schema, Sensitivity
from hanse.core.sources import TableName
from hanse.core.specs import Delimiter, Encoding


class Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a file is read, so that it can be read again: what `IngestSpec` says of it, beside its place.

    `source` is a source by name or id, then `table` or `query` is what of it.
    """

    id_column: str
    label_column: str | None = None
    id_type: IdType = "free"
    encoding: Encoding = ""
    delimiter: Delimiter = ""
    sheet: str = ""
    source: str = ""
    table: TableName | None = None
    query: str = ""


class Dataset(Base):
    """A table under a name; `version` is its newest. A deleted one has no rows, and its id for a name.

    `sensitivities` are those of columns that differ from the dataset's own.
    """

    __tablename__ = "datasets"

    id: Mapped[DatasetId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    version: Mapped[int]
    created_at: Mapped[str] = mapped_column(String(24))
    owner: Mapped[str] = mapped_column(String(40), server_default="administrator", default="administrator", index=True)
    description: Mapped[str] = mapped_column(Text, server_default="", default="")
    tags: Mapped[tuple[str, ...]] = mapped_column(Record(tuple[str, ...]), server_default="[]", default=())
    sensitivity: Mapped[Sensitivity] = mapped_column(String(12), server_default="internal", default="internal")
    sensitivities: Mapped[dict[str, Sensitivity]] = mapped_column(
        Record(dict[str, Sensitivity]), server_default="{}", default=dict
    )
    deleted_at: Mapped[str | None] = mapped_column(String(24))


class DatasetVersion(Base):
    """An immutable snapshot: one Parquet file in the node's directory (`path` is relative to it).

    A retired version keeps its record and has no file. `source_bytes` and `source_sha256` are of the file that was
    read, `misfits` the ids that do not look like their type.
    """

    __tablename__ = "dataset_versions"

    dataset: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int] = mapped_column(Number)
    schema: Mapped[Schema] = mapped_column(Record(Schema))
    source: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(24))
    reading: Mapped[Reading | None] = mapped_column(Record(Reading))
    source_bytes: Mapped[int] = mapped_column(Number, server_default="0", default=0)
    source_sha256: Mapped[str] = mapped_column(String(64), server_default="", default="")
    misfits: Mapped[int] = mapped_column(Number, server_default="0", default=0)
    retired_at: Mapped[str | None] = mapped_column(String(24))
