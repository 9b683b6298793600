"""Datasets and their versions."""

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number, Record
from hanse.core.ids import DatasetId
from hanse.core.schema import Schema


class Dataset(Base):
    """A table under a name; `version` is its newest."""

    __tablename__ = "datasets"

    id: Mapped[DatasetId] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    version: Mapped[int]
    created_at: Mapped[str] = mapped_column(String(24))


class DatasetVersion(Base):
    """An immutable snapshot: one Parquet file in the node's directory (`path` is relative to it)."""

    __tablename__ = "dataset_versions"

    dataset: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int] = mapped_column(Number)
    schema: Mapped[Schema] = mapped_column(Record(Schema))
    source: Mapped[str] = mapped_column(Text)
    created_at: Mapped[str] = mapped_column(String(24))
