"""Profiles and drifts of versions, figures that were drawn for partners, and what partners told of theirs."""

from typing import Literal

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Number, Record
from hanse.core.faults import Fault
from hanse.core.ids import DatasetId, OrganisationId, ProjectId
from hanse.core.profiles import Drawn, Drift, FigureName, Figures, SharedFigure

State = Literal["waiting", "running", "ready", "failed"]


class DatasetProfile(Base):
    """The figures of a version, or (with an `older` version, else 0) how it differs from that one.

    `alive_at` is when the process that runs it last said so; a running one that is silent is taken over.
    """

    __tablename__ = "dataset_profiles"

    dataset: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    older: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[State] = mapped_column(String(12), index=True)
    asked_at: Mapped[str] = mapped_column(String(24))
    asked_by: Mapped[str] = mapped_column(String(64))
    alive_at: Mapped[str] = mapped_column(String(24), default="")
    ended_at: Mapped[str | None] = mapped_column(String(24))
    seconds: Mapped[float] = mapped_column(default=0.0)
    peak_memory_bytes: Mapped[int] = mapped_column(Number, default=0)
    figures: Mapped[Figures | None] = mapped_column(Record(Figures))
    drift: Mapped[Drift | None] = mapped_column(Record(Drift))
    fault: Mapped[Fault | None] = mapped_column(Record(Fault))


class DrawnFigure(Base):
    """A figure of a version with its noise. It is drawn once, and repeated as it was however often it is told."""

    __tablename__ = "drawn_figures"

    dataset: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    column: Mapped[str] = mapped_column(String(256), primary_key=True)
    figure: Mapped[FigureName] = mapped_column(String(16), primary_key=True)
    epsilon: Mapped[int]
    drawn: Mapped[Drawn] = mapped_column(Record(Drawn))
    at: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(64))


class PrivacyBudget(Base):
    """How much epsilon (in thousandths) all figures of a dataset may take together, where that was said."""

    __tablename__ = "privacy_budgets"

    dataset: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    most: Mapped[int]


class ProfileShare(Base):
    """What the members of a project are told of a version of one's own dataset."""

    __tablename__ = "profile_shares"

    dataset: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"), primary_key=True)
    project: Mapped[ProjectId] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    version: Mapped[int]
    figures: Mapped[tuple[SharedFigure, ...]] = mapped_column(Record(tuple[SharedFigure, ...]))
    at: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(64))


class PartnerProfile(Base):
    """What a partner told of a version of its dataset, which it offers to a project."""

    __tablename__ = "partner_profiles"

    project: Mapped[ProjectId] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    dataset: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int]
    figures: Mapped[tuple[SharedFigure, ...]] = mapped_column(Record(tuple[SharedFigure, ...]))
    received_at: Mapped[str] = mapped_column(String(24))
