"""What jobs were expected to take, and what their tasks took: the history that corrects the cost models."""

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hanse.control.database import Base, Record
from hanse.core.costs import Figures
from hanse.core.estimates import Estimate
from hanse.core.ids import JobId, OrganisationId, TaskName


class Expectation(Base):
    """What a job was expected to take at this node when it was proposed."""

    __tablename__ = "expectations"

    job: Mapped[JobId] = mapped_column(String(32), primary_key=True)
    at: Mapped[str] = mapped_column(String(24))
    estimate: Mapped[Estimate] = mapped_column(Record(Estimate))


class Measure(Base):
    """A task at this party: as its component's cost model says, and as measured once its first attempt has succeeded.

    Rows outlive their jobs, the newest of each component, role and machine: they are what this node has learnt.
    """

    __tablename__ = "measures"
    __table_args__ = (Index("ix_measures_of", "component", "apply", "role", "machine", "measured_at"),)

    job: Mapped[JobId] = mapped_column(String(32), primary_key=True)
    task: Mapped[TaskName] = mapped_column(String(48), primary_key=True)
    component: Mapped[str] = mapped_column(String(48))
    apply: Mapped[bool]
    role: Mapped[str] = mapped_column(String(16))
    machine: Mapped[str] = mapped_column(String(200))
    modelled: Mapped[Figures] = mapped_column(Record(Figures))
    measured: Mapped[Figures | None] = mapped_column(Record(Figures))
    measured_at: Mapped[str] = mapped_column(String(24), default="")


class LinkRate(Base):
    """How many bytes a second the link to a member carried when it was last checked, in its slower direction."""

    __tablename__ = "link_rates"

    organisation: Mapped[OrganisationId] = mapped_column(String(32), primary_key=True)
    bytes_s: Mapped[float]
    at: Mapped[str] = mapped_column(String(24))
